"""Dynamic policy gradient against loops, its theorems on random problems, and an inequality without its root of S."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.policy_gradient.dynamic_pg import ASCENT, CHANCE, CONVERGENCE, DynamicPG
from mdptk.algorithms.policy_gradient.simultaneous_pg import SimultaneousPG
from mdptk.core import exact
from mdptk.core.models import FiniteHorizonMDP
from mdptk.testing import episodic_mdps


def reference(alg, problem, steps):
    """Bandits, state by state, the last stage first."""
    H, S, A = problem.H, problem.S, problem.A
    theta, pi, out = np.zeros((H, S, A)), np.full((H, S, A), 1 / A), []
    plan = [h for h in range(H - 1, -1, -1) for _ in range(alg.m)]
    for i in range(steps + 1):
        out.append(pi.copy())
        if i >= len(plan):
            continue
        v = np.zeros(S)
        for h in range(H - 1, plan[i] - 1, -1):
            q = np.array([[problem.r[h, s, a] + problem.P[h, s, a] @ v for a in range(A)] for s in range(S)])
            v = np.array([pi[h, s] @ q[s] for s in range(S)])
        for s in range(S):
            for a in range(A):
                slope = problem.rho[s] * pi[plan[i], s, a] * (q[s, a] - v[s])
                theta[plan[i], s, a] += alg.eta * 2 / ((H - plan[i]) * max(problem.rho)) * slope
            pi[plan[i], s] = np.exp(theta[plan[i], s]) / sum(np.exp(theta[plan[i], s]))
    return {"pi": np.array(out)}


@settings(max_examples=25)
@given(episodic_mdps(max_H=3), st.sampled_from([0.3, 1.0, 1.9]))
def test_theorems(problem, eta):
    for verdict in check(run(DynamicPG(eta, m=4), problem, 14), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


@settings(max_examples=10)
@given(episodic_mdps(max_H=3, max_S=3, max_A=2), st.integers(1, 3))
def test_pseudo_code(problem, m):
    got = run(DynamicPG(m=m), problem, 3 * m + 1)["pi"][0]
    np.testing.assert_allclose(got, reference(DynamicPG(m=m), problem, 3 * m + 1)["pi"], rtol=1e-9, atol=1e-12)


def test_with_one_stage_both_methods_are_one():
    """From a uniform start with one state: the same logits, and the same step of 2."""
    bandit = FiniteHorizonMDP([[[[1.0], [1.0], [1.0]]]], [[[0.9, 0.1, 0.4]]])
    one, two = run(DynamicPG(m=20), bandit, 20), run(SimultaneousPG(), bandit, 20)
    np.testing.assert_allclose(one["pi"], two["pi"], rtol=1e-13)


def test_the_inequality_needs_the_root_of_S():
    """|grad| >= min pi(a*|s) gap, as one may remember it, fails for many states of the same kind."""
    S, p = 100, 0.9
    problem = MDP(np.repeat(np.eye(S)[:, None], 2, 1), np.tile([1.0, 0.0], (S, 1)), 0.5).episodic(1)
    pi = np.tile([p, 1 - p], (1, S, 1))
    norm = np.linalg.norm(exact.softmax_gradient(problem, pi))
    gap = exact.performance_gap(problem, exact.optimal(problem), pi)
    assert norm < p * gap / 5
    assert norm >= p * gap / np.sqrt(S)


def test_statements_catch_a_stage_that_is_trained_too_early_or_downhill():
    class Forward(DynamicPG):
        def step(self, problem, state):
            turned = FiniteHorizonMDP(problem.P[::-1], problem.r[::-1], problem.rho)
            new = super().step(turned, state._replace(theta=state.theta[::-1], pi=state.pi[::-1]))
            return new._replace(theta=new.theta[::-1], pi=new.pi[::-1])

    class Downhill(DynamicPG):
        def step(self, problem, state):
            return DynamicPG.step(self, FiniteHorizonMDP(problem.P, -problem.r, problem.rho), state)

    rng = np.random.default_rng(0)
    problem = MDP(rng.dirichlet(np.ones(3), (3, 2)), rng.random((3, 2)), 0.9).episodic(3)
    assert not ASCENT.check(run(Forward(m=10), problem, 30)).ok
    assert not ASCENT.check(run(Downhill(m=10), problem, 30)).ok
    assert not CHANCE.check(run(Downhill(m=10), problem, 30)).ok
    assert CONVERGENCE.check(run(DynamicPG(m=400), problem, 1200)).informative
