"""Runs over algorithms, hyperparameters, problems and seeds, on joblib: on one core, all of them, or a cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, get_args, overload

from mdptk.core.algorithm import Algorithm, Learner
from mdptk.core.errors import MdptkError
from mdptk.core.models import Array, Model
from mdptk.core.run import Run, run, ticker
from mdptk.sweep._workers import end_with_home
from mdptk.theory import check


@dataclass(frozen=True, eq=False)
class Trial:
    """One run of a sweep.

    Attributes
    ----------
    problem
        The name of the problem.
    seed
        The seed; 0 for a solver, which has no use for it.
    seconds
        Wall time of the run and of what was made of it.
    result
        What `of` made of the run.
    """

    alg: Algorithm
    problem: str
    seed: int
    seconds: float
    result: Any


@dataclass(frozen=True, eq=False)
class Rows:
    """The trials of a sweep, in the order in which they were asked for: algorithms, then problems, then seeds."""

    trials: tuple[Trial, ...]

    def where(self, **wanted: Any) -> Rows:
        """The trials with that `problem`, `seed`, or hyperparameter, or with that class as ``alg``.

        Raises
        ------
        MdptkError
            If there are none.
        """

        def value(trial: Trial, name: str) -> Any:
            if name == "alg":
                return type(trial.alg)
            return getattr(trial if name in ("problem", "seed") else trial.alg, name, None)

        found = tuple(x for x in self.trials if all(value(x, name) == y for name, y in wanted.items()))
        if not found:
            raise MdptkError(f"no trial of {self!r} has {', '.join(f'{k} = {v!r}' for k, v in wanted.items())}")
        return Rows(found)

    @property
    def results(self) -> list[Any]:
        """What was made of the runs."""
        return [x.result for x in self.trials]

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.trials)

    def __len__(self) -> int:
        return len(self.trials)

    @overload
    def __getitem__(self, i: int) -> Trial: ...
    @overload
    def __getitem__(self, i: slice) -> Rows: ...
    def __getitem__(self, i: int | slice) -> Trial | Rows:
        return Rows(self.trials[i]) if isinstance(i, slice) else self.trials[i]

    def __repr__(self) -> str:
        algs, problems = (len({getattr(x, name) for x in self.trials}) for name in ("alg", "problem"))
        return f"Rows({len(self)} trials, {algs} algorithms, {problems} problems)"


def grid(alg: Algorithm, **values: Iterable[Any]) -> list[Algorithm]:
    """`alg` with every combination of the hyperparameters given.

    Examples
    --------
    >>> from mdptk.algorithms.policy_gradient.npg import NPG
    >>> grid(NPG(), eta=[0.1, 1.0])
    [NPG(eta=0.1), NPG(eta=1.0)]
    """
    return [replace(alg, **dict(zip(values, x, strict=True))) for x in product(*values.values())]


def finals(result: Run) -> dict[str, Array]:
    """The last record of a run, by name: shape (repeats, ...) each."""
    return {name: x[:, -1] for name, x in result.out.items()}


@dataclass(frozen=True)
class Said:
    """A `Verdict` that travels between processes: the theorem by its slug, the rest as it was."""

    theorem: str
    word: str
    ratio: float
    informative: bool
    vacuous: bool
    slack: float
    note: str
    p: float


def verdicts(result: Run) -> tuple[Said, ...]:
    """What `mdptk.check` says about a run, one for each theorem of the algorithm."""
    return tuple(
        Said(v.theorem.slug, v.word, v.ratio, v.informative, v.vacuous, v.slack, v.note, v.p) for v in check(result)
    )


def sweep(
    algs: Algorithm | Iterable[Algorithm],
    problems: Any,
    steps: int,
    *,
    seeds: int | Iterable[int] = 0,
    repeats: int = 1,
    every: int = 1,
    of: Callable[[Run], Any] = finals,
    jobs: int | None = None,
    progress: bool = False,
) -> Rows:
    """Run every algorithm on every problem, a learner with every seed.

    The runs are independent `joblib` tasks, so where they run is not decided here:
    ``with joblib.parallel_config(backend="dask")`` (or ``"ray"``, ``"loky"``, ``"threading"``) around the call moves
    them, and changes no number (Ray after ``ray.util.joblib.register_ray()``, which tells joblib of it). Without it
    they run in this process, one by one; ``jobs=-1`` takes all cores.

    Parameters
    ----------
    algs
        One algorithm or several; `grid` makes them.
    problems
        One model, several, or several by name. Without names they are named by what they print.
    steps, repeats, every
        As for `run`; `repeats` counts for learners only.
    seeds
        One seed or several, each a trial of its own; solvers have one trial whatever the seeds.
    of
        What is made of each run, where it ran; only that is kept and travels. `finals`, the last record;
        `verdicts`, what the theorems say; a function of your own; ``lambda run: run`` keeps everything.
    jobs
        Number of processes, as joblib counts them; None leaves it to the surrounding `joblib.parallel_config`.
    progress
        Show a progress bar.

    Raises
    ------
    MdptkError
        If there is nothing to run, or an algorithm is not for a problem: before anything is run.

    Examples
    --------
    >>> from mdptk.algorithms.policy_gradient.npg import NPG
    >>> from mdptk.problems.riverswim import riverswim
    >>> rows = sweep(grid(NPG(), eta=[0.1, 1.0]), {"riverswim": riverswim()}, 20)
    >>> [(x.alg.eta, x.problem, x.result["pi"].shape) for x in rows]
    [(0.1, 'riverswim', (1, 6, 2)), (1.0, 'riverswim', (1, 6, 2))]
    """
    from joblib import Parallel, delayed  # only where it is needed: 0.1 s

    tasks = _tasks(algs, problems, [seeds] if isinstance(seeds, int) else list(seeds))
    with ticker("sweep", len(tasks), progress) as tick:

        class Ticking(Parallel):
            """Tells how many tasks are done, whatever the backend."""

            told = 0

            def print_progress(self) -> None:
                tick(self.n_completed_tasks - self.told)
                self.told = self.n_completed_tasks

        one, here = delayed(_trial), os.getpid()
        trials: Any = Ticking(n_jobs=jobs)(one(here, *task, steps, repeats, every, of) for task in tasks)
    return Rows(tuple(trials))


def _tasks(algs: Any, problems: Any, seeds: list[int]) -> list[tuple[Any, str, Any, int]]:
    """(algorithm, name of the problem, problem, seed) for every trial."""
    algs = [algs] if isinstance(algs, Algorithm) else list(algs)
    if not isinstance(problems, Mapping):
        several = [problems] if isinstance(problems, get_args(Model)) else list(problems)
        problems = {repr(x): x for x in several}
        if len(problems) < len(several):
            raise MdptkError(f"several problems print as one of {', '.join(problems)}: give them names, in a dict")
    for alg, (name, problem) in product(algs, problems.items()):
        if not isinstance(problem, type(alg).model()):
            raise MdptkError(f"{type(alg).__name__} is for {type(alg).model().__name__}, and {name} is {problem!r}")
    tasks: list[tuple[Any, str, Any, int]] = [
        (alg, name, problem, seed)
        for alg, (name, problem) in product(algs, problems.items())
        for seed in (seeds if isinstance(alg, Learner) else [0])
    ]
    if not tasks:
        raise MdptkError(f"nothing to run: {len(algs)} algorithms, {len(problems)} problems, {len(seeds)} seeds")
    return tasks


def _trial(
    home: int, alg: Algorithm, name: str, problem: Any, seed: int, steps: int, repeats: int, every: int, of: Any
) -> Trial:
    """One run, wherever this is."""
    end_with_home(home)
    start = time.perf_counter()
    repeats = repeats if isinstance(alg, Learner) else 1
    result = of(run(alg, problem, steps, seed=seed, repeats=repeats, every=every))
    return Trial(alg, name, seed, time.perf_counter() - start, result)
