"""What is recorded of constrained runs: the last policy, and the average in occupancy space."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import Infeasible, run
from mdptk.algorithms.constrained.npg_primal_dual import NPGPrimalDual
from mdptk.core import exact
from mdptk.problems.constrained import constrained_garnet, constrained_two_state
from mdptk.testing import cmdps, policies
from mdptk.theory.stock_constrained import (
    average,
    average_gap,
    average_violation,
    excess,
    gap,
    lagrangian,
    lagrangian_advantage,
    last,
    optimum,
    slater_condition,
    violation,
)


@given(cmdps(), st.data())
@settings(max_examples=20)
def test_returns(cmdp, data):
    """What is read off the occupancy is what each reward has as its value."""
    pi = data.draw(policies(cmdp.mdp))
    mdp = cmdp.mdp
    want = [
        exact.expected_return(type(mdp)(mdp.P, r, mdp.gamma, mdp.rho), pi) for r in np.concatenate([[mdp.r], cmdp.c])
    ]
    np.testing.assert_allclose(exact.returns(cmdp, pi), want, rtol=1e-10, atol=1e-13)


def test_the_average_is_that_of_occupancies():
    """It is a stationary policy, other than the mean of the policies, and earns and spends the mean of what they do."""
    cmdp = constrained_garnet()
    result = run(NPGPrimalDual(eta_dual=0.5), cmdp, 6)
    pis = result["pi"][0, :6]
    x = exact.occupancy(cmdp.mdp, pis)[..., None] * pis
    mixture = exact.conditional(x.mean(0))
    np.testing.assert_allclose(exact.occupancy(cmdp.mdp, mixture)[:, None] * mixture, x.mean(0), atol=1e-14)
    np.testing.assert_allclose(average(result)[0, 6], exact.returns(cmdp, mixture), rtol=1e-12)
    assert abs(exact.returns(cmdp, pis.mean(0)) - exact.returns(cmdp, mixture)).max() > 1e-5
    best = optimum(cmdp).value
    np.testing.assert_allclose(average_gap.values(result)[0, 6], best - exact.returns(cmdp, mixture)[0])
    np.testing.assert_allclose(gap.values(result)[0], best - last(result)[0, :, 0])
    for q, of in ((violation, last), (average_violation, average)):
        np.testing.assert_allclose(q.values(result)[0, 1:], np.maximum(excess(result, of(result)), 0)[0, 1:].max(-1))


def test_thinning_keeps_the_average():
    cmdp = constrained_two_state()
    thin, full = run(NPGPrimalDual(), cmdp, 20, every=10), run(NPGPrimalDual(), cmdp, 20)
    np.testing.assert_array_equal(average(thin)[0, 1:], average(full)[0, [10, 20]])


def test_lagrangian_advantage():
    result = run(NPGPrimalDual(eta_dual=0.5), constrained_garnet(), 4)
    for k in range(5):
        priced = result.problem.penalised(result["lam"][0, k])
        want = exact.advantage(priced, result["pi"][0, k])
        np.testing.assert_allclose(lagrangian_advantage(result)[0, k], want, atol=1e-13)
        value = exact.expected_return(priced, result["pi"][0, k]) + result["lam"][0, k] @ result.problem.b
        np.testing.assert_allclose(lagrangian.values(result)[0, k], value, rtol=1e-12)


def test_slater_condition_says_what_is_wrong():
    assert slater_condition.test(None, constrained_garnet()) is None
    assert "no policy meets the budgets" in slater_condition.test(None, constrained_garnet(xi=-0.1))
    exactly = constrained_two_state(b=0.0)
    assert slater_condition.test(None, exactly)
    with pytest.raises(Infeasible):
        optimum(constrained_garnet(xi=-0.1))
