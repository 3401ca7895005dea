r"""Exact answers against an adversary: robust values and optima of small models, in float64.

Part of the trusted kernel `mdptk.core.exact`: what theorems about robust models and games are judged against.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mdptk.core.errors import NotConverged
from mdptk.core.exact import Optimum, greedy, rounding
from mdptk.core.models import Array
from mdptk.core.robust import RobustMDP

NEWTON = 1000  # steps; a handful is usual


def robust_evaluate(problem: RobustMDP, pi: Array, start: Array | None = None) -> Array:
    r"""Value of a policy against the worst kernel, :math:`\min_{P \in U} V_P^\pi`: policies (..., S, A) to (..., S).

    The adversary's policy iteration, written as Newton's method from any `start`: with `P` the worst kernel at `v`,
    :math:`v \leftarrow v + (I - \gamma P_\pi)^{-1}(T_\pi v - v)`. It stops when the residual is rounding in the
    precision of `start`, which may be wider than float64: then these steps are iterative refinement, too.

    Raises
    ------
    NotConverged
        If that does not happen.
    """
    S = problem.S
    v: Array = np.broadcast_to(np.zeros(S) if start is None else start, (*pi.shape[:-2], S))
    eps = np.finfo(v.dtype).eps
    size = np.inf
    for _ in range(NEWTON):
        residual = (pi * problem.q(v)).sum(-1) - v
        size = abs(residual).max()
        if size <= (problem.terms + problem.A) * eps * (abs(problem.r).max() + abs(v).max()):
            return v
        P = np.einsum("...sa,...sat->...st", pi, problem.ambiguity.kernel(v))
        v = v + np.linalg.solve(np.eye(S) - problem.gamma * P, residual.astype(np.float64)[..., None])[..., 0]
    raise NotConverged(f"the adversary's policy iteration did not settle in {NEWTON} steps", float(size))


@lru_cache(maxsize=256)
def robust_optimal(problem: RobustMDP) -> Optimum:
    r"""Optimal robust values and a deterministic policy that attains them, by robust policy iteration.

    Raises
    ------
    NotConverged
        If it does not settle, or if gamma is so close to 1 that rounding would decide.
    """
    slack, scale = rounding(problem), float(abs(problem.r).max())
    if slack > 0.01 * scale:
        raise NotConverged(f"gamma = {problem.gamma!r} is so close to 1 that float64 cannot tell actions apart", slack)
    pi, v = greedy(problem.r), None
    for _ in range(NEWTON):
        v = robust_evaluate(problem, pi, v)
        q = problem.q(v)
        current = (pi * q).sum(-1)
        better = q.max(-1) > current + slack
        if not better.any():
            return Optimum(current, q, pi)
        pi = np.where(better[..., None], greedy(q), pi)
    raise NotConverged(f"robust policy iteration did not settle in {NEWTON} steps")
