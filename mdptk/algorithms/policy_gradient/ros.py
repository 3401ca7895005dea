r"""ROS, robust on-policy sampling: each batch is drawn from a policy that moves away from what the batch has already.

Before each of N episodes, from the counts n of the batch so far,

.. math::

   \phi = \theta_t - \alpha \Big(\frac{n(h, s, \cdot)}{n(h, s)} - \pi_{\theta_t}(\cdot|s)\Big), \qquad
   a_h \sim \pi_\phi(\cdot|s_h), \qquad n(h, s_h, a_h) \leftarrow n(h, s_h, a_h) + 1,

a gradient step down the likelihood of the data; then REINFORCE's step as if the actions had been drawn from the policy,

.. math::

   \theta_{t+1} = \theta_t + \eta\, \hat g_t, \qquad
   \hat g_t = \frac1N \sum_{i=1}^N \sum_{h=1}^H G_h^i\, \nabla_\theta \log \pi_{\theta_t}(a_h^i|s_h^i), \qquad
   \theta_0 = 0.

What is wrong with such a gradient has three parts, and an identity adds them up: returns that are not what they are on
average, actions that are not as frequent as the policy would have them, and states. The correction is for the second,
which is all of it on a bandit. It always points back: in the 2-norm, and in the chi-square distance, whatever alpha is
(in KL only near the policy; the tests have an instance). But it also changes the chance of the next action, so that the
frequencies are right at most up to a little more than those of independent draws: not more than of a uniform policy if
alpha is at most 4. To first order n draws in one state save :math:`2 \alpha (n-1) \|C\|_F^2` of
:math:`n\,\mathrm{tr}\,C`, with the covariance C of one of them: a factor, and not a rate. A rate takes corrections
without end, as in `LeastSampledPG`. `PROPS` takes several such steps, and clips them.

Proof: ``proofs/policy_gradient/ros.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import coin
>>> run(ROS(), coin().episodic(2), 8, repeats=2)["gap"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from mdptk.core import exact
from mdptk.core.algorithm import Count, Learner, Measure, Positive
from mdptk.core.estimators import returns_to_go, ros_policy, score_gradient
from mdptk.core.oracles import Episodic
from mdptk.theory import Assumption, Cite, InExpectation, Quantity, Theorem
from mdptk.theory.quantity import EPS
from mdptk.theory.stock_sampled import MEASURES, PARTS, parts_measure
from mdptk.theory.symbols import A, H, N


class State(NamedTuple):
    """The logits; those of the last batch, its gradient, how often it took each action, and what it earned then."""

    theta: Any  # (H, S, A)
    before: Any  # (H, S, A)
    g: Any  # (H, S, A)
    n: Any  # (H, S, A)
    G: Any  # (H, S, A): sums of returns to go


ERROR = parts_measure(lambda x: (x.n, x.G))

sampling_error = Quantity(
    "sampling_error",
    lambda run: run["error"][..., 2],
    latex=r"{\textstyle\sum_{h,s}} \|n(h, s, \cdot) - n(h, s) \pi_{\theta_{%t-1}}(\cdot|s)\|_2^2",
    rounding=lambda run: 64 * EPS * run.alg.N**2 * run.problem.H * run.problem.A,
)

ZHONG = "zhong2022robust"
FREQUENCIES = Theorem(
    name="frequencies as of a uniform policy",
    cite=Cite(
        ZHONG, "that sampling errors vanish faster than by chance; here that they are no larger, with a constant"
    ),
    assumes=(Assumption("alpha at most 4", lambda alg, problem: None if alg.alpha <= 4 else f"alpha = {alg.alpha:g}"),),
    lhs=sampling_error,
    rhs=H * N * (1 - 1 / A),
    holds=InExpectation(),
    reason="derived in proofs/: the paper has limits, and no constants",
    silent="a batch of nothing has no frequencies; it is broken by corrections that point the other way",
    proof="policy_gradient/ros",
)


@dataclass(frozen=True)
class ROS(Learner[Episodic, State]):
    """Policy gradient with step size `eta` from `N` episodes, each corrected by a step `alpha`, from uniform."""

    eta: Positive = 0.25
    alpha: Positive = 4.0
    N: Count = 8

    sees: ClassVar[type] = Episodic
    theorems: ClassVar[tuple[Theorem, ...]] = (PARTS, FREQUENCIES)
    measures: ClassVar[tuple[Measure, ...]] = (*MEASURES, ERROR)

    def init(self, oracle: Episodic, key: Any) -> State:
        zero = jnp.zeros(oracle.r.shape)
        return State(zero, zero, zero, zero, zero)

    def draw(self, oracle: Episodic, key: Any) -> Any:
        return jax.random.uniform(key, (self.N, oracle.H + 1, 2))

    def step(self, oracle: Episodic, state: State, xi: Any) -> State:
        theta, h = state.theta, jnp.arange(oracle.H)
        zero = jnp.zeros_like(theta)

        def episode(data: Any, u: Any) -> Any:
            n, G = data
            s, a = oracle.follow(ros_policy(theta, n, self.alpha), u)
            earned = returns_to_go(oracle.rewards(s, a))
            return (n.at[h, s[:-1], a].add(1.0), G.at[h, s[:-1], a].add(earned)), (s, a, earned)

        (n, G), (s, a, earned) = jax.lax.scan(episode, (zero, zero), xi)
        g = score_gradient(exact.softmax(theta), s, a, earned)
        return State(theta + self.eta * g, theta, g, n, G)
