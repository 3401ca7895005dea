"""The discovered objective for loops. What all such methods share: test_surrogate_ascent."""

from __future__ import annotations

import numpy as np

from tests.algorithms.policy_gradient.surrogate_loops import ascended


def reference(alg, mdp, steps):
    return ascended(alg, mdp, steps, objective, derivative)


def objective(alg, ratio, a):
    x, c = ((ratio - 1) * a, alg.alpha) if a >= 0 else (np.log(ratio) * a, alg.beta)
    return ratio * a - max(0.0, x - c * np.tanh(x / c))


def derivative(alg, ratio, a):
    x, c, inner = ((ratio - 1) * a, alg.alpha, a) if a >= 0 else (np.log(ratio) * a, alg.beta, a / ratio)
    return a - (inner * (1 - 1 / np.cosh(x / c) ** 2) if x > 0 else 0.0)
