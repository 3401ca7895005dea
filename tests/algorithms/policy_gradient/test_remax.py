"""ReMax against loops; unbiased, and its variance with two actions, by enumeration."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mdptk.algorithms.policy_gradient.reinforce import REINFORCE
from mdptk.algorithms.policy_gradient.remax import ReMax, State
from mdptk.core import exact
from mdptk.core.oracles import Episodic
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
    """Two episodes from the same first state, the second one greedy (first of equals); loops."""

    def estimate(pi, xi):
        g, best = np.zeros(pi.shape), np.zeros(pi.shape)
        for h, s in np.ndindex(pi.shape[:2]):
            best[h, s, list(pi[h, s]).index(max(pi[h, s]))] = 1
        for u, w in zip(*xi, strict=True):
            s, a, r = roll(oracle, pi, u)
            w = w.copy()
            w[0, 0] = u[0, 0]
            _, _, baseline = roll(oracle, best, w)
            for h in range(oracle.H):
                add_score(g, pi, h, s[h], a[h], (sum(r) - sum(baseline)) / alg.N)
        return g

    return ascend(alg, oracle, xis, estimate)


def moments(alg, problem, pi):
    """Mean and total variance of the estimate from one pair of episodes."""
    oracle = Episodic.of(problem)
    best = exact.greedy(pi)
    mean, square = np.zeros(pi.shape), 0.0
    for p, s, a in enumerate_episodes(problem, pi):
        for q, s2, a2 in enumerate_episodes(problem, best):
            if s[0] == s2[0]:  # the twin starts where the episode did
                weight = p * q / problem.rho[s[0]]
                g = np.asarray(alg.estimate(oracle, pi, s[None], a[None], oracle.rewards(s2[None], a2[None]).sum(-1)))
                mean, square = mean + weight * g, square + weight * (g**2).sum()
    return mean, square - (mean**2).sum()


@pytest.mark.parametrize("seed", range(3))
def test_unbiased_by_enumeration(seed):
    problem = tiny(2, seed)
    pi = policy(problem, seed)
    np.testing.assert_allclose(moments(ReMax(), problem, pi)[0], exact.softmax_gradient(problem, pi), atol=1e-7)


def test_both_episodes_begin_in_the_same_state():
    """Where that is drawn: one step from logits that are not tied, on a model with two first states."""
    problem, alg = tiny(2), ReMax(N=16)
    oracle, xi = Episodic.of(problem), np.random.default_rng(0).random((2, 2, 16, 3, 2))
    theta = reference(alg, oracle, xi)["theta"]
    with jax.disable_jit():
        step = alg.step(oracle, State(jnp.asarray(theta[1])), jnp.asarray(xi[1]))
    np.testing.assert_allclose(step.theta, theta[2], atol=1e-6)


@pytest.mark.parametrize("p", [0.2, 0.6, 0.8, 0.99])
@pytest.mark.parametrize("r", [(1.0, 0.2), (1.0, 0.7), (0.6, 0.5)])
def test_what_the_baseline_does_to_the_variance(p, r):
    """Var - Var without baseline = b p (1-p) (b - 2 (1-p) r1 - 2 p r2) in each of the two coordinates."""
    problem, pi = bandit(r), np.array([[[p, 1 - p]]])
    oracle = Episodic.of(problem)
    squares = [
        (q, float((REINFORCE().estimate(oracle, pi, s[None], a[None]) ** 2).sum()))
        for q, s, a in enumerate_episodes(problem, pi)
    ]
    without = sum(q * x for q, x in squares) - (exact.softmax_gradient(problem, pi) ** 2).sum()
    b = r[0] if p >= 0.5 else r[1]
    want = 2 * b * p * (1 - p) * (b - 2 * ((1 - p) * r[0] + p * r[1]))
    assert moments(ReMax(), problem, pi)[1] - without == pytest.approx(want, abs=1e-6)
    if (p, r) == (0.99, (1.0, 0.2)):
        assert want > 0, "near the optimum the baseline hurts"
