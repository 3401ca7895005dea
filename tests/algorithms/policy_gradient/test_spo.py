"""The objective of SPO for loops, and its maximiser. What all such methods share: test_surrogate_ascent."""

from __future__ import annotations

import numpy as np

from mdptk import MDP, run
from mdptk.algorithms.policy_gradient.spo import RATIO, SPO
from mdptk.core import exact
from tests.algorithms.policy_gradient.surrogate_loops import ascended


def reference(alg, mdp, steps):
    return ascended(alg, mdp, steps, objective, derivative)


def objective(alg, ratio, a):
    return ratio * a - abs(a) / (2 * alg.epsilon) * (ratio - 1) ** 2


def derivative(alg, ratio, a):
    return a - abs(a) / alg.epsilon * (ratio - 1)


def test_the_maximiser_where_probabilities_sum_to_one():
    """rho - 1 = epsilon (A - lambda) / |A|, with lambda such that the mean is zero."""
    bandit = MDP(np.ones((1, 3, 1)), [[0.2, 0.5, 0.9]], 0.0)
    result = run(SPO(epsilon=0.1, m=2000), bandit, 1)
    pi, a = result["pi"][0, 0, 0], exact.advantage(bandit, result["pi"][0, 0])[0]
    lam = (pi * np.sign(a)).sum() / (pi / abs(a)).sum()
    want = 1 + 0.1 * (a - lam) / abs(a)
    np.testing.assert_allclose(result["pi"][0, 1, 0] / pi, want, atol=1e-5)


def test_a_rare_action_that_is_barely_good_goes_further():
    verdict = RATIO.check(RATIO.counterexample())
    assert not verdict.ok
    assert verdict.ratio > 5
