r"""A policy class beyond tables: a network with one hidden layer on features of the state.

.. math::

   \pi_\theta(\cdot|s) = \mathrm{softmax}\big(U^\top \tanh(W^\top \phi(s) + b) + c\big), \qquad \theta = (W, b, U, c).

It maps parameters to a policy ``pi[s, a]``, and all that is known about policies applies to it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mdptk.core.exact import log_softmax, namespace


class Network(NamedTuple):
    """Parameters of a network with n inputs, `width` hidden units and A outputs."""

    W: Any  # (n, width)
    b: Any  # (width,)
    U: Any  # (width, A)
    c: Any  # (A,)


def network(key: Any, n: int, width: int, A: int) -> Network:
    """Random parameters of variance one over the number of inputs of each layer, offsets zero."""
    import jax
    import jax.numpy as jnp

    one, two = jax.random.split(key)
    W = jax.random.normal(one, (n, width)) / np.sqrt(n)
    U = jax.random.normal(two, (width, A)) / np.sqrt(width)
    return Network(W, jnp.zeros(width), U, jnp.zeros(A))


def log_policy(net: Network, Phi: Any) -> Any:
    """Logarithms of ``pi[s, a]`` from features ``Phi[s, i]``."""
    return log_softmax(namespace(net.c).tanh(Phi @ net.W + net.b) @ net.U + net.c)


def features(S: int, n: int | None) -> Any:
    """One-hot features, (S, S), or `n` fixed random ones, (S, n), of norm about one."""
    return np.eye(S) if n is None else np.random.default_rng(0).normal(size=(S, n)) / np.sqrt(n)
