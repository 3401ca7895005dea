r"""The augmented Lagrangian on occupancies: prices that rise, and a squared penalty while they do.

.. math::

   x_t \in \arg\max_x \; \langle r, x\rangle
     - \tfrac{1}{2\eta} \big\|\big[\lambda_t + \eta(\langle c, x\rangle - b)\big]_+\big\|_2^2, \qquad
   \lambda_{t+1} = \big[\lambda_t + \eta\,(\langle c, x_t\rangle - b)\big]_+, \qquad \lambda_0 = 0,

over occupancies of mass :math:`1/(1-\gamma)`. Beside DualDescent only the square is new, and it changes the method:
the step on the prices is a step of the *proximal point* method on the dual function,

.. math::

   \lambda_{t+1} = \arg\min_{\lambda \ge 0} \; D(\lambda) + \tfrac{1}{2\eta}\|\lambda - \lambda_t\|_2^2,

for which no step is too long. The best response is not at a corner any more: it mixes as many policies as it takes to
make a policy that is optimal *at the price that comes next*, and so the *last* policy has a guarantee. The average has
one without a constant: it never earns less than :math:`V^*`, since what it overspends has a price. As the dual function
of a linear program is piecewise linear, the method even ends after finitely many steps, of a number that the flatness
of the dual function decides.

That it is the proximal point method is due to Rockafellar [rockafellar1976augmented], and its rates to Güler
[guler1991convergence]: 1/t for prices and policies alike. A step is solved exactly: best policies at a price are added
one by one, and mixed by a quadratic program, until none is better by more than rounding. What is left of that is a
square root in the price, and so in the violation
(`mdptk.theory.stock_augmented`).

Proof: ``proofs/constrained/augmented_lagrangian.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.constrained import constrained_two_state
>>> result = run(AugmentedLagrangian(), constrained_two_state(), 10)
>>> result["lam"][0, [1, 5, 10]].round(3).tolist(), result["returns"][0, -1].round(6)
([[0.326], [1.0], [1.0]], array([2., 2.]))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Positive, Solver
from mdptk.core.models import CMDP, Array
from mdptk.core.quadratic import proximal_mixture
from mdptk.theory import Cite, Theorem, previous
from mdptk.theory.stock_augmented import (
    best,
    distance,
    dual_gap,
    excess_played,
    highest,
    move,
    played,
    resolution,
    size,
)
from mdptk.theory.stock_constrained import MEASURES, average_gap, average_violation, gap, lam_star, slater_condition
from mdptk.theory.symbols import eta, t


class State(NamedTuple):
    """Multipliers, the occupancy of mass 1/(1 - gamma), its policy, and the price at which that is optimal."""

    lam: Array  # (m,)
    x: Array  # (S, A)
    pi: Array  # (S, A)
    price: Array  # (m,): the next multipliers


KEY, GULER = "rockafellar1976augmented", "guler1991convergence"
NOT_READ = "the paper was not at hand: rederived in proofs"
BEST = Theorem(
    name="the last policy is optimal at the next price",
    cite=Cite(KEY, "the augmented Lagrangian and the proximal point method"),
    reason=NOT_READ + r"; $D(\lambda) = \max_\pi L(\pi, \lambda)$, computed by policy iteration",
    since=0,
    lhs=played,
    rhs=best,
    relation="=",
    proof="constrained/augmented_lagrangian",
    iterate="last",
)
DISTANCE = Theorem(
    name="distance to the multipliers",
    cite=Cite(KEY, "the proximal point method"),
    reason=NOT_READ,
    assumes=(slater_condition,),
    consecutive=True,
    lhs=distance**2,
    rhs=previous(distance) ** 2 - move**2 - 2 * eta * dual_gap,
    proof="constrained/augmented_lagrangian",
    iterate="last",
)
DUAL = Theorem(
    name="dual convergence",
    cite=Cite(GULER, "Theorem 2.1"),
    reason="half of it is known to be the exact worst case over all convex functions",
    assumes=(slater_condition,),
    lhs=dual_gap,
    rhs=lam_star**2 / (2 * eta * t),
    proof="constrained/augmented_lagrangian",
    iterate="last",
)
VIOLATION = Theorem(
    name="violation of the last policy",
    cite=Cite(GULER, "Theorem 2.2 at a minimiser: the length of a step"),
    assumes=(slater_condition,),
    since=0,
    lhs=excess_played,
    rhs=lam_star / (eta * (t + 1)),
    proof="constrained/augmented_lagrangian",
    iterate="last",
)
GAP = Theorem(
    name="gap of the last policy",
    cite=Cite(KEY, "complementary slackness, up to the residual"),
    reason=NOT_READ,
    assumes=(slater_condition,),
    silent="the first policy overspends and earns more than V*; what it excludes are prices that rise too far",
    since=0,
    lhs=gap,
    rhs=2 * lam_star**2 / (eta * (t + 1)),
    proof="constrained/augmented_lagrangian",
    iterate="last",
)
AVERAGE_GAP = Theorem(
    name="the average earns more than the optimum",
    cite=Cite(KEY, "the growth of the multipliers, summed"),
    reason=NOT_READ,
    assumes=(slater_condition,),
    silent="the first policy overspends and earns more than V*",
    lhs=-average_gap,
    rhs=size**2 / (2 * eta * t),
    relation=">=",
    proof="constrained/augmented_lagrangian",
    iterate="average",
)
AVERAGE_VIOLATION = Theorem(
    name="average violation",
    cite=Cite(KEY, "the growth of the multipliers, summed"),
    reason=NOT_READ,
    assumes=(slater_condition,),
    lhs=average_violation,
    rhs=2 * lam_star / (eta * t),
    proof="constrained/augmented_lagrangian",
    iterate="average",
)
CARRIED = Theorem(
    name="violation is carried by the multiplier",
    cite=Cite(KEY, "the growth of the multipliers, summed"),
    reason=NOT_READ + "; an equality for a constraint whose multiplier was never cut off at zero",
    lhs=average_violation,
    rhs=highest / (eta * t),
    proof="constrained/augmented_lagrangian",
    iterate="average",
)


@dataclass(frozen=True)
class AugmentedLagrangian(Solver[CMDP, State]):
    """The method of multipliers with the penalty `eta`, each step solved exactly."""

    eta: Positive = 0.1

    sees: ClassVar[type] = CMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (
        BEST, DISTANCE, DUAL, VIOLATION, GAP, AVERAGE_GAP, AVERAGE_VIOLATION, CARRIED,
    )  # fmt: skip
    measures: ClassVar[tuple[Measure, ...]] = MEASURES

    def init(self, problem: CMDP) -> State:
        lam = np.zeros(problem.m)
        return self._state(problem, lam, _best_response(problem, lam))

    def step(self, problem: CMDP, state: State) -> State:
        return self._state(problem, state.price, state.x)

    def _state(self, problem: CMDP, lam: Array, x: Array) -> State:
        """The best mixture at `lam`, found from `x` on."""

        def valued(x: Array) -> tuple[Array, Array]:
            return x, np.append((x * problem.mdp.r).sum(), np.tensordot(problem.c, x) - problem.b)

        x, price = proximal_mixture(
            lam,
            self.eta,
            valued(x),
            lambda price: valued(_best_response(problem, price)),
            lambda price: 2 * resolution(problem, self.eta, price),
        )
        return State(lam, x, exact.conditional(x), price)


def _best_response(problem: CMDP, lam: Array) -> Array:
    pi = exact.optimal(problem.penalised(lam)).pi
    return exact.occupancy(problem.mdp, pi)[:, None] * pi / (1 - problem.gamma)
