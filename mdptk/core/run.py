"""The only loop: `run` drives an algorithm on a problem and returns a `Run`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from threading import Event
from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Algorithm, Learner, Solver
from mdptk.core.errors import InvalidStart, MdptkError
from mdptk.core.models import MDP, Array
from mdptk.core.wide import wide

PIECE = 128  # models of a batch that are worth a thread of their own


@dataclass(frozen=True, eq=False)
class Run:
    """What an algorithm did on a problem.

    Attributes
    ----------
    t
        The steps at which records were taken, 0 first, shape (records,).
    out
        Fields of the state and measurements by name, float64 of shape (repeats, records, ...). A solver on a batch of
        models has one repeat for each model.
    start
        The state that it was started from; None if `init` chose it.
    """

    alg: Any  # the Algorithm, with whatever hyperparameters it has
    problem: Any
    t: Array
    out: dict[str, Array]
    first: dict[str, Array] = field(repr=False)  # measurements at t = 0 before reduction, (repeats, ...)
    seed: int = 0
    start: Any = field(default=None, repr=False)
    cache: dict[Any, Any] = field(default_factory=dict, repr=False)  # quantities already computed

    @property
    def steps(self) -> int:
        """Number of steps taken."""
        return int(self.t[-1])

    @property
    def repeats(self) -> int:
        """Number of independent repeats (seeds, or models of a batch)."""
        return len(next(iter(self.out.values())))

    @property
    def every(self) -> int:
        """Steps between records."""
        return int(self.t[1] - self.t[0]) if len(self.t) > 1 else 1

    @cached_property
    def truth(self) -> exact.Truth:
        """The problem beside its exact answer."""
        return exact.truth(self.problem)

    def __getitem__(self, name: str) -> Array:
        try:
            return self.out[name]
        except KeyError:
            known = ", ".join(self.out)
            raise MdptkError(f"{type(self.alg).__name__} did not record {name!r}; it recorded {known}") from None

    def frozen(self) -> Run:
        """The run that never moved: at every record the state of step 0. What a bound must exclude to say anything."""
        still = {name: np.repeat(x[:, :1], len(self.t), axis=1) for name, x in self.out.items()}
        for m in type(self.alg).measures:
            x = self.first[m.name][:, None]
            still[m.name] = self.t.reshape(-1, *[1] * (x.ndim - 2)) * x if m.reduce == "sum" else still[m.name]
        return replace(self, out=still, cache={})

    def __repr__(self) -> str:
        shapes = ", ".join(f"{k}{v.shape}" for k, v in self.out.items())
        return f"Run({self.alg!r}, {self.problem!r}, steps={self.steps}, repeats={self.repeats}, out: {shapes})"

    def _repr_html_(self) -> str:
        """What was run, and a line for each thing that was recorded: its shape, its range at first and at last."""
        head = "".join(
            f"<th>{word}</th>" for word in ("recorded", "shape", f"t = {self.t[0]:g}", f"t = {self.t[-1]:g}")
        )
        rows = "".join(
            f"<tr><td>{name}</td><td>{x.shape}</td><td>{_span(x[:, 0])}</td><td>{_span(x[:, -1])}</td></tr>"
            for name, x in self.out.items()
        )
        told = f"{escape(repr(self.alg))} on {escape(repr(self.problem))}"
        counts = f"{self.steps} steps, {self.repeats} repeat{'s' * (self.repeats != 1)}"
        return f"<p><b>{told}</b>: {counts}</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _span(x: Array) -> str:
    """The smallest and the largest number of an array."""
    if not x.size:
        return ""
    low, high = f"{x.min():.4g}", f"{x.max():.4g}"
    return low if low == high else f"{low} to {high}"


def run(
    alg: Algorithm,
    problem: Any,
    steps: int,
    *,
    seed: int = 0,
    repeats: int = 1,
    every: int = 1,
    start: Any = None,
    progress: bool = False,
) -> Run:
    """Run `alg` on `problem` for `steps` steps.

    Parameters
    ----------
    alg
        A Solver, or a Learner (which is handed an oracle of the problem, never the problem).
    problem
        A model of the type that the algorithm is for.
    steps
        Number of updates, a multiple of `every`.
    seed
        Seed of all randomness. Repeat i draws from ``fold_in(fold_in(key(seed), i), t)`` at step t, so longer runs
        begin with the shorter ones and more repeats never change the first, bit for bit.
    repeats
        Number of independent repeats of a Learner.
    every
        Steps between records; the first record is of step 0.
    start
        The state to begin with, in place of the one that `init` returns: a state, or its fields by name. All repeats
        begin with it; for a batch of models its arrays have the batch axis. A theorem speaks about such a run only if
        its `starts` say so.
    progress
        Show a progress bar.

    Raises
    ------
    InvalidStart
        If `start` has other fields or shapes than the state that `init` returns, or a number that is not finite.
    MdptkError
        If the algorithm is not for this type of problem, or the counts do not fit.

    Examples
    --------
    >>> from mdptk.algorithms.planning.value_iteration import ValueIteration
    >>> from mdptk.core.models import MDP
    >>> run(ValueIteration(), MDP([[[1.0]]], [[1.0]], 0.5), 3, start={"v": [4.0]})["v"].ravel()
    array([4.  , 3.  , 2.5 , 2.25])
    """
    wanted = type(alg).model()
    if not isinstance(problem, wanted):
        raise MdptkError(f"{type(alg).__name__} is for {wanted.__name__}, got {type(problem).__name__}: {problem!r}")
    for name, count in (("steps", steps), ("repeats", repeats), ("every", every)):
        if count != int(count) or count < (0 if name == "steps" else 1):
            raise MdptkError(f"{name} = {count!r} is not a {'whole' if name == 'steps' else 'positive whole'} number")
    if steps % every:
        raise MdptkError(f"steps = {steps} is not a multiple of every = {every}")
    with ticker(f"{type(alg).__name__}", steps, progress) as tick:
        if isinstance(alg, Solver):
            if repeats != 1:
                raise MdptkError(f"{type(alg).__name__} is deterministic: repeats = {repeats} would all be the same")
            if start is not None:
                start = state_like(alg.init(problem), start, type(alg).__name__)
            out, first = _solve_batch(alg, problem, steps, every, tick, start)
        elif isinstance(alg, Learner):
            from mdptk.core.learn import learn  # jax only when something learns

            out, first, start = learn(alg, problem, steps, seed, repeats, every, tick, start)
        else:
            raise MdptkError(f"{type(alg).__name__} is neither a Solver nor a Learner")
    return Run(alg, problem, np.arange(0, steps + 1, every, dtype=np.float64), out, first, seed, start)


def state_like(like: Any, given: Any, name: str, where: str = "start") -> Any:
    """`given`, a state or a mapping of its fields, with the type, shapes and kinds of number of the state `like`.

    Raises
    ------
    InvalidStart
        Naming the first field that does not fit, and its value.
    """
    if hasattr(like, "_fields"):
        fields = given if isinstance(given, Mapping) else _asdict(given)
        if set(fields) != set(like._fields):
            raise InvalidStart(f"{where} has {', '.join(fields)}; a state of {name} has {', '.join(like._fields)}")
        return type(like)(*(state_like(x, fields[k], name, f"{where}.{k}") for k, x in like._asdict().items()))
    try:
        x = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidStart(f"{where} is not an array of numbers: {error}") from None
    shape, kind = np.shape(like), np.dtype(getattr(like, "dtype", type(like)))
    if x.shape != shape:
        raise InvalidStart(f"{where} has shape {x.shape}; in this state of {name} it has shape {shape}")
    bad = ~np.isfinite(x) if kind.kind == "f" else x != x.astype(kind)
    if bad.any():
        k = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InvalidStart(f"{where}{list(k) if k else ''} = {x[k]} is not {'finite' if kind.kind == 'f' else kind}")
    x = x.astype(kind)
    return x.item() if isinstance(like, int | float) else x


def _float64(x: Any) -> Array:
    return np.asarray(x, dtype=np.float64)


def run_wide(alg: Solver, problem: Any, t: Array, start: Any) -> Run:
    """The run with records at the steps `t` on a wide problem (`mdptk.core.wide`), of which nothing is float64."""
    every = int(t[1] - t[0]) if len(t) > 1 else 1
    out, first = _solve(alg, problem, int(t[-1]), every, lambda n: None, start, wide)
    return Run(alg, problem, wide(t), out, first, start=start)


def _solve(
    alg: Solver, problem: Any, steps: int, every: int, tick: Any, start: Any, read: Callable[[Any], Array] = _float64
) -> tuple[dict, dict]:
    batched = len(getattr(problem, "batch", ()))
    if batched > 1:
        raise MdptkError(f"a batch of models needs one leading axis to be run, got {problem.batch}")
    measures = type(alg).measures
    truth = exact.truth(problem) if measures else None
    state = alg.init(problem) if start is None else start
    value = first = {m.name: read(m.of(truth, state)) for m in measures}
    total = {m.name: m.start(value[m.name]) for m in measures}
    records = [_asdict(state) | total]
    for t in range(1, steps + 1):
        state = alg.step(problem, state)
        before, value = value, {m.name: read(m.of(truth, state)) for m in measures}
        total = {m.name: m.update(total[m.name], before[m.name], value[m.name]) for m in measures}
        if t % every == 0:
            records.append(_asdict(state) | total)
        tick(1)
    stack = (lambda x: np.stack(x, axis=1)) if batched else (lambda x: np.stack(x)[None])
    out = {k: stack([read(record[k]) for record in records]) for k in records[0]}
    return out, {k: x if batched else x[None] for k, x in first.items()}


def _solve_batch(
    alg: Solver, problem: Any, steps: int, every: int, tick: Any, start: Any
) -> tuple[dict, dict]:  # fmt: skip
    """`_solve`, with a large batch of models cut into one piece for each processor: numpy lets threads run then."""
    models = problem.batch[0] if isinstance(problem, MDP) and len(problem.batch) == 1 else 1
    pieces = min(os.cpu_count() or 1, models // PIECE)
    if pieces < 2 or start is not None:
        return _solve(alg, problem, steps, every, tick, start)
    stop = Event()

    def advance(n: float) -> None:
        if stop.is_set():
            raise MdptkError("interrupted")  # nobody sees it: what stopped the others is raised
        tick(n / pieces)

    def piece(i: int) -> tuple[dict, dict]:
        some = slice(i * models // pieces, (i + 1) * models // pieces)
        part = MDP(problem.P[some], problem.r[some], problem.gamma, problem.rho[some])
        return _solve(alg, part, steps, every, advance, None)

    with ThreadPoolExecutor(pieces) as pool:
        try:
            done = list(pool.map(lambda c, i: c.run(piece, i), [copy_context() for _ in range(pieces)], range(pieces)))
        except BaseException:
            stop.set()
            raise
    return tuple({k: np.concatenate([d[i][k] for d in done]) for k in done[0][i]} for i in (0, 1))  # type: ignore[return-value]


def _asdict(state: Any) -> dict[str, Any]:
    return state._asdict() if hasattr(state, "_asdict") else {"state": state}


@contextmanager
def ticker(title: str, steps: int, progress: bool) -> Iterator[Any]:
    """A function to be called with the number of steps that were just done; a progress bar if `progress`."""
    if not progress:
        yield lambda n: None
        return
    from rich.progress import Progress

    with Progress(transient=True) as bar:
        task = bar.add_task(title, total=steps)
        yield lambda n: bar.advance(task, n)
