"""Generalised advantage estimates with a critic: loops, and mean and bias of the estimate by enumeration."""

from __future__ import annotations

import numpy as np
import pytest

from mdptk import Run
from mdptk.algorithms.policy_gradient.gae_actor_critic import GAEActorCritic, State
from mdptk.core import exact
from mdptk.core.estimators import bootstrap_bias
from mdptk.core.models import FiniteHorizonMDP
from mdptk.core.oracles import Episodic
from mdptk.theory.stock_sampled import BIAS_BOUND, BIAS_FORMULA
from tests.algorithms.policy_gradient.episodes import add_score, enumerate_episodes, policy, roll, softmax, tiny


def backward(delta, lam):
    """The recursion of every implementation: A_h = delta_h + lambda A_{h+1}."""
    out, later = [], 0.0
    for d in reversed(delta):
        later = d + lam * later
        out.append(later)
    return out[::-1]


def reference(alg, oracle, xis):
    """Schulman et al. 2016 with two weights, as in VC-PPO; loops over episodes and stages."""
    H, S, _ = oracle.r.shape
    theta, v = np.zeros(oracle.r.shape), np.zeros((H + 1, S))
    out = {"theta": [theta], "v": [v]}
    for xi in xis:
        pi, g, better = softmax(theta), np.zeros(theta.shape), v.copy()
        for u in xi:
            s, a, r = roll(oracle, pi, u)
            delta = [r[h] + v[h + 1, s[h + 1]] - v[h, s[h]] for h in range(H)]
            actor, critic = backward(delta, alg.lam), backward(delta, alg.lam_critic)
            for h in range(H):
                add_score(g, pi, h, s[h], a[h], actor[h] / alg.N)
                better[h, s[h]] += alg.beta * critic[h] / alg.N
        theta, v = theta + alg.eta * g, better
        out["theta"].append(theta)
        out["v"].append(v)
    return {k: np.array(x) for k, x in out.items()}


def mean_estimate(alg, problem, pi, v):
    oracle = Episodic.of(problem)
    return sum(p * alg.estimate(oracle, pi, v, s[None], a[None]) for p, s, a in enumerate_episodes(problem, pi))


def any_critic(problem, seed):
    v = np.random.default_rng(seed).normal(size=(problem.H + 1, problem.S))
    v[-1] = 0
    return v


@pytest.fixture(autouse=True)
def numpy_gae(monkeypatch):
    """The estimate in numpy's float64: `advantage` takes its stages from jax, outside a run in float32."""
    import jax.numpy as jnp

    monkeypatch.setattr(jnp, "arange", np.arange)


@pytest.mark.parametrize("lam_critic", [0.0, 0.7])
def test_with_lambda_one_any_critic_will_do(lam_critic):
    problem = tiny(3)
    pi = policy(problem)
    mean = mean_estimate(GAEActorCritic(lam=1.0, lam_critic=lam_critic), problem, pi, any_critic(problem, 1))
    np.testing.assert_allclose(mean, exact.softmax_gradient(problem, pi), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("lam", [0.0, 0.6])
def test_with_the_true_critic_any_lambda_will_do(lam):
    problem = tiny(3)
    pi = policy(problem)
    mean = mean_estimate(GAEActorCritic(lam=lam), problem, pi, exact.evaluate(problem, pi))
    np.testing.assert_allclose(mean, exact.softmax_gradient(problem, pi), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("lam", [0.0, 0.6])
def test_otherwise_it_is_off_by_the_formula(lam):
    problem = tiny(3)
    pi, v = policy(problem), any_critic(problem, 1)
    b = bootstrap_bias(problem, pi, v - exact.evaluate(problem, pi), lam)
    off = exact.occupancy(problem, pi)[..., None] * pi * (b - (pi * b).sum(-1, keepdims=True))
    assert abs(off).max() > 0.01, "a wrong critic and lambda < 1 do bend the gradient"
    mean = mean_estimate(GAEActorCritic(lam=lam), problem, pi, v)
    np.testing.assert_allclose(mean, exact.softmax_gradient(problem, pi) + off, rtol=1e-12, atol=1e-14)


def made_up(problem, lam, theta, v):
    """A run of one record, with these logits and this critic; at the default, lambda = 1, both theorems say 0 <= 0."""
    alg, truth, state = GAEActorCritic(lam=lam), exact.Truth(problem, exact.optimal(problem)), State(theta, v, lam)
    first = {m.name: np.asarray(m.of(truth, state))[None] for m in alg.measures}
    return Run(alg, problem, np.arange(1.0), {name: x[:, None] for name, x in first.items()}, first)


@pytest.mark.parametrize("lam", [0.0, 0.5, 0.9])
def test_the_bound_is_attained_by_a_critic_that_is_wrong_both_ways(lam):
    """Two stages from one state; actions choose between states of value 1 and -1, and the critic believes in 0."""
    P = np.tile(np.eye(2), (2, 2, 1, 1))
    problem = FiniteHorizonMDP(P, [[[0, 0], [0, 0]], [[1, 1], [-1, -1]]], [1, 0])
    result = made_up(problem, lam, np.zeros((2, 2, 2)), np.zeros((3, 2)))
    assert BIAS_BOUND.check(result).ok
    np.testing.assert_allclose(BIAS_BOUND.sides(result), (1 - lam) / np.sqrt(2), rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_for_any_policy_and_any_critic(seed):
    problem = tiny(3, seed)
    theta = np.random.default_rng(seed).normal(size=problem.r.shape)
    result = made_up(problem, 0.5, theta, any_critic(problem, seed))
    assert BIAS_FORMULA.check(result).ok
    assert BIAS_BOUND.check(result).ok
    assert BIAS_BOUND.sides(result)[0].min() > 1e-3, "there is a bias to be bounded"
