"""Quantities of policies with stages ``pi[h, s, a]``, recorded by solvers of a `FiniteHorizonMDP`."""

from __future__ import annotations

import numpy as np

from mdptk.core import exact
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.theory.quantity import Quantity
from mdptk.theory.stock import before, policy, value_rounding
from mdptk.theory.stock_policy import softmax_rounding

return_span = Quantity(
    "return_span",
    lambda run: (run.problem.r.max((-2, -1)) - run.problem.r.min((-2, -1))).sum(),
    latex=r"\textstyle\sum_h \mathrm{span}(r_h)",
)
suboptimality = Quantity(
    "suboptimality",
    lambda run: exact.performance_gap(run.problem, run.truth.optimum, policy(run)),
    latex=r"V_0^*(\rho) - V_0^{\pi_{%t}}(\rho)",
    trivial=return_span,
    rounding=lambda run: run.problem.H * value_rounding(run),
)
gradient_norm = Quantity(
    "gradient_norm",
    lambda run: np.sqrt((exact.softmax_gradient(run.problem, policy(run)) ** 2).sum((-3, -2, -1))),
    latex=r"\|\nabla_\theta V_0^{\pi_{%t}}(\rho)\|_2",
    rounding=lambda run: 2 * run.problem.H * value_rounding(run),
)


def _gain(run: Run) -> tuple[Array, Array]:
    """The performance difference between consecutive policies, and its rounding error."""
    problem, pi = run.problem, policy(run)
    d = exact.occupancy(problem, pi)[..., None]
    advantage, change = before(exact.advantage(problem, pi)), pi - before(pi)
    error = value_rounding(run) * abs(change) + softmax_rounding(run) * abs(advantage)
    return (d * advantage * change).sum((-3, -2, -1)), (d * error).sum((-3, -2, -1))


gain = Quantity(
    "gain",
    lambda run: _gain(run)[0],
    latex=r"V_0^{\pi_{%t}}(\rho) - V_0^{\pi_{%t-1}}(\rho)",
    rounding=lambda run: _gain(run)[1],
)
