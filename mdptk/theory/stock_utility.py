"""Quantities that methods for general utilities share; see `mdptk.core.utilities`. States have a field `pi`."""

from __future__ import annotations

from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.core.utilities import certificate, visits
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.stock import before, policy
from mdptk.theory.theorem import Cite, Theorem


def visited(run: Run) -> Array:
    """Occupancies of the recorded policies, (repeats, records, S, A), computed once for each run."""
    if "visits" not in run.cache:
        run.cache["visits"] = visits(run.problem.mdp, policy(run))
    return run.cache["visits"]


def worth_rounding(problem: Any) -> float:
    """Rounding error of F at the computed occupancy of a policy: a linear solve, then at most `span` per unit of it."""
    condition = (1 + problem.gamma) / (1 - problem.gamma)
    return 8 * EPS * problem.S * problem.A * condition * (1 + float(problem.utility.span))


def _worth(run: Run) -> Array:
    return run.problem.utility.value(visited(run))


def _dual_gap(run: Run) -> Array:
    (pi,) = policy(run)  # a solver has one repeat
    return certificate(run.problem, pi)[None]


def _suboptimality_rounding(run: Run) -> float:
    best = run.truth.optimum
    return 2 * worth_rounding(run.problem) + float(best.upper - best.value)


def _condition(run: Run) -> float:
    """What an error of the reward in the exact kernel costs at most: a solve, and a policy that is kept for ever."""
    return 8 * EPS * (1 + run.problem.gamma) / (1 - run.problem.gamma) ** 2 * float(run.problem.utility.span)


span = Quantity("span", lambda run: float(run.problem.utility.span), latex=r"\max_x\mathrm{span}(\nabla F(x))")
smoothness = Quantity("smoothness", lambda run: float(run.problem.utility.smoothness), latex=r"L_F")
suboptimality = Quantity(
    "suboptimality",
    lambda run: run.truth.optimum.value - _worth(run),
    latex=r"F(x^*) - F(x^{\pi_{%t}})",
    trivial=span,  # <grad F(x), y - x> is at most span / 2 times |y - x|_1
    rounding=_suboptimality_rounding,
)
dual_gap = Quantity(
    "dual_gap",
    _dual_gap,
    latex=r"\max_y \langle\nabla F(x^{\pi_{%t}}), y - x^{\pi_{%t}}\rangle",
    rounding=_condition,
)
gained = Quantity(
    "gained",
    lambda run: _worth(run) - before(_worth(run)),
    latex=r"F(x^{\pi_{%t}}) - F(x^{\pi_{%t-1}})",
    rounding=lambda run: 2 * worth_rounding(run.problem),
)
mismatch = Quantity(
    "mismatch",
    lambda run: (run.truth.optimum.x.sum(-1) / run.problem.mdp.rho).max(),
    latex=r"\|d^{\pi^*}_\rho / \rho\|_\infty",
)

DUALITY = Theorem(
    name="weak duality",
    cite=Cite("jaggi2013revisiting", "equation (2): the duality gap of a linear approximation"),
    lhs=suboptimality,
    rhs=dual_gap,
    silent="it certifies every policy, one that never moves as well",
)


def positive_start(alg: Any, problem: Any) -> str | None:
    """Reason why the start distribution is not positive, or None."""
    zero = problem.mdp.rho == 0
    return f"rho{np.argwhere(zero)[0].tolist()} = 0" if zero.any() else None


def ahead(run: Run, eta: Any) -> Array:
    """Where a projected gradient step of size `eta` leads from the recorded policies."""
    from mdptk.core.utilities import gradient

    return exact.project_simplex(policy(run) + eta * gradient(run.problem, policy(run)))
