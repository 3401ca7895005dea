r"""Modified policy iteration: :math:`v_{k+1} = T_{\pi_k}^{m+1} v_k` with :math:`\pi_k` greedy for :math:`v_k`.

Between value iteration (m = 0) and policy iteration (m infinite): a sweep under a fixed policy costs `A` times less
than one with a maximum; see Puterman and Shin [puterman1978modified]. Here m is not fixed: the sweeps stop when the
residual has become flat enough, for only its span is of interest. The constant is known:

.. math:: v_{k+1} = T_{\pi_k}^{m+1} v_k + \frac{\gamma}{1-\gamma} \cdot \frac{\min d + \max d}{2},
          \qquad d = T_{\pi_k}^{m+1} v_k - T_{\pi_k}^m v_k

after MacQueen [macqueen1966modified]. Adding it changes no greedy policy, and centres the bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdptk.core.models import ROW_SUM_TOLERANCE
from mdptk.solve._sparse import backed_up_zero, backups
from mdptk.solve._sweeps import sweep
from mdptk.solve.certificates import TINY, bracket_of_sweep

if TYPE_CHECKING:
    from mdptk.core.models import MDP, Array
    from mdptk.solve.certificates import Bracket

INNER = 20  # sweeps in the widest float
MOST = 100  # sweeps under one policy
FLATTER = 0.03  # sweeps stop when the residual is this much flatter than the greedy one was, or
WORTH = 0.1  # at this part of what the last policy made it flatter: more would be lost with the next policy
LIMIT = 10_000  # greedy backups
PATIENCE = 20  # greedy backups without progress: float64 has given what it can


def step(mdp: MDP, v: Array, q: Array) -> Array:
    """A greedy sweep and `INNER` more under the greedy policy, from ``q = r + gamma P v``."""
    s, a = np.arange(mdp.S), q.argmax(-1)
    P = mdp.P[s * mdp.A + a] if mdp.sparse else mdp.P[s, a]
    r, v = mdp.r[s, a], q.max(-1)
    for _ in range(INNER):
        v = r + mdp.gamma * (P @ v)
    return v


def modified_policy_iteration(mdp: MDP, tol: float, v: Array | None = None) -> tuple[Bracket, int]:
    """Bounds on the optimal value that are `tol` apart, and the number of greedy sweeps; may start from a guess `v`.

    Everything is computed in float64, the bounds come with the last sweep. Should `tol` ask for more than float64 can
    prove, the widest float takes over where float64 got stuck.
    """
    b, reached, k = iterate(mdp, tol, v)
    if b is not None:
        return b, k
    b, more = sweep(mdp, step, tol, reached)
    return b, k + more


def iterate(mdp: MDP, tol: float, guess: Array | None = None) -> tuple[Bracket | None, Array, int]:
    """The float64 part: bounds, or None if they did not come within `tol`; the last `v`; the number of backups."""
    gamma = mdp.gamma
    v = None if guess is None else np.array(guess, dtype=np.float64)
    largest = abs(mdp.r).max() / (1 - gamma) if v is None else abs(v).max()
    # without the exact row sums nothing is known to contract; beyond 1e300 sums of bounds may overflow
    if gamma * (1 + 2 * ROW_SUM_TOLERANCE) >= 1 or not max(abs(mdp.r).max(), largest) < 1e300:
        return None, np.nan_to_num(backed_up_zero(mdp.r.max(1), gamma) if v is None else v), 0
    work, flat = backups(mdp, v), (1 - gamma) * tol / 4  # a residual so flat will do
    least, idle, k, before, span = np.inf, 0, 0, np.inf, np.inf
    for k in range(1, LIMIT):
        low, high = work.backup()
        before, span = span, high - low
        if not np.isfinite(span):
            break
        if gamma * span <= (1 - gamma) * tol:
            b = bracket_of_sweep(mdp, work.w, work.actions, (low, high), work.ceiling.size)
            if b.width <= tol:
                return b, work.v, k
        least, idle = (span, 0) if span < least else (least, idle + 1)
        if idle >= PATIENCE or span < TINY:
            break
        worth = WORTH * (span / before if before < np.inf else 1.0)
        work.sweeps((low + high) / 2, span, max(FLATTER, flat / span, min(worth, WORTH)), MOST)
    return None, np.nan_to_num(work.v), k
