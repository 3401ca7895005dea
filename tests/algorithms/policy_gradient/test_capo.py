"""CAPO against loops with matrices; its models; steps that they allow improve, and sums of allowed parts need not."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.policy_gradient.capo import CAPO, GAIN, models
from mdptk.core import exact
from mdptk.core.bandits import BernoulliBandit
from mdptk.testing import bandits


def reference(alg, problem, steps):
    """With the Hessian and the Fisher matrix written out."""
    r, A = problem.means, problem.A
    theta, out = np.zeros(A), []
    for _ in range(steps + 1):
        out.append(theta)
        pi = np.exp(theta) / np.exp(theta).sum()
        J = pi @ r
        F, g = np.diag(pi) - np.outer(pi, pi), pi * (r - J)
        H = np.diag(g) - np.outer(g, pi) - np.outer(pi, g)
        d = np.zeros(A)
        for y in range(A):
            part = alg.eta * pi[y] * (r[y] - J) * (np.eye(A)[y] - pi)
            if g @ part + part @ H @ part / 2 >= alg.delta_H and part @ F @ part / 2 <= alg.delta_F:
                d = d + part
        theta = theta + d
    return {"theta": np.array(out)}


@given(bandits(), st.sampled_from([0.1, 2.0, 50.0]), st.sampled_from([1e-3, 1.0]))
@settings(max_examples=30)
def test_theorems(problem, eta, delta_F):
    for verdict in check(run(CAPO(eta, 0.0, delta_F), problem, 12)):
        assert verdict.ok, str(verdict)


def test_models_are_those_of_automatic_differentiation():
    rng = np.random.default_rng(0)
    theta, d, r = rng.normal(size=4), rng.normal(size=4), rng.random(4)
    with jax.enable_x64(True):
        x, means = jax.numpy.asarray(theta), jax.numpy.asarray(r)
        J = lambda x: exact.softmax(x) @ means  # noqa: E731
        g, H = jax.grad(J)(x), jax.hessian(J)(x)
        F = jax.hessian(lambda y: -(exact.softmax(x) * exact.log_softmax(y)).sum())(x)  # of the relative entropy
    gain, shift = models(r, np.asarray(exact.softmax(theta)), d)
    g, H, F = map(np.asarray, (g, H, F))
    assert gain == pytest.approx(g @ d + d @ H @ d / 2, rel=1e-10)
    assert shift == pytest.approx(d @ F @ d / 2, rel=1e-10)


@given(st.integers(0, 10_000), st.sampled_from([0.3, 2.0]))
@settings(max_examples=30)
def test_a_step_whose_model_gains_more_than_the_rest_improves(seed, size):
    rng = np.random.default_rng(seed)
    theta, d, r = rng.normal(size=5), size * rng.normal(size=5), rng.random(5)
    pi = exact.softmax(theta)
    if models(r, pi, d)[0] > 7 / 96 * np.ptp(d) ** 3:
        assert exact.softmax(theta + d) @ r > pi @ r


def test_the_model_is_tight_to_third_order():
    """The rest falls with the cube of the step."""
    problem = BernoulliBandit([0.9, 0.2, 0.1])
    pi = np.array([0.2, 0.3, 0.5])
    start = {"theta": np.log(pi), "pi": pi, "d": np.zeros(3), "gain": 0.0, "shift": 0.0}
    ratios = [GAIN.lhs.values(run(CAPO(eta), problem, 1, start=start))[0, 1] / eta**3 for eta in (0.1, 0.2)]
    assert ratios[0] == pytest.approx(ratios[1], rel=0.05)
    assert GAIN.lhs.values(run(CAPO(0.5), problem, 1))[0, 1] > 0


def test_parts_that_are_allowed_may_make_a_sum_that_is_not():
    """Two parts, each of which gains by its model and shifts little: the whole step shifts more than is allowed."""
    problem = BernoulliBandit([1.0, 0.0])
    result = run(CAPO(eta=2.0, delta_F=0.05), problem, 1)
    alone = models(problem.means, np.array([0.5, 0.5]), result["d"][0, 1] / 2)
    assert alone[1] <= 0.05 < result["shift"][0, 1]
