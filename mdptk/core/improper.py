r"""Improper policies: mixtures of base controllers that are given, of which one is drawn afresh at every step.

.. math:: \pi_w(a|s) = \sum_m w_m K_m(a|s), \qquad w = \mathrm{softmax}(\theta).

Weights ``w[..., m]`` are the same in all states. Source: Zaki et al. 2022.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.models import MDP, Array
from mdptk.core.oracles import Trajectories, choose


class Improper:
    """What the algorithms over base controllers share: the controllers, and their mixtures."""

    def controllers(self, problem: Any) -> Array:
        """The base controllers ``K[m, s, a]`` of a model or an oracle: here the constant actions, M = A."""
        return np.repeat(np.eye(problem.A)[:, None, :], problem.S, axis=1)

    def mixture(self, problem: Any, w: Any) -> Any:
        """The policy with weights ``w[..., m]``, (..., S, A)."""
        return mixture(self.controllers(problem), w)


def mixture(K: Any, w: Any) -> Any:
    """The policy with weights ``w[..., m]`` over the controllers ``K[m, s, a]``, (..., S, A)."""
    return (w[..., None, None] * K).sum(-3)


def mixture_gradient(problem: MDP, K: Any, theta: Any, pi: Any) -> Any:
    """The gradient of the return of the mixture `pi` in the logits ``theta[..., m]`` of its weights, (..., M)."""
    better = (K * exact.advantage(problem, pi)[..., None, :, :]).sum(-1)
    d = exact.occupancy(problem, pi)[..., None, :]
    return exact.softmax(theta) * (d * better).sum(-1) / (1 - problem.gamma)


def walk(oracle: Trajectories, K: Any, w: Any, s: Any, u: Any) -> tuple[Any, Any, Any, Any, Any]:
    r"""As many transitions as `u` has rows, (n, 5), from the state `s` on: controllers, states, rewards, next states.

    A row draws the controller from w, its action, the next state; with the fourth number at least gamma the trajectory
    is cut off there, and the fifth draws the start of the next one. So the states have the occupancy of the mixture as
    their stationary distribution. The fifth result is the state in which the walk is left.
    """
    import jax
    import jax.numpy as jnp

    def move(s: Any, u: Any) -> Any:
        m = choose(w, u[0])
        a = choose(K[m, s], u[1])
        s2 = oracle.move(s, a, u[2])
        return jnp.where(u[3] < oracle.gamma, s2, oracle.start(u[4])), (m, s, oracle.r[s, a], s2)

    last, seen = jax.lax.scan(move, s, u)
    return *seen, last


def td_rounds(v: Any, seen: Any, gamma: Any, beta: Any, rounds: int) -> Any:
    r"""The table ``v[s]`` after rounds of TD(0), each a mean over its part of the transitions: see `td_errors_at`."""
    for part in zip(*(x.reshape(rounds, -1) for x in seen), strict=True):
        hit = exact.one_hot(part[0], len(v))
        v = v + beta * (hit * td_errors_at(v, part, gamma)[:, None]).mean(0)
    return v


def td_errors_at(v: Any, seen: Any, gamma: Any) -> Any:
    r""":math:`\delta_i = r_i + \gamma v(s'_i) - v(s_i)` of transitions `seen`: arrays ``s[i], r[i], s2[i]``."""
    s, r, s2 = seen
    return r + gamma * v[s2] - v[s]
