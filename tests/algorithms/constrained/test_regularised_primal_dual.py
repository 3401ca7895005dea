"""RPG-PD against its definition in loops; the saddle point; the disputed step of the published proof."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import CMDP, MDP, check, run
from mdptk.algorithms.constrained.regularised_primal_dual import PUBLISHED, RECURSION, REPAIRED, RegularisedPrimalDual
from mdptk.core import exact
from mdptk.problems.constrained import constrained_garnet, paradoxical
from mdptk.testing import cmdps
from mdptk.theory.saddle import regularised_saddle
from mdptk.theory.stock_constrained import excess, last
from tests.algorithms.constrained.loops import action_value, priced, spent, value


def reference(alg, cmdp, steps):
    """Weights times exp(eta Q), Q with the price of the costs and of being likely; prices shrink by eta tau."""
    mdp, bound = cmdp.mdp, alg.multiplier_bound(cmdp)
    pi, lam, out = np.full((mdp.S, mdp.A), 1 / mdp.A), np.zeros(cmdp.m), []
    for _ in range(steps + 1):
        out.append((lam, pi.copy()))
        r = priced(cmdp, lam) - alg.tau * np.log(pi)
        q, g = action_value(mdp, r, value(mdp, r, pi)), spent(cmdp, pi) - cmdp.b
        for s in range(mdp.S):
            pi[s] = [pi[s, a] * np.exp(alg.eta * q[s, a]) for a in range(mdp.A)]
            pi[s] /= pi[s].sum()
        up = [(1 - alg.eta * alg.tau) * lam[i] + alg.eta * g[i] for i in range(cmdp.m)]
        lam = np.array([min(max(0.0, x), bound) for x in up])
    return {"lam": np.array([x[0] for x in out]), "pi": np.array([x[1] for x in out])}


@given(cmdps(), st.sampled_from([(0.1, 0.1), (1e-3, 1.0), (1.0, 0.01)]))
@settings(max_examples=15)
def test_theorems(cmdp, numbers):
    for verdict in check(run(RegularisedPrimalDual(*numbers), cmdp, 20), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


@given(cmdps(), st.sampled_from([1e-2, 0.1, 1.0]), st.sampled_from([0.5, 3.0]), st.integers(0, 1000))
@settings(max_examples=25)
def test_saddle(cmdp, tau, bound, seed):
    """Nobody can deviate with profit: a policy against its prices, prices against its policy."""
    star = regularised_saddle(cmdp, tau, bound)
    rng = np.random.default_rng(seed)
    size = (1 + cmdp.m * bound) / (1 - cmdp.gamma)
    assert star.error <= 1e-8 * size

    def L(log_pi, lam):
        soft = exact.soft_evaluate(cmdp.penalised(lam), log_pi, tau) @ cmdp.mdp.rho
        return soft + lam @ cmdp.b + tau / 2 * lam @ lam

    middle, slack = L(star.log_pi, star.lam), star.error + 1e-12 * size
    other = exact.log_softmax(star.log_pi + rng.normal(size=star.log_pi.shape))
    assert L(other, star.lam) <= middle + slack
    assert L(star.log_pi, bound * rng.random(cmdp.m)) >= middle - slack


def test_the_normalisation_of_occupancies_matters():
    """With the relative entropies under the occupancy that sums to one, the step of the proof is false."""
    cmdp, eta, tau = paradoxical(0.9, 5.0), 0.01, 0.01
    result = run(RegularisedPrimalDual(eta, tau, bound=4.0), cmdp, 400)
    assert RECURSION.check(result).ok
    star, log_pi, lam = regularised_saddle(cmdp, tau, 4.0), result["log_pi"][0, :, 0], result["lam"][0]
    star_pi = np.exp(star.log_pi[0])
    phi = (star_pi * (star.log_pi[0] - log_pi)).sum(-1) + ((star.lam - lam) ** 2).sum(-1) / 2
    a = (lam @ cmdp.c[:, 0] - cmdp.mdp.r[0]) * -1 - tau * log_pi
    a = a - (np.exp(log_pi) * a).sum(-1, keepdims=True)  # one state: what comes after is the same for all actions
    move = excess(result, last(result))[0] - tau * lam
    remainder = np.log((np.exp(log_pi + eta * a)).sum(-1)) + eta**2 * (move**2).sum(-1) / 2
    broken = phi[1:] - (1 - eta * tau) * phi[:-1] - remainder[:-1]
    assert broken.max() > 5e-3
    assert (broken > 1e-9).mean() > 0.4


def test_the_disputed_step():
    """The proof takes tau log A for a bound on -tau log pi_t(a|s). It bounds the mean over a, not every one."""
    result = run(RegularisedPrimalDual(), constrained_garnet(m=1), 200)
    surprise = -result["log_pi"][0]
    assert surprise.max() > 2 * np.log(3)
    assert (np.exp(-surprise) * surprise).sum(-1).max() <= np.log(3) + 1e-12
    assert PUBLISHED.check(result).ok  # and yet the statement holds here


def test_probabilities_stay_above_the_floor_of_the_repaired_bound():
    """-log pi_t <= log A + B / tau, with prices that jump as far as they may."""
    alg = RegularisedPrimalDual(eta=1.0, tau=0.2, bound=4.0)
    result = run(alg, paradoxical(), 100)
    B = (1 + 4.0 + 0.5 * 0.2 * np.log(2)) / 0.5
    assert 1 < -result["log_pi"].min() <= np.log(2) + B / 0.2


def test_the_repaired_bound_says_something_for_small_steps():
    """A tenth of the start is reached, and the bound is below the start."""
    result = run(RegularisedPrimalDual(eta=1e-3, tau=3.0, bound=1.0), paradoxical(), 1000, every=100)
    verdict = REPAIRED.check(result)
    assert verdict.informative
    assert 0.1 < verdict.ratio < 1


def test_the_last_policy_comes_to_rest():
    """Where that of gradient descent-ascent circles; at a point that the regularisation moves by less than tau."""
    result = run(RegularisedPrimalDual(bound=4.0), paradoxical(), 1000)
    star = regularised_saddle(paradoxical(), 0.1, 4.0)
    np.testing.assert_allclose(result["pi"][0, -1], np.exp(star.log_pi), atol=1e-3)
    np.testing.assert_allclose(result["lam"][0, -1], star.lam, atol=1e-3)
    assert 0.01 < result["returns"][0, -1, 1] - 0.5 < 0.4


def test_multipliers_are_bounded_by_the_slater_constant_if_nothing_is_said():
    """1 / ((1 - gamma) xi) with gamma = 1/2 and xi = 1/10."""
    cmdp = constrained_garnet(gamma=0.5, xi=0.1)
    assert RegularisedPrimalDual().multiplier_bound(cmdp) == pytest.approx(20, rel=1e-4)
    assert RegularisedPrimalDual(bound=3.0).multiplier_bound(cmdp) == 3.0


def test_a_potential_of_zero_does_not_come_out_below():
    """A divergence of 1e-264 less than nothing has no root; found by the nightly check of true statements."""
    leak = 5e-4
    go = [1 - leak, leak], [leak, 1 - leak]
    cmdp = CMDP(MDP([go, go[::-1]], [[0, 0], [1, 0]], 0.0), c=np.zeros((1, 2, 2)), b=0.5)
    alg = RegularisedPrimalDual(eta=35.92269614125811, tau=0.0016309822119036546, bound=0.14337467900970957)
    assert all(verdict.ok is not False for verdict in check(run(alg, cmdp, 3), skip_unmet=True))
