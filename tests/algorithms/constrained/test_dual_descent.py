"""Dual descent against its definition in loops; where its lemmas are equalities; what the last policy does."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.constrained.dual_descent import CARRIED, DualDescent
from mdptk.problems.constrained import constrained_two_state, paradoxical
from mdptk.testing import cmdps
from tests.algorithms.constrained.loops import best_policy, priced, spent


def reference(alg, cmdp, steps):
    """Prices up by eta times the excess, then policy improvement at these prices until nothing improves."""
    lam, out = np.zeros(cmdp.m), []
    for _ in range(steps + 1):
        pi = best_policy(cmdp.mdp, priced(cmdp, lam))
        out.append((lam, pi.copy()))
        g = spent(cmdp, pi) - cmdp.b
        lam = np.array([max(0.0, lam[i] + alg.eta * g[i]) for i in range(cmdp.m)])
    return {"lam": np.array([x[0] for x in out]), "pi": np.array([x[1] for x in out])}


@given(cmdps(), st.sampled_from([1e-3, 0.1, 1.0]))
@settings(max_examples=20)
def test_theorems(cmdp, eta):
    for verdict in check(run(DualDescent(eta), cmdp, 20), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


@given(cmdps(feasible=False))
@settings(max_examples=10)
def test_where_nothing_is_feasible(cmdp):
    """The theorems that need Slater's condition say why they do not apply; the other one holds."""
    verdicts = check(run(DualDescent(), cmdp, 10), skip_unmet=True)
    said = {v.theorem.name: v for v in verdicts}
    assert said[CARRIED.name].ok
    assert all("no policy meets the budgets" in v.note for v in verdicts if v.theorem is not CARRIED)


def test_the_last_policy_never_is_optimal():
    """The price finds its place, the average is within what the step allows, the policy jumps between 0 and 10."""
    result = run(DualDescent(0.01), paradoxical(gamma=0.9, b=5.0), 400)
    costs = result["returns"][0, 200:, 1]
    assert set(costs.round(9)) == {0.0, 10.0}
    assert abs(result["lam"][0, 200:, 0] - 1).max() <= 0.051
    assert abs(result["returns_sum"][0, -1, 1] / 400 - 5).max() <= 1 / (0.01 * 400) + 1e-9


def test_the_multiplier_is_the_sum_of_the_excesses():
    """In the two-state problem the price is never cut off, so the lemma about it is an equality."""
    result = run(DualDescent(0.05), constrained_two_state(), 50)
    lhs, rhs = CARRIED.sides(result)
    over = lhs[0, 1:] > 0
    assert over.any()
    np.testing.assert_allclose(lhs[0, 1:][over], rhs[0, 1:][over], rtol=1e-12)
