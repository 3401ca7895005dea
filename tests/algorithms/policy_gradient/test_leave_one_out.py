"""The leave-one-out estimate against loops; unbiased and below the variance of the proof, by enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from mdptk import InvalidHyperparameter
from mdptk.algorithms.policy_gradient.leave_one_out import LeaveOneOut
from mdptk.core import exact
from mdptk.core.oracles import Episodic
from tests.algorithms.policy_gradient.episodes import add_score, ascend, enumerate_episodes, policy, roll, tiny


def reference(alg, oracle, xis):
    """Kool et al. 2019; loops over episodes, their rivals and stages."""

    def estimate(pi, xi):
        episodes = [roll(oracle, pi, u) for u in xi]
        R = [sum(r) for _, _, r in episodes]
        g = np.zeros(pi.shape)
        for i, (s, a, _) in enumerate(episodes):
            baseline = np.mean(R[:i] + R[i + 1 :])
            for h in range(oracle.H):
                add_score(g, pi, h, s[h], a[h], (R[i] - baseline) / alg.N)
        return g

    return ascend(alg, oracle, xis, estimate)


@pytest.mark.parametrize("seed", range(2))
def test_unbiased_and_variance_by_enumeration(seed):
    """All pairs of episodes."""
    problem = tiny(2, seed)
    pi, oracle, alg = policy(problem, seed), Episodic.of(problem), LeaveOneOut(N=2)
    mean, square = np.zeros(pi.shape), 0.0
    for (p, s, a), (q, s2, a2) in product(enumerate_episodes(problem, pi), repeat=2):
        g = np.asarray(alg.estimate(oracle, pi, np.stack([s, s2]), np.stack([a, a2])))
        mean, square = mean + p * q * g, square + p * q * (g**2).sum()
    np.testing.assert_allclose(mean, exact.softmax_gradient(problem, pi), atol=1e-7)
    H, A, N = problem.H, problem.A, 2
    assert 0 < square - (mean**2).sum() <= H**3 * (1 - 1 / A) / N


def test_one_episode_has_no_others():
    with pytest.raises(InvalidHyperparameter, match="N must be int in"):
        LeaveOneOut(N=1)
