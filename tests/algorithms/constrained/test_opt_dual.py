"""OptDual-CMDP against its pseudo-code in loops; two constraints; policies that jump."""

from __future__ import annotations

import numpy as np

from mdptk import check, run
from mdptk.algorithms.constrained.opt_dual import OptDual
from mdptk.core.constrained import EpisodicCMDP
from mdptk.problems.learning_constrained import tiring_swim
from tests.algorithms.under_budget import action_values, at_price, count, episode, model, start


def reference(alg, oracle, xis):
    """Plan at the prices, play, count, and move the prices."""
    H, S, A = oracle.r.shape
    N, lam = np.zeros((S, A, S)), np.zeros(len(oracle.b))
    out = {"N": [], "lam": [], "pi": [], "Q": []}
    for u in [*xis, None]:
        P, beta = model(N, H, alg.delta)
        g = [oracle.r + beta, *(c - beta for c in oracle.c)]
        pi = at_price(P, g, lam)
        Q = [action_values(P, x, pi) for x in g]
        for name, x in zip(out, (N, lam, pi, Q), strict=True):
            out[name].append(x)
        if u is not None:
            N = count(N, episode(oracle.episodes, pi, u))
            spent = np.array([start(q, pi, oracle.rho) for q in Q[1:]])
            lam = np.array([max(x + alg.eta_dual * y, 0) for x, y in zip(lam, spent - oracle.b, strict=True)])
    return out


def test_two_constraints_and_jumps():
    """Every policy is deterministic, so none that is played is optimal; the sums make up for it."""
    problem = tiring_swim()
    both = np.concatenate([problem.c, 1 - problem.c])
    result = run(OptDual(), EpisodicCMDP(problem.mdp, both, [1.5, 1.8]), 400, repeats=8)
    assert all(v.ok for v in check(result))
    assert result["lam"].shape == (8, 401, 2)
