"""Shrinking: the fewest steps, states and actions, then the simplest numbers, that still show what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from mdptk.core.algorithm import Learner, Solver
from mdptk.core.games import MarkovGame
from mdptk.core.models import CMDP, MDP, Array
from mdptk.core.parts import CONTINUOUS, PARTS
from mdptk.core.robust import RobustMDP
from mdptk.falsify.gallery import keeping
from mdptk.falsify.instance import ARRAYS, SAFE, Instance
from mdptk.falsify.moves import changed, ranges, rounded_rows, tidied
from mdptk.falsify.score import Candidate, Score, in_slack, judge, judge_again
from mdptk.theory import Theorem

RUNS = 4000
SLOWER = 120  # runs that take a linear program or two
FEWER = 40  # runs of a learner, whose every shape is compiled, or in wide numbers
LOSS = 0.005  # of the largest ratio may be lost for a simpler instance; half of an excess that is rounding


def shrink(
    theorem: Theorem, score: Score, c: Candidate, *, fixed: bool = False, gamma: float | None = None
) -> tuple[Score, Candidate]:
    """The simplest candidate that keeps the violation, or the ratio within half a percent.

    It takes the first simplification that keeps it, again and again. What is broken by so much that float64 shows it is
    shrunk in float64, and only the end is judged in wider numbers again.

    Parameters
    ----------
    fixed
        Whether the hyperparameters stay as they are.
    gamma
        The discount, if it stays as it is.
    """
    if score.how and not score.near:
        small, d = _shrink(theorem, replace(score, how=""), c, fixed, gamma)
        small, _ = judge_again(theorem, small, d)
        if small.how:
            return small, d
    return _shrink(theorem, score, c, fixed, gamma)


def _shrink(theorem: Theorem, score: Score, c: Candidate, fixed: bool, gamma: float | None) -> tuple[Score, Candidate]:
    keeps = _keeps(theorem, score)
    score, c = _fewest_steps(theorem, score, c, keeps)
    slow = c.instance.kind in (CMDP, RobustMDP, MarkovGame, *PARTS)
    left = (SLOWER if slow else RUNS) if isinstance(c.alg, Solver) and not score.how else FEWER
    while left > 0:
        simpler = simplifications(c, fixed=fixed)
        simpler = [d for d in simpler if gamma is None or d.instance.gamma == gamma][:left]
        left -= len(simpler)
        kept = next(filter(None, (keeps(*found) for found in _judged(theorem, simpler))), None)
        if kept is None:
            break
        score, c = kept
    return _fewest_steps(theorem, score, c, keeps)


def _judged(theorem: Theorem, candidates: list[Candidate]) -> Iterator[tuple[Score, Candidate]]:
    """Scores in order: of a batch at once, otherwise one by one, so that the first good one ends it."""
    if not candidates:
        return
    alone = candidates[0].instance.kind is not MDP or isinstance(candidates[0].alg, Learner)
    for group in [[c] for c in candidates] if alone else [candidates]:
        scores = judge(theorem, group)
        yield from ((s, c) for s, c in zip(scores, group, strict=True) if s is not None)


Keeps = Callable[[Score, Candidate], "tuple[Score, Candidate] | None"]


def _keeps(theorem: Theorem, found: Score) -> Keeps:
    """What returns a score and its candidate if they still show what was found, otherwise None."""

    def wide(s: Score, c: Candidate) -> tuple[Score, Candidate] | None:
        s = judge_again(theorem, s, c)[0] if s.near or s.violated else s
        return (s, c) if s.how else None

    def float64(s: Score, c: Candidate) -> tuple[Score, Candidate] | None:
        lost = abs(found.value) / 2 if in_slack(theorem) or found.value <= 0 else LOSS * found.value
        kept = s.violated if found.violated else not s.violated and s.value >= found.value - lost
        return (s, c) if kept else None

    return wide if found.how else float64


def _fewest_steps(theorem: Theorem, score: Score, c: Candidate, keeps: Keeps) -> tuple[Score, Candidate]:
    """The run cut off after the step at which it shows."""
    if isinstance(c.alg, Learner):
        return score, c
    for steps in sorted({theorem.since, score.t}):
        short = replace(c, steps=steps)
        (found,) = judge(theorem, [short]) if steps < c.steps else [None]
        kept = None if found is None else keeps(found, short)
        if kept is not None:
            return kept
    return score, c


def simplifications(c: Candidate, *, fixed: bool = False) -> list[Candidate]:
    """Simpler candidates, the boldest first."""
    x = c.instance
    smaller = [_without_state(x, s) for s in range(x.S)] if x.S > 1 else []
    smaller += _without_action(x) if x.B == 0 else _without_strategy(x)
    smaller += _without_stage(x) + _without_one(x, "c", "b") + _without_one(x, "kernels") + _without_a_part(x)
    if x.Phi is not None and x.Phi.shape[1] > 1:  # a state less may take a feature with it, or the rank is lost
        smaller += [_without_feature(y, i) for y in (x, *smaller) for i in range(x.Phi.shape[1])]
    simpler = [*smaller, *_simpler_numbers(x)]
    models = [replace(c, instance=keeping(y) if x.kind in SAFE else y) for y in simpler]
    algorithms = [] if fixed else [replace(c, alg=type(c.alg)()), *_rounder_hyperparameters(c)]
    models = [replace(d, instance=tidied(d.instance)) for d in models] if x.more else models
    now = complexity(c)
    return [y for y in (*algorithms, *models) if complexity(y) < now]


def complexity(c: Candidate) -> tuple[int, int]:
    """Entries, then characters that it takes to print them: every simplification makes it less, so shrinking ends."""
    x = c.instance
    uniform = np.allclose(x.rho, 1 / x.S, rtol=0, atol=1e-12)
    arrays = [getattr(x, name) for name in ARRAYS if not (name == "rho" and uniform)] + [*x.more.values()]
    size = x.r.size + sum(0 if a is None else a.size for a in (x.Phi, x.c, x.kernels, *x.more.values()))
    characters = sum(len(repr(array.ravel().tolist())) for array in arrays if array is not None)
    return size, characters + len(repr(x.gamma)) + len(repr(c.alg))


def _rounder_hyperparameters(c: Candidate) -> Iterator[Candidate]:
    for name, (kind, mark) in ranges(type(c.alg)).items():
        now = getattr(c.alg, name)
        if now is None:
            continue
        values = range(1, int(now)) if kind is int else (float(f"{now:.{d}e}") for d in (0, 1))
        yield from (replace(c, alg=changed(c.alg, {name: value})) for value in values if value in mark)


def _simpler_numbers(x: Instance) -> Iterator[Instance]:
    """Whole arrays rounded, coarsely first; then one row or reward at a time."""
    yield from (replace(x, gamma=g) for g in (0.0, *(round(x.gamma, d) for d in (1, 2, 3))) if g < 1)
    yield replace(x, rho=np.full(x.S, 1 / x.S))
    if x.start is not None:
        yield replace(x, start=None)
        yield from (replace(x, start=np.round(x.start, d)) for d in (0, 1, 2, 3))
    for k in (1, 2, 10, 100, 1000):
        yield replace(x, P=rounded_rows(x.P, k), r=np.round(x.r * k) / k, rho=rounded_rows(x.rho, k))
        yield replace(x, P=rounded_rows(x.P, k))
        yield replace(x, r=np.round(x.r * k) / k)
        yield replace(x, rho=rounded_rows(x.rho, k))
        if x.pi is not None and x.Phi is not None:
            yield replace(x, pi=rounded_rows(x.pi, k))
            yield replace(x, Phi=np.round(x.Phi * k) / k)
        numbers = {name: getattr(x, name) for name in ("c", "b", "radius", "lower", "upper")}
        yield from (replace(x, **{name: np.round(a * k) / k}) for name, a in numbers.items() if a is not None)
        if x.kernels is not None:
            yield replace(x, kernels=rounded_rows(x.kernels, k))
        for name, a in x.more.items():
            match PARTS[x.kind][name].what:
                case "numbers":
                    yield x.having(**{name: np.round(a * k) / k})
                case "rows":
                    yield x.having(**{name: rounded_rows(a, k)})
    if x.kind in CONTINUOUS:
        return
    for s, a, k in product(range(x.S), range(x.A), (1, 2, 10, 100)):
        P, r = x.P.copy(), x.r.copy()
        P[..., s, a, :] = rounded_rows(P[..., s, a, :], k)
        r[..., s, a] = np.round(r[..., s, a] * k) / k
        yield replace(x, P=P)
        yield replace(x, r=r)


def _without_state(x: Instance, s: int) -> Instance:
    """The model without a state: what led there leads to the others in proportion, or stays."""
    keep = [i for i in range(x.S) if i != s]
    P = x.P[..., keep, :, :][..., keep]
    home = np.broadcast_to(np.eye(x.S - 1)[:, None], P.shape)
    return replace(
        x,
        more=_of_more(x, "s", keep),
        P=_normalised(P, home),
        r=x.r[..., keep, :],
        rho=_normalised(x.rho[keep], np.full(x.S - 1, 1 / (x.S - 1))),
        pi=None if x.pi is None else x.pi[..., keep, :],
        Phi=None if x.Phi is None else x.Phi[keep][:, _alive(x.Phi[keep])],
        D=None if x.D is None else _normalised(x.D[keep], np.full(x.S - 1, 1 / (x.S - 1))),
        start=_of_start(x, "s", keep),
        c=None if x.c is None else x.c[..., keep, :],
        kernels=None if x.kernels is None else _normalised(x.kernels[:, keep][..., keep], home),
        centre=None,
        radius=None if x.radius is None else x.radius[keep],
        lower=None if x.lower is None else x.lower[keep][..., keep],
        upper=None if x.upper is None else x.upper[keep][..., keep],
    )


def _without_stage(x: Instance) -> list[Instance]:
    """The model without one of several stages, which have the first axis of all that is about states and actions."""

    def of(a: Array | None, h: int) -> Array | None:
        return a if a is None or a.ndim < 3 else np.delete(a, h, axis=-3)

    several = range(len(x.P)) if x.P.ndim == 4 and len(x.P) > 1 else ()
    without = [{name: of(getattr(x, name), h) for name in ("r", "c", "pi", "start")} for h in several]
    return [replace(x, P=np.delete(x.P, h, axis=0), **arrays) for h, arrays in zip(several, without, strict=True)]


def _alive(Phi: np.ndarray) -> np.ndarray:
    """The features that are not zero everywhere; the first one if all are."""
    alive = np.flatnonzero((Phi != 0).any(0))
    return alive if len(alive) else np.array([0])


def _without_feature(x: Instance, i: int) -> Instance:
    assert x.Phi is not None
    n = x.Phi.shape[1]
    if i >= n or n == 1:
        return x
    start = None if x.start is None else np.delete(x.start, i)
    return replace(x, Phi=np.delete(x.Phi, i, axis=1), start=start)


def _without_action(x: Instance) -> list[Instance]:
    return [_of_actions(x, [i for i in range(x.A) if i != a]) for a in range(x.A)] if x.A > 1 else []


def _without_strategy(x: Instance) -> list[Instance]:
    """A game without a strategy of either player."""
    pairs = np.arange(x.A).reshape(-1, x.B)
    rows = [np.delete(pairs, a, axis=0) for a in range(len(pairs))] if len(pairs) > 1 else []
    columns = [np.delete(pairs, b, axis=1) for b in range(x.B)] if x.B > 1 else []

    def start(left: Array) -> Array | None:
        """In a matrix game, numbers for the strategies of one player, and behind them of the other."""
        if x.start is None or x.S > 1 or x.start.shape != (sum(pairs.shape),):
            return x.start
        return x.start[[*left[:, 0] // x.B, *len(pairs) + left[0] % x.B]]

    y = replace(x, start=None)
    return [
        replace(_of_actions(y, left.ravel().tolist()), B=left.shape[1], start=start(left)) for left in (*rows, *columns)
    ]


def _of_actions(x: Instance, keep: list[int]) -> Instance:
    def of(a: Array | None) -> Array | None:
        return None if a is None else a[..., keep]

    def rows(P: Array | None) -> Array | None:
        return None if P is None else P[..., keep, :]

    pi = None if x.pi is None else _normalised(x.pi[..., keep], np.full((*x.pi.shape[:-1], len(keep)), 1 / len(keep)))
    start = _of_start(x, "a", keep)
    kernels = {name: rows(getattr(x, name)) for name in ("P", "centre", "lower", "upper", "kernels")}
    more = _of_more(x, "a", keep)
    return replace(x, r=x.r[..., keep], c=of(x.c), radius=of(x.radius), pi=pi, start=start, more=more, **kernels)


def _of_start(x: Instance, axis: str, keep: list[int]) -> Array | None:
    """The free numbers of the first state with these entries of an axis alone: states, actions or costs.

    They are values or logits by state, coefficients, prices of costs, or logits with the prices behind them.
    """
    start, m = x.start, 0 if x.c is None else len(x.c)
    if start is None:
        return None
    if m and start.shape == (x.S * x.A + m,):
        logits, prices = start[:-m].reshape(x.S, x.A), start[-m:]
        if axis == "c":
            return np.append(logits, prices[keep])
        return np.append(np.take(logits, keep, "sa".index(axis)), prices)
    if m and start.shape == (m,):
        return start[keep] if axis == "c" else start
    if axis == "s" and x.Phi is not None:
        return start[_alive(x.Phi[keep])]
    if axis == "c" or (axis == "a" and start.ndim < 2):
        return start
    return np.take(start, keep, "sa".index(axis) - 2 if start.ndim > 1 else 0)  # logits may have stages before states


def _of_more(x: Instance, axis: str, keep: list[int]) -> dict[str, Array]:
    """The arrays in `more` with these entries of an axis alone; rows are made to sum to one again."""
    out = {}
    for name, a in x.more.items():
        part = PARTS[x.kind][name]
        b = np.take(a, keep, axis=part.axes.index(axis)) if axis in part.axes else a
        uniform = np.full(b.shape, 1 / b.shape[-1]) if b.ndim else b
        out[name] = _normalised(b, uniform) if part.what == "rows" and axis in part.axes[-1:] else b
    return out


def _without_a_part(x: Instance) -> list[Instance]:
    """Without one of several features, constraints, tasks, scenarios or stages."""
    letters = {k for name in x.more for k in PARTS[x.kind][name].axes} - {"s", "a"}
    found = []
    for k in sorted(letters):
        name = next(name for name in x.more if k in PARTS[x.kind][name].axes)
        n = x.more[name].shape[PARTS[x.kind][name].axes.index(k)]
        keeps = [[j for j in range(n) if j != i] for i in range(n)] if n > 1 else []
        found += [replace(x, more=_of_more(x, k, keep)) for keep in keeps]
    return found


def _without_one(x: Instance, *names: str) -> list[Instance]:
    """Without one of several costs, or kernels."""
    arrays = {name: a for name in names if (a := getattr(x, name)) is not None}
    n = len(next(iter(arrays.values()))) if arrays else 0
    fewest = 0 if names == ("kernels",) else 1
    found = []
    for i in range(n if n > fewest else 0):
        left = {name: np.delete(a, i, axis=0) for name, a in arrays.items()}
        start = _of_start(x, "c", [j for j in range(n) if j != i]) if "c" in names else x.start
        found.append(replace(x, start=start, **left))
    return found


def _normalised(p: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    total = p.sum(-1, keepdims=True)
    return np.where(total > 0, p / np.where(total > 0, total, 1.0), otherwise)
