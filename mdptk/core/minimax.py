r"""Exact answers against an adversary: robust values and optima, and equilibria of games, in float64.

Part of the trusted kernel `mdptk.core.exact`: what theorems about robust models and games are judged against.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from mdptk.core.errors import NotConverged
from mdptk.core.exact import Optimum, greedy, optimal, rounding
from mdptk.core.games import MarkovGame, MatrixGame
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


# games ----------------------------------------------------------------------------------------------------------


class Equilibrium(NamedTuple):
    """The value of a game and optimal strategies of both players; with a state axis for a `MarkovGame`."""

    v: Array  # (...)
    x: Array  # (..., A), of the first player, who maximises
    y: Array  # (..., B)


def simplex(M: Array, tol: float) -> tuple[Array, Array]:
    r"""Final tableaux and bases of :math:`\max \sum y` subject to :math:`My \le 1, y \ge 0`, for ``M[n, a, b] > 0``.

    The simplex method from the slack basis, all `n` at once; ties are broken by lexicographic order, which cannot cycle
    (Dantzig, Orden and Wolfe 1955), and numbers within `tol` of each other are tied. The tableau has shape
    (n, A + 1, B + A + 1): variables y and slacks, then the right side; the last row holds the reduced costs, which
    below the slacks are the dual solution. Entries may be `fractions.Fraction` (then ``tol = 0``).

    Raises
    ------
    NotConverged
        If rounding leads it astray, so that it does not end.
    """
    N, A, B = M.shape
    T = np.zeros((N, A + 1, B + A + 1), dtype=M.dtype) + 0 * M[0, 0, 0]
    T[:, :A, :B], T[:, :A, B:-1], T[:, :A, -1], T[:, -1, :B] = M, np.eye(A, dtype=int), 1, -1
    T = T + 0 * M[0, 0, 0]  # whole numbers become fractions, too, before they are divided
    basis = np.tile(np.arange(B, B + A), (N, 1))
    for _ in range(100 * (A + B)):
        enters = T[:, -1, :-1] < -tol
        (n,) = np.nonzero(enters.any(1))
        if not len(n):
            return T, basis
        j = T[n, -1, :-1].argmin(1)
        column = T[n, :, j]
        tied = column[:, :A] > tol
        for k in (-1, *range(B, B + A)):
            ratio = np.where(tied, T[n, :A, k] / np.where(tied, column[:, :A], 1), np.inf)
            tied = ratio <= ratio.min(1)[:, None] + tol
            if (tied.sum(1) == 1).all():
                break
        i = tied.argmax(1)
        row = T[n, i] / T[n, i, j][:, None]
        T[n] -= column[:, :, None] * row[:, None, :]
        T[n, i], basis[n, i] = row, j
    raise NotConverged(f"the simplex method did not end on a game of {A} by {B}")


def equilibrium(R: Array) -> Equilibrium:
    """Values and optimal strategies of matrix games ``R[..., a, b]``, to rounding: LPs by `simplex`.

    For small games by the thousand, such as those of the stages of a `MarkovGame`: a call of HiGHS takes milliseconds.
    """
    *lead, A, B = R.shape
    R = R.reshape(-1, A, B)
    low, high = R.min((1, 2), keepdims=True), R.max((1, 2), keepdims=True)
    M = 1 + (R - low) / np.where(high > low, high - low, 1)
    _, basis = simplex(M, 1e-11)
    columns = np.concatenate([M, np.broadcast_to(np.eye(A), (len(M), A, A))], axis=2)
    used = np.take_along_axis(
        columns, basis[:, None, :], axis=2
    )  # solved afresh: nothing of the pivots' rounding stays
    y = np.zeros((len(M), B + A))
    np.put_along_axis(y, basis, np.linalg.solve(used, np.ones((len(M), A, 1)))[..., 0], axis=1)
    x = np.linalg.solve(np.swapaxes(used, 1, 2), 1.0 * (basis < B)[..., None])[..., 0]
    x, y = _normalised(x), _normalised(y[:, :B])
    v = ((x[:, :, None] * R).sum(1).min(1) + (R * y[:, None, :]).sum(2).max(1)) / 2
    return Equilibrium(v.reshape(lead), x.reshape(*lead, A), y.reshape(*lead, B))


def _normalised(x: Array) -> Array:
    """A distribution from a basic solution, in which zeros may have come out a rounding below."""
    x = np.maximum(x, 0)
    return x / x.sum(-1, keepdims=True)


@lru_cache(maxsize=256)
def game_optimal(problem: Any) -> Equilibrium:
    r"""The equilibrium of a `MatrixGame` or `MarkovGame`; of the latter by the policy iteration of Hoffman and Karp.

    The first player takes an optimal strategy `x` of the stage games at `v`, the second answers it as well as can be
    for ever, :math:`v \leftarrow \min_y V^{x,y}`, which rises to the value of the game; it ends when nothing is gained
    but rounding.

    Raises
    ------
    NotConverged
        If that does not happen within 1000 rounds, or if gamma is so close to 1 that rounding would decide.
    """
    if isinstance(problem, MatrixGame):
        return equilibrium(problem.R)
    assert isinstance(problem, MarkovGame)
    slack, v, gain = rounding(problem), np.zeros(problem.S), np.inf
    for k in range(NEWTON):
        stage = equilibrium(problem.q(v))
        gain = float((stage.v - v).max())
        if k and gain <= slack:
            return Equilibrium(v, stage.x, stage.y)
        v = -optimal(problem.against_first(stage.x)).v
    raise NotConverged(f"Hoffman and Karp's policy iteration did not settle in {NEWTON} rounds", gain)
