r"""Linear function approximation of action values, for log-linear policies: features, and weighted least squares."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.models import MDP, Array

CUT = 1e-10  # singular values below this part of the largest count as zero


class Fit(NamedTuple):
    """A least squares solution of least norm."""

    w: Array  # (..., n)
    rank: Any  # (...): directions that were not counted as zero


def cosine_features(S: int, A: int, n: int) -> Array:
    r"""Features :math:`\cos(\pi j (s + \tfrac12) / S) / \sqrt n`, j < n, of the state, for each action its own.

    Shape (S, A, A * n), of norm at most one. With n = S they span all functions of state and action: a table in other
    coordinates. Beyond that they are dependent.
    """
    j, s = np.arange(n), np.arange(S)[:, None]
    wave = np.cos(np.pi * j * (s + 0.5) / S) / np.sqrt(n)
    return (np.eye(A)[:, :, None] * wave[:, None, None, :]).reshape(S, A, A * n)


def least_squares(x: Array, y: Array, weight: Array, ridge: float = 0.0, cut: float = CUT) -> Fit:
    r"""Minimise :math:`\sum_{s,a} \mathrm{weight}\,(y - x \cdot w)^2 + \mathrm{ridge}\,\|w\|^2`.

    Regressors ``x[..., s, a, i]``, targets and weights ``[..., s, a]``. Without `ridge` the solution is that of least
    norm, by the pseudo-inverse: directions that no weighted regressor has, up to `cut`, are left out and counted.
    """
    root = np.sqrt(weight)
    lead = np.broadcast_shapes(x.shape[:-3], y.shape[:-2], weight.shape[:-2])
    n = x.shape[-1]
    X = np.broadcast_to(root[..., None] * x, (*lead, *x.shape[-3:])).reshape(*lead, -1, n)
    Y = np.broadcast_to(root * y, (*lead, *y.shape[-2:])).reshape(*lead, -1)
    U, s, V = np.linalg.svd(X, full_matrices=False)
    kept = s > cut * s.max(-1, keepdims=True, initial=0.0)
    shrunk = np.where(kept, s / np.where(kept, s**2 + ridge, 1.0), 0.0)
    w = np.einsum("...ki,...k,...jk,...j->...i", V, shrunk, U, Y, optimize=True)
    return Fit(w, kept.sum(-1).astype(float))


def explored_occupancy(mdp: MDP, pi: Array) -> Array:
    r"""Occupancy ``x[..., s, a]``, normalised to one, where the first action is uniform and later ones are from `pi`.

    :math:`(1-\gamma)\nu(s, a) + \gamma d^\pi_{\nu P}(s)\pi(a|s)` with :math:`\nu = \rho \otimes` uniform: nowhere less
    than :math:`(1-\gamma)\nu`.
    """
    nu = np.broadcast_to(mdp.rho[..., None] / mdp.A, mdp.r.shape)
    later = np.einsum("...sa,...sat->...t", nu, mdp.P)
    d: Any = exact.occupancy(mdp, pi, later)
    return (1 - mdp.gamma) * nu + mdp.gamma * d[..., None] * pi
