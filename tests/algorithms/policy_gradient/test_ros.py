"""Robust on-policy sampling against loops; what its corrections do, by enumeration and to first order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import AssumptionViolated, run
from mdptk.algorithms.policy_gradient.ros import FREQUENCIES, PARTS, ROS
from mdptk.core.estimators import ros_policy
from tests.algorithms.policy_gradient.episodes import add_score, draw, softmax, tiny


def reference(alg, oracle, xis):
    """One episode, one stage after the other."""
    shape = np.shape(oracle.r)
    H, _, A = shape
    theta, zero = np.zeros(shape), np.zeros(shape)
    out = {"theta": [zero], "g": [zero], "n": [zero], "G": [zero]}
    for xi in xis:
        pi, n, total, g = softmax(theta), np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for u in xi:
            s, seen = draw(oracle._first, u[0, 0]), []
            for h in range(H):
                visits = sum(n[h, s])
                phi = [
                    theta[h, s, b] - (alg.alpha * (n[h, s, b] / visits - pi[h, s, b]) if visits else 0)
                    for b in range(A)
                ]
                p = softmax(np.array(phi))
                a = draw([sum(p[: b + 1]) for b in range(A - 1)] + [2.0], u[h, 1])
                seen.append((h, s, a, oracle.r[h, s, a]))
                s = draw(oracle._next[h, s, a], u[h + 1, 0])
            for h, s, a, _ in seen:
                earned = sum(x[-1] for x in seen[h:])
                n[h, s, a] += 1
                total[h, s, a] += earned
                add_score(g, pi, h, s, a, earned / alg.N)
        theta = theta + alg.eta * g
        for name, x in zip(out, (theta, g, n, total), strict=True):
            out[name].append(x)
    return {name: np.array(x) for name, x in out.items()}


def mean_square(pi, alpha, count):
    """``E |n - m pi|^2`` after m = 1 .. count actions in one state, sequences enumerated."""
    theta, out, chances = np.log(pi), np.zeros(count), {tuple([0] * len(pi)): 1.0}
    for m in range(count):
        new = {}
        for n, chance in chances.items():
            q = ros_policy(theta, np.array(n, dtype=float), alpha)
            for a in range(len(pi)):
                after = (*n[:a], n[a] + 1, *n[a + 1 :])
                new[after] = new.get(after, 0.0) + chance * q[a]
        chances = new
        out[m] = sum(p * ((np.array(n) - (m + 1) * pi) ** 2).sum() for n, p in chances.items())
    return out


POLICIES = ([0.5, 0.5], [0.2, 0.3, 0.5], [0.9, 0.05, 0.05], [0.99, 0.01])


@pytest.mark.parametrize("pi", POLICIES)
def test_how_right_frequencies_are(pi):
    """Independent draws for alpha = 0; the slope there; and the bound, which is that of a uniform policy."""
    pi, m, step = np.array(pi), np.arange(1, 9), 1e-4
    C = np.diag(pi) - np.outer(pi, pi)
    np.testing.assert_allclose(mean_square(pi, 0.0, 8), m * np.trace(C), rtol=1e-12)
    slope = (mean_square(pi, step, 8) - mean_square(pi, -step, 8)) / (2 * step)
    np.testing.assert_allclose(slope, -2 * (m - 1) * np.trace(C @ C), rtol=1e-6, atol=1e-9)
    assert mean_square(pi, -4.0, 8)[-1] > 8 * (1 - 1 / len(pi)) or pi.max() > 0.95, "a wrong sign is noticed"
    for alpha in (1.0, 4.0):
        assert (mean_square(pi, alpha, 8) <= m * (1 - 1 / len(pi)) + 1e-12).all()


def test_independent_draws_can_be_better():
    """A sure action: the correction makes a rare one less rare, once it has not come."""
    pi = np.array([0.99, 0.01])
    assert mean_square(pi, 4.0, 2)[1] > mean_square(pi, 0.0, 2)[1]


@given(st.integers(2, 5), st.integers(0, 10_000), st.sampled_from([0.01, 1.0, 30.0]))
@settings(max_examples=25)
def test_the_correction_points_back(A, seed, alpha):
    """<q - pi, x> and <q - pi, x / pi> are not positive for x = n/m - pi, whatever alpha is."""
    rng = np.random.default_rng(seed)
    pi, n = rng.dirichlet(np.ones(A)), rng.integers(0, 6, A).astype(float)
    n[0] += 1
    x, q = n / n.sum() - pi, ros_policy(np.log(pi), n, alpha)
    assert (q - pi) @ x <= 1e-14
    assert (q - pi) @ (x / pi) <= 1e-14 / pi.min()


def test_in_kl_it_may_point_away():
    """Far from the policy: to first order the divergence grows faster than with independent draws."""
    pi, p = np.array([0.25, 0.748, 0.002]), np.array([0.001, 0.097, 0.902])
    q = ros_policy(np.log(pi), 1000 * p, 1e-3)
    assert (q - pi) @ np.log(p / pi) > 0


def test_statements_catch_wrong_counts():
    class Miscounted(ROS):
        def step(self, oracle, state, xi):
            new = ROS.step(self, oracle, state, xi)
            return new._replace(n=new.n + 1)

    result = run(Miscounted(), tiny(2), 8)
    assert not PARTS.check(result).ok
    with pytest.raises(AssumptionViolated, match="alpha at most 4: alpha = 5"):
        FREQUENCIES.check(run(ROS(alpha=5.0), tiny(2), 2))
