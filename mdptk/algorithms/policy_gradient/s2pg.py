r"""S2PG: policy gradient for policies that remember, by calling what they write down an action.

.. math::

   \theta_{t+1} = \theta_t + \eta\, \hat g_t, \qquad
   \hat g_t = \frac1N \sum_{i=1}^N \sum_{h=1}^H G_h^i\,
   \nabla_\theta \log \pi_{\theta_t}\big(a_h^i, z_{h+1}^i \,\big|\, o(s_h^i), z_h^i\big), \qquad
   G_h = \sum_{k \geq h} r_k, \qquad \theta_0 = 0,

for policies that see an observation o(s), here s modulo O, and a memory z of Z states, and choose an action and the
next memory together. A recurrent policy is trained by back-propagation through time; with a *stochastic* memory nothing
goes back through time: it is REINFORCE on the product of model and memory, with logits that are shared by all states
that look the same. Sharing changes neither the smoothness nor the second moment, stages having logits of their own: so
REINFORCE's theorem holds with A Z in place of A. What it does not say is that the limit is good: the first policy
treats all memories alike, so nothing that is written down is worth reading, and exact ascent would leave it at that.
Only noise leads away.

Proof: ``proofs/policy_gradient/s2pg.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import coin
>>> run(S2PG(), coin().episodic(2), 8, repeats=2)["gap"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Symbol

from mdptk.core.algorithm import Count, Learner, Measure, Positive
from mdptk.core.estimators import returns_to_go, score_gradient
from mdptk.core.memory import on_product, stateful_softmax, tie
from mdptk.core.oracles import Episodic
from mdptk.theory import Cite, InExpectation, Theorem, initial
from mdptk.theory.stock import unit_rewards
from mdptk.theory.stock_sampled import average_square, gap, short_step
from mdptk.theory.symbols import A, H, N, eta, t

Z = Symbol("Z", integer=True, positive=True)


class State(NamedTuple):
    """The logits."""

    theta: Any  # (H, O, Z, A, Z)


def _value(problem: Any, theta: Any) -> Any:
    """The return of the policy with these logits, stage by stage backwards."""
    pi, H = stateful_softmax(theta), problem.r.shape[0]
    o, v = np.arange(problem.r.shape[1]) % theta.shape[1], jnp.zeros((problem.r.shape[1], theta.shape[2]))
    for h in reversed(range(H)):
        q = problem.r[h][..., None] + jnp.einsum("sat,tz->saz", problem.P[h], v)
        v = jnp.einsum("szaw,saw->sz", pi[h, o], q)
    return problem.rho @ v[:, 0]


MEASURES = (
    Measure("gap", lambda truth, x: (truth.problem.rho @ truth.optimum.v[0]) - _value(truth.problem, x.theta)),
    Measure("square", lambda truth, x: (jax.grad(_value, 1)(truth.problem, x.theta) ** 2).sum(), "sum"),
)
STATIONARY = Theorem(
    name="average gradient",
    cite=Cite("alhafez2024time", "the stateful policy gradient theorem; gradient ascent with its estimate"),
    assumes=(unit_rewards, short_step),
    lhs=average_square,
    rhs=2 * initial(gap) / (eta * t) + eta * (1 - 1 / (A * Z)) * H**2 * (H + 1) * (2 * H + 1) / (12 * N),
    holds=InExpectation(),
    reason="derived in proofs/ as for REINFORCE; the paper's own bounds on the variance were not at hand",
    silent="below 256 episodes a step it is above the gradient that blind policies start with, even on two_state",
    proof="policy_gradient/s2pg",
)


@dataclass(frozen=True)
class S2PG(Learner[Episodic, State]):
    """Policy gradient with step `eta` from `N` episodes, `Z` states of memory and `O` observations, from uniform."""

    eta: Positive = 0.25
    N: Count = 16
    Z: Count = 2
    O: Count = 1

    sees: ClassVar[type] = Episodic
    theorems: ClassVar[tuple[Theorem, ...]] = (STATIONARY,)
    measures: ClassVar[tuple[Measure, ...]] = MEASURES

    def init(self, oracle: Episodic, key: Any) -> State:
        return State(jnp.zeros((oracle.H, self.O, self.Z, oracle.A, self.Z)))

    def draw(self, oracle: Episodic, key: Any) -> Any:
        return jax.random.uniform(key, (self.N, oracle.H + 1, 2))

    def step(self, oracle: Episodic, state: State, xi: Any) -> State:
        pi, product = self.product_policy(oracle, state.theta), oracle.remembering(self.Z)
        return State(state.theta + self.eta * self.estimate(product, pi, *product.follow(pi, xi)))

    def product_policy(self, oracle: Episodic, theta: Any) -> Any:
        """The policy of the product, (H, S Z, A Z)."""
        return on_product(stateful_softmax(theta), np.arange(oracle.S) % self.O)

    def estimate(self, product: Episodic, pi: Any, s: Any, a: Any) -> Any:
        """The mean of the estimates of N episodes of the product, (H, O, Z, A, Z)."""
        g = score_gradient(pi, s, a, returns_to_go(product.rewards(s, a)))
        S, A = product.S // self.Z, product.A // self.Z
        return tie(g, np.arange(S) % self.O, (product.H, self.O, self.Z, A, self.Z))
