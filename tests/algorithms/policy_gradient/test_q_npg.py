"""Q-NPG against loops, its tabular limit, its errors, and what is left out where features are dependent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.algorithms.policy_gradient.q_npg import IDENTITY, QNPG, TRANSFER, bias, estimation
from mdptk.core import exact
from mdptk.core.compatible import cosine_features, explored_occupancy, least_squares
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps, policies


def reference(alg, mdp, steps):
    """The normal equations in loops, their pseudo-inverse; the occupancy by iteration."""
    S, A = mdp.S, mdp.A
    P, gamma = mdp.dense().P, mdp.gamma
    phi = np.zeros((S, A, A * alg.n))
    for s in range(S):
        for a in range(A):
            for j in range(alg.n):
                phi[s, a, a * alg.n + j] = np.cos(np.pi * j * (s + 0.5) / S) / np.sqrt(alg.n)
    theta, out = np.zeros(A * alg.n), []
    for _ in range(steps + 1):
        pi = np.array([[np.exp(phi[s, a] @ theta) for a in range(A)] for s in range(S)])
        pi /= pi.sum(-1, keepdims=True)
        out.append(pi)
        P_pi = np.array([pi[s] @ P[s] for s in range(S)])
        v = np.linalg.solve(np.eye(S) - gamma * P_pi, [pi[s] @ mdp.r[s] for s in range(S)])
        M = np.array([[P[s, a, t] * pi[t, b] for t in range(S) for b in range(A)] for s in range(S) for a in range(A)])
        nu = np.array([mdp.rho[s] / A for s in range(S) for a in range(A)])  # pairs are the states of this chain
        seen = (1 - gamma) * np.linalg.solve(np.eye(S * A) - gamma * M.T, nu).reshape(S, A)
        F, b = np.zeros((A * alg.n, A * alg.n)), np.zeros(A * alg.n)
        for s in range(S):
            for a in range(A):
                F += seen[s, a] * np.outer(phi[s, a], phi[s, a])
                b += seen[s, a] * phi[s, a] * (mdp.r[s, a] + gamma * P[s, a] @ v)
        theta = theta + alg.eta * np.linalg.pinv(F, rcond=1e-12, hermitian=True) @ b
    return {"pi": np.array(out)}


@settings(max_examples=25)
@given(
    mdps(max_S=4, gammas=(0.0, 0.5, 0.9)), st.sampled_from([0.01, 1.0]), st.integers(1, 5), st.sampled_from([0.0, 0.1])
)
def test_theorems(mdp, eta, n, ridge):
    for verdict in check(run(QNPG(eta, n, ridge), mdp, 8)):
        assert verdict.ok is not False, str(verdict)


@given(st.integers(0, 1000))
@settings(max_examples=10)
def test_with_as_many_features_as_states_it_is_npg(seed):
    mdp = garnet(4, 3, 2, 0.8, seed=seed)
    table = run(NPG(eta=0.5 * (1 - 0.8)), mdp, 10)
    linear = run(QNPG(eta=0.5, n=4), mdp, 10)
    np.testing.assert_allclose(linear["pi"], table["pi"], rtol=1e-7, atol=1e-10)
    assert bias.values(linear)[0, -1] < 1e-8


def test_dependent_features_are_left_out_and_counted():
    """Twice as many cosines as states: the same policies as with a table, and the rank says so."""
    mdp = garnet(3, 2, 2, 0.8, seed=1)
    more, table = run(QNPG(eta=0.5, n=6), mdp, 5), run(QNPG(eta=0.5, n=3), mdp, 5)
    np.testing.assert_array_equal(more["rank"][0, 1:], 6)  # of 12 features
    assert abs(more["f"] - table["f"]).max() < 1e-8
    np.testing.assert_allclose(more["pi"], table["pi"], rtol=1e-7)


def test_a_state_that_is_never_seen_is_not_fitted():
    """Nothing leads to state 0, and no run begins there: the rank is what the others have."""
    P = np.zeros((3, 2, 3))
    P[..., 1:] = np.random.default_rng(0).dirichlet(np.ones(2), (3, 2))
    mdp = MDP(P, np.random.default_rng(1).random((3, 2)), 0.8, [0.0, 0.5, 0.5])
    result = run(QNPG(n=3), mdp, 5)
    np.testing.assert_array_equal(result["rank"][0, 1:], 4)
    assert all(v.ok for v in check(result))


def test_the_errors_are_seen_one_by_one():
    mdp = garnet(6, 2, 3, 0.7, seed=2)
    few, ridge = run(QNPG(eta=0.5, n=2), mdp, 50), run(QNPG(eta=0.5, n=6, ridge=0.3), mdp, 50)
    assert bias.values(few)[0, -1] > 1e-3
    assert estimation.values(few)[0, -1] < 1e-13
    assert bias.values(ridge)[0, -1] < 1e-8
    assert estimation.values(ridge)[0, -1] > 1e-2


def test_the_bound_says_something_in_a_bandit():
    """With W = 1 it is log(2) / (eta t) + eta / 2 there; elsewhere W makes it larger than the trivial bound."""
    bandit = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.0)
    verdict = TRANSFER.check(run(QNPG(eta=0.3, n=1), bandit, 40))
    assert not verdict.vacuous
    assert verdict.ratio > 0.1


@given(mdps(max_S=4), st.data())
@settings(max_examples=20)
def test_explored_occupancy_is_a_distribution_above_its_start(mdp, data):
    x = explored_occupancy(mdp, data.draw(policies(mdp)))
    assert x.sum() == pytest.approx(1, abs=1e-10)
    assert (x >= (1 - mdp.gamma) * mdp.rho[:, None] / mdp.A - 1e-12).all()


def test_least_squares_with_ridge_solves_its_equations():
    rng = np.random.default_rng(0)
    x, y, weight = rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 2)), rng.random((3, 2))
    w = least_squares(x, y, weight, 0.2).w
    X, W = x.reshape(6, 4), weight.ravel()
    np.testing.assert_allclose(X.T @ (W * (y.ravel() - X @ w)), 0.2 * w, atol=1e-13)
    assert np.linalg.norm(cosine_features(5, 2, 3), axis=-1).max() <= 1


def test_the_identity_catches_a_wrong_fit():
    class Forgetful(QNPG):
        def step(self, problem, state):
            new = super().step(problem, state)
            log_pi = exact.log_softmax(new.log_pi * 1.01)
            return new._replace(log_pi=log_pi, pi=np.exp(log_pi))

    assert not IDENTITY.check(run(Forgetful(), garnet(), 3)).ok
