r"""REINFORCE with a two-layer network policy, on truncated trajectories of a discounted model.

.. math::

   \theta_{t+1} = \theta_t + \eta\, \hat g_t, \qquad
   \hat g_t = \frac1N \sum_{i=1}^N \sum_{k<T} \gamma^k G_k^i\, \nabla_\theta \log \pi_{\theta_t}(a_k^i|s_k^i), \qquad
   G_k = \sum_{k \leq j < T} \gamma^{j-k} r_j.

A network maps parameters to a policy, and from there on everything is exact: the gap, the error of the gradient
(differentiating the exact value), the performance difference of every step, and the bounds behind trust regions. All
theorems are about any two policies whatever, so they are what is left to hold when nothing is known about the
parameters: no rate is.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import two_state
>>> run(NetworkREINFORCE(), two_state(), 8, repeats=2)["gradient_error"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mdptk.core.algorithm import Count, Learner, Measure, Positive, Range
from mdptk.core.estimators import returns_to_go
from mdptk.core.networks import Network, ascend, features, log_policy, network
from mdptk.core.oracles import Trajectories
from mdptk.theory import Theorem
from mdptk.theory.stock_networks import GRADIENT_ERROR, NETWORK_MEASURES, NETWORK_THEOREMS


class State(NamedTuple):
    """The network after and before the last step, its features, and the direction of that step."""

    net: Network
    old: Network
    Phi: Any  # (S, n)
    g: Network


@dataclass(frozen=True)
class NetworkREINFORCE(Learner[Trajectories, State]):
    """REINFORCE with step size `eta` on `N` trajectories of `T` steps.

    The network has `hidden` hidden units on `n` random features of the state, or on one-hot ones if n is None.
    """

    eta: Positive = 0.01  # returns are of size 1 / (1 - gamma), and so are gradients
    N: Count = 8
    T: Count = 16
    hidden: Count = 16
    n: Annotated[int | None, Range(1, np.inf, "low")] = None

    sees: ClassVar[type] = Trajectories
    theorems: ClassVar[tuple[Theorem, ...]] = NETWORK_THEOREMS
    measures: ClassVar[tuple[Measure, ...]] = (*NETWORK_MEASURES, GRADIENT_ERROR)

    def init(self, oracle: Trajectories, key: Any) -> State:
        Phi = jnp.asarray(features(oracle.S, self.n))
        net = network(key, Phi.shape[1], self.hidden, oracle.A)
        return State(net, net, Phi, jax.tree.map(jnp.zeros_like, net))

    def draw(self, oracle: Trajectories, key: Any) -> Any:
        return jax.random.uniform(key, (self.N, self.T + 1, 2))

    def step(self, oracle: Trajectories, state: State, xi: Any) -> State:
        net, _, Phi, _ = state
        s, a = oracle.follow(jnp.exp(log_policy(net, Phi)), xi)
        weight = oracle.gamma ** jnp.arange(self.T) * returns_to_go(oracle.r[s[:, :-1], a], oracle.gamma)
        g = jax.grad(lambda net: (weight * log_policy(net, Phi)[s[:, :-1], a]).sum() / self.N)(net)
        return State(ascend(net, g, self.eta), net, Phi, g)
