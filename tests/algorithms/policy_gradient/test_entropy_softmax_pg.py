"""Entropy-regularised softmax policy gradient against its definition in loops, and its gradient against differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, Run, check, run
from mdptk.algorithms.policy_gradient.entropy_softmax_pg import ASCENT, CONVERGENCE, LOJASIEWICZ, EntropySoftmaxPG
from mdptk.algorithms.policy_gradient.softmax_pg import SoftmaxPG
from mdptk.core import exact
from mdptk.core.errors import AssumptionViolated, InvalidHyperparameter
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps, policies


def reference(alg, mdp, steps):
    """Mei et al. 2020, Algorithm 1 with the gradient of Lemma 10, in loops; values and visits by sweeps."""
    S, A, tau = mdp.S, mdp.A, alg.tau
    eta = (1 - mdp.gamma) ** 3 / (8 + tau * (4 + 8 * np.log(A))) if alg.eta is None else alg.eta
    theta, out = np.zeros((S, A)), []
    for _ in range(steps + 1):
        pi = np.array([[np.exp(theta[s, a]) / sum(np.exp(theta[s])) for a in range(A)] for s in range(S)])
        out.append(pi)
        v, visits, p = np.zeros(S), np.zeros(S), np.array(mdp.rho)
        for _ in range(int(40 / (1 - mdp.gamma)) + 1):
            for s in range(S):
                v[s] = sum(
                    pi[s, a] * (mdp.r[s, a] - tau * np.log(pi[s, a]) + mdp.gamma * mdp.P[s, a] @ v) for a in range(A)
                )
            visits, p = visits + p, mdp.gamma * sum(p[s] * pi[s, a] * mdp.P[s, a] for s in range(S) for a in range(A))
        for s in range(S):
            for a in range(A):
                soft = mdp.r[s, a] + mdp.gamma * mdp.P[s, a] @ v - tau * np.log(pi[s, a]) - v[s]
                theta[s, a] += eta * visits[s] * pi[s, a] * soft
    return {"pi": np.array(out)}


def positive(mdp):
    """The model with a start distribution that is positive."""
    return MDP(mdp.P, mdp.r, mdp.gamma, (mdp.rho + 1e-3) / (mdp.rho + 1e-3).sum())


@given(mdps(max_S=3, gammas=(0.0, 0.3, 0.9)), st.sampled_from([None, 0.01, 1.0]))
@settings(max_examples=20)
def test_pseudo_code(mdp, eta):
    got = run(EntropySoftmaxPG(0.5, eta), mdp, 3)["pi"][0]
    np.testing.assert_allclose(got, reference(EntropySoftmaxPG(0.5, eta), mdp, 3)["pi"], rtol=1e-9, atol=1e-12)


@given(mdps().map(positive), st.sampled_from([1e-3, 0.1, 10.0]), st.sampled_from([None, 0.1]))
@settings(max_examples=30)
def test_theorems(mdp, tau, eta):
    for verdict in check(run(EntropySoftmaxPG(tau, eta), mdp, 20), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


@given(mdps().map(positive), st.data(), st.sampled_from([1e-2, 1.0]))
@settings(max_examples=40)
def test_lojasiewicz_for_every_policy(mdp, data, tau):
    pi = data.draw(policies(mdp)) + 1e-6
    pi = np.broadcast_to(pi / pi.sum(-1, keepdims=True), (1, 2, *pi.shape))
    c = pi.min((-2, -1))
    out = {"log_pi": np.log(pi), "pi": pi, "c": c}
    made_up = Run(EntropySoftmaxPG(tau), mdp, np.arange(2.0), out, {"c": c[:, 0]})
    assert LOJASIEWICZ.check(made_up).ok


def test_gradient_is_that_of_the_exact_value():
    """By complex steps of the value in closed form."""
    mdp, tau = garnet(4, 3, 2, seed=1), 0.3
    theta = np.random.default_rng(1).normal(size=mdp.r.shape)

    def value(theta):
        log_pi = theta - np.log(np.exp(theta).sum(-1, keepdims=True))
        pi = np.exp(log_pi)
        P, r = np.einsum("sa,sat->st", pi, mdp.P), (pi * (mdp.r - tau * log_pi)).sum(-1)
        return mdp.rho @ np.linalg.solve(np.eye(mdp.S) - mdp.gamma * P, r)

    g = np.zeros_like(theta)
    for i in np.ndindex(theta.shape):
        step = np.zeros(theta.shape, complex)
        step[i] = 1e-30j
        g[i] = value(theta + step).imag / 1e-30
    got = exact.soft_softmax_gradient(mdp, exact.log_softmax(theta), tau)
    np.testing.assert_allclose(got, g, rtol=1e-10, atol=1e-14)


def test_without_entropy_it_is_softmax_policy_gradient():
    got = run(EntropySoftmaxPG(1e-12, 0.5), garnet(), 10)["pi"]
    np.testing.assert_allclose(got, run(SoftmaxPG(0.5), garnet(), 10)["pi"], atol=1e-9)


def test_the_rate_says_something_and_lojasiewicz_is_tight_within_the_probability():
    """Two actions, one state, gamma = 0: the least probability enters squared where one factor of 2 pi (1 - pi) is."""
    mdp = MDP(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.0)
    result = run(EntropySoftmaxPG(1.0), mdp, 200)
    verdict = CONVERGENCE.check(result)
    assert verdict.ok
    assert verdict.informative
    assert LOJASIEWICZ.check(result).ratio > 0.1


def test_ascent_catches_a_wrong_gradient():
    class Forgetful(EntropySoftmaxPG):
        """The gradient of the value without its entropy."""

        def step(self, problem, state):
            log_pi = exact.log_softmax(state.log_pi - 4 * exact.softmax_gradient(problem, state.pi))
            return type(state)(log_pi, np.exp(log_pi))

    assert not ASCENT.check(run(Forgetful(), garnet(), 5)).ok


def test_step_sizes():
    assert EntropySoftmaxPG(0.5).step_size(garnet(gamma=0.5)) == 0.125 / (8 + 0.5 * (4 + 8 * np.log(3)))
    with pytest.raises(InvalidHyperparameter, match="tau"):
        EntropySoftmaxPG(tau=0.0)
    with pytest.raises(AssumptionViolated, match=r"eta = 0\.25"):
        CONVERGENCE.check(run(EntropySoftmaxPG(eta=0.25), garnet(), 1))
