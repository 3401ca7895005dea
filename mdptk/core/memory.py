"""Policies with an internal state: on the product of model and memory they are policies without one.

A policy ``pi[h, o, z, a, z']`` sees an observation and its memory, and chooses an action and its next memory. Writing
down is an action like any other, so the policy gradient needs no back-propagation through time (S2PG, Al-Hafez et al.
2024): it is the gradient on the product, summed over the states that look the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.errors import InvalidModel
from mdptk.core.models import Array, FiniteHorizonMDP


def with_memory(problem: FiniteHorizonMDP, Z: int) -> FiniteHorizonMDP:
    """The product of a model and a memory of `Z` states, which begins in its first.

    States are ``s * Z + z``, actions ``a * Z + z'``: the memory goes where the action says.

    Raises
    ------
    InvalidModel
        If Z is not positive, or the model is a batch.

    Examples
    --------
    >>> from mdptk.problems.teaching import coin
    >>> with_memory(coin().episodic(3), 2)
    FiniteHorizonMDP(H=3, S=6, A=4)
    """
    if Z < 1:
        raise InvalidModel(f"a memory has Z = {Z} states; it needs at least one")
    if problem.batch:
        raise InvalidModel(f"with_memory takes one model, not a batch of {problem.batch}")
    H, S, A = problem.r.shape
    P = np.einsum("hsat,wy,z->hszawty", problem.P, np.eye(Z), np.ones(Z))
    r = np.broadcast_to(problem.r[:, :, None, :, None], (H, S, Z, A, Z))
    rho = np.outer(problem.rho, np.eye(Z)[0]).ravel()
    return FiniteHorizonMDP(P.reshape(H, S * Z, A * Z, S * Z), r.reshape(H, S * Z, A * Z), rho)


def on_product(pi: Any, o: Array) -> Any:
    """The policy ``pi[h, o, z, a, z']`` as one of the product, where state s looks like ``o[s]``: (H, S Z, A Z)."""
    H, _, Z, A, _ = pi.shape
    return pi[:, o].reshape(H, len(o) * Z, A * Z)


def stateful_softmax(theta: Any) -> Any:
    """The policy with logits ``theta[h, o, z, a, z']``: softmax over actions and next memories together."""
    H, O, Z, A, _ = theta.shape
    return exact.softmax(theta.reshape(H, O, Z, A * Z)).reshape(theta.shape)


def tie(g: Any, o: Array, shape: tuple[int, ...]) -> Any:
    """A gradient on the product, (H, S Z, A Z), in logits of this `shape` (H, O, Z, A, Z): summed over like states.

    Exact gradients and estimates alike: `exact.softmax_gradient` and `estimators.score_gradient` of the product.
    """
    looks = (np.asarray(o) == np.arange(shape[1])[:, None]).astype(float)
    return exact.namespace(g).einsum("os,hsx->hox", looks, g.reshape(shape[0], len(o), -1)).reshape(shape)
