"""NPG primal-dual against its definition in loops; what its bounds exclude; how its last policy circles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import Infeasible, check, run
from mdptk.algorithms.constrained.npg_primal_dual import GAP, VIOLATION, NPGPrimalDual
from mdptk.problems.constrained import constrained_garnet, paradoxical
from mdptk.testing import cmdps
from tests.algorithms.constrained.loops import action_value, priced, spent, value


def reference(alg, cmdp, steps):
    """Weights times exp(eta / (1 - gamma) A), prices up by eta times the excess, both at once."""
    mdp, bound = cmdp.mdp, alg.multiplier_bound(cmdp)
    pi, lam, out = np.full((mdp.S, mdp.A), 1 / mdp.A), np.zeros(cmdp.m), []
    for _ in range(steps + 1):
        out.append((lam, pi.copy()))
        v = value(mdp, priced(cmdp, lam), pi)
        q, g = action_value(mdp, priced(cmdp, lam), v), spent(cmdp, pi) - cmdp.b
        for s in range(mdp.S):
            pi[s] = [pi[s, a] * np.exp(alg.eta / (1 - mdp.gamma) * (q[s, a] - v[s])) for a in range(mdp.A)]
            pi[s] /= pi[s].sum()
        lam = np.array([min(max(0.0, lam[i] + alg.eta_dual * g[i]), bound) for i in range(cmdp.m)])
    return {"lam": np.array([x[0] for x in out]), "pi": np.array([x[1] for x in out])}


@given(cmdps(), st.sampled_from([(1e-2, 1e-3), (1.0, 0.01), (0.1, 1.0)]))
@settings(max_examples=12)
def test_theorems(cmdp, steps):
    for verdict in check(run(NPGPrimalDual(*steps), cmdp, 20), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


@given(cmdps(feasible=False))
@settings(max_examples=5)
def test_where_nothing_is_feasible(cmdp):
    """There is no Slater constant to take the bound from; with a bound it runs, and the theorems do not apply."""
    with pytest.raises(Infeasible, match="no policy meets the budgets"):
        run(NPGPrimalDual(), cmdp, 1)
    verdicts = check(run(NPGPrimalDual(bound=1.0), cmdp, 3), skip_unmet=True)
    assert [v.word for v in verdicts] == ["n/a", "n/a", "n/a", "holds"]


def test_a_bound_that_is_too_low_is_no_bound():
    """Below the sum of the optimal multipliers, here 1, prices cannot enforce the budget."""
    result = run(NPGPrimalDual(eta=10.0, eta_dual=0.1, bound=0.9), paradoxical(), 100)
    assert result["returns"][0, -1, 1] == pytest.approx(2)  # all that can be spent
    assert "multipliers of sum 1" in VIOLATION.unmet(result.alg, result.problem)


def test_the_bounds_say_something():
    verdict = VIOLATION.check(run(NPGPrimalDual(eta_dual=0.125), paradoxical(), 200))
    assert verdict.informative
    assert 0.3 < verdict.ratio < 1
    assert GAP.check(run(NPGPrimalDual(), constrained_garnet(), 200)).informative


def test_the_last_policy_circles_while_the_average_converges():
    """Gradient descent-ascent: the violation of the last policy is as large in the second half as in the first."""
    result = run(NPGPrimalDual(eta=0.1, eta_dual=0.1), paradoxical(), 600)
    excess = result["returns"][0, :, 1] - 0.5
    assert excess[300:].max() >= 0.9 * excess[:300].max() > 0.5
    average = result["returns_sum"][0, 1:, 1] / result.t[1:] - 0.5
    assert abs(average[-1]) < 0.1


def test_multipliers_are_bounded_by_the_slater_constant_if_nothing_is_said():
    """2 / ((1 - gamma) xi) with gamma = 1/2 and xi = 1/10."""
    cmdp = constrained_garnet(gamma=0.5, xi=0.1)
    assert NPGPrimalDual().multiplier_bound(cmdp) == pytest.approx(40, rel=1e-4)
    assert NPGPrimalDual(bound=3.0).multiplier_bound(cmdp) == 3.0
