r"""Planning in a model that was counted: confidence radius, values under it, and the best mixture under one constraint.

For learners that play episodes with the same transitions at every stage; jax arrays, inside a compiled run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mdptk.core.exact import one_hot

ROUNDS = 64  # of the search for the edge; each finds a new corner of the front, and a handful is usual
TIE = 1e-12  # relative: two policies are the same to the search


def empirical(N: Any) -> tuple[Any, Any]:
    r""":math:`\hat P` of counts ``N[s, a, s']``, uniform where nothing was seen, and the visits ``n[s, a]``."""
    n = N.sum(-1)
    return jnp.where(n[..., None] > 0, N / jnp.maximum(n, 1)[..., None], 1 / N.shape[-1]), n


def counted(N: Any, s: Any, a: Any) -> Any:
    """The counts ``N[s, a, s']`` after an episode through the states s, (H + 1,), with the actions a, (H,)."""
    return N.at[s[:-1], a, s[1:]].add(1.0)


def l1_radius(n: Any, S: int, delta: Any) -> Any:
    r"""A bound on :math:`\|\hat P - P\|_1`, for all (s, a) and all counts n at once, with probability 1 - delta.

    :math:`\min\{2, \sqrt{2(S\log 2 + \log(SA\,n(n+1)/\delta))/n}\}`: Weissman et al. 2003, with a union over n.
    """
    m = jnp.maximum(n, 1)
    e = jnp.sqrt(2 * (S * jnp.log(2.0) + jnp.log(n.size * m * (m + 1) / delta)) / m)
    return jnp.where(n > 0, jnp.minimum(e, 2.0), 2.0)


def bonus(n: Any, H: int, delta: Any) -> Any:
    r""":math:`\beta_h = \tfrac{H-h}{2}\,\mathrm{radius}`, (H, S, A): it bounds :math:`(\hat P-P)V`, V in [0, H-h]."""
    return jnp.arange(H - 1, -1, -1.0)[:, None, None] / 2 * l1_radius(n, n.shape[0], delta)


def optimistic(oracle: Any, N: Any, delta: Any) -> tuple[Any, Any, Any]:
    """The counted model, the reward with the bonus and the costs without it, (1 + m, H, S, A), and the bonus.

    `oracle` is an `EpisodicCosts`.
    """
    P, n = empirical(N)
    beta = bonus(n, len(oracle.r), delta)
    return P, jnp.concatenate([(oracle.r + beta)[None], oracle.c - beta]), beta


def values(P: Any, g: Any, pi: Any, low: Any = -jnp.inf, high: Any = jnp.inf) -> Any:
    """Action values ``Q[i, h, s, a]`` of ``pi[h, s, a]`` for the rewards ``g[i, h, s, a]`` in ``P[s, a, s']``.

    They are cut off at `low` and `high`, which broadcast to g.
    """

    def back(V: Any, stage: Any) -> Any:
        g, pi, low, high = stage
        Q = jnp.clip(g + (P * V[:, None, None]).sum(-1), low, high)
        return (pi * Q).sum(-1), Q

    stages = (jnp.swapaxes(jnp.broadcast_to(x, g.shape), 0, 1) for x in (g, pi, low, high))
    _, Q = jax.lax.scan(back, jnp.zeros((g.shape[0], g.shape[2])), tuple(stages), reverse=True)
    return jnp.swapaxes(Q, 0, 1)


def greedy_values(P: Any, r: Any, high: Any) -> Any:
    """``Q[h, s, a]`` of the best policy for ``r[h, s, a]`` in ``P[s, a, s']``, cut off at ``high[h]``."""

    def back(V: Any, stage: Any) -> Any:
        r, high = stage
        Q = jnp.minimum(r + (P * V).sum(-1), high)
        return Q.max(-1), Q

    return jax.lax.scan(back, jnp.zeros(P.shape[0]), (r, high), reverse=True)[1]


def best_at_price(P: Any, g: Any, rho: Any, price: Any) -> tuple[Any, Any]:
    """A deterministic policy that earns the most of ``g[0] - price . g[1:]``, (H, S, A), and how much that is."""
    Q = greedy_values(P, g[0] - (price[:, None, None, None] * g[1:]).sum(0), jnp.full(g.shape[1], jnp.inf))
    return one_hot(Q.argmax(-1), Q.shape[-1]), (rho * Q[0].max(-1)).sum()


def start_values(Q: Any, pi: Any, rho: Any) -> Any:
    """``sum_s rho(s) V_1(s)`` of ``Q[i, h, s, a]``, (i,)."""
    return (rho[:, None] * pi[0] * Q[:, 0]).sum((-2, -1))


def next_prices(oracle: Any, lam: Any, eta: Any, Q: Any, pi: Any, tight: Any = 0.0) -> Any:
    r""":math:`[\lambda + \eta (\hat V_c(\rho) - b + \epsilon)]_+`, (m,): prices after a plan Q with the policy pi."""
    return jnp.maximum(lam + eta * (start_values(Q, pi, oracle.rho)[1:] - oracle.b + tight), 0)


class _Corner(NamedTuple):
    """A deterministic policy, what it earns and what it spends."""

    a: Any  # (H, S)
    R: Any
    C: Any


def _best(P: Any, g: Any, rho: Any, weights: Any) -> _Corner:
    """The greedy policy for ``weights @ g``, two rewards at a time."""

    def back(V: Any, g: Any) -> Any:
        Q = g + (P * V[:, None, None]).sum(-1)
        a = (weights[:, None, None] * Q).sum(0).argmax(-1)
        return Q[:, jnp.arange(len(a)), a], a

    V, a = jax.lax.scan(back, jnp.zeros((2, P.shape[0])), jnp.swapaxes(g, 0, 1), reverse=True)
    return _Corner(a, *(rho * V).sum(-1))


def _occupancy(P: Any, pi: Any, rho: Any) -> Any:
    def forth(d: Any, pi: Any) -> Any:
        x = d[:, None] * pi
        return (x[..., None] * P).sum((0, 1)), x

    return jax.lax.scan(forth, rho, pi)[1]


def trade_off(P: Any, g: Any, rho: Any, target: Callable[[Any], Any]) -> Any:
    r"""The policy (H, S, A) that earns the most of ``g[0]`` for what it spends of ``g[1]``, at the cost `target`.

    What policies earn and spend is a convex set, and its upper edge a concave curve with the corners at deterministic
    policies. ``target(lam)`` is the cost that is wanted where the curve has the slope `lam`, and does not fall in
    lam: the budget for a hard constraint. Two corners on either side of the target are moved together: the slope
    of the chord between them is a price, and a best policy at this price is a corner between them, or there is none. A
    policy that spends less than wanted and earns the most is taken as it is; if all spend more, the cheapest is.

    The search is that of Aneja and Nair [aneja1979bicriteria], on the side of the target alone.
    """
    ends = jax.vmap(lambda weights: _best(P, g, rho, weights))(jnp.array([[1.0, 0.0], [0.0, -1.0]]))
    lo, hi = _Corner(*(x[0] for x in ends)), _Corner(*(x[1] for x in ends))

    def slope(lo: _Corner, hi: _Corner) -> Any:
        gap = lo.C - hi.C
        return jnp.where(gap > 0, jnp.maximum(lo.R - hi.R, 0.0) / jnp.where(gap > 0, gap, 1.0), 0.0)

    def closer(carry: Any) -> Any:
        lo, hi, k, _ = carry
        lam = slope(lo, hi)
        new = _best(P, g, rho, jnp.stack([jnp.ones(()), -lam]))
        size = abs(lo.R) + abs(hi.R) + lam * (abs(lo.C) + abs(hi.C))
        found = new.R - lam * new.C > jnp.maximum(lo.R - lam * lo.C, hi.R - lam * hi.C) + TIE * size
        dear = target(lam) < new.C
        pick = lambda use, x, y: jax.tree.map(lambda u, v: jnp.where(use, u, v), x, y)  # noqa: E731
        return pick(found & dear, new, lo), pick(found & ~dear, new, hi), k + 1, found

    free = jnp.maximum(target(0.0), hi.C) >= lo.C
    lo, hi, _, _ = jax.lax.while_loop(lambda x: x[3] & (x[2] < ROUNDS), closer, (lo, hi, 0, ~free))
    gap = lo.C - hi.C
    share = (jnp.clip(target(slope(lo, hi)), hi.C, lo.C) - hi.C) / jnp.where(gap > 0, gap, 1.0)
    share = jnp.where(free | (gap <= 0), 1.0, share)
    rich, cheap = (one_hot(x.a, g.shape[-1]) for x in (lo, hi))
    x = share * _occupancy(P, rich, rho) + (1 - share) * _occupancy(P, cheap, rho)
    total = x.sum(-1, keepdims=True)
    return jnp.where(total > 0, x / jnp.where(total > 0, total, 1.0), jnp.where(share > 0, rich, cheap))
