r"""Optimism: the best that a model could be within a ball around an estimate, and planning for it.

.. math::

   u_{i+1}(s) = \max_a \Big\{ r(s, a) + \max_{\|p - \hat P(\cdot|s, a)\|_1 \le \beta(s, a)}
   \langle p, u_i \rangle \Big\}, \qquad u_0 = 0.

This is extended value iteration of Jaksch, Ortner and Auer [jaksch2010near], figure 2: value iteration on one model
whose actions are pairs of an action and of transitions. It stops when the increments of all states are about the same.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from mdptk.core.exact import namespace


def highest(P: Any, radius: Any, v: Any) -> Any:
    """``max p.v`` over distributions with ``|p - P[s, a]|_1 <= radius[s, a]``, (S, A), from values (S,).

    The state where `v` is highest gets half the radius more; the next highest keep what they had, as far as it goes.
    Where all mass goes to the highest state the result is its value, without rounding: ties stay ties.
    """
    xp, s = namespace(v), np.arange(v.shape[-1])
    best = s == v.argmax()
    earlier = (v[:, None] < v) | ((v[:, None] == v) & (s[:, None] > s))  # y before x
    before = P @ xp.where(best, False, earlier).T  # the mass of higher ones, never negative
    top = xp.minimum(1.0, (P * best).sum(-1) + radius / 2)[..., None]
    return (xp.where(best, top, xp.clip(1 - top - before, 0.0, P)) * v).sum(-1)


def extended_value_iteration(r: Any, P: Any, radius: Any, tol: Any, active: Any = True) -> tuple[Any, Any]:
    """The last iterate u, (S,), and ``r + highest(P, radius, u)``, (S, A): its increments differ by less than `tol`.

    With ``active`` false nothing is iterated, which costs nothing even under vmap.
    """

    def increments(u: Any, q: Any) -> Any:
        return q.max(-1) - u

    def goes_on(carry: Any) -> Any:
        d = increments(*carry)
        return active & (d.max() - d.min() >= tol)

    def sweep(carry: Any) -> Any:
        u = carry[1].max(-1)
        return u, r + highest(P, radius, u)

    return jax.lax.while_loop(goes_on, sweep, (0.0 * r[:, 0], r + 0.0))
