"""Soft policy iteration against its definition in loops, against natural policy gradient, and as Newton's method."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.policy_gradient.entropy_npg import EntropyNPG
from mdptk.algorithms.policy_gradient.soft_policy_iteration import LINEAR, POLICIES, QUADRATIC, SoftPolicyIteration
from mdptk.core import exact
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps
from mdptk.theory.stock_policy import q_error


def reference(alg, mdp, steps):
    """Evaluate by Gauss-Seidel sweeps, then a softmax of Q / tau in every state."""
    S, A = mdp.S, mdp.A
    pi, out = np.full((S, A), 1 / A), []
    for _ in range(steps + 1):
        out.append(pi.copy())
        v = np.zeros(S)
        for _ in range(int(40 / (1 - mdp.gamma)) + 1):
            for s in range(S):
                v[s] = sum(
                    pi[s, a] * (mdp.r[s, a] + mdp.gamma * mdp.P[s, a] @ v - alg.tau * np.log(max(pi[s, a], 1e-300)))
                    for a in range(A)
                )
        for s in range(S):
            q = [mdp.r[s, a] + mdp.gamma * mdp.P[s, a] @ v for a in range(A)]
            weights = [np.exp((x - max(q)) / alg.tau) for x in q]
            for a in range(A):
                pi[s, a] = weights[a] / sum(weights)
    return {"pi": np.array(out)}


@given(mdps(max_S=3, gammas=(0.0, 0.3, 0.9)), st.sampled_from([0.1, 1.0]))
@settings(max_examples=20)
def test_pseudo_code(mdp, tau):
    got = run(SoftPolicyIteration(tau), mdp, 3)["pi"][0]
    np.testing.assert_allclose(got, reference(SoftPolicyIteration(tau), mdp, 3)["pi"], rtol=1e-9, atol=1e-12)


@given(mdps(), st.sampled_from([1e-3, 0.1, 10.0]))
@settings(max_examples=30)
def test_theorems(mdp, tau):
    for verdict in check(run(SoftPolicyIteration(tau), mdp, 10)):
        assert verdict.ok is not False, str(verdict)


def test_it_is_the_longest_step_of_natural_policy_gradient():
    mdp = garnet(gamma=0.5)
    want = run(EntropyNPG(eta=2.0, tau=0.25), mdp, 5)["log_pi"]
    np.testing.assert_allclose(run(SoftPolicyIteration(0.25), mdp, 5)["log_pi"], want, rtol=1e-9, atol=1e-12)


def test_a_step_is_newtons():
    """v - J^{-1} (v - T v), with J = I - gamma P_pi for the soft greedy policy, which is the derivative of v - T v."""
    mdp, tau = garnet(6, 3, 2), 0.2
    result = run(SoftPolicyIteration(tau), mdp, 3)
    for before, after in zip(result["log_pi"][0, :-1], result["log_pi"][0, 1:], strict=True):
        v = exact.soft_evaluate(mdp, before, tau)
        q = mdp.r + mdp.gamma * mdp.P @ v
        Tv = tau * np.log(np.exp(q / tau).sum(-1))
        J = np.eye(mdp.S) - mdp.gamma * np.einsum("sa,sat->st", np.exp(after), mdp.P)
        np.testing.assert_allclose(exact.soft_evaluate(mdp, after, tau), v - np.linalg.solve(J, v - Tv), rtol=1e-10)


def test_the_error_is_squared():
    """From an error of 1 to one of rounding in a few steps, and the constant is right within the factor seen here."""
    result = run(SoftPolicyIteration(1.0), garnet(gamma=0.5), 6)
    error = q_error.values(result)[0]
    assert error[0] > 1e-2
    assert error[4] < 1e-12
    verdict = QUADRATIC.check(result)
    assert verdict.ok
    assert verdict.informative


@pytest.mark.parametrize("gamma", [0.05, 0.1])
def test_quadratic_is_tight_where_hoeffding_is(gamma):
    """A choice, as likely as not, between a state with an error and one without, met at every other step."""
    P = np.zeros((3, 2, 3))
    P[0, 0, 1] = P[0, 1, 2] = P[1, :, 0] = P[2, :, 0] = 1
    verdict = QUADRATIC.check(run(SoftPolicyIteration(1.0), MDP(P, [[0.0, 0.0], [0.3, -0.3], [0.0, 0.0]], gamma), 2))
    assert verdict.ok
    assert verdict.ratio == pytest.approx(1 / (1 + gamma), rel=0.05)  # (1 - gamma) / (1 - gamma^2)


def test_policies_and_values_are_tight_somewhere():
    """One state leads to a choice that is worth little: the error is passed on with gamma and no more."""
    assert POLICIES.check(run(SoftPolicyIteration(0.1), garnet(), 5)).ratio > 0.3
    assert LINEAR.check(run(SoftPolicyIteration(10.0), garnet(), 5)).ok
