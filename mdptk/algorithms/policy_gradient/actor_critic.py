r"""The actor-critic on two time scales: one episode, one temporal difference, two step sizes that part.

.. math::

   v_{t+1,h}(s_h) = v_{t,h}(s_h) + \frac{\beta}{(t+1)^{2/5}}\, \delta_h, \qquad
   \theta_{t+1,h} = \theta_{t,h} + \frac{\eta}{(t+1)^{3/5}}\, \delta_h \nabla_\theta \log \pi_{\theta_t}(a_h|s_h),

.. math::

   \delta_h = r_h + v_{t,h+1}(s_{h+1}) - v_{t,h}(s_h),

from uniform policies and a critic of zero. With n features :math:`\phi(s)` in place of a table the temporal differences
move the coefficients of :math:`v_h = \langle w_h, \phi \rangle`. The actor believes its critic about everything beyond
one step, so its gradient is as wrong as the critic is: that is an identity, and the bound beside it; both hold for
every critic, so what features cannot express is in them. The actor's steps shrink faster, and to the critic the policy
stands still more and more. How fast the gradient falls is known up to constants only, for a table; with features it
falls to their bias.

Proof: ``proofs/policy_gradient/critic.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import coin
>>> run(ActorCritic(), coin().episodic(2), 8, repeats=2)["critic"].shape
(2, 9, 3)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mdptk.core.algorithm import Learner, Measure, Positive, Range
from mdptk.core.estimators import score_gradient, td_errors, visit_means
from mdptk.core.exact import softmax
from mdptk.core.networks import coefficients
from mdptk.core.oracles import Episodic
from mdptk.theory import Assumption, Asymptotic, Cite, Theorem
from mdptk.theory.stock import unit_rewards
from mdptk.theory.stock_sampled import BIAS_BOUND, BIAS_FORMULA, MEASURES, average_square, critic_measure
from mdptk.theory.symbols import t


class State(NamedTuple):
    """The logits, the critic, and the clock."""

    theta: Any  # (H, S, A)
    v: Any  # (H + 1, S), the last row zero
    t: Any  # ()


RATE = Theorem(
    name="rate of the gradient",
    cite=Cite("wu2020finite", "the rate of the abstract: a sample complexity of order epsilon^-2.5"),
    assumes=(
        unit_rewards,
        Assumption("a table", lambda alg, problem: None if alg.n is None else f"n = {alg.n} features"),
    ),
    lhs=average_square,
    rhs=t ** (-2 / 5),
    holds=Asymptotic(-2 / 5),
    status="order-only",
    reason="constants and logarithms unknown; the paper has one stream without end, average reward and linear features",
)


@dataclass(frozen=True)
class ActorCritic(Learner[Episodic, State]):
    """One-step actor-critic with first step sizes `eta` of the actor and `beta` of the critic.

    The critic has `n` fixed random features of the state at each stage, or a table if n is None.
    """

    eta: Positive = 0.5
    beta: Annotated[float, Range(0, 1, "high")] = 0.5
    n: Annotated[int | None, Range(1, np.inf, "low")] = None

    sees: ClassVar[type] = Episodic
    batch: ClassVar[str | int] = 1
    theorems: ClassVar[tuple[Theorem, ...]] = (RATE, BIAS_FORMULA, BIAS_BOUND)
    measures: ClassVar[tuple[Measure, ...]] = (*MEASURES, critic_measure(lambda state: 0.0))
    lam: ClassVar[float] = 0.0  # the weight of later temporal differences, of which the theorems speak

    def init(self, oracle: Episodic, key: Any) -> State:
        return State(jnp.zeros(oracle.r.shape), jnp.zeros((oracle.H + 1, oracle.S)), jnp.zeros(()))

    def draw(self, oracle: Episodic, key: Any) -> Any:
        return jax.random.uniform(key, (1, oracle.H + 1, 2))

    def step(self, oracle: Episodic, state: State, xi: Any) -> State:
        theta, v, t = state
        pi = softmax(theta)
        s, a = oracle.follow(pi, xi)
        delta = td_errors(oracle.rewards(s, a), v[jnp.arange(oracle.H + 1), s])
        change = coefficients(visit_means(delta, s, oracle.S), self.n)
        v = v.at[:-1].add(self.beta * (t + 1) ** -0.4 * change)
        return State(theta + self.eta * (t + 1) ** -0.6 * score_gradient(pi, s, a, delta), v, t + 1)
