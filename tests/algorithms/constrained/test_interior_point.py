"""Path following against Newton's method on the whole system of equations, in the occupancies themselves."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import Infeasible, check, run
from mdptk.algorithms.constrained.interior_point import GAP, InteriorPoint, _state
from mdptk.core.central_path import occupancy_program
from mdptk.core.errors import NotConverged
from mdptk.core.models import CMDP, MDP
from mdptk.problems.constrained import constrained_garnet, paradoxical
from mdptk.testing import cmdps
from mdptk.theory.stock_constrained import optimum


def reference(alg, cmdp, steps):
    """The equations of the central path, all at once: flow, budgets, reduced costs, products."""
    mdp, S, A, m = cmdp.mdp, cmdp.S, cmdp.A, cmdp.m
    B, right = np.zeros((S + m, S * A + m)), np.append(mdp.rho, cmdp.b)
    for s in range(S):
        for a in range(A):
            B[s, s * A + a] += 1
            for s2 in range(S):
                B[s2, s * A + a] -= mdp.gamma * mdp.P[s, a, s2]
            for i in range(m):
                B[S + i, s * A + a] = cmdp.c[i, s, a]
    for i in range(m):
        B[S + i, S * A + i] = 1
    r, n = np.append(mdp.r.ravel(), np.zeros(m)), S * A + m
    uniform = np.linalg.solve(np.eye(S) - mdp.gamma * mdp.P.mean(1).T, mdp.rho)
    z, p = np.append(np.repeat(uniform / A, A), np.ones(m)), np.zeros(S + m)
    for _ in range(300):  # the analytic centre: B'p = 1/z, B z = right
        M = np.block([[np.diag(1 / z**2), B.T], [B, np.zeros((S + m, S + m))]])
        move = np.linalg.solve(M, np.append(1 / z - B.T @ p, right - B @ z))
        h = min(1.0, 0.5 / max(1e-9, (-move[:n] / z).max()))
        z, p = z + h * move[:n], p + h * move[n:]
    off = z * r - (z * r).mean()
    mu = max(np.sqrt((off**2).sum()) / 0.2, alg.tol)
    p, out = p * (mu + (z * r).mean()), []
    for _ in range(steps + 1):
        w = B.T @ p - r
        x = z[: S * A].reshape(S, A)
        out.append((z @ w / n, p[S:], x / x.sum(1, keepdims=True)))
        goal = max((1 - alg.delta / np.sqrt(n)) * (z @ w) / n, alg.tol)
        M = np.block([[np.diag(w), z[:, None] * B.T], [B, np.zeros((S + m, S + m))]])
        move = np.linalg.solve(M, np.append(goal - z * w, np.zeros(S + m)))
        z, p = z + move[:n], p + move[n:]
    return dict(zip(("mu", "lam", "pi"), map(np.array, zip(*out, strict=True)), strict=True))


@given(cmdps(), st.sampled_from([0.4, 0.1]))
@settings(max_examples=20)
def test_theorems(cmdp, delta):
    for verdict in check(run(InteriorPoint(delta), cmdp, 60), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


def test_the_optimum_is_reached_from_inside():
    cmdp = constrained_garnet(xi=1e-3)
    result = run(InteriorPoint(), cmdp, 300, every=10)
    assert (result["returns"][0, :, 1:] < cmdp.b).all()
    assert 0 < optimum(cmdp).value - result["returns"][0, -1, 0] <= 20 * 1e-8
    np.testing.assert_allclose(result["lam"][0, -1], optimum(cmdp).multipliers, atol=1e-4)
    assert GAP.check(result).ratio > 0.3


def test_states_that_nothing_comes_to():
    """They have no occupancy to be positive. One that is come to once in 1e40 has; what it does is all one."""
    P = np.array([[[1, 0, 0], [1, 1e-40, 0]], [[1, 0, 0]] * 2, [[0, 0, 1]] * 2])
    cmdp = CMDP(MDP(P, [[0, 1], [1, 0], [0, 1]], 0.5, [1, 0, 0]), [[[0, 1], [0, 0], [0, 0]]], [0.5])
    result = run(InteriorPoint(), cmdp, 200)
    assert result["returns"][0, -1, 0] == pytest.approx(0.5, abs=1e-6)
    np.testing.assert_array_equal(result["u"][0, :, 2], 0.5)
    np.testing.assert_array_equal(result["pi"][0, :, 2], 0.5)
    np.testing.assert_allclose(result["pi"][0, :, 1], 0.5, atol=1e-12)


@pytest.mark.parametrize("outside", ["slack", "price"])
def test_a_step_that_leaves_the_inside_is_refused(outside):
    """One slack, or one price, that is not positive is enough."""
    problem = constrained_garnet()
    lp, state = occupancy_program(problem), InteriorPoint().init(problem)
    z, prices = np.append(state.u[lp.here], state.y), np.append(state.nu[lp.here], state.lam)
    if outside == "slack":
        z[0] = 0.0
    else:
        prices[0] = -1.0
    least = f"least slack {z.min():.3g}, least price {(prices @ lp.B - lp.r).min():.3g}"
    with pytest.raises(NotConverged, match=re.escape(f"a step left the inside: {least}")):
        _state(problem, lp, z, prices)


def test_without_an_inside():
    cmdp = paradoxical()
    with pytest.raises(Infeasible, match="no policy meets the budgets"):
        run(InteriorPoint(), CMDP(cmdp.mdp, cmdp.c, [-1.0]), 1)
    free = CMDP(cmdp.mdp, np.zeros_like(cmdp.c), [0.0])  # every policy meets the budget, and none with slack
    with pytest.raises(NotConverged, match="there is no inside") as error:
        run(InteriorPoint(), free, 1)
    assert error.value.reached == 0
