"""Policy mirror descent with the hyperbolic entropy against loops, and between its two neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.mirror_descent.euclidean_pmd import EuclideanPMD
from mdptk.algorithms.mirror_descent.hyperbolic_pmd import CONVERGENCE, IMPROVEMENT, MONOTONE, HyperbolicPMD
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def reference(alg, mdp, steps):
    """The normaliser of each state by bisection."""
    S, A, P = mdp.S, mdp.A, mdp.dense().P
    pi, out = np.full((S, A), 1 / A), []
    for _ in range(steps + 1):
        out.append(pi.copy())
        v = np.linalg.solve(np.eye(S) - mdp.gamma * np.array([pi[s] @ P[s] for s in range(S)]), (pi * mdp.r).sum(-1))
        for s in range(S):
            z = [np.arcsinh(pi[s, a] / alg.b) + alg.eta * (mdp.r[s, a] + mdp.gamma * P[s, a] @ v) for a in range(A)]
            low, high = -max(z), np.arcsinh(1 / alg.b) - max(z)
            for _ in range(80):
                u = (low + high) / 2
                total = sum(max(0.0, alg.b * np.sinh(z[a] + u)) for a in range(A))
                low, high = (u, high) if total < 1 else (low, u)
            pi[s] = [max(0.0, alg.b * np.sinh(z[a] + low)) for a in range(A)]
    return {"pi": np.array(out)}


@settings(max_examples=30)
@given(mdps(), st.sampled_from([0.01, 1.0, 100.0]), st.sampled_from([1e-3, 0.1, 10.0]))
def test_theorems(mdp, eta, b):
    for verdict in check(run(HyperbolicPMD(eta, b), mdp, 8)):
        assert verdict.ok is not False, str(verdict)


@pytest.mark.parametrize("b", [10.0, 1e-3])
def test_the_ends_are_the_euclidean_map_and_natural_policy_gradient(b):
    """Up to 1 / b^2, and up to b^2 over the square of the smallest probability."""
    mdp = garnet(4, 3, 2, 0.5, seed=1)
    near = EuclideanPMD(eta=0.2) if b > 1 else NPG(eta=0.2 * (1 - mdp.gamma))
    eta = 0.2 / b if b > 1 else 0.2
    np.testing.assert_allclose(run(HyperbolicPMD(eta, b), mdp, 5)["pi"], run(near, mdp, 5)["pi"], atol=2e-3)


def test_the_divergence_at_the_start_is_the_constant_of_the_bound():
    alg, A = HyperbolicPMD(eta=1.0, b=0.3), 4
    h = lambda p: (p * np.arcsinh(p / 0.3) - np.sqrt(p**2 + 0.09)).sum()  # noqa: E731
    want = h(np.eye(A)[0]) - h(np.full(A, 1 / A))
    bandit = MDP(np.ones((1, A, 1)), [[1.0, 0.0, 0.0, 0.0]], 0.0)
    rhs = CONVERGENCE.sides(run(alg, bandit, 1))[1][0]
    assert rhs[0] == pytest.approx(want + 1)
    assert rhs[1] == pytest.approx((want + 1) / 2)


def test_bad_actions_are_dropped_and_the_improvement_is_an_equality_before():
    mdp = garnet(seed=1)
    short, long = run(HyperbolicPMD(eta=1e-3), mdp, 5), run(HyperbolicPMD(eta=1.0), mdp, 100)
    assert short["pi"].min() > 0
    assert IMPROVEMENT.check(short).ratio == pytest.approx(1, abs=1e-6)
    assert (long["pi"][0, -1] == 0).any()


def test_statements_catch_a_step_towards_the_wrong_actions():
    class Turned(HyperbolicPMD):
        def step(self, problem, state):
            return state._replace(pi=0.5 * state.pi + 0.5 * super().step(problem, state).pi[..., ::-1])

    assert not MONOTONE.check(run(Turned(), garnet(), 3)).ok
    assert not IMPROVEMENT.check(run(Turned(), garnet(), 3)).ok
