r"""General utilities: the best occupancy of a conic solver, certified by a planner for the gradient as a reward."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdptk.core.errors import NotConverged
from mdptk.core.utilities import utility_optimal
from mdptk.solve._policy_iteration import policy_iteration
from mdptk.solve.solution import UtilitySolution

if TYPE_CHECKING:
    from mdptk.core.utilities import UtilityMDP


def solve_utility(problem: UtilityMDP, tol: float, reason: str) -> UtilitySolution:
    """The policy of `utility_optimal`, with an upper bound from certified bounds of the linear problem."""
    best = utility_optimal(problem)
    linear, share = problem.linear(best.x), 1 - problem.gamma
    size = max(float(np.ptp(linear.r)), 1e-300) / share
    bounds, iterations = policy_iteration(linear, 1e-10 * size)
    more = share * float(problem.mdp.rho @ bounds.upper) - float((linear.r * best.x).sum())
    upper = best.value + max(more, 0.0)
    if not upper - best.value <= tol:
        raise NotConverged(f"the bounds came within {upper - best.value:.3g}, not {tol:.3g}", upper - best.value)
    numbers = (np.asarray(x) for x in ((best.value + upper) / 2, best.value, upper))
    value, lower, upper = numbers
    for x in (value, lower, upper, best.pi, best.x, best.r):
        x.setflags(write=False)
    return UtilitySolution(value, best.pi, lower, upper, iterations, 0.0, "conic", reason, best.x, best.r)
