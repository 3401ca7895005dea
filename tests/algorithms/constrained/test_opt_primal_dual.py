"""OptPrimalDual-CMDP against its pseudo-code in loops, with two constraints, and weak against strong violation."""

from __future__ import annotations

import numpy as np

from mdptk import check, run
from mdptk.algorithms.constrained.opt_primal_dual import OptPrimalDual
from mdptk.core.constrained import EpisodicCMDP
from mdptk.problems.learning_constrained import tiring_swim
from tests.algorithms.under_budget import action_values, count, episode, model, start


def reference(alg, oracle, xis):
    """Evaluate optimistically, play, then a mirror step of the policy and a projected step of the prices."""
    H, S, A = oracle.r.shape
    N, theta, lam = np.zeros((S, A, S)), np.zeros((H, S, A)), np.zeros(len(oracle.b))
    out = {"N": [], "theta": [], "lam": [], "pi": [], "Q": []}
    high = [H - h for h in range(H)]
    for u in [*xis, None]:
        P, beta = model(N, H, alg.delta)
        pi = np.exp(theta) / np.exp(theta).sum(-1, keepdims=True)
        Q = [action_values(P, oracle.r + beta, pi, 0.0, high)]
        Q += [action_values(P, c - beta, pi, 0.0, high) for c in oracle.c]
        for name, x in zip(out, (N, theta, lam, pi, Q), strict=True):
            out[name].append(x)
        if u is not None:
            N = count(N, episode(oracle.episodes, pi, u))
            theta = theta + alg.eta * (Q[0] - sum(price * q for price, q in zip(lam, Q[1:], strict=True)))
            spent = np.array([start(q, pi, oracle.rho) for q in Q[1:]])
            lam = np.maximum(lam + alg.eta_dual * (spent - oracle.b), 0)
    return out


def test_two_constraints():
    problem = tiring_swim()
    both = np.concatenate([problem.c, 1 - problem.c])
    result = run(OptPrimalDual(), EpisodicCMDP(problem.mdp, both, [1.5, 1.8]), 400, repeats=8)
    assert all(v.ok for v in check(result))
    assert result["lam"].shape == (8, 401, 2)


def test_episodes_cancel():
    """The strong violation is more than the weak one: some episodes save what others overspend."""
    result = run(OptPrimalDual(eta=1.0, eta_dual=1.0), tiring_swim(), 4096, repeats=4)
    weak = np.maximum((result["returns_sum"][:, -1, 1] - 4096 * result.problem.b), 0)
    assert (result["over_sum"][:, -1, 0] > weak + 10).all()
    assert all(v.ok for v in check(result))
