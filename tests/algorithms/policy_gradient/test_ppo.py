"""The clipped objective for loops, and how far ratios go. What all such methods share: test_surrogate_ascent."""

from __future__ import annotations

import numpy as np
import pytest

from mdptk.algorithms.policy_gradient.ppo import RATIO
from mdptk.core.surrogates import Clipped, Squared, ascend
from tests.algorithms.policy_gradient.surrogate_loops import ascended


def reference(alg, mdp, steps):
    return ascended(alg, mdp, steps, objective, derivative)


def objective(alg, ratio, a):
    return min(ratio * a, min(max(ratio, 1 - alg.epsilon), 1 + alg.epsilon) * a)


def derivative(alg, ratio, a):
    clipped = (a > 0 and ratio > 1 + alg.epsilon) or (a <= 0 and ratio < 1 - alg.epsilon)
    return 0.0 if clipped else a


def test_the_interval_is_left_and_nothing_leads_back():
    verdict = RATIO.check(RATIO.counterexample())
    assert not verdict.ok
    old, advantage = np.log([[0.5, 0.5]]), np.array([[0.5, -0.5]])
    far = ascend(Clipped(0.2), old, advantage, m=1, step=20.0).log_pi
    assert np.exp(far - old).max() > 1.5
    more = ascend(Clipped(0.2), old, advantage, m=50, step=20.0).log_pi
    np.testing.assert_array_equal(more, far)
    back = ascend(Squared(0.2), old, advantage, m=50, step=20.0).log_pi  # SPO
    assert np.exp(back - old).max() == pytest.approx(1.2, abs=1e-6)
