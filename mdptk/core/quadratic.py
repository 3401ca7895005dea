"""A small concave quadratic program, solved to rounding by an active set; and the mixtures of policies it is for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mdptk.core.errors import NotConverged
from mdptk.core.models import Array

POLICIES = 200  # that may be mixed in one step of the augmented Lagrangian; a handful is usual


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
            return z, R @ z * np.sqrt(unit), float(x[-1]) * unit  # not y: with the rounding of a product alone
        free[up.argmax()] = True
    raise NotConverged(f"the active set of {n} variables did not settle", gain)


def proximal_mixture(
    lam: Array,
    eta: float,
    first: tuple[Array, Array],
    respond: Callable[[Array], tuple[Array, Array]],
    enough: Callable[[Array], Any],
) -> tuple[Array, Array]:
    r"""The occupancy that is best for :math:`R - \tfrac{1}{2\eta} \|[\lambda + \eta G]_+\|_2^2`, and the price there.

    R is what it earns, G by how much it exceeds each budget, and the price :math:`[\lambda + \eta G]_+`. Policies that
    are best at that price are added one at a time, and all mixed anew, until none is better by more than rounding.

    Parameters
    ----------
    lam, eta
        Prices (m,) and the penalty.
    first
        An occupancy of any shape, with its R and G as one array (1 + m,).
    respond
        The same of a policy that is best at prices (m,).
    enough
        At prices (m,), the gain that is rounding.

    Raises
    ------
    NotConverged
        If that does not end.
    """
    mixed, returns, gain = [first[0]], [first[1]], np.inf
    for _ in range(POLICIES):
        w, price = _mixture(lam, eta, np.array(returns))
        x, new = respond(price)
        rise = new - np.tensordot(w, np.array(returns), 1)
        gain = rise[0] - price @ rise[1:]
        if gain <= enough(price):
            return np.tensordot(w, np.array(mixed), 1), price
        mixed.append(x)
        returns.append(new)
    raise NotConverged(f"mixtures of {POLICIES} policies were not the best response", float(gain))


def _mixture(lam: Array, eta: float, returns: Array) -> tuple[Array, Array]:
    r"""Weights of policies that earn and exceed budgets by ``returns[k]``, and the price that comes next.

    :math:`\|[\lambda + \eta g]_+\|^2` is the least of :math:`\|\lambda + \eta(g + s)\|^2` over the slack
    :math:`s \ge 0`: with `s` among the variables all that is left is quadratic.
    """
    m, k = len(lam), len(returns)
    spend = np.concatenate([returns[:, 1:].T, np.eye(m)], axis=1)
    earn = np.append(returns[:, 0], np.zeros(m))
    z, y, _ = quadratic_on_simplex(np.sqrt(eta) * spend, earn - lam @ spend, k)
    return z[:k], np.where(z[k:] > 0, 0, np.maximum(lam + np.sqrt(eta) * y, 0))
