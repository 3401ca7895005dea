"""The kernel for average reward against rationals and against discounts next to one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk.core import exact
from mdptk.core.models import AverageRewardMDP
from mdptk.problems.jao import jao
from tests.solve.enumeration import bias, dot, gain, model, optimal_gain, stored

some = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def close(x, y, scale):
    np.testing.assert_allclose(x, [float(z) for z in y], rtol=0, atol=1e-9 * scale)


@some
@given(seeds)
def test_gain_and_bias_of_policies(seed):
    """Two policies at once, of models of every structure, rows divided by their sums."""
    rng = np.random.default_rng(seed)
    problem = model(rng, AverageRewardMDP)
    pi = np.eye(problem.A)[rng.integers(problem.A, size=(2, problem.S))]
    g, h = exact.gain_and_bias(problem, pi)
    P, r = stored(problem)
    for k in range(2):
        a = pi[k].argmax(1)
        chain = [P[s][a[s]] for s in range(problem.S)], [r[s][a[s]] for s in range(problem.S)]
        want = bias(*chain)
        close(g[k], gain(*chain), float(abs(problem.r).max()))
        close(h[k], want, float(abs(problem.r).max() + max(abs(x) for x in want)))
        d = exact.limiting_occupancy(problem, pi[k])
        reward = dot([Fraction(float(x)) for x in d], chain[1])
        close([float(problem.rho @ g[k])], [reward], float(abs(problem.r).max()))


@some
@given(seeds)
def test_optimal_gain(seed):
    problem = model(np.random.default_rng(seed), AverageRewardMDP)
    optimum = exact.optimal(problem)
    close(optimum.g, optimal_gain(problem), float(abs(problem.r).max()))
    g, h = exact.gain_and_bias(problem, optimum.pi)
    np.testing.assert_array_equal(g, optimum.g)
    np.testing.assert_array_equal(h, optimum.h)


def test_the_limit_of_discounts():
    """``V = g / (1 - gamma) + h`` up to a term that vanishes with ``1 - gamma`` (Puterman 1994, corollary 8.2.4)."""
    problem = jao(A=3, delta=0.1, epsilon=0.05)
    optimum = exact.optimal(problem)
    errors = []
    for gap in (1e-2, 1e-3, 1e-4):
        v = exact.evaluate(problem.discounted(1 - gap), optimum.pi)
        errors.append(abs(v - optimum.g / gap - optimum.h).max())
    assert errors[1] < 0.2 * errors[0]
    assert errors[2] < 0.2 * errors[1]


def test_truth():
    assert exact.truth(jao()).optimum.pi.shape == jao().r.shape
