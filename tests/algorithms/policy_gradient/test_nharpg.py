"""N-HARPG against loops; its correction is the difference of two gradients, by enumeration."""

from __future__ import annotations

import numpy as np
import pytest

from mdptk.core import exact
from mdptk.core.estimators import returns_to_go, score_hessian
from mdptk.core.oracles import Episodic
from tests.algorithms.policy_gradient.episodes import enumerate_episodes, tiny
from tests.algorithms.policy_gradient.momentum_loops import momentum


def reference(alg, oracle, xis):
    return momentum(alg, oracle, xis, normalised=True)


@pytest.mark.parametrize("seed", range(2))
def test_the_correction_is_the_difference_of_the_gradients(seed):
    """Episodes enumerated, and the point of the segment by Gauss and Legendre: analytic, so 16 nodes are exact."""
    problem = tiny(2, seed)
    oracle, (x, y) = Episodic.of(problem), np.random.default_rng(seed).normal(size=(2, *problem.r.shape))
    nodes, weights = np.polynomial.legendre.leggauss(16)
    mean = np.zeros(x.shape)
    for q, w in zip((nodes + 1) / 2, weights / 2, strict=True):
        pi = exact.softmax(q * y + (1 - q) * x)
        for p, s, a in enumerate_episodes(problem, pi):
            mean += w * p * score_hessian(pi, s[None], a[None], returns_to_go(oracle.rewards(s[None], a[None])), y - x)
    gradients = [exact.softmax_gradient(problem, exact.softmax(z)) for z in (x, y)]
    np.testing.assert_allclose(mean, gradients[1] - gradients[0], rtol=0, atol=1e-12)
