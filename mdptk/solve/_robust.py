r"""Robust policy iteration: evaluate the greedy policy against its worst kernel, improve it in every state at once.

The bounds are those of `certificates`, which ask of :math:`r + \gamma \min_{p \in U} \langle p, v\rangle` what they ask
of every backup; what the inner minimum adds is its own rounding (`Backup.terms`). Both bounds come from one `v`, and so
does the worst kernel `P`: greedy policies have :math:`T_\pi v = T v`, and in `P` every policy has at most `T v`. Hence
the policy earns at least `lower` in every kernel of the set, and no policy earns more than `upper` in `P`.

Source: Iyengar [iyengar2005robust].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdptk.core.errors import NotConverged
from mdptk.core.exact import one_hot
from mdptk.core.minimax import robust_evaluate
from mdptk.solve._policy_iteration import PATIENCE
from mdptk.solve.certificates import WIDE, bracket

if TYPE_CHECKING:
    from mdptk.core.robust import RobustMDP
    from mdptk.solve.certificates import Bracket


def robust_policy_iteration(problem: RobustMDP, tol: float) -> tuple[Bracket, int]:
    """Bounds on the optimal robust value that are `tol` apart, and the number of policies evaluated."""
    v = np.zeros(problem.S, WIDE)
    reached, idle, k = float("inf"), 0, 0
    for k in range(1000 + 10 * problem.S):
        b = bracket(problem, v)
        if b.width <= tol:
            return b, k
        reached, idle = (b.width, 0) if b.width < reached else (reached, idle + 1)
        if idle >= PATIENCE and abs(b.residual).max() <= 8 * (1 + problem.A) * b.noise:
            break
        try:
            v = robust_evaluate(problem, one_hot(b.actions, problem.A), v)
        except (np.linalg.LinAlgError, NotConverged):  # 1 - gamma is of the size of one rounding
            break
        if not np.isfinite(v).all():
            break
    raise NotConverged(f"bounds {reached:.3g} apart after {k} policies, tol = {tol:.3g}", reached)
