"""The actor-critic against loops; how near its bound on the bias comes."""

from __future__ import annotations

import numpy as np
import pytest

from mdptk import MDP, AssumptionViolated, run
from mdptk.algorithms.policy_gradient.actor_critic import RATE, ActorCritic
from mdptk.core import exact
from mdptk.core.estimators import bootstrap_bias
from mdptk.core.networks import features
from mdptk.problems.teaching import coin, two_state
from mdptk.testing import check_exact_statement
from mdptk.theory.stock_sampled import BIAS_BOUND, BIAS_FORMULA
from tests.algorithms.policy_gradient.episodes import add_score, roll, softmax


def reference(alg, oracle, xis):
    """One episode a step; both updates from the same temporal differences; loops over stages."""
    H, S, _ = oracle.r.shape
    theta, v = np.zeros(oracle.r.shape), np.zeros((H + 1, S))
    out = {"theta": [theta], "v": [v]}
    for t, (u,) in enumerate(xis):
        pi, theta, old, v = softmax(theta), theta.copy(), v, v.copy()
        s, a, r = roll(oracle, pi, u)
        for h in range(H):
            delta = r[h] + old[h + 1, s[h + 1]] - old[h, s[h]]
            v[h, s[h]] += alg.beta / (t + 1) ** 0.4 * delta
            add_score(theta, pi, h, s[h], a[h], alg.eta / (t + 1) ** 0.6 * delta)
        out["theta"].append(theta)
        out["v"].append(v)
    return {k: np.array(x) for k, x in out.items()}


def linear(alg, oracle, xis):
    """The same with coefficients of features in place of a table of values."""
    H, S, _ = oracle.r.shape
    phi, theta, w = features(S, alg.n), np.zeros(oracle.r.shape), np.zeros((H, alg.n))
    out = {"theta": [theta], "v": [np.zeros((H + 1, S))]}
    for t, (u,) in enumerate(xis):
        pi, theta, v, w = softmax(theta), theta.copy(), out["v"][-1], w.copy()
        s, a, r = roll(oracle, pi, u)
        for h in range(H):
            delta = r[h] + v[h + 1, s[h + 1]] - v[h, s[h]]
            w[h] += alg.beta / (t + 1) ** 0.4 * delta * phi[s[h]]
            add_score(theta, pi, h, s[h], a[h], alg.eta / (t + 1) ** 0.6 * delta)
        out["theta"].append(theta)
        out["v"].append(np.append(w @ phi.T, np.zeros((1, S)), axis=0))
    return {k: np.array(x) for k, x in out.items()}


def test_with_features_the_bias_is_that_of_what_they_cannot_say():
    problem, alg = two_state().episodic(4), ActorCritic(n=1)
    check_exact_statement(alg, {"two_state": problem}, linear)
    result = run(alg, problem, 256, repeats=2)
    assert BIAS_FORMULA.check(result).ok
    assert BIAS_BOUND.check(result).ok
    assert result["critic"][:, -1, 2].min() > 0.1
    assert RATE.check(run(ActorCritic(), problem, 64)).word == "reported"
    with pytest.raises(AssumptionViolated, match="a table: n = 1 features"):
        RATE.check(result)


def test_the_bound_on_the_bias_is_attained():
    """Two actions that lead to two states, about which the critic errs by as much, up and down."""
    problem = MDP([[[0, 1, 0], [0, 0, 1]], [[0, 1, 0]] * 2, [[0, 0, 1]] * 2], np.zeros((3, 2)), 0.9, [1, 0, 0])
    problem, e = problem.episodic(2), np.array([[0, 0, 0], [0, 1, -1], [0, 0, 0]])
    pi = exact.uniform(problem)
    b = bootstrap_bias(problem, pi, e, 0.0)
    off = exact.occupancy(problem, pi)[..., None] * pi * (b - (pi * b).sum(-1, keepdims=True))
    assert np.linalg.norm(off) == pytest.approx(((problem.H - 1) / 2) ** 0.5, rel=1e-12)


def test_a_critic_that_is_wrong_about_nothing_biases_nothing():
    """In the toss of a coin no action matters, so no belief about later states can depend on one."""
    result = run(ActorCritic(), coin().episodic(3), 32, repeats=2)
    assert result["critic"][..., 2].min() > 0.1
    assert result["critic"][..., 0].max() < 1e-14
    assert BIAS_FORMULA.check(result).ok
