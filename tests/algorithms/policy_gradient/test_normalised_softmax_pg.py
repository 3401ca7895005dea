"""Normalised softmax policy gradient against its definition in loops; the curvature against the Hessian itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.policy_gradient.normalised_softmax_pg import (
    ASCENT,
    CONVERGENCE,
    NormalisedSoftmaxPG,
    concentration,
    curvature,
)
from mdptk.core import exact
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps
from mdptk.theory.stock import suboptimality


def _every_deterministic_policy(mdp):
    for actions in np.ndindex(*[mdp.A] * mdp.S):
        yield np.eye(mdp.A)[list(actions)]


def reference(alg, mdp, steps):
    """Mei et al. 2021, Algorithm 1, in loops; C by trying every deterministic policy of a small model."""
    S, A, gamma = mdp.S, mdp.A, mdp.gamma
    if alg.eta is not None:
        eta = alg.eta
    elif (mdp.rho == 0).any():
        eta = 0.0
    else:
        C = float(concentration(mdp)) if A**S > 100 else 0.0
        if A**S <= 100:
            for pi in _every_deterministic_policy(mdp):
                P = np.array([pi[s] @ mdp.P[s] for s in range(S)])
                d = (1 - gamma) * np.linalg.inv(np.eye(S) - gamma * P).T @ mdp.rho
                C = max(C, max(d / mdp.rho))
        eta = np.log(2) / (3 + np.sqrt(2) * C * (C - 1 + gamma) / (1 - gamma) ** 2)
    theta, out = np.zeros((S, A)), []
    for _ in range(steps + 1):
        pi = np.array([np.exp(theta[s]) / sum(np.exp(theta[s])) for s in range(S)])
        out.append(pi)
        P = np.array([pi[s] @ mdp.P[s] for s in range(S)])
        M = np.linalg.inv(np.eye(S) - gamma * P)
        v, visits = M @ [pi[s] @ mdp.r[s] for s in range(S)], M.T @ mdp.rho
        g = np.zeros((S, A))
        for s in range(S):
            for a in range(A):
                advantage = mdp.r[s, a] + gamma * mdp.P[s, a] @ v - v[s]
                g[s, a] = visits[s] * pi[s, a] * advantage if abs(advantage) > 1e-12 else 0.0
        norm = np.sqrt(sum(g[s, a] ** 2 for s in range(S) for a in range(A)))
        theta = theta + eta * g / norm if norm > 0 else theta
    return {"pi": np.array(out)}


def positive(mdp):
    """The model with a start distribution that is positive."""
    return MDP(mdp.P, mdp.r, mdp.gamma, (mdp.rho + 1e-2) / (mdp.rho + 1e-2).sum())


@given(st.integers(0, 1000), st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from([None, 0.3]))
@settings(max_examples=20)
def test_pseudo_code(seed, gamma, eta):
    mdp = garnet(3, 2, 2, gamma, seed=seed)
    got = run(NormalisedSoftmaxPG(eta), mdp, 4)["pi"][0]
    np.testing.assert_allclose(got, reference(NormalisedSoftmaxPG(eta), mdp, 4)["pi"], rtol=1e-8, atol=1e-12)


@given(mdps(max_S=4).map(positive), st.sampled_from([None, 0.1]))
@settings(max_examples=30)
def test_theorems(mdp, eta):
    for verdict in check(run(NormalisedSoftmaxPG(eta), mdp, 20), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


@given(mdps(max_S=3, gammas=(0.0, 0.5, 0.9)).map(positive), st.integers(0, 1000), st.sampled_from([1.0, 5.0]))
@settings(max_examples=30)
def test_curvature_bounds_the_hessian(mdp, seed, size):
    """The Hessian by central differences of the exact gradient; rewards of any size, no bound on them is assumed."""
    mdp = MDP(mdp.P, 10 * mdp.r - 3, mdp.gamma, mdp.rho)
    theta = size * np.random.default_rng(seed).normal(size=mdp.r.shape)
    n, h = theta.size, 1e-5
    gradient = lambda x: exact.softmax_gradient(mdp, exact.softmax(x.reshape(theta.shape))).ravel()  # noqa: E731
    H = np.array([(gradient(theta.ravel() + h * e) - gradient(theta.ravel() - h * e)) / (2 * h) for e in np.eye(n)])
    largest = abs(np.linalg.eigvalsh((H + H.T) / 2)).max()
    noise = 1e-5 * (1 + abs(mdp.r).max()) / (1 - mdp.gamma) ** 4  # of differences of second order, and of rounding
    assert largest <= curvature(mdp) * np.linalg.norm(gradient(theta)) + noise


def test_concentration():
    """From the start in two states each policy can be in one of them for ever; the other has the start only."""
    P = np.zeros((2, 2, 2))
    P[:, 0, 0] = P[:, 1, 1] = 1
    assert concentration(MDP(P, np.zeros((2, 2)), 0.9)) == pytest.approx((0.5 + 0.9 * 0.5) / 0.5)
    assert concentration(garnet(gamma=0.0)) == pytest.approx(1.0)
    assert curvature(garnet(gamma=0.0)) == pytest.approx(3.0)


def test_the_rate_is_linear_where_softmax_gradients_have_one_over_t():
    """A bandit: the gap falls by a constant factor, and the theorem says something."""
    mdp = MDP(np.ones((1, 2, 1)), [[1.0, 0.0]], 0.0)
    result = run(NormalisedSoftmaxPG(), mdp, 100)
    gap = suboptimality.values(result)[0]
    np.testing.assert_allclose(gap[51:] / gap[50:-1], np.exp(-np.sqrt(2) * np.log(2) / 3), rtol=1e-3)
    verdict = CONVERGENCE.check(result)
    assert verdict.ok
    assert verdict.informative


def test_nothing_to_gain_is_no_step():
    """No actions to choose from: a gradient that is zero exactly."""
    mdp = MDP(garnet().P[:, :1], garnet().r[:, :1], 0.9)
    np.testing.assert_array_equal(run(NormalisedSoftmaxPG(), mdp, 3)["theta"], 0)


def test_ascent_catches_a_wrong_direction():
    class Downhill(NormalisedSoftmaxPG):
        def step(self, problem, state):
            theta = state.theta - 5 * exact.softmax_gradient(problem, state.pi)
            return type(state)(theta, exact.softmax(theta))

    assert not ASCENT.check(run(Downhill(), garnet(), 5)).ok
