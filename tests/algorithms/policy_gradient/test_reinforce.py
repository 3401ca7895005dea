"""REINFORCE against loops; its estimate is unbiased and as variable as it should be, by enumeration; smoothness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import run
from mdptk.algorithms.policy_gradient.reinforce import REINFORCE, STATIONARY
from mdptk.core import exact
from mdptk.core.oracles import Episodic
from mdptk.testing import episodic_mdps, policies
from tests.algorithms.policy_gradient.episodes import (
    add_score,
    ascend,
    bandit,
    enumerate_episodes,
    policy,
    roll,
    tiny,
)


def reference(alg, oracle, xis):
    """Williams 1992, with what was earned from the action on; loops over episodes and stages."""

    def estimate(pi, xi):
        g = np.zeros(pi.shape)
        for u in xi:
            s, a, r = roll(oracle, pi, u)
            for h in range(oracle.H):
                add_score(g, pi, h, s[h], a[h], sum(r[h:]) / alg.N)
        return g

    return ascend(alg, oracle, xis, estimate)


def second_moment(problem, pi):
    """E |g|^2 of one episode, by two backward recursions: for the mean of the return to go and for its square."""
    d = exact.occupancy(problem, pi)
    U = V = np.zeros(problem.S)
    total = 0.0
    for h in range(problem.H - 1, -1, -1):
        q = problem.r[h] + problem.P[h] @ V
        w = problem.r[h] ** 2 + 2 * problem.r[h] * (problem.P[h] @ V) + problem.P[h] @ U
        score = 1 - 2 * pi[h] + (pi[h] ** 2).sum(-1, keepdims=True)
        total += (d[h][:, None] * pi[h] * score * w).sum()
        V, U = (pi[h] * q).sum(-1), (pi[h] * w).sum(-1)
    return total


@pytest.mark.parametrize("seed", range(3))
def test_unbiased_and_second_moment_by_enumeration(seed):
    problem = tiny(3, seed)
    pi = policy(problem, seed)
    oracle = Episodic.of(problem)
    mean, moment, total = np.zeros(pi.shape), 0.0, 0.0
    for p, s, a in enumerate_episodes(problem, pi):
        g = REINFORCE().estimate(oracle, pi, s[None], a[None])
        mean, moment, total = mean + p * g, moment + p * (g**2).sum(), total + p
    assert total == pytest.approx(1, rel=1e-12)
    np.testing.assert_allclose(mean, exact.softmax_gradient(problem, pi), rtol=1e-12, atol=1e-14)
    assert moment == pytest.approx(second_moment(problem, pi), rel=1e-12)


@given(episodic_mdps(), st.data())
@settings(max_examples=40)
def test_second_moment_is_below_that_of_the_proof(problem, data):
    pi = data.draw(policies(problem))
    H = problem.H
    bound = (1 - 1 / problem.A) * sum(k**2 for k in range(1, H + 1))
    assert second_moment(problem, pi) <= bound * (1 + 1e-12)


@given(episodic_mdps(max_H=3, max_S=3), st.integers(0, 10_000), st.sampled_from([0.1, 1.0, 5.0]))
@settings(max_examples=40)
def test_the_return_is_smooth_with_half_the_horizon(problem, seed, size):
    """|grad J(x) - grad J(y)| <= H/2 |x - y|, near and far."""
    rng = np.random.default_rng(seed)
    x = size * rng.normal(size=problem.r.shape)
    y = x + rng.choice([1e-3, 1.0]) * rng.normal(size=x.shape)
    change = exact.softmax_gradient(problem, exact.softmax(x)) - exact.softmax_gradient(problem, exact.softmax(y))
    assert np.linalg.norm(change) <= problem.H / 2 * np.linalg.norm(x - y) + 1e-12


def test_the_theorem_says_something():
    verdict = STATIONARY.check(run(REINFORCE(eta=0.5, N=64), bandit([1.0, 0.0]), 256, repeats=16))
    assert verdict.ok
    assert verdict.informative
    assert not verdict.vacuous


def test_a_wrong_sign_is_noticed():
    class Descent(REINFORCE):
        def estimate(self, oracle, pi, s, a):
            return -super().estimate(oracle, pi, s, a)

    result = run(Descent(eta=0.5, N=64), bandit([1.0, 0.0]), 64, repeats=2)
    assert result["gap"][:, -1].min() > result["gap"][:, 0].max()
