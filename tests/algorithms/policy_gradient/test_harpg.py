"""HARPG against loops. That its correction is unbiased: test_nharpg."""

from __future__ import annotations

from mdptk import run
from mdptk.algorithms.policy_gradient.harpg import ASCENT, HARPG
from tests.algorithms.policy_gradient.episodes import tiny
from tests.algorithms.policy_gradient.momentum_loops import momentum


def reference(alg, oracle, xis):
    return momentum(alg, oracle, xis, normalised=False)


def test_ascent_catches_a_step_that_is_taken_back():
    class Back(HARPG):
        def step(self, oracle, state, xi):
            new = HARPG.step(self, oracle, state, xi)
            return new._replace(theta=2 * state.theta - new.theta)

    assert not ASCENT.check(run(Back(eta=0.1), tiny(2), 8)).ok
