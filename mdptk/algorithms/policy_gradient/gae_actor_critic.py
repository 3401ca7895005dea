r"""Actor and critic from generalised advantage estimates, each with a weight of its own.

.. math::

   \theta_{t+1} = \theta_t + \frac\eta N \sum_{i=1}^N \sum_{h=1}^H
   \hat A_h^{\lambda, i}\, \nabla_\theta \log \pi_{\theta_t}(a_h^i|s_h^i), \qquad
   v_{t+1,h}(s) = v_{t,h}(s) + \frac\beta N \sum_{i:\, s_h^i = s} \hat A_h^{\lambda_c, i}, \qquad
   \hat A_h^\lambda = \sum_{k \geq h} \lambda^{k-h} (r_k + v_{k+1} - v_k),

from uniform policies and a critic of zero. With :math:`\lambda = 1` the estimate is unbiased whatever the critic
believes: what it believes about :math:`s_h` is a baseline, and what it believes about later states cancels. With
:math:`\lambda < 1` later beliefs stay in, with total weight :math:`1 - \lambda^{H-h}`, and a wrong critic bends the
gradient: both theorems say by how much, the first exactly. The critic may use another :math:`\lambda_c` without any
effect on this, which is the point of decoupling the two (VC-PPO): a reward at the end of a long episode reaches its
beginning with weight :math:`\lambda^{H-h}`, so the actor takes :math:`\lambda = 1`, and so does a critic that is
trained beforehand.

Proof: ``proofs/policy_gradient/gae_actor_critic.py`` and ``critic.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import coin
>>> run(GAEActorCritic(), coin().episodic(2), 8, repeats=2)["critic"][..., 0].max() < 1e-14
np.True_
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from mdptk.core.algorithm import Count, Learner, Measure, Positive, Range
from mdptk.core.estimators import gae, score_gradient, visit_means
from mdptk.core.exact import softmax
from mdptk.core.oracles import Episodic
from mdptk.theory import Assumption, Cite, InExpectation, Theorem, initial
from mdptk.theory.stock import unit_rewards
from mdptk.theory.stock_sampled import (
    BIAS_BOUND,
    BIAS_FORMULA,
    MEASURES,
    average_square,
    critic_measure,
    gap,
    short_step,
)
from mdptk.theory.symbols import A, H, N, eta, t

Weight = Annotated[float, Range(0, 1, "both")]


class State(NamedTuple):
    """The logits, the critic, and the weight of the actor, which the measurements ask for."""

    theta: Any  # (H, S, A)
    v: Any  # (H + 1, S), the last row zero
    lam: Any  # ()


whole = Assumption("lambda = 1", lambda alg, problem: None if alg.lam == 1 else f"lam = {alg.lam:g}")
STATIONARY = Theorem(
    name="average gradient",
    cite=Cite("yuan2025vcppo", "the unbiased actor, with constants of proofs/"),
    assumes=(unit_rewards, short_step, whole),
    lhs=average_square,
    rhs=2 * initial(gap) / (eta * t) + eta * (1 - 1 / A) * H**2 * (H + 1) * (2 * H + 1) / (12 * N),
    holds=InExpectation(),
    reason="smoothness and the second moment are derived in proofs/",
    proof="policy_gradient/gae_actor_critic",
)


@dataclass(frozen=True)
class GAEActorCritic(Learner[Episodic, State]):
    """Actor with step size `eta` and weight `lam`, critic with `beta` and `lam_critic`, from `N` episodes a step."""

    eta: Positive = 0.25
    beta: Weight = 0.5
    lam: Weight = 1.0
    lam_critic: Weight = 0.8
    N: Count = 64

    sees: ClassVar[type] = Episodic
    batch: ClassVar[str | int] = "N"
    theorems: ClassVar[tuple[Theorem, ...]] = (STATIONARY, BIAS_FORMULA, BIAS_BOUND)
    measures: ClassVar[tuple[Measure, ...]] = (*MEASURES, critic_measure(lambda state: state.lam))

    def init(self, oracle: Episodic, key: Any) -> State:
        return State(jnp.zeros(oracle.r.shape), jnp.zeros((oracle.H + 1, oracle.S)), jnp.asarray(self.lam, float))

    def draw(self, oracle: Episodic, key: Any) -> Any:
        return jax.random.uniform(key, (self.N, oracle.H + 1, 2))

    def step(self, oracle: Episodic, state: State, xi: Any) -> State:
        theta, v, lam = state
        pi = softmax(theta)
        s, a = oracle.follow(pi, xi)
        error = visit_means(self.advantage(oracle, v, s, a, self.lam_critic), s, oracle.S)
        return State(theta + self.eta * self.estimate(oracle, pi, v, s, a), v.at[:-1].add(self.beta * error), lam)

    def advantage(self, oracle: Episodic, v: Any, s: Any, a: Any, lam: float) -> Any:
        """Generalised advantage estimates of N episodes, (N, H), with values ``v[h, s]``."""
        return gae(oracle.rewards(s, a), v[jnp.arange(oracle.H + 1), s], lam)

    def estimate(self, oracle: Episodic, pi: Any, v: Any, s: Any, a: Any) -> Any:
        """The gradient estimate of N episodes, (H, S, A)."""
        return score_gradient(pi, s, a, self.advantage(oracle, v, s, a, self.lam))
