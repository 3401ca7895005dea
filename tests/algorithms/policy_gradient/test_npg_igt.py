"""N-PG-IGT against loops; the transport is exact where the gradient is linear."""

from __future__ import annotations

import numpy as np

from mdptk import run
from mdptk.algorithms.policy_gradient.npg_igt import NPGIGT
from mdptk.problems.teaching import two_state
from mdptk.theory.stock_sampled import NORMALISED_ASCENT
from tests.algorithms.policy_gradient.episodes import add_score, roll, softmax


def reference(alg, oracle, xis):
    """Fatkhullin et al. 2023, Algorithm 1; loops over episodes and stages."""
    theta = before = d = np.zeros(oracle.r.shape)
    out = {"theta": [theta], "d": [d]}
    for t, xi in enumerate(xis):
        alpha = (2 / (t + 2)) ** 0.8
        pi, g = softmax(theta + (1 - alpha) / alpha * (theta - before)), np.zeros(theta.shape)
        for u in xi:
            s, a, r = roll(oracle, pi, u)
            for h in range(oracle.H):
                add_score(g, pi, h, s[h], a[h], sum(r[h:]) / alg.N)
        d = (1 - alpha) * d + alpha * g
        size = np.sqrt((d**2).sum())
        theta, before = theta + (alg.eta / (t + 2) / size * d if size else 0), theta
        out["theta"].append(theta)
        out["d"].append(d)
    return {k: np.array(x) for k, x in out.items()}


def test_the_transport_is_exact_where_the_gradient_is_linear():
    """Then the average of the gradients taken ahead is the gradient of today, wherever the steps went."""
    rng, alg = np.random.default_rng(0), NPGIGT()
    B, theta, d = rng.normal(size=(3, 3)), rng.normal(size=3), 0.0
    before = theta
    for t in range(20):
        alpha = (2 / (t + 2)) ** 0.8
        d = (1 - alpha) * d + alpha * (B @ alg.look_ahead(theta, before, alpha))
        np.testing.assert_allclose(d, B @ theta, rtol=1e-9, atol=1e-9)
        theta, before = theta + rng.normal(size=3), theta


class _Backwards(NPGIGT):
    """Away from the direction."""

    def step(self, oracle, state, xi):
        after = super().step(oracle, state, xi)
        return after._replace(theta=2 * state.theta - after.theta)


def test_the_ascent_notices_a_wrong_sign():
    problem = two_state().episodic(4)
    assert NORMALISED_ASCENT.check(run(NPGIGT(N=64), problem, 64, repeats=2)).ok
    assert not NORMALISED_ASCENT.check(run(_Backwards(eta=0.25, N=64), problem, 64, repeats=2)).ok
