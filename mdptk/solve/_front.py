"""What can be earned at which cost: the Pareto front between the reward and one cost of a constrained problem."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mdptk.core import exact
from mdptk.core.errors import InvalidHyperparameter, NotConverged
from mdptk.core.models import CMDP, MDP, Array
from mdptk.solve.solution import Unsupported

MOST = 10_000  # vertices; a front may have exponentially many


@dataclass(frozen=True, eq=False)
class Front:
    r"""The vertices of a Pareto front, from the cheapest policies to those that earn most.

    Between two vertices lie the mixtures of their policies. At budgets b the most that can be earned is
    ``np.interp(b, spent, earned)``, from the first vertex on; below it nothing is feasible.

    Attributes
    ----------
    spent, earned
        :math:`V_c^\pi(\rho)` and :math:`V_r^\pi(\rho)`, increasing, shape (n,).
    prices
        What a unit of budget is worth between two vertices: the slopes, decreasing, shape (n - 1,).
    policies
        A deterministic policy for each vertex, shape (n, S, A).
    """

    spent: Array
    earned: Array
    prices: Array
    policies: Array


def front(problem: CMDP, cost: int = 0, *, tol: float = 1e-9) -> Front:
    r"""The Pareto front between the reward and one cost; budgets, and the other costs, are left out of account.

    Between two known vertices the price at which they are worth the same is the slope of the line through them. A best
    policy at that price is a new vertex, or proves that there is none [aneja1979bicriteria].

    Parameters
    ----------
    problem
        A discounted problem.
    cost
        Which of the costs.
    tol
        How far above a line, in units of the largest return, a vertex has to lie to be one.

    Raises
    ------
    InvalidHyperparameter
        If there is no such cost.
    NotConverged
        If there are more than 10,000 vertices.
    Unsupported
        If the problem is not discounted.

    Examples
    --------
    >>> from mdptk.problems.constrained import paradoxical
    >>> f = front(paradoxical())
    >>> f.spent, f.earned, f.prices
    (array([0., 2.]), array([0., 2.]), array([1.]))
    """
    if not isinstance(problem.mdp, MDP):
        raise Unsupported(f"front is for discounted problems, not for {problem!r}")
    if not 0 <= cost < problem.m:
        raise InvalidHyperparameter(f"cost = {cost}: {problem!r} has the costs 0 to {problem.m - 1}")
    alone = CMDP(problem.mdp, problem.c[cost], problem.b[cost])
    scale = max(abs(problem.mdp.r).max(), abs(alone.c).max()) / (1 - problem.gamma)

    def best(reward: float, price: float) -> tuple[Array, float, float]:
        """A policy that is best for a weighted sum, with what it spends and earns."""
        mdp = MDP(problem.mdp.P, reward * problem.mdp.r - price * alone.c[0], problem.gamma, problem.mdp.rho)
        pi = exact.optimal(mdp).pi
        earned, spent = exact.returns(alone, pi)
        return pi, float(spent), float(earned)

    found, todo = [best(0.0, 1.0)], [best(1.0, 0.0)]
    while todo:
        (_, spent, earned), right = found[-1], todo[-1]
        run, rise = right[1] - spent, right[2] - earned
        if rise <= tol * scale:  # the one on the right earns no more
            todo.pop()
            continue
        size = max(abs(run), rise)
        middle = best(max(run, 0.0) / size, rise / size)
        above = (middle[2] - earned) * max(run, 0.0) / size - (middle[1] - spent) * rise / size
        if above > tol * scale and len(todo) < MOST:
            todo.append(middle)
        elif len(found) + len(todo) > MOST:
            raise NotConverged(f"more than {MOST} vertices", None)
        else:
            found = found[:-1] if run <= tol * scale else found  # at the same cost: the left one is dominated
            found.append(todo.pop())
    spent, earned = np.array([x[1] for x in found]), np.array([x[2] for x in found])
    return Front(spent, earned, np.diff(earned) / np.diff(spent), np.stack([x[0] for x in found]))
