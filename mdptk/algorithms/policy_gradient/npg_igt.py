r"""N-PG-IGT: normalised policy gradient with implicit gradient transport, a momentum that does not lag behind.

.. math::

   \tilde\theta_t = \theta_t + \tfrac{1-\alpha_t}{\alpha_t} (\theta_t - \theta_{t-1}), \qquad
   d_t = (1-\alpha_t)\, d_{t-1} + \alpha_t\, \hat g(\tilde\theta_t), \qquad
   \theta_{t+1} = \theta_t + \frac{\eta}{t+2} \frac{d_t}{\|d_t\|_2}, \qquad \alpha_t = \Big(\frac{2}{t+2}\Big)^{4/5},

from :math:`\theta_0 = 0`, where :math:`\hat g` is the estimate of REINFORCE from N episodes of
:math:`\pi_{\tilde\theta_t}`. An average of old gradients belongs to old parameters. Here each gradient is taken so far
ahead that, if the gradient were a linear function of the parameters, the average would be that of today: no gradient
has to be transported by a Hessian, nor reweighted by importance. What a step of length fixed beforehand gains is in the
first theorem, whatever the direction; the rate is known for policies whose Fisher matrix is nowhere degenerate.

Proof: ``proofs/policy_gradient/normalised_step.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import coin
>>> run(NPGIGT(), coin().episodic(2), 8, repeats=2)["last_step"].shape
(2, 9, 2)
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
from mdptk.theory import Asymptotic, Cite, Theorem
from mdptk.theory.stock import unit_rewards
from mdptk.theory.stock_sampled import NORMALISED_ASCENT, NORMALISED_MEASURES, direction, gap
from mdptk.theory.symbols import t


class State(NamedTuple):
    """The logits, those before the last step, the direction of that step, and the clock."""

    theta: Any  # (H, S, A)
    before: Any  # (H, S, A)
    d: Any  # (H, S, A)
    t: Any  # ()


RATE = Theorem(
    name="rate of the gap",
    cite=Cite("fatkhullin2023stochastic", "the rate of the abstract: a sample complexity of order epsilon^-2.5"),
    assumes=(unit_rewards,),
    lhs=gap,
    rhs=t ** (-2 / 5),
    holds=Asymptotic(-2 / 5),
    status="order-only",
    reason="constants unknown; asks for a Fisher matrix that is nowhere degenerate, which a softmax policy has not",
)


@dataclass(frozen=True)
class NPGIGT(Learner[Episodic, State]):
    """N-PG-IGT with steps of length ``eta / (t + 2)`` and gradients from `N` episodes, from the uniform policy."""

    eta: Positive = 4.0
    N: Count = 4

    sees: ClassVar[type] = Episodic
    theorems: ClassVar[tuple[Theorem, ...]] = (NORMALISED_ASCENT, RATE)
    measures: ClassVar[tuple[Measure, ...]] = NORMALISED_MEASURES

    def init(self, oracle: Episodic, key: Any) -> State:
        zero = jnp.zeros(oracle.r.shape)
        return State(zero, zero, zero, jnp.zeros(()))

    def draw(self, oracle: Episodic, key: Any) -> Any:
        return jax.random.uniform(key, (self.N, oracle.H + 1, 2))

    def step(self, oracle: Episodic, state: State, xi: Any) -> State:
        theta, _, d, t = state
        alpha = (2 / (t + 2)) ** 0.8
        pi = softmax(self.look_ahead(theta, state.before, alpha))
        s, a = oracle.follow(pi, xi)
        d = (1 - alpha) * d + alpha * score_gradient(pi, s, a, returns_to_go(oracle.rewards(s, a)))
        return State(theta + self.eta / (t + 2) * direction(d), theta, d, t + 1)

    def look_ahead(self, theta: Any, before: Any, alpha: Any) -> Any:
        """Where the gradient is estimated that enters the average with weight alpha."""
        return theta + (1 - alpha) / alpha * (theta - before)
