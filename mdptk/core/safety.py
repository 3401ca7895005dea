r"""State-wise constraints: where a policy can stay safe for ever, whatever the transitions do.

Something is *violated* in a step where :math:`h(s, a) > 0`. A set of states is persistently safe if in each of its
states there is an action with :math:`h(s, a) \le 0` after which every possible successor is in the set again. Unions of
such sets are persistently safe, so there is a largest one: where a policy can avoid violations with probability one.
How probable a transition is does not count, only whether it is possible. `largest_safe_set` finds it on the graph.
FeasibleIteration finds it by a contraction, which is what sampled methods imitate.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mdptk.core.errors import Infeasible, InvalidModel
from mdptk.core.models import MDP, Array


def possible(mdp: MDP) -> Array:
    """Which transitions can happen, ``[s, a, s']``."""
    return mdp.dense().P > 0


def largest_safe_set(mdp: MDP, h: Array) -> tuple[Array, Array]:
    """The largest persistently safe set, (S,), and the actions that stay in it without violation, (S, A).

    States are taken out until every one that is left has such an action.

    Raises
    ------
    InvalidModel
        If `h` has another shape than the rewards, or entries that are not finite.

    Examples
    --------
    >>> mdp = MDP([[[1, 0], [0, 1]], [[0, 1], [0, 1]]], [[0, 1], [0, 0]], 0.9)
    >>> safe, allowed = largest_safe_set(mdp, np.array([[-1, -1], [1, 1]]))
    >>> safe, allowed[0]
    (array([ True, False]), array([ True, False]))
    """
    h = np.asarray(h, dtype=float)
    if h.shape != mdp.r.shape or not np.isfinite(h).all():
        raise InvalidModel(f"h has shape {h.shape}, expected {mdp.r.shape} finite numbers h[s, a]: {h}")
    can, safe = possible(mdp), np.ones(mdp.S, dtype=bool)
    while True:
        allowed = np.asarray((h <= 0) & ~(can & ~safe).any(-1) & safe[:, None])
        left = np.asarray(allowed.any(-1))
        if (left == safe).all():
            return safe, allowed
        safe = left


def shielded(mdp: MDP, h: Array) -> MDP:
    """The model in which every action that could end in a violation is replaced by the first one that cannot.

    From the largest safe set its policies are those that never violate anything, and its optimum the best of them.
    Outside of the set nothing is changed: from there a violation cannot be excluded.

    Raises
    ------
    Infeasible
        If the first state may lie outside of the largest safe set; `certificate` is that state.
    """
    safe, allowed = largest_safe_set(mdp, h)
    outside = (mdp.rho > 0) & ~safe
    if outside.any():
        s = int(outside.argmax())
        raise Infeasible(f"a run begins in state {s} with probability {mdp.rho[s]:.6g}, where no policy is safe", s)
    chosen = np.where(allowed | ~safe[:, None], np.arange(mdp.A), allowed.argmax(-1)[:, None])
    P = mdp.dense().P[np.arange(mdp.S)[:, None], chosen]
    return replace(mdp, P=P, r=np.take_along_axis(mdp.r, chosen, axis=1))
