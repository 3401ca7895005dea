"""Natural policy gradient with log-linear policies against its Fisher matrix in loops, and its tabular limit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.policy_gradient.log_linear_npg import COMPATIBLE, LogLinearNPG
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.core import exact
from mdptk.core.compatible import cosine_features
from mdptk.core.gradients import gradient
from mdptk.core.parameterisations import LogLinear
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def reference(alg, mdp, steps):
    """The Fisher matrix and the gradient in loops, one score at a time; the pseudo-inverse of the matrix."""
    S, A, n = mdp.S, mdp.A, mdp.A * alg.n
    phi, P = cosine_features(S, A, alg.n), mdp.dense().P
    theta, out = np.zeros(n), []
    for _ in range(steps + 1):
        x = np.array([[phi[s, a] @ theta for a in range(A)] for s in range(S)])
        pi = np.array([np.exp(x[s] - max(x[s])) / sum(np.exp(x[s] - max(x[s]))) for s in range(S)])
        out.append(pi)
        P_pi = np.array([pi[s] @ P[s] for s in range(S)])
        M = np.eye(S) - mdp.gamma * P_pi
        v, d = np.linalg.solve(M, (pi * mdp.r).sum(-1)), (1 - mdp.gamma) * np.linalg.solve(M.T, mdp.rho)
        F, g = np.zeros((n, n)), np.zeros(n)
        for s in range(S):
            mean = sum(pi[s, a] * phi[s, a] for a in range(A))
            for a in range(A):
                score = phi[s, a] - mean
                F += d[s] * pi[s, a] * np.outer(score, score)
                g += d[s] * pi[s, a] * score * (mdp.r[s, a] + mdp.gamma * P[s, a] @ v - v[s])
        theta = theta + alg.eta * np.linalg.pinv(F, rcond=1e-13, hermitian=True) @ g
    return {"pi": np.array(out)}


@settings(max_examples=25)
@given(mdps(max_S=4, gammas=(0.0, 0.5, 0.9)), st.sampled_from([0.01, 1.0]), st.integers(1, 5))
def test_theorems(mdp, eta, n):
    for verdict in check(run(LogLinearNPG(eta, n), mdp, 8)):
        assert verdict.ok is not False, str(verdict)


@given(st.integers(0, 1000))
@settings(max_examples=10)
def test_with_as_many_features_as_states_it_is_npg(seed):
    mdp = garnet(4, 3, 2, 0.8, seed=seed)
    table = run(NPG(eta=0.1 * (1 - 0.8)), mdp, 10)
    linear = run(LogLinearNPG(eta=0.1, n=4), mdp, 10)
    np.testing.assert_allclose(linear["pi"], table["pi"], rtol=1e-7, atol=1e-10)


def test_the_rank_falls_as_the_policy_becomes_deterministic():
    """And no statement minds: a table of four states and two actions has four scores at first."""
    mdp = garnet(4, 2, 2, 0.8, seed=3)
    result = run(LogLinearNPG(eta=20.0, n=4), mdp, 12)
    rank = result["rank"][0, 1:]
    assert rank[0] == 4
    assert rank[-1] < 4
    assert all(v.ok for v in check(result))


def test_the_direction_is_the_preconditioned_gradient_of_the_kernel():
    mdp = garnet(5, 2, 3, 0.8, seed=4)
    result = run(LogLinearNPG(eta=0.3, n=2), mdp, 4)
    policies = LogLinear(cosine_features(5, 2, 2))
    for k in range(4):
        theta, pi = result["theta"][0, k], result["pi"][0, k]
        score, weight = policies.score(pi), exact.occupancy(mdp, pi)[:, None] * pi
        F = np.einsum("sa,sai,saj->ij", weight, score, score)
        g = policies.pullback(theta, gradient(mdp, pi))
        np.testing.assert_allclose(F @ result["w"][0, k + 1], (1 - 0.8) * g, atol=1e-12)


def test_the_identity_catches_another_direction():
    class Plain(LogLinearNPG):
        def step(self, problem, state):
            new = super().step(problem, state)
            return new._replace(f=1.01 * new.f)

    assert not COMPATIBLE.check(run(Plain(), garnet(), 3)).ok
