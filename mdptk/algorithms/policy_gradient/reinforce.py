r"""REINFORCE on episodes of H stages: the score function, weighted with what was earned afterwards.

.. math::

   \theta_{t+1} = \theta_t + \eta\, \hat g_t, \qquad
   \hat g_t = \frac1N \sum_{i=1}^N \sum_{h=1}^H G_h^i\, \nabla_\theta \log \pi_{\theta_t}(a_h^i|s_h^i), \qquad
   G_h = \sum_{k \geq h} r_k, \qquad \theta_0 = 0,

with a softmax policy of its own at every stage. The estimate is unbiased whatever the policy; what was earned before an
action does not depend on it, so leaving it out costs nothing and saves variance. Different stages have different
logits, hence their scores are orthogonal: the Hessian of the return is at most H/2 in norm, not of order
:math:`H^2`, and the second moment of the estimate is a sum over stages. Both are derived in proofs/.

Proof: ``proofs/policy_gradient/reinforce.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import coin
>>> run(REINFORCE(), coin().episodic(2), 8, repeats=2)["gap"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from mdptk.core.algorithm import Count, Learner, Measure, Positive
from mdptk.core.estimators import returns_to_go, score_gradient
from mdptk.core.exact import softmax
from mdptk.core.oracles import Episodic
from mdptk.theory import Cite, InExpectation, Theorem, initial
from mdptk.theory.stock import unit_rewards
from mdptk.theory.stock_sampled import MEASURES, average_square, gap, short_step
from mdptk.theory.symbols import A, H, N, eta, t


class State(NamedTuple):
    """The logits."""

    theta: Any  # (H, S, A)


STATIONARY = Theorem(
    name="average gradient",
    cite=Cite("williams1992simple", "gradient ascent with its estimate, constants of proofs/"),
    assumes=(unit_rewards, short_step),
    lhs=average_square,
    rhs=2 * initial(gap) / (eta * t) + eta * (1 - 1 / A) * H**2 * (H + 1) * (2 * H + 1) / (12 * N),
    holds=InExpectation(),
    reason="smoothness H/2 and the second moment are derived in proofs/",
    proof="policy_gradient/reinforce",
)


@dataclass(frozen=True)
class REINFORCE(Learner[Episodic, State]):
    """Softmax policy gradient with step size `eta` from `N` episodes a step, from the uniform policy."""

    eta: Positive = 0.25
    N: Count = 64

    sees: ClassVar[type] = Episodic
    batch: ClassVar[str | int] = "N"
    theorems: ClassVar[tuple[Theorem, ...]] = (STATIONARY,)
    measures: ClassVar[tuple[Measure, ...]] = MEASURES

    def init(self, oracle: Episodic, key: Any) -> State:
        return State(jnp.zeros(oracle.r.shape))

    def draw(self, oracle: Episodic, key: Any) -> Any:
        return jax.random.uniform(key, (self.N, oracle.H + 1, 2))

    def step(self, oracle: Episodic, state: State, xi: Any) -> State:
        pi = softmax(state.theta)
        return State(state.theta + self.eta * self.estimate(oracle, pi, *oracle.follow(pi, xi)))

    def estimate(self, oracle: Episodic, pi: Any, s: Any, a: Any) -> Any:
        """The mean of the estimates of N episodes, (H, S, A)."""
        return score_gradient(pi, s, a, returns_to_go(oracle.rewards(s, a)))
