"""Optimistic gradient descent-ascent on occupancies: against loops with another projection, and against no optimism."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.constrained.reload_occupancy import FALLS, LINEAR, ReLOADOccupancy
from mdptk.core import exact
from mdptk.problems.constrained import paradoxical
from mdptk.testing import cmdps, mdps
from mdptk.theory.stock_constrained import optimum
from tests.algorithms.constrained.loops import nearest_occupancy


def reference(alg, cmdp, steps):
    """Two projected steps with one gradient, from one point to the next."""
    mdp, eta = cmdp.mdp, alg.step_size(cmdp)
    pairs = [(s, a) for s in range(mdp.S) for a in range(mdp.A)]

    def move(x0, lam0, x, lam):
        up, over = x0.copy(), -(1 - mdp.gamma) * cmdp.b
        for s, a in pairs:
            up[s, a] += eta * (mdp.r[s, a] - sum(lam[i] * cmdp.c[i, s, a] for i in range(cmdp.m)))
            over = over + cmdp.c[:, s, a] * x[s, a]
        return nearest_occupancy(mdp, up), np.array([max(0.0, l + eta * o) for l, o in zip(lam0, over, strict=True)])

    uniform = np.full((mdp.S, mdp.A), 1 / mdp.A)
    P = sum(uniform[:, a, None] * mdp.P[:, a] for a in range(mdp.A))
    d = sum((1 - mdp.gamma) * mdp.gamma**k * mdp.rho @ np.linalg.matrix_power(P, k) for k in range(600))
    hat = (d[:, None] * uniform, np.zeros(cmdp.m))
    z = move(*hat, *hat)
    out = [(*hat, *z)]
    for _ in range(steps):
        hat = move(*hat, *z)
        z = move(*hat, *z)
        out.append((*hat, *z))
    return dict(zip(("x_hat", "lam_hat", "x", "lam"), map(np.array, zip(*out, strict=True)), strict=True))


@given(mdps(max_S=4, max_A=3), st.integers(0, 1000), st.sampled_from([0.1, 1.0, 100.0]))
@settings(max_examples=40)
def test_projection(mdp, seed, size):
    """On the flow equations, not negative, as near as another method says, and where it was if that is inside."""
    y = size * np.random.default_rng(seed).normal(size=mdp.r.shape)
    x = exact.project_occupancy(mdp, y)
    assert x.min() >= 0
    np.testing.assert_allclose(
        x.ravel() @ exact.occupancy_flow(mdp), (1 - mdp.gamma) * mdp.rho, atol=1e-13 * max(1, size)
    )
    np.testing.assert_allclose(x, nearest_occupancy(mdp, y), atol=1e-7 * size)
    pi = exact.softmax(y / size)
    inside = exact.occupancy(mdp, pi)[:, None] * pi
    np.testing.assert_allclose(exact.project_occupancy(mdp, inside), inside, atol=1e-13)


@given(cmdps(), st.sampled_from([None, 1e-2]))
@settings(max_examples=12)
def test_theorems(cmdp, eta):
    for verdict in check(run(ReLOADOccupancy(eta), cmdp, 20), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


def test_the_last_iterate_converges():
    result = run(ReLOADOccupancy(), paradoxical(), 500)
    np.testing.assert_allclose(result["pi"][0, -1], [[0.75, 0.25]], atol=2e-4)
    assert LINEAR.check(result).note.startswith("linear: y ~ 0.9")


def test_without_optimism_the_distance_grows():
    """One projected step of gradient descent-ascent: the potential, which here is the distance, grows at first."""
    cmdp, eta = paradoxical(), 1 / 4
    x, lam = np.array([[0.7, 0.3]]), np.array([0.9])
    saddle = np.append(optimum(cmdp).occupancy.ravel(), 1.0)
    distance = []
    for _ in range(100):
        distance.append(np.linalg.norm(np.append(x.ravel(), lam) - saddle))
        up = x + eta * (cmdp.mdp.r - lam[0] * cmdp.c[0])
        lam = np.maximum(lam + eta * (np.tensordot(cmdp.c, x) - (1 - cmdp.gamma) * cmdp.b), 0)
        x = exact.project_occupancy(cmdp.mdp, up)
    assert max(distance) > 1.2 * distance[0]
    assert min(distance) >= distance[0] * (1 - 1e-12)


def test_a_large_step_is_none_of_its_theorems():
    alg = ReLOADOccupancy(eta=1.0)
    assert "1/(2 L) = 0.5" in FALLS.unmet(alg, paradoxical())
