"""Frank-Wolfe on occupancies against its definition in loops; how far a penalty lets a budget be exceeded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.constrained.frank_wolfe import CONVERGENCE, FrankWolfe
from mdptk.problems.constrained import paradoxical
from mdptk.testing import cmdps
from tests.algorithms.constrained.loops import best_policy, priced


def occupancy(mdp, pi):
    """Of mass 1/(1 - gamma), summed over time."""
    d, x = np.array(mdp.rho), np.zeros((mdp.S, mdp.A))
    for _ in range(int(40 / (1 - mdp.gamma)) + 1):
        x += d[:, None] * pi
        d = mdp.gamma * sum(d[s] * pi[s, a] * mdp.P[s, a] for s in range(mdp.S) for a in range(mdp.A))
    return x


def reference(alg, cmdp, steps):
    """Mix in 2/(t + 2) of a best policy at the prices beta [<c, x> - b]_+."""
    x, out = occupancy(cmdp.mdp, np.full((cmdp.S, cmdp.A), 1 / cmdp.A)), []
    for t in range(steps + 1):
        lam = np.array([alg.beta * max(0.0, (cmdp.c[i] * x).sum() - cmdp.b[i]) for i in range(cmdp.m)])
        out.append((x, lam))
        x = x + 2 / (t + 2) * (occupancy(cmdp.mdp, best_policy(cmdp.mdp, priced(cmdp, lam))) - x)
    return {"x": np.array([y[0] for y in out]), "lam": np.array([y[1] for y in out])}


@given(cmdps(), st.sampled_from([0.1, 10.0, 1000.0]))
@settings(max_examples=15)
def test_theorems(cmdp, beta):
    for verdict in check(run(FrankWolfe(beta), cmdp, 20), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


def test_what_the_penalty_lets_through():
    """The best of p/(1-gamma) - beta/2 (p/(1-gamma) - b)^2 exceeds the budget by 1/beta: the price is 1 there."""
    result = run(FrankWolfe(20.0), paradoxical(), 1000, every=100)
    assert result["returns"][0, -1, 1] - 0.5 == pytest.approx(1 / 20, abs=5e-3)
    assert CONVERGENCE.check(result).ok
