r"""Policy gradient from data that look like the policy because they are chosen to, not because they are drawn from it.

In every state that an episode comes to, the action that the batch so far has least of for its probability,

.. math::

   a = \arg\max_b \; \big(\pi_{\theta_t}(b|s)\, n(h, s) - n(h, s, b)\big), \qquad
   n(h, s, a) \leftarrow n(h, s, a) + 1,

for N episodes; then REINFORCE's step with them, as if they had been drawn,

.. math::

   \theta_{t+1} = \theta_t + \eta\, \hat g_t, \qquad
   \hat g_t = \frac1N \sum_{i=1}^N \sum_{h=1}^H G_h^i\, \nabla_\theta \log \pi_{\theta_t}(a_h^i|s_h^i).

It is robust on-policy sampling with infinitely long corrections. The frequencies of actions are right up to A - 1 in
all, at any time and in every state, where those of actions that are drawn are off by the root of their number: on a
bandit the gradient is then right up to A/N, with no chance in it at all. What goes with chance is that the estimate is
no longer unbiased, and where the model itself is random its noise remains.

Proof: ``proofs/policy_gradient/least_sampled_pg.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import coin
>>> run(LeastSampledPG(), coin().episodic(2), 8, repeats=2)["gap"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from sympy import Integer

from mdptk.core import exact
from mdptk.core.algorithm import Count, Learner, Measure, Positive
from mdptk.core.estimators import least_sampled, returns_to_go, score_gradient
from mdptk.core.oracles import Episodic
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.quantity import EPS
from mdptk.theory.stock_sampled import MEASURES
from mdptk.theory.symbols import A


class State(NamedTuple):
    """The logits, those of the last batch, and how often that batch took each action."""

    theta: Any  # (H, S, A)
    before: Any  # (H, S, A)
    n: Any  # (H, S, A)


def _deviation(truth: exact.Truth, x: State) -> Any:
    pi = exact.softmax(x.before)
    off = x.n - pi * x.n.sum(-1, keepdims=True)
    return jnp.stack([off.max(), (-off).max()])


DEVIATION = Measure("deviation", _deviation)


def _rounding(run: Any) -> float:
    return 16 * EPS * run.problem.A * run.alg.N


excess = Quantity(
    "excess",
    lambda run: run["deviation"][..., 0],
    latex=r"\max_{h,s,a}\,[n(h, s, a) - \pi_{\theta_{%t-1}}(a|s)\, n(h, s)]",
    rounding=_rounding,
)
lack = Quantity(
    "lack",
    lambda run: run["deviation"][..., 1],
    latex=r"\max_{h,s,a}\,[\pi_{\theta_{%t-1}}(a|s)\, n(h, s) - n(h, s, a)]",
    rounding=_rounding,
)

ZHONG = "zhong2022robust"
STAYS = "a batch of nothing has no frequencies"
EXCESS = Theorem(
    name="no action is taken too often",
    cite=Cite(ZHONG, "that sampling errors vanish faster than by chance; here for the limit of long corrections"),
    reason="derived in proofs/: the paper has limits, and no constants for the sampling of actions",
    lhs=excess,
    rhs=Integer(1),
    silent=STAYS,
    proof="policy_gradient/least_sampled_pg",
)
LACK = Theorem(
    name="no action is forgotten",
    cite=Cite(ZHONG, "that sampling errors vanish faster than by chance; here for the limit of long corrections"),
    reason="derived in proofs/: the paper has limits, and no constants for the sampling of actions",
    lhs=lack,
    rhs=A - 1,
    silent=STAYS,
    proof="policy_gradient/least_sampled_pg",
)


@dataclass(frozen=True)
class LeastSampledPG(Learner[Episodic, State]):
    """Policy gradient with step size `eta` from `N` episodes that take what is sampled least, from uniform."""

    eta: Positive = 0.25
    N: Count = 4

    sees: ClassVar[type] = Episodic
    theorems: ClassVar[tuple[Theorem, ...]] = (EXCESS, LACK)
    measures: ClassVar[tuple[Measure, ...]] = (*MEASURES, DEVIATION)

    def init(self, oracle: Episodic, key: Any) -> State:
        zero = jnp.zeros(oracle.r.shape)
        return State(zero, zero, zero)

    def draw(self, oracle: Episodic, key: Any) -> Any:
        return jax.random.uniform(key, (self.N, oracle.H + 1))

    def step(self, oracle: Episodic, state: State, xi: Any) -> State:
        pi, h = exact.softmax(state.theta), jnp.arange(oracle.H)

        def episode(n: Any, u: Any) -> Any:
            s, a = oracle.play(least_sampled(pi, n), u)
            return n.at[h, s[:-1], a].add(1.0), (s, a)

        n, (s, a) = jax.lax.scan(episode, jnp.zeros_like(pi), xi)
        g = score_gradient(pi, s, a, returns_to_go(oracle.rewards(s, a)))
        return State(state.theta + self.eta * g, state.theta, n)
