r"""ReMax: REINFORCE that compares each episode with what the greedy policy earns from the same start.

.. math::

   \theta_{t+1} = \theta_t + \eta\, \hat g_t, \qquad
   \hat g_t = \frac1N \sum_{i=1}^N \big(R^i - \bar R^i\big)
   \sum_{h=1}^H \nabla_\theta \log \pi_{\theta_t}(a_h^i|s_h^i), \qquad R = \sum_h r_h, \qquad \theta_0 = 0,

where :math:`\bar R^i` is the return of one episode of the greedy policy :math:`\arg\max_a \pi_{\theta_t}(a|s)` from
:math:`s_1^i`. The baseline does not depend on the actions, so the estimate is unbiased, and no critic is needed. It
does not always help: with two actions that pay :math:`r_1 > r_2 > 0` and :math:`p = \pi(1) \geq 1/2` its variance is
that of no baseline plus :math:`r_1 p (1-p) (r_1 - 2(1-p) r_1 - 2 p r_2)`, which is positive near the optimum where
:math:`r_2 < r_1/2` (derived; held against enumeration in the tests).

Proof: ``proofs/policy_gradient/remax.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import coin
>>> run(ReMax(), coin().episodic(2), 8, repeats=2)["gap"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from mdptk.core.algorithm import Count, Learner, Measure, Positive
from mdptk.core.estimators import score_gradient
from mdptk.core.exact import greedy, softmax
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
    cite=Cite("li2024remax", "the convergence statement, with constants of proofs/"),
    assumes=(unit_rewards, short_step),
    lhs=average_square,
    rhs=2 * initial(gap) / (eta * t) + eta * (1 - 1 / A) * H**4 / (2 * N),
    holds=InExpectation(),
    reason="the paper's constants were not at hand: smoothness and second moment are derived in proofs/",
    proof="policy_gradient/remax",
)


@dataclass(frozen=True)
class ReMax(Learner[Episodic, State]):
    """ReMax with step size `eta` from `N` pairs of episodes a step, from the uniform policy."""

    eta: Positive = 0.25
    N: Count = 128

    sees: ClassVar[type] = Episodic
    theorems: ClassVar[tuple[Theorem, ...]] = (STATIONARY,)
    measures: ClassVar[tuple[Measure, ...]] = MEASURES

    def init(self, oracle: Episodic, key: Any) -> State:
        return State(jnp.zeros(oracle.r.shape))

    def draw(self, oracle: Episodic, key: Any) -> Any:
        return jax.random.uniform(key, (2, self.N, oracle.H + 1, 2))

    def step(self, oracle: Episodic, state: State, xi: Any) -> State:
        pi = softmax(state.theta)
        s, a = oracle.follow(pi, xi[0])
        baseline = oracle.rewards(*oracle.follow(greedy(pi), xi[1].at[:, 0, 0].set(xi[0, :, 0, 0]))).sum(-1)
        return State(state.theta + self.eta * self.estimate(oracle, pi, s, a, baseline))

    def estimate(self, oracle: Episodic, pi: Any, s: Any, a: Any, baseline: Any) -> Any:
        """The mean of the estimates of N episodes, (H, S, A), from the returns of their greedy twins, (N,)."""
        better = oracle.rewards(s, a).sum(-1) - baseline
        return score_gradient(pi, s, a, jnp.broadcast_to(better[:, None], a.shape))
