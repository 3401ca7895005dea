r"""Exact arithmetic behind the word certified.

A dual solution of a solver is feasible only up to rounding. Here its multipliers become rational numbers, whatever they
lack is paid for with bounds on the primal variables that hold a priori, and the sum is the certified bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from mdptk.core.errors import NotConverged

Matrix = list[list[Fraction]]
DIGITS = 2**40  # multipliers are rounded to multiples of its inverse


def rounded(x: float) -> Fraction:
    """A non-negative rational near `x`."""
    return max(Fraction(round(float(x) * DIGITS), DIGITS), Fraction(0))


def is_positive_definite(Z: Matrix) -> bool:
    """Whether a symmetric rational matrix is positive definite: all pivots of its elimination are positive."""
    Z = [row[:] for row in Z]
    for k in range(len(Z)):
        if Z[k][k] <= 0:
            return False
        for i in range(k + 1, len(Z)):
            factor = Z[i][k] / Z[k][k]
            if factor:
                for j in range(k + 1, len(Z)):
                    Z[i][j] -= factor * Z[k][j]
    return True


def shift(Z: Matrix) -> Fraction:
    """A rational e, as small as float64 allows, such that Z + e I is positive definite, exactly.

    Raises
    ------
    NotConverged
        If e would be as large as the matrix: the dual solution is none.
    """
    M = np.array([[float(z) for z in row] for row in Z])
    scale = max(1.0, float(abs(M).max()))
    e = max(0.0, -float(np.linalg.eigvalsh(M)[0])) * 1.01 + 1e-13 * scale
    while e < 0.01 * scale:
        exact = Fraction(e)
        if is_positive_definite([[z + exact * (i == j) for j, z in enumerate(row)] for i, row in enumerate(Z)]):
            return exact
        e *= 4
    raise NotConverged("the dual matrix is not positive semidefinite", e)


def linear_bound(
    c: Mapping[Any, Fraction],
    rows: Iterable[tuple[Mapping[Any, Fraction], Fraction]],
    y: Sequence[Fraction],
    box: Mapping[Any, Fraction],
) -> Fraction:
    r"""An upper bound on :math:`c^\top x` where :math:`a_i^\top x \le b_i`, :math:`|x_j| \le B_j`, from any y >= 0.

    :math:`\sum_i y_i b_i + \sum_j B_j |c_j - \sum_i y_i a_{ij}|`.
    """
    left, total = dict(c), Fraction(0)
    for (a, b), weight in zip(rows, y, strict=True):
        if weight:
            total += weight * b
            for name, coefficient in a.items():
                left[name] = left.get(name, Fraction(0)) - weight * coefficient
    return total + sum((box[name] * abs(x) for name, x in left.items()), Fraction(0))
