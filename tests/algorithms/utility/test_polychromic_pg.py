"""The polychromic objective by enumeration; its gradient; what its advantage says of arms that never pay."""

from __future__ import annotations

from itertools import product

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.utility.polychromic_pg import ASCENT, PolychromicPG
from mdptk.core import exact
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.sets import pass_at, polychromic, set_advantage, set_gradient, set_value
from mdptk.testing import bandits


def enumerated(R, kinds, pi, n):
    """(worth, chance, set) of every set, and J."""
    sets = []
    for y in product(range(len(R)), repeat=n):
        worth = sum(R[i] for i in y) / n * len({kinds[i] for i in y}) / n
        sets.append((worth, np.prod([pi[i] for i in y]), y))
    return sets, sum(w * p for w, p, _ in sets)


def reference(alg, problem, steps):
    """The score function, over every set."""
    A, theta, out = problem.A, np.zeros(problem.A), []
    for _ in range(steps + 1):
        pi = np.exp(theta) / np.exp(theta).sum()
        sets, J = enumerated(problem.means, range(A), pi, alg.n)
        g = np.zeros(A)
        for worth, chance, y in sets:
            for i in y:
                for b in range(A):
                    g[b] += worth * chance * ((b == i) - pi[b])
        out.append((theta, J, g @ g))
        theta = theta + alg.eta * g
    return {name: np.array([x[k] for x in out]) for k, name in enumerate(("theta", "J", "square"))}


@given(bandits(), st.sampled_from([1, 2, 3]), st.sampled_from([0.1, 0.6]))
@settings(max_examples=25)
def test_theorems(problem, n, eta):
    for verdict in check(run(PolychromicPG(eta, n), problem, 20)):
        assert verdict.ok, str(verdict)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_gradient_and_marginal_advantage(n):
    rng = np.random.default_rng(n)
    R, kinds, theta = rng.random(4), np.array([0, 1, 1, 2]), rng.normal(size=4)
    pi, f = exact.softmax(theta), polychromic(R, kinds, n)
    sets, J = enumerated(R, kinds, pi, n)
    assert set_value(pi, f) == pytest.approx(J, rel=1e-12)
    for y in range(4):
        given_first = sum(w * p for w, p, z in sets if z[0] == y) / pi[y]
        assert set_advantage(pi, f)[y] == pytest.approx(given_first - J, rel=1e-10, abs=1e-14)
    with jax.enable_x64(True):
        want = jax.grad(lambda theta: set_value(exact.softmax(theta), jax.numpy.asarray(f)))(jax.numpy.asarray(theta))
    np.testing.assert_allclose(set_gradient(pi, f), want, rtol=1e-10, atol=1e-14)


def test_one_sample_is_the_usual_gradient():
    R, pi = np.array([0.2, 0.9, 0.5]), np.array([0.5, 0.3, 0.2])
    np.testing.assert_allclose(set_gradient(pi, polychromic(R, range(3), 1)), pi * (R - pi @ R), rtol=1e-12)


def test_an_arm_that_never_pays_may_have_a_positive_advantage():
    """Where the policy repeats itself: with reward alone the advantage of a failure is never positive."""
    R, pi = np.array([1.0, 0.0]), np.array([0.99, 0.01])
    assert set_advantage(pi, polychromic(R, range(2), 2))[1] < 0  # half of a set of two is lost, half is gained
    assert set_advantage(pi, polychromic(R, range(2), 4))[1] > 0
    assert R[1] - pi @ R < 0


def test_equal_arms_are_all_kept_and_plain_gradients_keep_what_they_began_with():
    problem = BernoulliBandit([0.9, 0.9, 0.9, 0.1])
    sets, plain = (
        run(PolychromicPG(0.5, n), problem, 2000, start=start)["pi"][0, -1]
        for n, start in ((2, _start(2)), (1, _start(1)))
    )
    np.testing.assert_allclose(sets[:3], 1 / 3, atol=0.02)
    assert plain[0] > 0.8
    good = np.array([True, False, False, False]), np.array([False, True, False, False])
    assert min(pass_at(sets, g, 8) for g in good) > 0.9 > min(pass_at(plain, g, 8) for g in good)


def _start(n):
    theta = np.array([2.0, 0.0, 0.0, 0.0])
    return PolychromicPG(0.5, n)._state(BernoulliBandit([0.9, 0.9, 0.9, 0.1]), theta)


def test_a_step_that_is_too_long_may_descend():
    result = run(PolychromicPG(eta=40.0, n=3), BernoulliBandit([0.9, 0.8, 0.1]), 40)
    assert np.diff(result["J"][0]).min() < 0
    assert ASCENT.check(result).ok


def test_no_diversity_is_noticed():
    class Plain(PolychromicPG):
        def step(self, problem, state):
            return self._state(problem, state.theta - self.eta * set_gradient(state.pi, self._f(problem)))

    assert not ASCENT.check(run(Plain(), BernoulliBandit([0.9, 0.8, 0.1]), 5)).ok
