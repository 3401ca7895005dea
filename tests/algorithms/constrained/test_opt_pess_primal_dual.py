"""OptPess-PrimalDual against its pseudo-code in loops; what tighter budgets do, and where they are too tight."""

from __future__ import annotations

import numpy as np

from mdptk import check, run
from mdptk.algorithms.constrained.opt_pess_primal_dual import REGRET, OptPessPrimalDual
from mdptk.problems.learning_constrained import tiring_swim
from tests.algorithms.under_budget import action_values, at_price, count, episode, model, start


def reference(alg, oracle, xis):
    """Plan at the scaled prices, play, count, and move the prices by what is over the tighter budgets."""
    H, S, A = oracle.r.shape
    N, lam = np.zeros((S, A, S)), np.zeros(len(oracle.b))
    out = {name: [] for name in ("N", "lam", "price", "pi", "Q", "tight", "scale")}
    for k, u in enumerate([*xis, None], start=1):
        P, beta = model(N, H, alg.delta)
        g = [oracle.r + beta, *(c - beta for c in oracle.c)]
        tight, scale = alg.eps / np.sqrt(k), alg.eta * np.sqrt(k)
        price = lam / scale
        pi = at_price(P, g, price)
        Q = [action_values(P, x, pi) for x in g]
        for name, x in zip(out, (N, lam, price, pi, Q, tight, scale), strict=True):
            out[name].append(x)
        if u is not None:
            N = count(N, episode(oracle.episodes, pi, u))
            over = np.array([start(q, pi, oracle.rho) for q in Q[1:]]) - oracle.b + tight
            lam = np.array([max(x + y, 0) for x, y in zip(lam, over, strict=True)])
    return out


def test_tighter_budgets_spend_less():
    loose, tight = (run(OptPessPrimalDual(eta=1.0, eps=eps), tiring_swim(), 2048, repeats=4) for eps in (1e-6, 1.4))
    assert all(v.ok for v in check(loose))
    assert all(v.ok for v in check(tight))
    spent = [x["returns_sum"][:, -1, 1].mean() for x in (loose, tight)]
    assert spent[1] < spent[0]


def test_more_than_there_is():
    """A policy with the slack eps is what the regret is compared with."""
    wrong = REGRET.unmet(OptPessPrimalDual(eps=2.0), tiring_swim())
    assert "eps = 2, the slack is 1.5" in wrong
