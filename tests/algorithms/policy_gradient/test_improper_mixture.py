"""Improper mixtures against loops and the derivative; better than each controller; stuck in spite of the theorem."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, run
from mdptk.algorithms.policy_gradient.improper_mixture import GLOBAL, ImproperMixture, stuck
from mdptk.core import exact
from mdptk.testing import mdps


def _return(problem, w):
    return exact.expected_return(problem, np.tile(w, (problem.S, 1)))


def reference(alg, problem, steps):
    """Weights of constant actions are a policy that is the same in all states; loops over states and actions."""
    problem, theta, out = problem.dense(), np.zeros(problem.A), []
    for _ in range(steps + 1):
        out.append(theta)
        w = np.exp(theta) / np.exp(theta).sum()
        P, r = sum(w[a] * problem.P[:, a] for a in range(problem.A)), problem.r @ w
        v = np.linalg.solve(np.eye(problem.S) - problem.gamma * P, r)
        x = np.linalg.solve(np.eye(problem.S) - problem.gamma * P.T, problem.rho)
        g = np.zeros(problem.A)
        for m in range(problem.A):
            for s in range(problem.S):
                g[m] += x[s] * w[m] * (problem.r[s, m] + problem.gamma * problem.P[s, m] @ v - v[s])
        theta = theta + alg.step_size(problem) * g
    return {"theta": np.array(out)}


@given(mdps(gammas=(0.0, 0.5, 0.9)), st.integers(0, 1000))
@settings(max_examples=20)
def test_gradient_is_the_derivative(problem, seed):
    theta, h = np.random.default_rng(seed).normal(size=problem.A), 1e-5
    alg = ImproperMixture()
    got = alg.gradient(problem, theta, alg.mixture(problem, exact.softmax(theta)))
    for m, e in enumerate(np.eye(problem.A) * h):
        up, down = (_return(problem, exact.softmax(theta + x)) for x in (e, -e))
        assert got[m] == pytest.approx((up - down) / (2 * h), abs=1e-6 / (1 - problem.gamma) ** 2)


def test_a_mixture_of_two_useless_controllers_is_worth_something():
    """Action 0 and then action 1, over and over, is what pays; each of them alone earns nothing."""
    problem = MDP([[[0, 1], [1, 0]], [[0, 1], [1, 0]]], [[0, 0], [0, 1]], 0.9, [1, 0])
    alone = [_return(problem, w) for w in np.eye(2)]
    result = run(ImproperMixture(), problem, 400)
    assert max(alone) == 0
    assert exact.expected_return(problem, result["pi"][0, -1]) > 1


def test_stuck():
    """The weights 1/2 are a fixed point, bit for bit, though the first controller alone is better by 17 percent."""
    problem, alg = stuck(), ImproperMixture()
    start = alg.init(problem)
    np.testing.assert_array_equal(alg.step(problem, start).theta, start.theta)
    returns = [_return(problem, np.array(w)) for w in ([0.5, 0.5], [1.0, 0.0], [0.0, 1.0])]
    assert returns[1] > returns[2] > returns[0]
    assert returns[1] > 1.16 * returns[0]
    first = run(alg, problem, 1)  # it returned the state that it was given, so it shows all later steps, too
    verdict = GLOBAL.check(replace(first, t=np.array([0.0, 1e6]), cache={}))
    assert verdict.word == "VIOLATED"
