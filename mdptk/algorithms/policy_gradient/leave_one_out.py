r"""REINFORCE with the leave-one-out baseline: each episode is compared with the mean of the others of its batch.

.. math::

   \theta_{t+1} = \theta_t + \eta\, \hat g_t, \qquad
   \hat g_t = \frac1N \sum_{i=1}^N \Big(R^i - \frac1{N-1} \sum_{j \neq i} R^j\Big)
   \sum_{h=1}^H \nabla_\theta \log \pi_{\theta_t}(a_h^i|s_h^i), \qquad \theta_0 = 0.

The others are independent of episode i, so the estimate is unbiased, where the mean of all N, itself included, shrinks
it by 1 - 1/N. It is a U-statistic: with :math:`u = \sum_h \nabla_\theta \log \pi_h`,

.. math::

   \hat g_t = \binom N2^{-1} \sum_{i < j} \tfrac12 (R^i - R^j)(u^i - u^j),

so Hoeffding's bound on the variance of a U-statistic gives the constant, which is that of ReMax with half the episodes.

Proof: ``proofs/policy_gradient/leave_one_out.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import coin
>>> run(LeaveOneOut(), coin().episodic(2), 8, repeats=2)["gap"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mdptk.core.algorithm import Learner, Measure, Positive, Range
from mdptk.core.estimators import score_gradient
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
    cite=Cite("kool2019buy", "the estimator; constants of proofs/"),
    assumes=(unit_rewards, short_step),
    lhs=average_square,
    rhs=2 * initial(gap) / (eta * t) + eta * (1 - 1 / A) * H**4 / (2 * N),
    holds=InExpectation(),
    reason="smoothness and the variance of the U-statistic are derived in proofs/",
    proof="policy_gradient/leave_one_out",
)


@dataclass(frozen=True)
class LeaveOneOut(Learner[Episodic, State]):
    """Leave-one-out policy gradient with step size `eta` from `N` episodes a step, from the uniform policy."""

    eta: Positive = 0.25
    N: Annotated[int, Range(2, np.inf, "low")] = 128

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
        """The estimate from N episodes, (H, S, A)."""
        R = oracle.rewards(s, a).sum(-1)
        others = (R.sum() - R) / (self.N - 1)
        return score_gradient(pi, s, a, jnp.broadcast_to((R - others)[:, None], a.shape))
