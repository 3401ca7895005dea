r"""The occupancy LP in the form :math:`Bz = \mathrm{right},\ z \ge 0`, points inside of it, and its analytic centre.

Occupancies are divided by those of the uniform policy, whose states are all that anybody can come to, so that none is
tiny for being hard to reach.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.errors import NotConverged
from mdptk.core.models import CMDP, Array

NEVER = 1e-100  # below this an occupancy counts as zero, as in `stationary_distribution`


class Program(NamedTuple):
    """The linear program of a constrained problem: maximise ``r . z`` subject to ``B z = right`` and ``z >= 0``."""

    here: Array  # (S,): the states that are kept
    d: Array  # of these
    B: Array
    right: Array
    r: Array


@lru_cache(maxsize=64)
def occupancy_program(problem: CMDP) -> Program:
    """The program over occupancies of mass 1/(1 - gamma), and one slack for each budget."""
    mdp = problem.mdp.dense()
    uniform = np.full(mdp.r.shape, 1 / mdp.A)
    P, _ = exact.chain(mdp, uniform)
    d = total = np.array(mdp.rho)
    while (d > 1e-17 * total).any():  # a sum of what is not negative: small occupancies have all their digits
        d = mdp.gamma * d @ P
        total = total + d
    here = total > NEVER
    d, S, A, m = total[here], int(here.sum()), mdp.A, problem.m
    B = np.zeros((S + m, S * A + m))
    into = (mdp.P[here][:, :, here] * d[:, None, None] / d).reshape(S * A, S)
    B[:S, : S * A] = (np.repeat(np.eye(S), A, axis=0) - mdp.gamma * into).T
    B[S:, : S * A] = (problem.c[:, here] * d[:, None]).reshape(m, -1)
    B[S:, S * A :] = np.eye(m)
    right = np.concatenate([mdp.rho[here] / d, problem.b])
    return Program(here, d, B, right, np.append((mdp.r[here] * d[:, None]).ravel(), np.zeros(m)))


def inside(problem: CMDP, lp: Program, pi: Array) -> Array:
    """An inner point: a policy `pi` that has slack, mixed with as much of the uniform one as leaves half of that."""
    share, spend, A = 1.0, lp.B[-problem.m :, : -problem.m], problem.A
    u = np.full(len(lp.d) * A, 1 / A)
    x = exact.occupancy(problem.mdp, pi)[:, None] * pi / (1 - problem.gamma)
    safe = (x[lp.here] / lp.d[:, None]).ravel()
    room, uniform = lp.right[-problem.m :] - spend @ safe, lp.right[-problem.m :] - spend @ u
    short = uniform < room / 2
    if short.any():
        share = (room[short] / 2 / (room - uniform)[short]).min()
    z = (1 - share) * safe + share * u
    return np.append(z, lp.right[-problem.m :] - spend @ z)


def centre(lp: Program, z: Array) -> tuple[Array, Array]:
    r"""The z that maximises :math:`\sum_j \log z_j`, and prices with :math:`1/z = B^\top p`.

    Newton's directions from an inner point, with the best step along each until whole steps square what is missing.

    Raises
    ------
    NotConverged
        If 200 steps are not enough.
    """
    size = np.inf
    for _ in range(200):
        prices = np.linalg.solve((lp.B * z**2) @ lp.B.T, 2 * lp.B @ z - lp.right)
        change = 1 - z * (prices @ lp.B)
        size = float(np.linalg.norm(change))
        z = z * (1 + (_best_step(change) if size > 0.25 else 1.0) * change)
        if size <= 1e-6:
            return z, prices
    raise NotConverged("Newton's method did not come to the analytic centre in 200 steps", size)


def _best_step(change: Array) -> float:
    r"""Where the derivative of :math:`\sum_j \log(1 + s\,\mathrm{change}_j)` is zero, by bisection."""
    low, high = 0.0, float(min(1e3, 1 / max((-change).max(), 1e-3)))
    for _ in range(60):
        s = (low + high) / 2
        low, high = (s, high) if (change / (1 + s * change)).sum() > 0 else (low, s)
    return low
