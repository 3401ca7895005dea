r"""Inexact policy iteration: :math:`v \leftarrow v + x` with :math:`(I - \gamma P_\pi)\, x \approx Tv - v`, by GMRES.

The equations are solved only so well that the residual falls to a part :math:`\alpha < (1-\gamma)/(1+\gamma)` of
:math:`\|Tv - v\|_\infty`, which is what Gargiani et al. [gargiani2024inexact] need to converge from anywhere. GMRES
only multiplies by :math:`P_\pi`; it helps most where sweeps converge slowly, at a discount near one on a model that
does not mix. Where it gives up, sweeps finish: each of them takes a factor :math:`\gamma` off the residual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdptk.solve._policy_iteration import policy_iteration

if TYPE_CHECKING:
    from mdptk.core.models import MDP, Array
    from mdptk.solve.certificates import Bracket

RESTART, CYCLES = 30, 20  # vectors that GMRES keeps, and how often it starts again
ALPHA = 0.5  # of (1 - gamma) / (1 + gamma)
SWEEPS = 10_000


def krylov(mdp: MDP, actions: Array, residual: Array) -> Array:
    """``(I - gamma P_pi)^-1 residual`` for the policy ``actions[s]``, up to the part of it that is allowed."""
    from scipy.sparse.linalg import LinearOperator, gmres

    s, gamma = np.arange(mdp.S), mdp.gamma
    P = mdp.P[s * mdp.A + actions] if mdp.sparse else mdp.P[s, actions]
    size = abs(residual).max()
    if not 0 < size < np.inf:
        return residual
    unit = residual / size  # GMRES squares
    allowed = ALPHA * (1 - gamma) / (1 + gamma)
    apply = lambda x: x - gamma * (P @ x)  # noqa: E731
    A = LinearOperator((mdp.S, mdp.S), matvec=apply, dtype=np.float64)  # pyright: ignore[reportCallIssue]
    x, _ = gmres(A, unit, rtol=0.0, atol=allowed, restart=min(RESTART, mdp.S), maxiter=CYCLES)
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
