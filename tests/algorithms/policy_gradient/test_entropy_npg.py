"""Entropy-regularised natural policy gradient against its definition in loops, and the soft kernel against others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.policy_gradient.entropy_npg import IMPROVEMENT, VALUES, EntropyNPG
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.core import exact
from mdptk.core.errors import AssumptionViolated
from mdptk.problems.garnet import garnet
from mdptk.problems.riverswim import riverswim
from mdptk.testing import mdps
from mdptk.theory.stock_policy import q_error


def reference(alg, mdp, steps):
    """Cen et al. 2022, equation for the update, on probabilities; values by Gauss-Seidel sweeps."""
    S, A, scale = mdp.S, mdp.A, alg.eta / (1 - mdp.gamma)
    pi, out = np.full((S, A), 1 / A), []
    for _ in range(steps + 1):
        out.append(pi.copy())
        v = np.zeros(S)
        q = np.zeros((S, A))
        for _ in range(int(40 / (1 - mdp.gamma)) + 1):
            for s in range(S):
                for a in range(A):
                    q[s, a] = mdp.r[s, a] + mdp.gamma * mdp.P[s, a] @ v
                v[s] = sum(pi[s, a] * (q[s, a] - alg.tau * np.log(max(pi[s, a], 1e-300))) for a in range(A))
        for s in range(S):
            for a in range(A):
                q[s, a] = mdp.r[s, a] + mdp.gamma * mdp.P[s, a] @ v
            new = pi[s] ** (1 - scale * alg.tau) * np.exp(scale * (q[s] - max(q[s])))
            pi[s] = new / sum(new)
    return {"pi": np.array(out)}


def soft_sweeps(mdp, tau, sweeps):
    """The soft Bellman operator, again and again: another method than Newton's."""
    v = np.zeros(mdp.S)
    for _ in range(sweeps):
        q = mdp.r + mdp.gamma * mdp.P @ v
        v = q.max(-1) + tau * np.log(np.exp((q - q.max(-1, keepdims=True)) / tau).sum(-1))
    return v


def longest(mdp, tau, fraction):
    """The method with a fraction of the longest step that the theorem allows."""
    return EntropyNPG(fraction * (1 - mdp.gamma) / tau, tau)


@given(mdps(max_S=3, gammas=(0.0, 0.3, 0.9)), st.sampled_from([0.01, 0.1]))
@settings(max_examples=25)
def test_pseudo_code(mdp, eta):
    got = run(EntropyNPG(eta, 0.5), mdp, 3)["pi"][0]
    np.testing.assert_allclose(got, reference(EntropyNPG(eta, 0.5), mdp, 3)["pi"], rtol=1e-9, atol=1e-12)


@given(mdps(), st.sampled_from([1e-3, 0.1, 1.0, 100.0]), st.sampled_from([0.01, 0.5, 1.0]))
@settings(max_examples=40)
def test_theorems(mdp, tau, fraction):
    for verdict in check(run(longest(mdp, tau, fraction), mdp, 20)):
        assert verdict.ok, str(verdict)


@given(mdps(gammas=(0.0, 0.3, 0.9)), st.sampled_from([1e-3, 0.1, 1.0, 100.0]))
@settings(max_examples=40)
def test_soft_optimum(mdp, tau):
    best = exact.soft_optimal(mdp, tau)
    size = 1 + tau * np.log(mdp.A)
    np.testing.assert_allclose(best.v, soft_sweeps(mdp, tau, 400), rtol=1e-10, atol=1e-10 * size)
    np.testing.assert_allclose(best.q, mdp.q(best.v), atol=1e-10 * size)
    hard = exact.optimal(mdp).v
    assert (best.v >= hard - 1e-9 * size).all()
    assert (best.v <= hard + tau * np.log(mdp.A) / (1 - mdp.gamma) + 1e-9 * size).all()


def test_soft_value_is_that_of_the_reward_with_entropy():
    mdp = garnet()
    log_pi = exact.log_softmax(np.random.default_rng(0).normal(size=(4, 10, 3)))
    for one, v in zip(log_pi, exact.soft_evaluate(mdp, log_pi, 0.7), strict=True):
        paid = MDP(mdp.P, mdp.r - 0.7 * one, mdp.gamma)
        np.testing.assert_allclose(v, exact.evaluate(paid, np.exp(one)), rtol=1e-12)


def test_the_longest_step_is_soft_policy_iteration():
    mdp, tau = garnet(gamma=0.5), 0.25
    result = run(EntropyNPG(2.0, tau), mdp, 4)
    q = mdp.q(exact.soft_evaluate(mdp, result["log_pi"][0, 2], tau))
    np.testing.assert_allclose(result["pi"][0, 3], exact.softmax(q / tau), rtol=1e-12)
    assert q_error.values(result)[0, -1] < 1e-6  # Newton's method: far faster than gamma^t in the end


def test_without_entropy_it_is_npg():
    got = run(EntropyNPG(0.5, 1e-12), garnet(), 10)["pi"]
    np.testing.assert_allclose(got, run(NPG(0.5), garnet(), 10)["pi"], atol=1e-9)


def test_values_are_tight_within_about_two():
    verdict = VALUES.check(run(EntropyNPG(0.2, 0.1), riverswim(), 60))
    assert verdict.ok
    assert verdict.informative
    assert verdict.ratio > 0.45


def test_longer_steps_are_refused_by_the_theorem_only():
    result = run(EntropyNPG(1.0, 0.2), garnet(), 5)
    with pytest.raises(AssumptionViolated, match=r"eta = 1, \(1 - gamma\) / tau = 0\.5"):
        VALUES.check(result)
    assert IMPROVEMENT.check(result).ok  # an identity, whatever the step


def test_tiny_probabilities_keep_their_logarithms():
    result = run(longest(garnet(), 1e-4, 1.0), garnet(), 10)
    assert (result["pi"] == 0).any()
    assert np.isfinite(result["log_pi"]).all()
    assert all(v.ok for v in check(result))


def test_a_batch_is_its_models_one_by_one():
    models = [garnet(5, 3, 3, 0.9, seed=i) for i in range(4)]
    batch = MDP(np.stack([m.P for m in models]), np.stack([m.r for m in models]), 0.9)
    together = run(EntropyNPG(), batch, 8)
    assert all(v.ok for v in check(together))
    for i, one in enumerate(models):
        alone = run(EntropyNPG(), one, 8)
        np.testing.assert_allclose(together["log_pi"][i], alone["log_pi"][0], rtol=1e-9, atol=1e-13)
        for th in EntropyNPG.theorems:
            for a, b in zip(th.sides(together), th.sides(alone), strict=True):
                np.testing.assert_allclose(a[i, 1:], b[0, 1:], rtol=1e-6, atol=1e-12)
