r"""Softmax policy gradient with stages, all of them at once: gradient ascent on the logits of every stage.

.. math::

   \theta_{t+1, h}(s, a) = \theta_{t, h}(s, a) + \frac{\eta}{L}\, d^{\pi_t}_h(s)\, \pi_{t, h}(a|s)\, A^{\pi_t}_h(s, a),
   \qquad L = \frac{H (H + 3)}{8}, \qquad \theta_0 = 0.

L is how smooth the value is in all logits together. It is of the order of the horizon squared: a stage is worth up to
H, and so is what it does to each of the others. One more factor H comes in when the gap, a sum over the stages, is
compared with a gradient, and the last through the states that the policy now visits, which are not those where an
optimal one goes. `DynamicPG`, which trains backwards, has one factor H of smoothness and none of the others.

Figure: ``mdptk reproduce backward_in_time``. Proof: ``proofs/policy_gradient/simultaneous_pg.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(SimultaneousPG(), riverswim().episodic(4), 3)["pi"].shape
(1, 4, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from sympy import sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Range, Solver
from mdptk.core.models import Array, FiniteHorizonMDP
from mdptk.theory import Cite, Quantity, Start, Theorem, previous
from mdptk.theory.stock import policy, unit_rewards
from mdptk.theory.stock_stages import gain, gradient_norm, suboptimality
from mdptk.theory.symbols import H, S, eta, t


class State(NamedTuple):
    """Logits, the largest in each state of each stage kept at 0, and the policy that they stand for."""

    theta: Array  # (H, S, A)
    pi: Array  # (H, S, A)


def _visited_chance(problem: FiniteHorizonMDP, star: Array, pi: Array) -> Any:
    """``min d_h(s) / d*_h(s)`` where an optimal policy goes, times ``min pi_h(a*|s)`` there, over the leading axes."""
    d, best = exact.occupancy(problem, pi), exact.occupancy(problem, star)
    goes = best > 0
    chance = np.where(goes, (star * pi).sum(-1), np.inf).min((-2, -1))
    return np.where(goes, d / np.where(goes, best, 1.0), np.inf).min((-2, -1)) * chance


LEAST = Measure("c", lambda truth, state: _visited_chance(truth.problem, truth.optimum.pi, state.pi), "min")
reach = Quantity(
    "reach",
    lambda run: _visited_chance(run.problem, run.truth.optimum.pi, policy(run)),
    latex=r"\|d^{\pi^*} / d^{\pi_{%t}}\|_\infty^{-1} \min_{h,s} \pi_{%t, h}(a_h^*(s)|s)",
)
least_reach = Quantity(
    "least_reach",
    lambda run: run["c"],
    latex=r"\min_{k \leq %t} \|d^{\pi^*} / d^{\pi_k}\|_\infty^{-1} \min_{h,s} \pi_{k, h}(a_h^*(s)|s)",
)

ANYWHERE = Start(r"any $\theta_0$", lambda state: state.theta, lambda alg, problem, theta: _state(theta))
KLEIN = "klein2024beyond"
NOT_READ = "of the paper only the order in H is known to us: constants are those of the derivation in proofs, "
CONVERGENCE = Theorem(
    name="global convergence",
    cite=Cite(KLEIN, "simultaneous policy gradient with exact gradients: O(H^5 / t)"),
    reason=NOT_READ
    + "where the mismatch of the states is measured; bounded by H times that of the start it adds the other two H",
    assumes=(unit_rewards,),
    lhs=suboptimality,
    rhs=S * H**2 * (H + 3) / (4 * eta * (2 - eta) * least_reach**2 * (t + 1)),
    silent="above the trivial bound in short runs; the two lemmas that it is made of are not",
    proof="policy_gradient/simultaneous_pg",
    starts=ANYWHERE,
)
LOJASIEWICZ = Theorem(
    name="non-uniform Lojasiewicz inequality",
    cite=Cite(KLEIN, "weak Polyak-Lojasiewicz inequality for all stages at once"),
    reason=NOT_READ + "over all states where an optimal policy goes",
    lhs=gradient_norm,
    rhs=reach / sqrt(S * H) * suboptimality,
    relation=">=",
    silent="it compares every policy with its own gradient",
    proof="policy_gradient/simultaneous_pg",
    starts=ANYWHERE,
)
ASCENT = Theorem(
    name="ascent",
    cite=Cite(KLEIN, "smoothness of the value in the logits of all stages"),
    reason=NOT_READ + "L = H (H + 3) / 8 for rewards in [0, 1]",
    assumes=(unit_rewards,),
    consecutive=True,
    lhs=gain,
    rhs=4 * eta * (2 - eta) / (H * (H + 3)) * previous(gradient_norm) ** 2,
    relation=">=",
    proof="policy_gradient/simultaneous_pg",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class SimultaneousPG(Solver[FiniteHorizonMDP, State]):
    """Softmax policy gradient on all stages, with steps `eta` in units of the inverse smoothness, from uniform."""

    eta: Annotated[float, Range(0, 2)] = 1.0

    sees: ClassVar[type] = FiniteHorizonMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, LOJASIEWICZ, ASCENT)
    measures: ClassVar[tuple[Measure, ...]] = (LEAST,)

    def init(self, problem: FiniteHorizonMDP) -> State:
        return _state(np.zeros_like(problem.r))

    def step(self, problem: FiniteHorizonMDP, state: State) -> State:
        step = 8 * self.eta / (problem.H * (problem.H + 3))
        return _state(state.theta + step * exact.softmax_gradient(problem, state.pi))


def _state(theta: Array) -> State:
    return State(theta - theta.max(-1, keepdims=True), exact.softmax(theta))
