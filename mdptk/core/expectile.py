"""Expectiles over actions, and the fixed point of the Bellman operator that has them in place of the maximum."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.errors import NotConverged
from mdptk.core.models import MDP, Array


def expectile(q: Array, tau: Any) -> tuple[Array, Array]:
    """The expectile of ``q[..., a]`` under equal weights, for tau at least 1/2, and the weights whose mean it is.

    It is the largest mean with weights tau on the k largest and 1 - tau on the others, over k = 1 .. A.
    """
    n = q.shape[-1]
    order = np.argsort(-q, axis=-1)
    top = np.cumsum(np.take_along_axis(q, order, -1), axis=-1)
    k = np.arange(1, n + 1)
    means = (tau * top + (1 - tau) * (top[..., -1:] - top)) / (tau * k + (1 - tau) * (n - k))
    best = means.argmax(-1)[..., None]
    ranks = np.argsort(order, axis=-1)
    weights = np.where(ranks <= best, tau, 1 - tau)
    return means.max(-1), weights / weights.sum(-1, keepdims=True)


@lru_cache(maxsize=256)
def limit(problem: MDP, tau: float) -> Array:
    """The fixed point Q, by policy iteration over weights.

    Raises
    ------
    NotConverged
        If it does not settle within 1000 iterations.
    """
    (_, pi), gain = expectile(problem.r, tau), np.array(np.inf)
    for _ in range(1000):
        v = exact.evaluate(problem, pi)
        q = problem.q(v)
        best, greedy = expectile(q, tau)
        gain = best - v
        better = gain > exact.rounding(problem)
        if not better.any():
            return q
        pi = np.where(better[..., None], greedy, pi)
    raise NotConverged("policy iteration over weights did not settle in 1000 iterations", float(np.max(gain)))


def joint_expectile(q: Array, P: Array, tau: Any) -> Array:
    """The expectile of ``q[..., s', a']`` for s' from ``P[..., s, a, s']`` and a' uniform, (..., S, A); tau >= 1/2.

    As in `expectile`, the largest mean with weights tau on the largest values and 1 - tau on the others.
    """
    S, A = q.shape[-2:]
    flat = q.reshape(*q.shape[:-2], S * A)
    order = np.argsort(-flat, axis=-1)
    ranked = np.take_along_axis(flat, order, -1)[..., None, None, :]
    chance = np.take(P, np.arange(S * A) // A, axis=-1) / A
    where = np.broadcast_to(order[..., None, None, :], (*order.shape[:-1], S, A, S * A))
    chance = np.take_along_axis(np.broadcast_to(chance, where.shape), where, -1)
    top, seen = np.cumsum(chance * ranked, -1), np.cumsum(chance, -1)
    all_, total = top[..., -1:], seen[..., -1:]
    return ((tau * top + (1 - tau) * (all_ - top)) / (tau * seen + (1 - tau) * (total - seen))).max(-1)
