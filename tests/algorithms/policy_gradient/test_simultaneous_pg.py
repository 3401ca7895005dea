"""Softmax policy gradient on all stages against loops; its smoothness against second derivatives."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.policy_gradient.simultaneous_pg import ASCENT, SimultaneousPG
from mdptk.core import exact
from mdptk.core.models import FiniteHorizonMDP
from mdptk.testing import episodic_mdps


def reference(alg, problem, steps):
    """Visits forward, values backward, one logit at a time."""
    H, S, A = problem.H, problem.S, problem.A
    theta, out = np.zeros((H, S, A)), []
    for _ in range(steps + 1):
        pi = np.array([[np.exp(theta[h, s]) / sum(np.exp(theta[h, s])) for s in range(S)] for h in range(H)])
        out.append(pi)
        v, q = np.zeros((H + 1, S)), np.zeros((H, S, A))
        for h in range(H - 1, -1, -1):
            for s in range(S):
                for a in range(A):
                    q[h, s, a] = problem.r[h, s, a] + problem.P[h, s, a] @ v[h + 1]
                v[h, s] = pi[h, s] @ q[h, s]
        d, g = np.array(problem.rho), np.zeros((H, S, A))
        for h in range(H):
            later = np.zeros(S)
            for s in range(S):
                for a in range(A):
                    g[h, s, a] = d[s] * pi[h, s, a] * (q[h, s, a] - v[h, s])
                    later += d[s] * pi[h, s, a] * problem.P[h, s, a]
            d = later
        theta = theta + alg.eta * 8 / (H * (H + 3)) * g
    return {"pi": np.array(out)}


@settings(max_examples=25)
@given(episodic_mdps(), st.sampled_from([0.3, 1.0, 1.9]))
def test_theorems(problem, eta):
    for verdict in check(run(SimultaneousPG(eta), problem, 8)):
        assert verdict.ok, str(verdict)


@settings(max_examples=15)
@given(episodic_mdps(max_S=2, max_A=3), st.integers(0, 1000))
def test_smoothness_along_a_random_direction(problem, seed):
    """The second difference of the value is at most H (H + 3) / 8 times the squared length."""
    rng = np.random.default_rng(seed)
    theta, u = rng.normal(size=(2, *problem.r.shape))
    h, u = 1e-3, u / np.linalg.norm(u)
    value = [exact.expected_return(problem, exact.softmax(theta + k * h * u)) for k in (-1, 0, 1)]
    second = abs(value[0] - 2 * value[1] + value[2]) / h**2
    assert second <= problem.H * (problem.H + 3) / 8 + 1e-6


def test_with_one_stage_the_smoothness_constant_is_half_and_needed():
    """Two actions worth 0 and 1: V'' along (1, -1) / sqrt 2 is 2 p (1 - p) (1 - 2 p), 0.19 at most; L is 1/2."""
    bandit = FiniteHorizonMDP([[[[1.0], [1.0]]]], [[[1.0, 0.0]]])
    assert all(v.ok for v in check(run(SimultaneousPG(1.99), bandit, 30)))


def test_statements_catch_other_steps():
    class Downhill(SimultaneousPG):
        def step(self, problem, state):
            return SimultaneousPG.step(self, FiniteHorizonMDP(problem.P, -problem.r, problem.rho), state)

    rng = np.random.default_rng(0)
    problem = MDP(rng.dirichlet(np.ones(3), (3, 2)), rng.random((3, 2)), 0.9).episodic(3)
    assert not ASCENT.check(run(Downhill(), problem, 3)).ok
    still = run(SimultaneousPG(), problem, 3).frozen()
    assert not ASCENT.check(still).ok
