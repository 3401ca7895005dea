"""Policies with memory: their gradient is that of the product, by differences and by enumeration; what memory buys."""

from __future__ import annotations

import numpy as np
import pytest

from mdptk.core import exact
from mdptk.core.errors import InvalidModel
from mdptk.core.estimators import returns_to_go, score_gradient
from mdptk.core.memory import on_product, stateful_softmax, tie, with_memory
from mdptk.core.models import FiniteHorizonMDP
from tests.algorithms.policy_gradient.episodes import enumerate_episodes, tiny

SHAPE = (2, 1, 2, 2, 2)  # two stages, one observation of two states, two memories, two actions
BLIND = np.array([0, 0])


def t_maze():
    """A sign, left or right, is seen at first and not again; the turn at the end pays 1 if it is that of the sign."""
    P = np.zeros((2, 4, 2, 4))
    P[:, [0, 1], :, [2, 3]] = P[:, [2, 3], :, [2, 3]] = 1.0  # signs 0, 1; junctions 2, 3, which look the same
    r = np.zeros((2, 4, 2))
    r[1, [2, 3], [0, 1]] = 1.0
    return FiniteHorizonMDP(P, r, [0.5, 0.5, 0, 0]), np.array([0, 1, 2, 2])


def value(problem, theta, o):
    return exact.expected_return(with_memory(problem, theta.shape[2]), on_product(stateful_softmax(theta), o))


def gradient(problem, theta, o):
    pi = on_product(stateful_softmax(theta), o)
    return tie(exact.softmax_gradient(with_memory(problem, theta.shape[2]), pi), o, theta.shape)


@pytest.mark.parametrize("seed", range(2))
def test_gradient_by_differences(seed):
    problem, rng, step = tiny(2, seed), np.random.default_rng(seed), 1e-5
    theta = rng.normal(size=SHAPE)
    got = gradient(problem, theta, BLIND)
    for _ in range(5):
        x = rng.normal(size=SHAPE)
        up, down = (value(problem, theta + e * x, BLIND) for e in (step, -step))
        assert (got * x).sum() == pytest.approx((up - down) / (2 * step), abs=1e-8)


def test_estimate_is_unbiased_by_enumeration():
    problem, theta = tiny(2), np.random.default_rng(3).normal(size=SHAPE)
    product, pi, mean = with_memory(problem, 2), on_product(stateful_softmax(theta), BLIND), np.zeros(SHAPE)
    h = np.arange(product.H)
    for p, s, a in enumerate_episodes(product, pi):
        if p > 0:
            g = score_gradient(pi, s[None], a[None], returns_to_go(product.r[h, s[:-1], a])[None])
            mean += p * tie(g, BLIND, SHAPE)
    np.testing.assert_allclose(mean, gradient(problem, theta, BLIND), rtol=0, atol=1e-13)


def test_what_memory_buys():
    """Without memory the turn is a guess; with two states gradient ascent learns to write down the sign."""
    problem, o = t_maze()
    best = {}
    for Z in (1, 2):
        theta = 0.1 * np.random.default_rng(0).normal(size=(2, 3, Z, 2, Z))
        for _ in range(400):
            theta = theta + 4.0 * gradient(problem, theta, o)
        best[Z] = value(problem, theta, o)
    assert best[1] == pytest.approx(0.5, abs=1e-12)
    assert best[2] > 0.95


def test_one_state_of_memory_is_none():
    problem = tiny(2)
    one = with_memory(problem, 1)
    np.testing.assert_array_equal(one.P, problem.P)
    np.testing.assert_array_equal(one.r, problem.r)
    with pytest.raises(InvalidModel, match="a memory has Z = 0 states"):
        with_memory(problem, 0)
