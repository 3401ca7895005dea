r"""Policy iteration, written as Newton's method: :math:`v \leftarrow v + (I - \gamma P_\pi)^{-1}(Tv - v)`, greedy `pi`.

The new `v` is :math:`V^\pi`, whatever the old one was: Howard's policy iteration. With the residual in the widest
float and the solve in float64, it is also iterative refinement: once the policy stays, each step adds the digits that
the solve has, until `v` is right to the last; see Puterman and Brumelle [puterman1979convergence] and chapter 12 of
Higham [higham2002accuracy].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdptk.core.errors import NotConverged
from mdptk.solve.certificates import WIDE, Bracket, bracket

if TYPE_CHECKING:
    from collections.abc import Callable

    from mdptk.core.models import MDP, Array

PATIENCE = 3  # refinements without progress once the residual is rounding


def newton(mdp: MDP, actions: Array, residual: Array) -> Array:
    """``(I - gamma P_pi)^-1 residual`` for the policy ``actions[s]``."""
    s = np.arange(mdp.S)
    if mdp.sparse:
        import scipy.sparse as sp
        from scipy.sparse.linalg import spsolve

        P = mdp.P[s * mdp.A + actions]
        return np.asarray(spsolve((sp.eye_array(mdp.S) - mdp.gamma * P).tocsc(), residual))
    return np.linalg.solve(np.eye(mdp.S) - mdp.gamma * mdp.P[s, actions], residual)


def policy_iteration(
    mdp: MDP, tol: float, v: Array | None = None, solver: Callable[[MDP, Array, Array], Array] = newton
) -> tuple[Bracket, int]:
    """Bounds on the optimal value that are `tol` apart, and the number of linear solves, from any guess `v`.

    `solver` solves for the correction of `v`, as `newton` does or less exactly.
    """
    v = np.zeros(mdp.S, WIDE) if v is None else v.astype(WIDE)
    reached, idle, k = float("inf"), 0, 0
    for k in range(1000 + 10 * mdp.S):  # a handful is usual; one per state when news goes one state per policy
        b = bracket(mdp, v)
        if b.width <= tol:
            return b, k
        reached, idle = (b.width, 0) if b.width < reached else (reached, idle + 1)
        if idle >= PATIENCE and abs(b.residual).max() <= 4 * b.noise:
            break
        try:
            v = v + solver(mdp, b.actions, b.residual.astype(np.float64))
        except np.linalg.LinAlgError:  # 1 - gamma is of the size of one rounding
            break
        if not np.isfinite(v).all():
            break
    raise NotConverged(f"bounds {reached:.3g} apart after {k} linear solves, tol = {tol:.3g}", reached)
