"""Constrained problems: closed forms, Slater constants, and that their budgets bind."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from mdptk.core.errors import Infeasible
from mdptk.core.exact import expected_return, occupancy, optimal, returns
from mdptk.core.models import CMDP, MDP
from mdptk.problems.constrained import (
    budgets_with_slack,
    constrained_garnet,
    constrained_two_state,
    hazard_gridworld,
    paradoxical,
)
from mdptk.problems.garnet import garnet
from mdptk.solve import solve


def probability(gamma, b):
    return b * (1 - gamma) / (1 - gamma * (1 - gamma) * b)


def values(cmdp, pi):
    mdp = cmdp.mdp
    return expected_return(mdp, pi), expected_return(MDP(mdp.P, cmdp.c[0], mdp.gamma, mdp.rho), pi)


@given(st.sampled_from([0.5, 0.9, 0.99]), st.floats(0.05, 0.95))
def test_closed_form(gamma, share):
    """At the stated probability of work the budget is met with equality, and the return equals it."""
    b = share / (1 - gamma**2)
    p = probability(gamma, b)
    assert 0 < p < 1
    r, c = values(constrained_two_state(gamma, b), np.array([[1 - p, p], [1, 0]]))
    np.testing.assert_allclose([r, c], b, rtol=1e-10)
    np.testing.assert_allclose(p / ((1 - gamma) * (1 + gamma * p)), b, rtol=1e-10)


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_return_never_exceeds_the_cost(work, insist):
    """So every feasible policy earns at most the budget, and less if it insists."""
    cmdp = constrained_two_state()
    r, c = values(cmdp, np.array([[1 - work, work], [1 - insist, insist]]))
    assert r <= c + 1e-12
    assume(insist > 1e-3)
    assume(work > 1e-3)
    assert r < c


def test_the_linear_program_has_this_vertex_only():
    """Occupancies d[s, a] >= 0 with flow conservation and the budget: the optimum is stochastic, its dual is 1."""
    cmdp = constrained_two_state()
    mdp = cmdp.mdp
    flow = np.eye(2)[:, :, None] - mdp.gamma * mdp.P.transpose(2, 0, 1)
    lp = linprog(-mdp.r.ravel(), A_ub=cmdp.c.reshape(1, -1), b_ub=cmdp.b, A_eq=flow.reshape(2, -1), b_eq=mdp.rho)
    np.testing.assert_allclose(-lp.fun, cmdp.b[0])
    np.testing.assert_allclose(lp.ineqlin.marginals, -1)
    p = probability(mdp.gamma, cmdp.b[0])
    np.testing.assert_allclose(p, 10 / 41)
    pi = np.array([[1 - p, p], [1, 0]])
    np.testing.assert_allclose(lp.x.reshape(2, 2), occupancy(mdp, pi)[:, None] * pi / (1 - mdp.gamma), atol=1e-9)


def test_deterministic_policies_idle_or_break_the_budget():
    cmdp = constrained_two_state()
    for work in (0, 1):
        for insist in (0, 1):
            r, c = values(cmdp, np.eye(2)[[work, insist]])
            assert r == 0 or c > cmdp.b[0]


@given(st.sampled_from([0.0, 0.5, 0.9]), st.floats(0.05, 0.95))
def test_paradoxical(gamma, p):
    """The probability (1 - gamma) b spends the budget, earns it, and is what the solver finds, at the price 1."""
    cmdp = paradoxical(gamma, p / (1 - gamma))
    np.testing.assert_allclose(returns(cmdp, np.array([[1 - p, p]])), [cmdp.b[0], cmdp.b[0]], rtol=1e-12)
    found = solve(cmdp)
    np.testing.assert_allclose(found.policy, [[1 - p, p]], atol=1e-9)
    np.testing.assert_allclose(found.multipliers, [1], rtol=1e-9)


def test_the_hazard_is_passed_with_some_probability():
    """The budget binds: the optimum randomises at the start between the way through and the way around."""
    cmdp = hazard_gridworld()
    assert returns(cmdp, optimal(cmdp.mdp).pi)[1] > 2 * cmdp.b[0]
    found = solve(cmdp)
    assert found.multipliers[0] > 0.5
    assert ((found.policy[8] > 0.1).sum(), (found.policy > 1e-9).sum()) == (2, 13)


@given(st.integers(0, 1000), st.integers(1, 5), st.sampled_from([1e-1, 1e-2, 1e-3]))
@settings(max_examples=20)
def test_the_slater_constant_is_as_asked(seed, m, xi):
    """No more, no less: what is left over, and what is missing where it is negative."""
    mdp, c = garnet(4, 3, 2, 0.7, seed=seed), np.random.default_rng(seed).random((m, 4, 3))
    b = budgets_with_slack(mdp, c, xi)
    assert solve(CMDP(mdp, c, b)).slater == pytest.approx(xi, abs=1e-8)
    assert solve(CMDP(mdp, c, b - xi + 1e-6)).slater == pytest.approx(1e-6, abs=1e-8)
    with pytest.raises(Infeasible):
        solve(CMDP(mdp, c, b - xi - 1e-6))


def test_the_budgets_of_the_garnet_bind():
    assert (solve(constrained_garnet()).multipliers > 0.1).all()
    with pytest.raises(Infeasible):
        solve(constrained_garnet(xi=-0.01))
