"""CAL against its definition in loops; the penalty from which on it does not spiral outward; what caution buys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.constrained.conservative_augmented_lagrangian import (
    CAUTION,
    ENERGY,
    ConservativeAugmentedLagrangian,
    log_normaliser,
)
from mdptk.problems.constrained import constrained_garnet, paradoxical
from mdptk.testing import cmdps
from tests.algorithms.constrained.loops import action_value, priced, spent, value


def reference(alg, cmdp, steps):
    """A price for moving the policy, and one that is remembered."""
    mdp, lam, out = cmdp.mdp, np.zeros(cmdp.m), []
    pi = np.full((mdp.S, mdp.A), 1 / mdp.A)
    for _ in range(steps + 1):
        feared = spent(cmdp, pi) - cmdp.b + alg.kappa
        price = np.array([max(0.0, lam[i] + alg.c * feared[i]) for i in range(cmdp.m)])
        out.append((pi.copy(), lam, price))
        v = value(mdp, priced(cmdp, price), pi)
        q = action_value(mdp, priced(cmdp, price), v)
        for s in range(mdp.S):
            pi[s] = [pi[s, a] * np.exp(alg.eta / (1 - mdp.gamma) * (q[s, a] - v[s])) for a in range(mdp.A)]
            pi[s] /= pi[s].sum()
        lam = np.array([max(0.0, lam[i] + alg.eta_dual * feared[i]) for i in range(cmdp.m)])
    return dict(zip(("pi", "lam", "price"), map(np.array, zip(*out, strict=True)), strict=True))


@given(cmdps(), st.sampled_from([(0.1, 0.1, 1.0, 0.0), (0.1, 0.3, 0.0, 0.05), (1.0, 0.1, 0.1, 0.0)]))
@settings(max_examples=15)
def test_theorems(cmdp, numbers):
    for verdict in check(run(ConservativeAugmentedLagrangian(*numbers), cmdp, 20), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


@pytest.mark.parametrize("c", [0.0, 0.05, 0.2])
def test_the_penalty_has_to_be_above_half_of_the_step(c):
    """Energy changes by eta (eta_dual / 2 - c) |e|^2 and by the policy's own step, which is too long by log Z."""
    result = run(ConservativeAugmentedLagrangian(0.1, 0.1, c), paradoxical(), 40)
    lhs, _ = ENERGY.sides(result)
    e, own = result["returns"][0, :-1, 1] - 0.5, log_normaliser.values(result)[0, :-1]
    inside = (result["price"][0, :-1, 0] > 0) & (result["lam"][0, 1:, 0] > 0)
    assert inside.sum() > 10
    gained = (np.diff(lhs[0]) - own)[inside]
    np.testing.assert_allclose(gained, (0.1 * (0.05 - c) * e**2)[inside], atol=1e-13)


def test_caution_buys_as_much_as_it_says():
    cmdp = constrained_garnet(m=1)
    ends = [run(ConservativeAugmentedLagrangian(1.0, 0.5, kappa=kappa), cmdp, 800, every=800) for kappa in (0.0, 0.05)]
    excess = [r["returns_sum"][0, -1, 1] / 800 - cmdp.b[0] for r in ends]
    assert excess[0] > 0 > excess[1]
    assert excess[0] - excess[1] == pytest.approx(0.05, abs=5e-3)
    assert all(CAUTION.check(r).ok for r in ends)
    assert "the Slater constant is" in ENERGY.unmet(ConservativeAugmentedLagrangian(kappa=1.0), cmdp)
