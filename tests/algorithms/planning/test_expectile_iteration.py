"""Value iteration with expectiles against bisection in loops, and between the uniform and the optimal value."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.planning.expectile_iteration import (
    CONVERGENCE,
    NEARLY_OPTIMAL,
    ExpectileIteration,
    error,
)
from mdptk.core import exact
from mdptk.core.errors import InvalidHyperparameter
from mdptk.core.expectile import expectile, limit
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def _by_bisection(x, tau):
    low, high = min(x), max(x)
    for _ in range(100):
        e = (low + high) / 2
        balance = sum(tau * (y - e) if y > e else (1 - tau) * (y - e) for y in x)
        low, high = (e, high) if balance > 0 else (low, e)
    return (low + high) / 2


def reference(alg, mdp, steps):
    """The operator as printed, the expectile by bisection on its stationarity."""
    q, out = np.zeros((mdp.S, mdp.A)), []
    for _ in range(steps + 1):
        v = np.array([_by_bisection(q[s], alg.tau) for s in range(mdp.S)])
        out.append((q, v))
        q = np.array([[mdp.r[s, a] + mdp.gamma * mdp.P[s, a] @ v for a in range(mdp.A)] for s in range(mdp.S)])
    return {"q": np.array([x for x, _ in out]), "v": np.array([x for _, x in out])}


@given(mdps(max_S=3), st.sampled_from([0.5, 0.7, 0.99]))
@settings(max_examples=30)
def test_pseudo_code(mdp, tau):
    got, want = run(ExpectileIteration(tau), mdp, 4), reference(ExpectileIteration(tau), mdp, 4)
    for name in ("q", "v"):
        np.testing.assert_allclose(got[name][0], want[name], rtol=1e-9, atol=1e-12)


@given(mdps(), st.sampled_from([0.5, 0.8, 1 - 1e-9]))
@settings(max_examples=40)
def test_theorems(mdp, tau):
    for verdict in check(run(ExpectileIteration(tau), mdp, 20)):
        assert verdict.ok is not False, str(verdict)


@given(mdps(gammas=(0.0, 0.5, 0.9)))
@settings(max_examples=40)
def test_limits_increase_from_the_uniform_to_the_optimal_value(mdp):
    levels = [limit(mdp, tau) for tau in (0.5, 0.6, 0.9, 0.999, 1 - 1e-12)]
    size = 1e-9 / (1 - mdp.gamma) ** 2
    np.testing.assert_allclose(levels[0], exact.action_values(mdp, np.full(mdp.r.shape, 1 / mdp.A)), atol=size)
    np.testing.assert_allclose(levels[-1], exact.optimal(mdp).q, atol=size)
    for low, high in pairwise(levels):
        assert (low <= high + size).all()


def test_the_limit_is_the_value_of_a_policy_with_bounded_ratios():
    mdp, tau = garnet(), 0.8
    q = limit(mdp, tau)
    v, pi = expectile(q, tau)
    np.testing.assert_allclose(exact.evaluate(mdp, pi), v, rtol=1e-10)
    assert (pi.max(-1) / pi.min(-1)).max() <= tau / (1 - tau) * (1 + 1e-12)


def test_distance_from_optimal_is_tight_and_the_rate_is_gamma():
    """One good action among three, for ever: the others take what tau leaves them."""
    mdp = MDP(np.ones((1, 3, 1)), [[1.0, 0.0, 0.0]], 0.9)
    result = run(ExpectileIteration(0.9), mdp, 200)
    assert NEARLY_OPTIMAL.check(result).ratio == pytest.approx(1.0, rel=1e-6)
    verdict = CONVERGENCE.check(result)
    assert verdict.ok
    assert verdict.informative
    errors = error.values(result)[0]
    np.testing.assert_allclose(errors[2:100] / errors[1:99], 0.9, rtol=1e-6)


def test_range():
    for bad in (0.4, 1.0):
        with pytest.raises(InvalidHyperparameter, match="tau"):
            ExpectileIteration(bad)


def test_weights_of_a_batch_are_those_of_each():
    q = np.random.default_rng(0).random((4, 3, 2))
    for whole, each in zip(expectile(q, 0.8), zip(*(expectile(x, 0.8) for x in q), strict=True), strict=True):
        np.testing.assert_array_equal(whole, np.stack(each))
