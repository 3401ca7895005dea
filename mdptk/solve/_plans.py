"""The best plan under budgets in a model that was counted, inside a compiled run."""

from __future__ import annotations

from typing import Any

import numpy as np

from mdptk.core.errors import Infeasible
from mdptk.core.models import CMDP, Array, FiniteHorizonMDP


def best_plan(P: Any, g: Any, rho: Any, b: Any) -> Any:
    """The policy (H, S, A) that earns the most of ``g[0]`` and spends at most ``b[i]`` of ``g[1 + i]``.

    If there is none, the one that exceeds a budget least. For one constraint it is the search along the edge
    (`mdptk.core.counted.trade_off`), which is compiled; for more the linear program, solved outside of the compiled
    run, some ten milliseconds at a time.
    """
    import jax

    from mdptk.core.counted import trade_off

    if len(b) == 1:
        return trade_off(P, g, rho, lambda lam: b[0])
    # float64 goes through as pairs of integers: jax calls back in a thread that knows of no x64, and would round it
    like = jax.ShapeDtypeStruct((*g.shape[1:], 2), np.uint32)
    bits = (jax.lax.bitcast_convert_type(x, np.uint32) for x in (P, g, rho, b))
    return jax.lax.bitcast_convert_type(jax.pure_callback(_solved, like, *bits, vmap_method="sequential"), np.float64)


def _solved(*bits: Any) -> Array:
    from mdptk.solve.dispatch import solve

    P, g, rho, b = (np.ascontiguousarray(x).view(np.float64)[..., 0] for x in bits)
    mdp = FiniteHorizonMDP(np.broadcast_to(P, (g.shape[1], *P.shape)), g[0], rho)
    try:
        pi = solve(CMDP(mdp, g[1:], b)).policy
    except Infeasible:
        more = g.shape[1] * abs(g[1:]).max() + abs(b).max()  # no policy spends as much
        pi = solve(CMDP(mdp, g[1:], b + more)).safest  # type: ignore[union-attr]
    return np.ascontiguousarray(pi)[..., None].view(np.uint32)
