r"""Models that are only a backup: value iteration on ``q(v)``, plain or with Anderson acceleration, in float64.

The bounds are those of a float64 sweep (steps 1 to 4 of `mdptk.solve.certificates`), with the rounding error that the
model states instead of one derived from its arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdptk.core.errors import NotConverged
from mdptk.solve._anderson import Accelerated
from mdptk.solve.certificates import Bracket, bracket_of_residual

if TYPE_CHECKING:
    from collections.abc import Callable

    from mdptk.core.matrix_free import MatrixFree
    from mdptk.core.models import Array

LIMIT = 1_000_000
PATIENCE = 200  # backups without progress once the residual is rounding


def anderson_backup(problem: MatrixFree, tol: float) -> tuple[Bracket, int]:
    """Bounds that are `tol` apart, with Anderson acceleration, and the number of backups."""
    return _sweep(problem, tol, Accelerated())


def value_iteration_backup(problem: MatrixFree, tol: float) -> tuple[Bracket, int]:
    """Bounds that are `tol` apart, by value iteration, and the number of backups."""
    return _sweep(problem, tol, lambda problem, v, q: q.max(-1))


def _sweep(
    problem: MatrixFree, tol: float, step: Callable[[MatrixFree, Array, Array], Array]
) -> tuple[Bracket, int]:  # fmt: skip
    gamma, v = problem.gamma, np.zeros(problem.shape[0])
    reached, least, idle, k = np.inf, np.inf, 0, 0
    for k in range(1, LIMIT):
        q = problem.q(v)
        w, size = q.max(-1), float(abs(v).max())
        low, high = float((w - v).min()), float((w - v).max())
        span = high - low
        noise = problem.relative_error * (problem.largest_reward + size)
        least, idle = (span, 0) if span < least else (least, idle + 1)
        stuck = idle >= PATIENCE and span <= 8 * noise
        if gamma * span <= (1 - gamma) * tol or stuck:
            b = bracket_of_residual(gamma, w, q.argmax(-1), (low, high), noise)
            reached = min(reached, b.width)
            if b.width <= tol:
                return b, k
        if stuck or not np.isfinite(size):
            break
        v = step(problem, v, q)
    raise NotConverged(f"bounds {reached:.3g} apart after {k} backups, tol = {tol:.3g}", reached)
