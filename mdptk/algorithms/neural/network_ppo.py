r"""PPO with the clipped surrogate: a two-layer network for the policy, another one for the critic.

.. math::

   \theta_{t+1} \approx \arg\max_\theta \hat{\mathbb{E}}\big[\min(\rho_\theta \hat A,\;
   \mathrm{clip}(\rho_\theta, 1-\epsilon, 1+\epsilon)\, \hat A)\big], \qquad
   \rho_\theta = \frac{\pi_\theta(a|s)}{\pi_{\theta_t}(a|s)},

by K steps of gradient ascent from :math:`\theta_t`. Advantages are generalised estimates (GAE) with the values of the
critic, which then takes K steps towards the returns that they imply. Expectations are over N trajectories of T steps
with the weights :math:`\gamma^k` that make the first of the K gradients an estimate of the policy gradient (most
implementations leave them out).

What is always true of the clipped surrogate is that it is never above the unclipped one. What is often said of it, that
the ratio stays within the clip range, is not: a sample outside has no gradient left, but nothing holds it there, and
the gradients of other samples move it on, the more so in a network. The theorem is here, refuted.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import two_state
>>> run(NetworkPPO(), two_state(), 8, repeats=2)["max_ratio"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Symbol

from mdptk.core.algorithm import Count, Fraction, Learner, Measure, NonNegative, Positive, Range
from mdptk.core.estimators import gae
from mdptk.core.networks import Network, ascend, features, log_policy, network, regress, values
from mdptk.core.oracles import Trajectories
from mdptk.core.run import Run, run
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.quantity import EPS
from mdptk.theory.stock_networks import GRADIENT_ERROR, MAX_RATIO, NETWORK_MEASURES, NETWORK_THEOREMS

epsilon = Symbol("epsilon", positive=True)


class State(NamedTuple):
    """Policy network after and before the last step, critic, features, the first gradient, and both surrogates."""

    net: Network
    old: Network
    critic: Network
    Phi: Any  # (S, n)
    g: Network
    clipped: Any  # of the last sample, at `net`
    unclipped: Any


clipped = Quantity("clipped", lambda run: run["clipped"], latex=r"L^{\mathrm{CLIP}}(\theta_{%t})")
unclipped = Quantity(
    "unclipped",
    lambda run: run["unclipped"],
    latex=r"L^{\mathrm{CPI}}(\theta_{%t})",
    # also where nothing can be earned: a critic begins with values of the order of 1 / (1 - gamma)
    rounding=lambda run: 64 * EPS * run.alg.T * (1 + abs(run.problem.r).max()) / (1 - run.problem.gamma) ** 2,
)
max_ratio = Quantity(
    "max_ratio", lambda run: run["max_ratio"], latex=r"\max_{s,a} \frac{\pi_{%t}(a|s)}{\pi_{%t-1}(a|s)}"
)


def _too_far() -> Run:
    """The default, on two states: three steps of ascent are enough."""
    from mdptk.problems.teaching import two_state

    return run(NetworkPPO(), two_state(), 8)


PESSIMISM = Theorem(
    name="pessimism",
    cite=Cite("schulman2017proximal", "equation (7) and the paragraph after it"),
    lhs=clipped,
    rhs=unclipped,
    silent="both are what was estimated; where no step is taken they are zero",
)
RATIO = Theorem(
    name="ratio within the clip range",
    cite=Cite("schulman2017proximal", "said of equation (7); the paper says that the incentive to leave it is removed"),
    status="refuted",
    reason="a sample outside the range has no gradient, but others share its parameters, and one step can be too long",
    lhs=max_ratio,
    rhs=1 + epsilon,
    silent="a run that never moves has the ratio 1",
    counterexample=_too_far,
)


@dataclass(frozen=True)
class NetworkPPO(Learner[Trajectories, State]):
    """PPO with clip range `epsilon`, K full-batch steps of size `eta` (critic: `eta_v`), GAE with `lam`.

    The networks have `hidden` hidden units on `n` random features of the state, or on one-hot ones if n is None.
    """

    eta: Positive = 0.05
    epsilon: Fraction = 0.2
    lam: Annotated[float, Range(0, 1, "both")] = 0.95
    eta_v: NonNegative = 0.1
    K: Count = 3
    N: Count = 4
    T: Count = 8
    hidden: Count = 8
    n: Annotated[int | None, Range(1, np.inf, "low")] = None

    sees: ClassVar[type] = Trajectories
    theorems: ClassVar[tuple[Theorem, ...]] = (*NETWORK_THEOREMS, PESSIMISM, RATIO)
    measures: ClassVar[tuple[Measure, ...]] = (*NETWORK_MEASURES, GRADIENT_ERROR, MAX_RATIO)
    keep: ClassVar[tuple[str, ...]] = ("clipped", "unclipped")

    def init(self, oracle: Trajectories, key: Any) -> State:
        Phi = jnp.asarray(features(oracle.S, self.n))
        net = network(key, Phi.shape[1], self.hidden, oracle.A)
        critic = network(jax.random.fold_in(key, 1), Phi.shape[1], self.hidden, 1)
        zero = jnp.zeros(())
        return State(net, net, critic, Phi, jax.tree.map(jnp.zeros_like, net), zero, zero)

    def draw(self, oracle: Trajectories, key: Any) -> Any:
        return jax.random.uniform(key, (self.N, self.T + 1, 2))

    def step(self, oracle: Trajectories, state: State, xi: Any) -> State:
        old, critic, Phi = state.net, state.critic, state.Phi
        log_pi = log_policy(old, Phi)
        s, a = oracle.follow(jnp.exp(log_pi), xi)
        v, at = values(critic, Phi, oracle.gamma)[s], s[:, :-1]
        A = gae(oracle.r[at, a], v, self.lam, oracle.gamma)
        weight = oracle.gamma ** jnp.arange(self.T) / self.N

        def surrogates(net: Network) -> tuple[Any, Any]:
            ratio = jnp.exp(log_policy(net, Phi) - log_pi)[at, a]
            least = jnp.minimum(ratio * A, jnp.clip(ratio, 1 - self.epsilon, 1 + self.epsilon) * A)
            return (weight * least).sum(), (weight * ratio * A).sum()

        gradient = jax.grad(lambda net: surrogates(net)[0])
        net = jax.lax.fori_loop(0, self.K, lambda _, net: ascend(net, gradient(net), self.eta), old)
        critic = regress(critic, Phi, oracle.gamma, at, A + v[:, :-1], self.eta_v, self.K)
        return State(net, old, critic, Phi, gradient(old), *surrogates(net))
