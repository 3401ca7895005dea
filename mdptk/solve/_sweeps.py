"""The loop that value iteration and modified policy iteration share: sweep until the bounds are close enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mdptk.core.errors import NotConverged
from mdptk.solve.certificates import WIDE, Bracket, backup_noise, bracket

if TYPE_CHECKING:
    from collections.abc import Callable

    from mdptk.core.backup import Backup
    from mdptk.core.models import Array

LIMIT = 1_000_000  # sweeps; value iteration at gamma = 0.9999 and tol = 1e-10 takes half of them at worst
PATIENCE = 100  # sweeps without progress once the residual is rounding


def sweep(
    mdp: Backup, step: Callable[[Any, Array, Array], Array], tol: float, guess: Array | None = None
) -> tuple[Bracket, int]:
    r"""Repeat ``v = step(mdp, v, q)``, with ``q = r + gamma P v``, until :math:`V^*` is known to `tol`.

    In exact arithmetic :math:`V^*` lies between :math:`Tv + \frac{\gamma}{1-\gamma}\min(Tv - v)` and the same with the
    maximum, which is cheap to watch. Only when these are close is the certificate asked, at their middle. It starts
    from `guess` if there is one.
    """
    gamma = mdp.gamma
    v = (
        np.full(mdp.shape[0], mdp.r.min() / (1 - gamma)) if guess is None else guess
    )  # Tv >= v: from here it rises to V*
    reached, ask = bracket(mdp, np.zeros(mdp.shape[0])).width, tol / 2  # raises if nothing contracts
    least, idle, k = np.inf, 0, 0
    for k in range(LIMIT):
        q = mdp.q(v)
        residual = q.max(-1) - v
        low, high = residual.min(), residual.max()
        size = max(abs(low), abs(high))
        if not np.isfinite(size):
            break
        least, idle = (size, 0) if size < least else (least, idle + 1)
        stuck = idle >= PATIENCE and size <= 4 * backup_noise(mdp, v, np.finfo(float).eps)
        if gamma * (high - low) / (1 - gamma) <= ask or stuck:
            b = bracket(mdp, v + WIDE(low + high) / (2 * (1 - gamma)))
            reached = min(reached, b.width)
            if b.width <= tol:
                return b, k
            if stuck:
                break
            ask /= 4
            v = v + low / (1 - gamma)  # still below V*, and Tv >= v
            q = mdp.q(v)
        v = step(mdp, v, q)
    raise NotConverged(f"bounds {reached:.3g} apart after {k} sweeps, tol = {tol:.3g}", reached)
