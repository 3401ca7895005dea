"""S2PG against loops; episodes of the product; the estimate is unbiased: tests/core/test_memory.py."""

from __future__ import annotations

import jax
import numpy as np

from mdptk import run
from mdptk.algorithms.policy_gradient.s2pg import S2PG, _value
from mdptk.core import exact
from mdptk.core.memory import on_product, stateful_softmax, tie, with_memory
from mdptk.core.models import FiniteHorizonMDP
from mdptk.core.oracles import Episodic
from tests.algorithms.policy_gradient.episodes import draw, tiny


def reference(alg, oracle, xis):
    """Al-Hafez et al. 2024 in loops: observation and memory in, action and memory out."""
    H, _, A = np.shape(oracle.r)
    theta = np.zeros((H, alg.O, alg.Z, A, alg.Z))
    out = [theta]
    for xi in xis:
        g = np.zeros(theta.shape)
        for u in xi:
            s, z, steps = draw(oracle._first, u[0, 0]), 0, []
            for h in range(H):
                w = np.exp(theta[h, s % alg.O, z])
                p = (w / w.sum()).ravel()
                k = draw(np.cumsum(p), u[h, 1] * p.sum())
                a, new = divmod(k, alg.Z)
                steps.append((h, s % alg.O, z, a, new, p.reshape(A, alg.Z), oracle.r[h, s, a]))
                s, z = draw(oracle._next[h, s, a], u[h + 1, 0]), new
            for h, o, before, a, new, p, _ in steps:
                later = sum(step[-1] for step in steps[h:])
                for b in range(A):
                    for y in range(alg.Z):
                        g[h, o, before, b, y] += later / alg.N * ((b == a and y == new) - p[b, y])
        theta = theta + alg.eta * g
        out.append(theta)
    return {"theta": np.array(out)}


def test_episodes_of_the_product_are_those_of_the_product_model():
    problem = tiny(2)
    got, want = Episodic.of(problem).remembering(2), Episodic.of(with_memory(problem, 2))
    pi = np.random.default_rng(0).dirichlet(np.ones(4), (2, 4))
    u = np.random.default_rng(1).random((500, 3, 2))
    for x, y in zip(got.follow(pi, u), want.follow(pi, u), strict=True):
        np.testing.assert_array_equal(x, y)


def test_the_measured_value_and_its_gradient_are_those_of_the_product():
    problem, theta = tiny(2), np.random.default_rng(2).normal(size=(2, 1, 2, 2, 2))
    with jax.enable_x64(True):
        got, slope = jax.value_and_grad(_value, 1)(problem, theta)
    blind, product = np.zeros(2, dtype=int), with_memory(problem, 2)
    pi = on_product(stateful_softmax(theta), blind)
    np.testing.assert_allclose(got, exact.expected_return(product, pi), rtol=1e-14)
    np.testing.assert_allclose(tie(exact.softmax_gradient(product, pi), blind, theta.shape), slope, atol=1e-14)


def test_it_learns_to_write_down_a_sign():
    """A T-maze: the sign, state 0 or 2, is forgotten at the junction, 1 or 4, which looks like 1 modulo 3.

    The turn is a guess that earns 1/2 without memory. From zero ascent begins on a saddle; another start does not.
    """
    P, r = np.zeros((2, 5, 2, 5)), np.zeros((2, 5, 2))
    P[:, [0, 2], :, [1, 4]] = P[:, [1, 3, 4], :, [1, 3, 4]] = 1.0
    r[1, [1, 4], [0, 1]] = 1.0
    problem = FiniteHorizonMDP(P, r, [0.5, 0.0, 0.5, 0.0, 0.0])
    start = 0.5 * np.random.default_rng(0).normal(size=(2, 3, 2, 2, 2))
    gaps = run(S2PG(eta=4.0, O=3), problem, 128, start={"theta": start})["gap"][0]
    assert gaps[0] > 0.4
    assert gaps[-1] < 0.1
