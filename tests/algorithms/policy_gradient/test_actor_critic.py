"""The actor-critic against loops; how near its bound on the bias comes."""

from __future__ import annotations

import numpy as np
import pytest

from mdptk import MDP, run
from mdptk.algorithms.policy_gradient.actor_critic import ActorCritic
from mdptk.core import exact
from mdptk.core.estimators import bootstrap_bias
from mdptk.problems.teaching import coin
from mdptk.theory.stock_sampled import BIAS_FORMULA
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
