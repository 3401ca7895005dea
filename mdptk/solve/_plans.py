"""The best plan under budgets or prices in a model that was counted, inside a compiled run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.errors import Infeasible
from mdptk.core.models import CMDP, Array, FiniteHorizonMDP
from mdptk.core.quadratic import proximal_mixture

EPS = float(np.finfo(float).eps)


def best_plan(P: Any, g: Any, rho: Any, b: Any) -> Any:
    """The policy (H, S, A) that earns the most of ``g[0]`` and spends at most ``b[i]`` of ``g[1 + i]``.

    If there is none, the one that exceeds a budget least. For one constraint it is the search along the edge
    (`mdptk.core.counted.trade_off`), which is compiled; for more the linear program, solved outside of the compiled
    run, some ten milliseconds at a time.
    """
    from mdptk.core.counted import trade_off

    if len(b) == 1:
        return trade_off(P, g, rho, lambda lam: b[0])
    return _outside(_solved, P, g, rho, b)


def augmented_plan(P: Any, g: Any, rho: Any, b: Any, lam: Any, eta: Any) -> Any:
    r"""The policy (H, S, A) that is best for :math:`V_r - \|[\lambda + \eta (V_c - b)]_+\|_2^2/(2\eta)`.

    ``g[0]`` is the reward, ``g[1 + i]`` the costs. As for `best_plan`, one constraint is a search along the edge, whose
    slope is the price that comes next; for more, policies are mixed outside of the compiled run.
    """
    import jax.numpy as jnp

    from mdptk.core.counted import trade_off

    if len(b) == 1:
        return trade_off(P, g, rho, lambda price: b[0] + (price - lam[0]) / eta)
    return _outside(_mixed, P, g, rho, b, lam, jnp.full((), eta))


def _outside(solver: Callable[..., Array], P: Any, g: Any, *more: Any) -> Any:
    """A policy (H, S, A) that numpy finds, called from a compiled run."""
    import jax

    def called(*bits: Any) -> Array:
        return np.ascontiguousarray(solver(*(np.ascontiguousarray(x).view(np.float64)[..., 0] for x in bits)))[
            ..., None
        ].view(np.uint32)

    # float64 goes through as pairs of integers: jax calls back in a thread that knows of no x64, and would round it
    like = jax.ShapeDtypeStruct((*g.shape[1:], 2), np.uint32)
    bits = (jax.lax.bitcast_convert_type(x, np.uint32) for x in (P, g, *more))
    return jax.lax.bitcast_convert_type(jax.pure_callback(called, like, *bits, vmap_method="sequential"), np.float64)


def _staged(P: Array, g: Array, rho: Array, b: Array) -> CMDP:
    return CMDP(FiniteHorizonMDP(np.broadcast_to(P, (g.shape[1], *P.shape)), g[0], rho), g[1:], b)


def _solved(P: Array, g: Array, rho: Array, b: Array) -> Array:
    from mdptk.solve.dispatch import solve

    try:
        return solve(_staged(P, g, rho, b)).policy
    except Infeasible:
        more = g.shape[1] * abs(g[1:]).max() + abs(b).max()  # no policy spends as much
        return solve(_staged(P, g, rho, b + more)).safest  # type: ignore[union-attr]


def _mixed(P: Array, g: Array, rho: Array, b: Array, lam: Array, eta: Array) -> Array:
    problem = _staged(P, g, rho, b)
    size = len(rho) * g.shape[-1] * g.shape[1] ** 2 * abs(g).max()  # of a return, with a rounding for each term

    def respond(price: Array) -> tuple[Array, Array]:
        pi = exact.optimal(replace(problem.mdp, r=g[0] - np.tensordot(price, g[1:], 1))).pi
        x = exact.occupancy(problem.mdp, pi)[..., None] * pi
        return x, (x * g).sum((1, 2, 3)) - np.append(0.0, b)

    def enough(price: Array) -> float:
        return 4 * EPS * size * float(1 + price.sum() + eta * len(b) * size)

    x, _ = proximal_mixture(lam, float(eta), respond(lam), respond, enough)
    return exact.conditional(x)
