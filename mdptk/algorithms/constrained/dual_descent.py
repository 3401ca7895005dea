r"""Dual descent: raise the price of what is overspent, and play a best policy at these prices.

.. math::

   \pi_t \in \arg\max_\pi \; V_r^\pi(\rho) - \lambda_t \cdot (V_c^\pi(\rho) - b), \qquad
   \lambda_{t+1} = \big[\lambda_t + \eta\,(V_c^{\pi_t}(\rho) - b)\big]_+, \qquad \lambda_0 = 0.

The dual function :math:`D(\lambda) = \max_\pi L(\pi, \lambda)` is convex, its least value is :math:`V^*(\rho)`, and
:math:`b - V_c^{\pi_t}(\rho)` is a subgradient: this is the subgradient method, with a step that stays constant. The
multipliers come to within what the step allows and remain there, and so does the *average* of the policies. The last
policy is another matter. It is deterministic, whatever the price, where the optimum has to randomise: at a price below
the right one it overspends, above it earns nothing, and it changes from one to the other for ever.

The rates are those of Nedić and Ozdaglar [nedic2009approximate]. How much the average overspends is the multiplier
over eta t: prices that stay bounded are all that there is to prove.

Figure: ``mdptk reproduce constrained_oscillation``. Proof: ``proofs/constrained/dual_descent.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.constrained import constrained_two_state
>>> result = run(DualDescent(eta=0.1), constrained_two_state(), 200)
>>> result["lam"][0, -1].round(2), result["pi"][0, -1].tolist()
(array([1.05]), [[1.0, 0.0], [1.0, 0.0]])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Positive, Solver
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock_constrained import (
    BEST_PLAYED,
    MEASURES,
    G,
    average_gap,
    average_violation,
    dual_gap,
    excess_square,
    highest_price,
    lam_star,
    multiplier_distance,
    optimum,
    optimum_error,
    returns_rounding,
    slater_condition,
    spread,
    xi,
)
from mdptk.theory.symbols import eta, t


class State(NamedTuple):
    """Multipliers, and a best policy at these prices."""

    lam: Array  # (m,)
    pi: Array  # (S, A)


def multiplier_rounding(run: Run) -> Array:
    """Rounding error of a multiplier: that of t excesses, and of as many sums."""
    top = np.maximum.accumulate(run["lam"].max(-1), axis=1)
    return run.t * (2 * run.alg.eta * returns_rounding(run.problem) + EPS * top)


best_dual_gap = Quantity(
    "best_dual_gap",
    lambda run: run["best_played"] - optimum(run.problem).value,
    latex=r"\min_{k \leq %t} D(\lambda_k) - V^*(\rho)",
    rounding=lambda run: 2 * returns_rounding(run.problem) * (1 + highest_price(run)) + optimum_error(run.problem),
)
largest_multiplier = Quantity(
    "largest_multiplier",
    lambda run: run["lam"].max(-1),
    latex=r"\max_i \lambda_{%t,i}",
    rounding=multiplier_rounding,
)

ANYWHERE = Start(
    r"any $\lambda_0 \geq 0$",
    lambda state: state.lam,
    lambda alg, problem, lam: _best_response(problem, np.maximum(lam, 0)),
)

KEY = "nedic2009approximate"
NOT_READ = "the paper was not at hand: the constants are those of the derivation in proofs"
DUAL = Theorem(
    name="dual convergence",
    cite=Cite(KEY, "the subgradient method with a constant step"),
    reason=NOT_READ,
    assumes=(slater_condition,),
    lhs=best_dual_gap,
    rhs=lam_star**2 / (2 * eta * t) + eta * G**2 / 2,
    proof="constrained/dual_descent",
    iterate="best",
)
GAP = Theorem(
    name="average gap",
    cite=Cite(KEY, "the bound on the primal cost of averages"),
    reason=NOT_READ,
    assumes=(slater_condition,),
    silent="a policy that overspends earns more than V*; what it excludes are prices that rise too far",
    lhs=average_gap,
    rhs=eta * G**2 / 2,
    proof="constrained/dual_descent",
    iterate="average",
)
VIOLATION = Theorem(
    name="average violation",
    cite=Cite(KEY, "the bound on the violation of averages under Slater's condition"),
    reason=NOT_READ,
    assumes=(slater_condition,),
    lhs=average_violation,
    rhs=(2 * lam_star + spread / xi + eta * G**2 / (2 * xi) + eta * G) / (eta * t),
    proof="constrained/dual_descent",
    iterate="average",
)
CARRIED = Theorem(
    name="violation is carried by the multiplier",
    cite=Cite(KEY, "the violation of averages by the dual iterate"),
    reason=NOT_READ + "; an equality for a constraint whose multiplier was never cut off at zero",
    lhs=average_violation,
    rhs=largest_multiplier / (eta * t),
    proof="constrained/dual_descent",
    iterate="average",
    starts=ANYWHERE,
)
DISTANCE = Theorem(
    name="distance to the multipliers",
    cite=Cite(KEY, "the basic iterate relation"),
    reason=NOT_READ,
    assumes=(slater_condition,),
    consecutive=True,
    lhs=multiplier_distance**2,
    rhs=previous(multiplier_distance) ** 2 - 2 * eta * previous(dual_gap) + eta**2 * previous(excess_square),
    proof="constrained/dual_descent",
    iterate="last",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class DualDescent(Solver[CMDP, State]):
    """Projected subgradient steps of size `eta` on the dual, with exact best responses."""

    eta: Positive = 0.1

    sees: ClassVar[type] = CMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (DUAL, GAP, VIOLATION, CARRIED, DISTANCE)
    measures: ClassVar[tuple[Measure, ...]] = (*MEASURES, BEST_PLAYED)

    def init(self, problem: CMDP) -> State:
        return _best_response(problem, np.zeros(problem.m))

    def step(self, problem: CMDP, state: State) -> State:
        spent = exact.returns(problem, state.pi)[1:]
        return _best_response(problem, np.maximum(state.lam + self.eta * (spent - problem.b), 0))


def _best_response(problem: CMDP, lam: Array) -> State:
    return State(lam, exact.optimal(problem.penalised(lam)).pi)
