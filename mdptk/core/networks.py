r"""A policy class beyond tables: a network with one hidden layer on features of the state.

.. math::

   \pi_\theta(\cdot|s) = \mathrm{softmax}\big(U^\top \tanh(W^\top \phi(s) + b) + c\big), \qquad \theta = (W, b, U, c).

It maps parameters to a policy ``pi[s, a]``, and all that is known about policies applies to it. With one output and
without the softmax it is a critic.
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


def values(net: Network, Phi: Any, gamma: Any) -> Any:
    r"""``v[s]`` of a critic: the output of a network with one output, over :math:`1-\gamma`.

    So outputs are of the size of the rewards, and one step size will do for every discount.
    """
    return (namespace(net.c).tanh(Phi @ net.W + net.b) @ net.U + net.c)[..., 0] / (1 - gamma)


def regress(net: Network, Phi: Any, gamma: Any, s: Any, target: Any, eta: Any, K: int) -> Network:
    r"""The critic after K steps of gradient descent on :math:`\tfrac12 (1-\gamma)^2` times its mean squared error.

    Visited states ``s`` and what their values should be, arrays of one shape.
    """
    import jax

    def loss(net: Network) -> Any:
        return (((1 - gamma) * (values(net, Phi, gamma)[s] - target)) ** 2).mean() / 2

    return jax.lax.fori_loop(0, K, lambda _, net: ascend(net, jax.grad(loss)(net), -eta), net)


def ascend(net: Network, g: Network, eta: Any) -> Network:
    """``net + eta g``."""
    return Network(*(x + eta * d for x, d in zip(net, g, strict=True)))


def ridge(J: Any, y: Any, damping: Any) -> Any:
    r""":math:`z = (J J^\top + \lambda I)^{-1} y`: the ridge regression of ``y[i]`` on ``J[i]`` is :math:`J^\top z`.

    By elimination, which needs no pivots here. Not by LAPACK: batches of its solves wait for the threads that other
    repeats of a run occupy.
    """
    import jax
    import jax.numpy as jnp

    M = jnp.concatenate([J @ J.T + damping * jnp.eye(len(y)), y[:, None]], 1)

    def eliminate(k: Any, M: Any) -> Any:
        row = M[k] / M[k, k]
        return (M - M[:, k][:, None] * row).at[k].set(row)

    return jax.lax.fori_loop(0, len(y), eliminate, M)[:, -1]


def features(S: int, n: int | None) -> Any:
    """One-hot features, (S, S), or `n` fixed random ones, (S, n), of norm about one."""
    return np.eye(S) if n is None else np.random.default_rng(0).normal(size=(S, n)) / np.sqrt(n)


def coefficients(x: Any, n: int | None) -> Any:
    r""":math:`\Phi\Phi^\top x` for ``x[..., i]`` and Phi the `features`: a change of a table, if it has to be linear.

    A step that would add x to a table adds :math:`\Phi^\top x` to the n coefficients of a linear function, and this to
    its values; with a table (n None) it is x.
    """
    if n is None:
        return x
    Phi = features(x.shape[-1], n)
    return (x @ Phi) @ Phi.T
