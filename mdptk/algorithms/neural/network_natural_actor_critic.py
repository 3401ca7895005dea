r"""Natural actor-critic with networks: advantages of a critic are regressed on the scores of the policy.

.. math::

   w_t = \arg\min_w \hat{\mathbb{E}}\big[(\hat A - \langle w, \nabla_\theta \log \pi_{\theta_t}(a|s)\rangle)^2\big]
   + \lambda \|w\|_2^2 = (\hat F + \lambda I)^{-1} \hat g_t, \qquad \theta_{t+1} = \theta_t + \eta\, w_t,

with the empirical Fisher information F and the estimate g of the policy gradient from the same N trajectories of T
steps, weighted with :math:`\gamma^k`. That a least squares problem solves for the natural gradient is the theorem on
compatible features. A network has more parameters than there are samples, so F is singular, and the system is solved
in the space of the samples: :math:`w = J^\top (J J^\top + \lambda I)^{-1} y` for weighted scores J and advantages y.
Advantages are generalised estimates (GAE), and the critic takes K steps towards the returns that they imply.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import two_state
>>> run(NetworkNaturalActorCritic(), two_state(), 8, repeats=2)["max_kl"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Symbol

from mdptk.core.algorithm import Count, Learner, Measure, NonNegative, Positive, Range
from mdptk.core.estimators import gae
from mdptk.core.networks import Network, ascend, features, log_policy, network, regress, ridge, values
from mdptk.core.oracles import Trajectories
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.quantity import EPS
from mdptk.theory.stock_networks import GRADIENT_ERROR, NETWORK_MEASURES, NETWORK_THEOREMS

damping = Symbol("damping", positive=True)


class State(NamedTuple):
    """Policy network after and before the last step, critic, features, gradient and natural direction at `old`."""

    net: Network
    old: Network
    critic: Network
    Phi: Any  # (S, n)
    g: Network
    w: Network
    ascent: Any  # <w, g>
    square: Any  # |w|^2
    scale: Any  # of the products that both are sums of


ascent = Quantity(
    "ascent",
    lambda run: run["ascent"],
    latex=r"\langle w_{%t-1}, \hat g_{%t-1}\rangle",
    rounding=lambda run: 16 * EPS * run.alg.N * run.alg.T * run["scale"],  # of a solve, and of sums of N T terms
)
square = Quantity("square", lambda run: run["square"], latex=r"\|w_{%t-1}\|_2^2")

ASCENT = Theorem(
    name="the natural direction ascends",
    cite=Cite("kakade2001natural", "Theorem 1: the direction solves a least squares problem, here with a ridge"),
    reason="(F + lambda I) w = g and F is positive semidefinite",
    lhs=ascent,
    rhs=damping * square,
    relation=">=",
    silent="it speaks of the direction of a step; where none is taken both sides are zero",
)


@dataclass(frozen=True)
class NetworkNaturalActorCritic(Learner[Trajectories, State]):
    """Natural actor-critic with step size `eta` (critic: `eta_v`, K steps), damping `damping`, GAE with `lam`.

    The networks have `hidden` hidden units on `n` random features of the state, or on one-hot ones if n is None.
    """

    eta: Positive = 0.05
    damping: Positive = 0.1
    lam: Annotated[float, Range(0, 1, "both")] = 0.95
    eta_v: NonNegative = 0.1
    K: Count = 3
    N: Count = 4
    T: Count = 4
    hidden: Count = 8
    n: Annotated[int | None, Range(1, np.inf, "low")] = None

    sees: ClassVar[type] = Trajectories
    theorems: ClassVar[tuple[Theorem, ...]] = (*NETWORK_THEOREMS, ASCENT)
    measures: ClassVar[tuple[Measure, ...]] = (*NETWORK_MEASURES, GRADIENT_ERROR)
    keep: ClassVar[tuple[str, ...]] = ("ascent", "square", "scale")

    def init(self, oracle: Trajectories, key: Any) -> State:
        Phi = jnp.asarray(features(oracle.S, self.n))
        net = network(key, Phi.shape[1], self.hidden, oracle.A)
        critic = network(jax.random.fold_in(key, 1), Phi.shape[1], self.hidden, 1)
        zero = jax.tree.map(jnp.zeros_like, net)
        return State(net, net, critic, Phi, zero, zero, *[jnp.zeros(())] * 3)

    def draw(self, oracle: Trajectories, key: Any) -> Any:
        return jax.random.uniform(key, (self.N, self.T + 1, 2))

    def step(self, oracle: Trajectories, state: State, xi: Any) -> State:
        net, critic, Phi = state.net, state.critic, state.Phi
        s, a = oracle.follow(jnp.exp(log_policy(net, Phi)), xi)
        v, at = values(critic, Phi, oracle.gamma)[s], s[:, :-1]
        A = gae(oracle.r[at, a], v, self.lam, oracle.gamma)
        root = jnp.broadcast_to(jnp.sqrt(oracle.gamma ** jnp.arange(self.T) / self.N), A.shape).ravel()
        score = jax.vmap(jax.grad(lambda net, phi, a: log_policy(net, phi)[a]), (None, 0, 0))
        scores = score(net, Phi[at.ravel()], a.ravel())
        J = root[:, None] * jnp.concatenate([x.reshape(len(root), -1) for x in scores], 1)
        y = root * A.ravel()
        g, w = (Network(*(jnp.tensordot(root * z, x, 1) for x in scores)) for z in (y, ridge(J, y, self.damping)))
        critic = regress(critic, Phi, oracle.gamma, at, A + v[:, :-1], self.eta_v, self.K)
        product = sum((x * d).sum() for x, d in zip(w, g, strict=True))
        square, scale = sum((x**2).sum() for x in w), y @ y * (J**2).sum() / self.damping
        return State(ascend(net, w, self.eta), net, critic, Phi, g, w, product, square, scale)
