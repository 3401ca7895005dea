"""Judging a statement again with wider numbers, where float64 cannot tell a violation from rounding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from mdptk.core.algorithm import Solver
from mdptk.core.run import Run, run_wide
from mdptk.core.wide import DIGITS, Number, PrecisionLost, meant, nearest, wide, widened, widened_algorithm
from mdptk.theory.quantity import evaluate

LARGEST = 400_000  # rational operations, a second or two; larger runs are not judged again
COURSE = 1e-6  # records of the two runs that differ by more, relatively, are those of two different runs
WIDER = 2.0**-100  # of the slack of float64 is more than what 60 digits leave of it


class Again(NamedTuple):
    """What wide numbers say about a statement on a run.

    Attributes
    ----------
    ok
        Whether it holds; None if that could not be found out.
    how
        ``exact rationals`` or ``60 digits``; why it could not be found out.
    excess
        The largest excess over what is allowed, negative where it holds with room; nan if there is none.
    """

    ok: bool | None
    how: str
    excess: float


def again(theorem: Any, run: Run, repeat: int = 0) -> Again:
    """The statement judged with the same code, on the model `repeat` of the run, in wide numbers.

    The model that is judged has the fractions that the floats stand for, and rows that sum to one exactly; see
    `mdptk.core.wide.widened`.
    """
    try:
        return _again(theorem, run, repeat)
    except Exception as error:  # code that needs float64 raises all kinds of errors when it gets something else
        lost = error if isinstance(error, PrecisionLost) else error.__cause__  # numpy wraps it
        if isinstance(lost, PrecisionLost):
            return _unknown(str(lost))
        return _unknown(f"{type(error).__name__}: {' '.join(str(error).split())[:120]}")


def _unknown(why: str) -> Again:
    return Again(None, why, float("nan"))


def _again(theorem: Any, run: Run, repeat: int) -> Again:
    problem, start = run.problem, run.start
    if not isinstance(run.alg, Solver):
        return _unknown("a sampled run has no wider twin")
    S, A = problem.S, problem.A
    work = (run.steps + 1) * getattr(problem, "H", 1) * S**2 * (S + A)
    if work > LARGEST:
        return _unknown(f"about {work:.2g} operations are too many for wide numbers")
    slack = theorem.slack(run)[repeat]
    if getattr(problem, "batch", ()):
        problem = replace(problem, P=problem.P[repeat], r=problem.r[repeat], rho=problem.rho[repeat])
        start = None if start is None else type(start)(*(x[repeat] for x in start))
    alg, problem = widened_algorithm(run.alg), widened(problem)
    if start is not None:
        start = theorem.starts.state(alg, problem, meant(theorem.starts.free(start)))
    with np.errstate(all="ignore"):
        twin = run_wide(alg, problem, run.t, start)
        for name, x in run.out.items():
            off = abs(nearest(twin.out[name][0]) - x[repeat])
            if (off > COURSE * (1 + abs(x[repeat]).max(initial=0))).any():
                return _unknown(f"the run takes another course in wider numbers: {name} differs by {off.max():.3g}")
        lhs, rhs = (wide(evaluate(side, twin))[0] for side in (theorem.lhs, theorem.rhs))
    excess = {"<=": lhs - rhs, ">=": rhs - lhs, "=": abs(lhs - rhs)}[theorem.relation]
    judged = np.flatnonzero(run.t >= theorem.since)
    exact = all(excess[k].exact for k in judged)
    allowed = [Number.meant(0.0 if exact else float(slack[k]) * WIDER) for k in judged]
    over = [excess[k] - a for k, a in zip(judged, allowed, strict=True)]
    if any(x != x for x in over):
        return _unknown("a side is not a number")
    worst = max(over)
    return Again(bool(worst <= 0), "exact rationals" if exact else f"{DIGITS} digits", worst.nearest)
