"""A small concave quadratic program, solved to rounding by an active set."""

from __future__ import annotations

import numpy as np

from mdptk.core.errors import NotConverged
from mdptk.core.models import Array


def quadratic_on_simplex(R: Array, q: Array, k: int) -> tuple[Array, Array, float]:
    r"""Maximise :math:`q \cdot z - \tfrac12 \|Rz\|_2^2` over :math:`z \ge 0` whose first `k` entries sum to one.

    For a handful of variables; `R` may have any rank. Returns `z`, :math:`y = Rz`, and the multiplier of the sum: no
    entry of :math:`q - R^\top y` is above it (in the first `k`; above zero in the others) but for rounding, and those
    where z is positive are equal to it. In the manner of Lawson and Hanson 1974, chapter 23: one entry at a time
    becomes free, and those that would turn negative are fixed. Where the free entries have no unique best point, the
    residual of the linear system is the direction in which nothing bends and something is gained.

    Raises
    ------
    NotConverged
        If that does not end.

    Examples
    --------
    >>> quadratic_on_simplex(np.eye(2), np.array([0.0, 0.5]), 2)[0].round(12)
    array([0.25, 0.75])
    """
    rows, n = R.shape
    unit = float(abs(q).max()) or 1.0
    R, q = R / np.sqrt(unit), q / unit  # the same z, whatever the units of q
    a = (np.arange(n) < k).astype(float)
    z, free = np.zeros(n), np.zeros(n, dtype=bool)
    z[0], free[0] = 1.0, True
    gain = np.inf
    for _ in range(50 * (n + 1)):
        f = np.flatnonzero(free)
        M = np.zeros((len(f) + rows + 1,) * 2)
        M[: len(f), len(f) : -1], M[: len(f), -1] = R[:, f].T, a[f]
        M = M + M.T - np.diag(np.append(np.zeros(len(f)), np.append(np.ones(rows), 0.0)))
        right = np.concatenate([q[f], np.zeros(rows), [1.0]])
        x = np.linalg.lstsq(M, right)[0]
        flat, y = right - M @ x, x[len(f) : -1]
        size = (abs(q) + abs(R).T @ abs(y)).max()
        whole = abs(flat).max() <= 1e-10 * max(size, 1.0)
        d = x[: len(f)] - z[f] if whole else flat[: len(f)]
        down = d < 0
        most = np.where(down, z[f] / np.where(down, -d, 1.0), np.inf)
        stop = int(most.argmin())
        if not whole or most[stop] < 1:
            z[f] = np.maximum(z[f] + most[stop] * d, 0)
            z[f[stop]], free[f[stop]] = 0.0, False
            continue
        z[f] = x[: len(f)]
        up = np.where(free, -np.inf, q - y @ R - x[-1] * a)
        gain = float(up.max())
        if gain <= 64 * (rows + 1) * np.finfo(float).eps * size:
            return z, y * np.sqrt(unit), float(x[-1]) * unit
        free[up.argmax()] = True
    raise NotConverged(f"the active set of {n} variables did not settle", gain)
