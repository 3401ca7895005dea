"""One-shot dualisation against loops; gradient and Hessian against differentiation; stepwise alignment is alignment."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.constrained.one_shot_dualisation import OneShotDualisation
from mdptk.core import exact
from mdptk.core.alignment import implicit_reward, tilted
from mdptk.core.errors import InvalidHyperparameter
from mdptk.core.models import CMDP, MDP
from mdptk.problems.constrained import safe_answers
from mdptk.testing import cmdps
from mdptk.theory.stock_constrained import optimum
from mdptk.theory.stock_tilted import dual
from tests.algorithms.constrained.loops import spent


def reference(alg, cmdp, steps):
    """A price for each cost, weights for each answer."""
    lam, out = np.zeros(cmdp.m), []
    for _ in range(steps + 1):
        pi = np.zeros((cmdp.S, cmdp.A))
        for s in range(cmdp.S):
            prices = [sum(lam[i] * cmdp.c[i, s, a] for i in range(cmdp.m)) for a in range(cmdp.A)]
            pi[s] = [np.exp((cmdp.mdp.r[s, a] - prices[a]) / alg.beta) for a in range(cmdp.A)]
            pi[s] /= pi[s].sum()
        out.append((lam, pi))
        lam = np.maximum(lam + alg.step_size(cmdp) * (spent(cmdp, pi) - cmdp.b), 0)
    return {"lam": np.array([x[0] for x in out]), "pi": np.array([x[1] for x in out])}


@given(cmdps(gammas=(0.0,)), st.sampled_from([0.05, 0.5, 5.0]))
@settings(max_examples=20)
def test_theorems(cmdp, beta):
    for verdict in check(run(OneShotDualisation(beta), cmdp, 20), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


def test_gradient_and_hessian():
    """By central differences, whose error is of the second order of their step."""
    cmdp, beta, lam, h = safe_answers(), 0.3, np.array([0.7]), 1e-4
    f = lambda x: float(dual(cmdp, lam + x, beta))  # noqa: E731
    pi = exact.softmax((cmdp.mdp.r - lam[0] * cmdp.c[0]) / beta)
    mean = (pi * cmdp.c[0]).sum(1)
    variance = (pi * cmdp.c[0] ** 2).sum(1) - mean**2
    assert (f(h) - f(-h)) / (2 * h) == pytest.approx(cmdp.b[0] - mean @ cmdp.mdp.rho, abs=1e-7)
    assert (f(h) - 2 * f(0) + f(-h)) / h**2 == pytest.approx(variance @ cmdp.mdp.rho / beta, abs=1e-5)


def test_the_last_policy_solves_the_problem_with_the_penalty():
    """Complementary slackness; and with less of a penalty what is earned comes nearer to the optimum without."""
    cmdp, lost = safe_answers(), []
    for beta in (0.5, 0.2, 0.1):
        result = run(OneShotDualisation(beta), cmdp, 2000, every=1000)
        assert abs(result["returns"][0, -1, 1:] - cmdp.b).max() <= 1e-9
        lost.append(optimum(cmdp).value - result["returns"][0, -1, 0])
        assert 0 < lost[-1] <= beta * np.log(cmdp.A)
    assert lost == sorted(lost, reverse=True)


def test_stepwise_alignment_is_alignment():
    """First for r and then for g, in either order, or at once."""
    rng = np.random.default_rng(0)
    ref, r, g = exact.log_softmax(rng.normal(size=(5, 4))), rng.random((5, 4)), rng.random((5, 4))
    at_once, lam, beta = tilted(ref, r + 0.7 * g, 0.2), 0.7, 0.2
    np.testing.assert_allclose(tilted(tilted(ref, r, beta), g, beta / lam), at_once, atol=1e-12)
    np.testing.assert_allclose(tilted(tilted(ref, g, beta / lam), r, beta), at_once, atol=1e-12)
    with pytest.raises(InvalidHyperparameter, match="beta = 0"):
        tilted(ref, r, 0)


def test_rewards_that_are_read_off_policies_give_the_same_multipliers():
    """PeCAN: implicit rewards are off by a constant in each state, and budgets are counted from the reference."""
    rng = np.random.default_rng(1)
    S, A, beta = 4, 3, 0.3
    r, c, P = rng.random((S, A)), rng.random((S, A)), np.full((S, A, S), 1 / S)
    ref, ends = np.full((S, A), -np.log(A)), []
    read = [implicit_reward(tilted(ref, x, 0.9), ref, 0.9) for x in (r, c)]
    for reward, cost in ((r, c), read):
        cmdp = CMDP(MDP(P, reward, 0.0), cost, cost.mean() - 0.05)
        ends.append(run(OneShotDualisation(beta), cmdp, 500, every=500))
    np.testing.assert_allclose(ends[0]["lam"][0, -1], ends[1]["lam"][0, -1], atol=1e-9)
    np.testing.assert_allclose(ends[0]["pi"][0, -1], ends[1]["pi"][0, -1], atol=1e-9)
    assert ends[0]["lam"][0, -1, 0] > 0.1
