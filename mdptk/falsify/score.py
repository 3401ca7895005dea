"""What is maximised: how close a statement comes to being broken, measured on a batch of candidates at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy

from mdptk.core.algorithm import Algorithm, Solver
from mdptk.core.errors import InvalidStart, MdptkError
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run, run
from mdptk.falsify.instance import Instance, batch
from mdptk.theory import Always, InExpectation, Theorem, WithProbability
from mdptk.theory.again import Again, again
from mdptk.theory.quantity import evaluate

COUNTS = 10.0  # a violation below this many times the slack may be rounding after all: it is not counted
RELATIVE = 100.0  # lhs / rhs means something where the right side is this many times the slack
HUGE = 1e60  # a run that got there is on its way out of float64: what follows is judged no more


@dataclass(frozen=True, eq=False)
class Candidate:
    """An algorithm with its hyperparameters, an instance, and how long and often it is run."""

    alg: Algorithm
    instance: Instance
    steps: int
    repeats: int = 1
    seed: int = 0
    origin: str = ""

    def run(self, theorem: Theorem) -> Run:
        """The run, alone, from the state that `theorem` makes of the instance's start."""
        problem = self.instance.model()
        start = first_state(theorem, self.alg, problem, self.instance.start)
        return run(self.alg, problem, self.steps, seed=self.seed, repeats=self.repeats, start=start)


def judge_again(theorem: Theorem, score: Score, c: Candidate) -> tuple[Score, Again]:
    """The score with what wider numbers say: `how` is set where they find the statement broken."""
    with np.errstate(all="ignore"):
        found = again(theorem, c.run(theorem))
    return replace(score, how=found.how if found.ok is False else ""), found


def first_state(theorem: Theorem, alg: Algorithm, problem: Any, free: Array | None) -> Any:
    """The state with these free numbers, None where `init` chooses it.

    Raises
    ------
    InvalidStart
        If there are more or fewer numbers than the problem has, after it lost an action, for example.
    """
    if free is None or theorem.starts is None:
        return None
    try:
        return theorem.starts.state(alg, problem, free)
    except (ValueError, IndexError) as error:
        raise InvalidStart(f"{free.size} numbers make no first state of {alg!r} on {problem!r}: {error}") from None


@dataclass(frozen=True)
class Score:
    """How close a candidate comes.

    Attributes
    ----------
    value
        What is maximised: lhs / rhs (rhs / lhs for ">="), or the excess where there is no ratio (`in_slack`).
    excess
        How far the statement is broken, in units of the slack: up to 1 is rounding that was allowed for.
    t
        The step at which that was seen: the first one at which it is broken, or else that of the largest value.
    how
        In which wider numbers it was found to be broken, as ``"exact rationals"``; empty for float64.
    """

    value: float
    excess: float
    t: int
    how: str = ""

    @property
    def violated(self) -> bool:
        """Whether it is broken by so much that it counts, or in wider numbers."""
        return self.excess > COUNTS or bool(self.how)

    @property
    def doubtful(self) -> bool:
        """Whether it is broken, but within ten times the rounding error."""
        return 1 < self.excess <= COUNTS and not self.how

    @property
    def near(self) -> bool:
        """Whether the two sides are equal up to ten times the rounding error: only wider numbers can tell."""
        return abs(self.excess) <= COUNTS

    @property
    def key(self) -> tuple[bool, float, float]:
        """Candidates are compared by this; among equal ratios the excess decides."""
        return self.violated, round(self.value, 9), self.excess


def in_slack(theorem: Theorem) -> bool:
    """Whether there is no ratio, so that the excess over the right side is measured in units of the slack."""
    return theorem.relation == "=" or theorem.rhs == 0


def judge(theorem: Theorem, candidates: list[Candidate]) -> list[Score | None]:
    """A score for each candidate; None if it does not meet the assumptions or cannot be judged.

    Models for a solver that agree in algorithm, steps, discount, shape and scale of rewards are run as one batch: its
    slack is that of the largest rewards in it, so a batch is judged a little more mildly than each model alone.
    """
    groups: dict[Any, list[int]] = {}
    for i, c in enumerate(candidates):
        batched = isinstance(c.alg, Solver) and c.instance.kind is MDP
        x = c.instance
        groups.setdefault(
            (c.alg, c.steps, x.gamma, x.shape, _scale(x), None if x.start is None else x.start.shape) if batched else i,
            [],
        ).append(i)
    scores: list[Score | None] = [None] * len(candidates)
    with np.errstate(all="ignore"):
        for members in groups.values():
            found = _judge_group(theorem, [candidates[i] for i in members])
            for i, score in zip(members, found, strict=True):
                scores[i] = score
    return scores


def _scale(x: Instance) -> float:
    """The order of magnitude of the rewards, in powers of 16."""
    largest = float(abs(x.r).max())
    return round(math.log(largest, 16)) if largest else -math.inf


def _judge_group(theorem: Theorem, group: list[Candidate]) -> list[Score | None]:
    first = group[0]
    alone = len(group) == 1
    try:
        problem = first.instance.model() if alone else batch([c.instance for c in group])
        free = first.instance.start
        free = free if alone or free is None else np.stack([c.instance.start for c in group])  # type: ignore[misc]
        start = first_state(theorem, first.alg, problem, free)
        if theorem.unmet(first.alg, problem, start):
            return [None] if alone else _one_by_one(theorem, group)
        result = run(first.alg, problem, first.steps, seed=first.seed, repeats=first.repeats, start=start)
        return list(measure(theorem, result))
    except (MdptkError, np.linalg.LinAlgError):  # such as gamma too close to 1 for an exact optimum
        half = len(group) // 2
        return [None] if alone else _judge_group(theorem, group[:half]) + _judge_group(theorem, group[half:])


def _one_by_one(theorem: Theorem, group: list[Candidate]) -> list[Score | None]:
    """Those that meet the assumptions as one batch, the others not at all."""
    good = [i for i, c in enumerate(group) if not _unmet(theorem, c)]
    scores: list[Score | None] = [None] * len(group)
    if len(good) == len(group):  # all meet them alone, the batch does not
        return [_judge_group(theorem, [c])[0] for c in group]
    if good:
        for i, score in zip(good, _judge_group(theorem, [group[i] for i in good]), strict=True):
            scores[i] = score
    return scores


def _unmet(theorem: Theorem, c: Candidate) -> str:
    problem = c.instance.model()
    return theorem.unmet(c.alg, problem, first_state(theorem, c.alg, problem, c.instance.start))


def measure(theorem: Theorem, result: Run) -> list[Score | None]:
    """The scores of a run: one for each model of a batch, one for all repeats of a learner."""
    judged = (result.t >= theorem.since)[None] & _tame(result)
    if not judged.any():
        return [None] * (result.repeats if isinstance(result.alg, Solver) else 1)
    lhs, rhs = theorem.sides(result)
    slack = theorem.slack(result)
    if isinstance(theorem.holds, InExpectation):
        lhs, rhs, slack, judged = (x.mean(0, keepdims=True) for x in (lhs, rhs, slack, 1.0 * judged))
        judged = judged == 1
    value, excess = _closeness(theorem, lhs, rhs, slack)
    value, excess = np.where(judged, value, -np.inf), np.where(judged, excess, -np.inf)
    scores = [_worst(v, e, result.t) for v, e in zip(value, excess, strict=True)]
    if isinstance(result.alg, Solver):
        return scores
    return [_of_repeats(theorem, result, [s for s in scores if s is not None])]


def _tame(result: Run) -> Array:
    """Records before float64 is left, (repeats, records); a nan out of nowhere stays in, and fails."""
    out = [abs(x.reshape(*x.shape[:2], -1)).max(-1, initial=0.0) > HUGE for x in result.out.values()]
    return ~np.logical_or.accumulate(np.any(out, axis=0), axis=1)


def _closeness(theorem: Theorem, lhs: Array, rhs: Array, slack: Array) -> tuple[Array, Array]:
    """(what is maximised, the excess in units of the slack), each (repeats, records)."""
    small, large = (rhs, lhs) if theorem.relation == ">=" else (lhs, rhs)
    over = abs(lhs - rhs) if theorem.relation == "=" else small - large
    over = np.where(np.isposinf(large) & ~np.isnan(small), -np.inf, over)
    unit = np.maximum(slack, np.finfo(float).tiny)
    excess = np.where(np.isnan(over), np.inf, over / unit)  # nan fails
    if in_slack(theorem):
        return excess, excess
    ratio = small / np.where(excess > COUNTS, np.maximum(large, unit), large)
    counts = (large > RELATIVE * slack) & np.isfinite(large) | (excess > COUNTS)
    return np.where(counts, np.nan_to_num(ratio, nan=np.inf), -np.inf), excess


def _worst(value: Array, excess: Array, t: Array) -> Score | None:
    broken = np.flatnonzero(excess > COUNTS)
    k = int(broken[0]) if len(broken) else int(value.argmax())
    if np.isneginf(value[k]) and not (excess > 1).any():
        return None  # no record at which there is a ratio
    return Score(float(value.max()), float(excess.max()), int(t[k]))


def _of_repeats(theorem: Theorem, result: Run, scores: list[Score]) -> Score | None:
    """The score of a learner's run: of the worst repeat, or of what the statistical test makes of all of them."""
    if not scores:
        return None
    worst = max(scores, key=lambda s: s.key)
    if isinstance(theorem.holds, Always):
        return worst
    rejected = theorem.check(result).ok is False
    value = worst.value
    if isinstance(theorem.holds, WithProbability):  # above 1 if more than delta of the repeats break it
        delta = float(evaluate(sympy.sympify(theorem.holds.delta), result).max())
        value = float(np.quantile([s.value for s in scores], max(0.0, 1 - delta), method="lower"))
    return Score(value, np.inf if rejected else min(worst.excess, 1.0), result.steps)
