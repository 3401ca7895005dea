"""Poly-PPO against loops over sets; the rest of the bound; for sets of one it is PPO."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.policy_gradient.ppo import PPO
from mdptk.algorithms.utility.poly_ppo import BOUND, PROMISE, PolyPPO
from mdptk.core.bandits import BernoulliBandit
from mdptk.testing import bandits
from tests.algorithms.utility.test_polychromic_pg import enumerated


def reference(alg, problem, steps):
    """Advantages from every set, the ascent one step at a time."""
    A, pi, out = problem.A, np.full(problem.A, 1 / problem.A), []
    for _ in range(steps + 1):
        sets, J = enumerated(problem.means, range(A), pi, alg.n)
        given = [sum(worth * p * (y[0] == a) for worth, p, y in sets) / pi[a] for a in range(A)]
        adv = [alg.n * (x - J) for x in given]
        out.append((pi, J))

        def value(p, old=pi, adv=adv):
            ratio = [p[a] / old[a] for a in range(A)]
            clipped = [min(max(x, 1 - alg.epsilon), 1 + alg.epsilon) for x in ratio]
            return sum(old[a] * min(ratio[a] * adv[a], clipped[a] * adv[a]) for a in range(A))

        theta, size = np.log(pi), alg.step_size
        for _ in range(alg.m):
            p = np.exp(theta) / sum(np.exp(theta))
            slope = np.zeros(A)
            for a in range(A):
                ratio = p[a] / pi[a]
                out_of_it = ratio > 1 + alg.epsilon if adv[a] > 0 else ratio < 1 - alg.epsilon
                slope[a] = 0.0 if out_of_it else adv[a]
            g = p * (slope - p @ slope)
            after = np.exp(theta + size * g) / sum(np.exp(theta + size * g))
            while value(after) < value(p) - 1e-15 * max(np.abs(adv)):
                size /= 2
                after = np.exp(theta + size * g) / sum(np.exp(theta + size * g))
            theta = np.log(after)
        pi = np.exp(theta)
    return {"pi": np.array([x for x, _ in out]), "J": np.array([x for _, x in out])}


@settings(max_examples=20)
@given(bandits(), st.sampled_from([1, 2, 4]), st.sampled_from([0.5, 30.0]))
def test_theorems(problem, n, step):
    for verdict in check(run(PolyPPO(step_size=step, n=n), problem, 10)):
        assert verdict.ok, str(verdict)


def test_sets_of_one_are_ppo():
    arms = BernoulliBandit([0.2, 0.9, 0.4])
    got = run(PolyPPO(n=1), arms, 10)
    want = run(PPO(), MDP(np.ones((1, 3, 1)), [arms.means], 0.0), 10)
    np.testing.assert_allclose(got["pi"][0], want["pi"][0, :, 0], rtol=1e-10)
    np.testing.assert_allclose(*(x[0, 1:] for x in BOUND.sides(got)), rtol=1e-12)  # nothing is left of the rest


def test_a_surrogate_that_rises_is_no_promise_for_sets():
    """Two good arms: most of the worth is in having both, and a long step goes past the balance to one of them.

    The surrogate counts each member of a set as if the others stayed, so it rises.
    """
    result = run(PolyPPO(epsilon=0.99, step_size=60.0, m=1), BernoulliBandit([0.9, 0.8]), 4)
    assert PROMISE.check(result).ok
    assert BOUND.check(result).ok
    assert (np.diff(result["J"][0]) < -0.01).any()


def test_statements_catch_a_step_downhill():
    class Downhill(PolyPPO):
        def step(self, problem, state):
            return PolyPPO.step(self, problem, state._replace(advantage=-state.advantage))

    assert not PROMISE.check(run(Downhill(), BernoulliBandit([0.9, 0.1, 0.3]), 3)).ok
