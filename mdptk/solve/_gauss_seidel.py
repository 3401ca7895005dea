r"""Gauss-Seidel value iteration in the order in which values travel, window by window.

.. math:: v(s) \leftarrow \max_a \frac{r(s,a) + \gamma\sum_{s'\ne s} P(s'|s,a)\, v(s')}{1 - \gamma P(s|s,a)}
          \qquad\text{in place, for } s = s_1, s_2, \dots

States are visited breadth first from where the reward is best, against the transitions. Where paths are long and mostly
lead one way, as in a maze, one pass carries the news all the way, and what flows back is caught by a window of states
that is solved before it moves on by half its length. A sweep of value iteration carries news by one transition: on a
maze with paths of 2000 steps that is 2000 sweeps before most of the values are known at all.

From ``v <= Tv`` the values rise to :math:`V^*` in any order of updates; see section 6.3.3 of Puterman
[puterman1994markov]. Bounds come from a backup of all states after each pass.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mdptk.solve import _plain
from mdptk.solve._modified_policy_iteration import modified_policy_iteration
from mdptk.solve._sparse import ahead, compiled, csr
from mdptk.solve.certificates import bracket_of_sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from mdptk.core.models import MDP, Array
    from mdptk.solve.certificates import Bracket

WINDOW = 2**13  # states: values and transitions of a window stay in the cache
PART = 1e-5  # a window is left when its sweeps change this part of what the first one did
MOST = 400  # sweeps of a window
HELD = 20  # sweeps under the same actions
PASSES = 1000
SLOW = 0.5  # a pass that leaves more than this of the span is slow; after three of them others go on
# paths are long if so many steps reach less than this part of the states; or half as many do, and news spreads as in
# space (2^3 times as many states in twice the steps, at most) and not as in a tree, where it is everywhere soon after
RADIUS, SMALL, SPREAD = 32, 0.05, 8


def gauss_seidel(mdp: MDP, tol: float) -> tuple[Bracket, int]:
    """Bounds on the optimal value that are `tol` apart, and the number of passes over the states.

    Where passes help little (paths that return), modified policy iteration goes on from the values reached.
    """
    from mdptk.solve._kernels import relax

    mdp = as_sparse(mdp)
    order, theta, window = travel(mdp), (1 - mdp.gamma) * tol / 8, min(WINDOW, mdp.S)
    return passes(mdp, tol, lambda v: relax(*csr(mdp), mdp.r, mdp.gamma, v, order, window, theta, PART, MOST, HELD))


def as_sparse(mdp: MDP) -> MDP:
    """The model with ``P`` as CSR."""
    if mdp.sparse:
        return mdp
    import scipy.sparse as sp

    return replace(mdp, P=sp.csr_array(mdp.P.reshape(-1, mdp.S)), grid=None)


def passes(mdp: MDP, tol: float, move: Callable[[Array], Any]) -> tuple[Bracket, int]:
    """Passes `move` over the states, in place, with a backup of all states after each."""
    from mdptk.solve import _kernels

    gamma, P, r, kernels = mdp.gamma, csr(mdp), mdp.r, _kernels if compiled(mdp) else _plain
    v = np.full(mdp.S, r.min() / (1 - gamma))  # v <= Tv
    w, actions = np.empty_like(v), np.zeros(mdp.S, int)
    least, slow, k, far = np.inf, 0, 0, ahead(mdp)
    for k in range(1, PASSES):
        move(v)
        kernels.full_backup(*P, r, gamma, v, w, actions, far)
        residual = w - v
        low, high, size = residual.min(), residual.max(), max(abs(v.min()), abs(v.max()))
        span = high - low
        if not (np.isfinite(span) and np.isfinite(size)):
            break
        if gamma * span <= (1 - gamma) * tol:
            b = bracket_of_sweep(mdp, w, actions, (low, high), size)
            if b.width <= tol:
                return b, k
        slow = slow + 1 if span > SLOW * least else 0
        least = min(least, span)
        if slow >= 3:
            break
    b, more = modified_policy_iteration(mdp, tol, np.nan_to_num(v))
    return b, k + more


def travel(mdp: MDP) -> Array:
    """States breadth first from those of the best reward, against the transitions; first those that never get there."""
    from mdptk.solve._kernels import breadth_first

    best = mdp.r.max(1)
    seeds = np.flatnonzero(best == best.max())
    indptr, indices, _ = csr(mdp)
    return breadth_first(indptr, indices, mdp.A, seeds)


def long_paths(mdp: MDP) -> bool:
    """Whether few states are near most states, judged by three of them."""
    return near(mdp) < np.inf


def near(mdp: MDP) -> float:
    """How many states can be reached from a state at all, if paths are long and nothing new comes in the second half.

    Zero if more do, infinity if paths are short.
    """
    if not mdp.sparse or SMALL * mdp.S <= RADIUS:
        return np.inf
    kernels = _plain
    if compiled(mdp):
        from mdptk.solve import _kernels as kernels

    indptr, indices, _ = csr(mdp)
    most = int(SMALL * mdp.S)

    def within(radius: int) -> int:
        return sorted(kernels.ball(indptr, indices, mdp.A, mdp.S * i // 4, radius, most) for i in (1, 2, 3))[1]

    half = within(RADIUS // 2)
    if half >= most:
        return np.inf
    if half == (whole := within(RADIUS)):
        return half
    return 0 if whole < most or half <= SPREAD * within(RADIUS // 4) else np.inf
