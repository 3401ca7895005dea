r"""Inexact policy iteration: :math:`v \leftarrow v + x` with :math:`(I - \gamma P_\pi)\, x \approx Tv - v`, by Krylov.

The equations are solved only so well that the residual falls to a part :math:`\alpha < (1-\gamma)/(1+\gamma)` of
:math:`\|Tv - v\|_\infty`, which is what Gargiani et al. [gargiani2024inexact] need to converge from anywhere. GMRES
only multiplies by :math:`P_\pi`; it helps most where sweeps converge slowly, at a discount near one on a model that
does not mix. BiCGSTAB keeps eight vectors instead of thirty, and is not monotone. Where either gives up, sweeps finish:
each of them takes a factor :math:`\gamma` off the residual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mdptk.solve._policy_iteration import policy_iteration

if TYPE_CHECKING:
    from collections.abc import Callable

    from mdptk.core.models import MDP, Array
    from mdptk.solve.certificates import Bracket

RESTART, CYCLES = 30, 20  # vectors that GMRES keeps, and how often it starts again
ALPHA = 0.5  # of (1 - gamma) / (1 + gamma)
SWEEPS = 10_000


def krylov(mdp: MDP, actions: Array, residual: Array) -> Array:
    """``(I - gamma P_pi)^-1 residual`` for the policy ``actions[s]``, up to the allowed part of it, by GMRES."""
    from scipy.sparse.linalg import gmres

    def solve(A: Any, unit: Array, allowed: float) -> Array:
        return gmres(A, unit, rtol=0.0, atol=allowed, restart=min(RESTART, mdp.S), maxiter=CYCLES)[0]

    return _corrected(mdp, actions, residual, solve)


def bicgstab(mdp: MDP, actions: Array, residual: Array) -> Array:
    """The same by BiCGSTAB."""
    from scipy.sparse.linalg import bicgstab as solver

    def solve(A: Any, unit: Array, allowed: float) -> Array:
        return solver(A, unit, rtol=0.0, atol=allowed, maxiter=RESTART * CYCLES)[0]

    return _corrected(mdp, actions, residual, solve)


def _corrected(mdp: MDP, actions: Array, residual: Array, solve: Callable[[Any, Array, float], Array]) -> Array:
    from scipy.sparse.linalg import LinearOperator

    s, gamma = np.arange(mdp.S), mdp.gamma
    P = mdp.P[s * mdp.A + actions] if mdp.sparse else mdp.P[s, actions]
    size = abs(residual).max()
    if not 0 < size < np.inf:
        return residual
    unit = residual / size  # Krylov methods square
    allowed = ALPHA * (1 - gamma) / (1 + gamma)
    apply = lambda x: x - gamma * (P @ x)  # noqa: E731
    A = LinearOperator((mdp.S, mdp.S), matvec=apply, dtype=np.float64)  # pyright: ignore[reportCallIssue]
    x = solve(A, unit, allowed)
    left = unit - A.matvec(x)
    if not abs(left).max() <= 1:
        x, left = np.zeros(mdp.S), unit
    for _ in range(SWEEPS):
        if abs(left).max() <= allowed:
            break
        x = x + left
        left = unit - A.matvec(x)
    return size * x


def inexact_policy_iteration(mdp: MDP, tol: float) -> tuple[Bracket, int]:
    """Bounds on the optimal value that are `tol` apart, and the number of linear solves."""
    return policy_iteration(mdp, tol, solver=krylov)


def bicgstab_policy_iteration(mdp: MDP, tol: float) -> tuple[Bracket, int]:
    """The same with BiCGSTAB."""
    return policy_iteration(mdp, tol, solver=bicgstab)
