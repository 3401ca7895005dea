"""The augmented Lagrangian against the proximal point method on the dual, over all deterministic policies."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from mdptk import CMDP, MDP, check, run
from mdptk.algorithms.constrained.augmented_lagrangian import AVERAGE_GAP, CARRIED, AugmentedLagrangian
from mdptk.core.quadratic import quadratic_on_simplex
from mdptk.falsify.instance import Instance
from mdptk.falsify.score import Candidate, judge
from mdptk.problems.constrained import constrained_garnet, constrained_two_state, paradoxical
from mdptk.testing import cmdps
from mdptk.theory.stock_constrained import optimum


def corners(cmdp):
    """What every deterministic policy earns, and by how much it exceeds the budgets."""
    mdp, found = cmdp.mdp, []
    for actions in product(range(mdp.A), repeat=mdp.S):
        rows = (np.arange(mdp.S), np.array(actions))
        d = np.linalg.solve((np.eye(mdp.S) - mdp.gamma * mdp.P[rows]).T, mdp.rho)
        found.append([d @ mdp.r[rows], *(np.array([d @ c[rows] for c in cmdp.c]) - cmdp.b)])
    return np.unique(np.array(found), axis=0)


def proximal(points, lam, eta):
    """The least max_k (r_k - l.g_k) + |l - lam|^2 / (2 eta) over l >= 0: which are active, then linear equations."""
    r, g = points[:, 0], points[:, 1:]
    m = len(lam)
    top = lambda x: (r - g @ x).max()  # noqa: E731
    answer = minimize(
        lambda z: z[-1] + ((z[:-1] - lam) ** 2).sum() / (2 * eta),
        np.append(lam, top(lam)),
        jac=lambda z: np.append((z[:-1] - lam) / eta, 1.0),
        bounds=[(0, None)] * m + [(None, None)],
        constraints={
            "type": "ineq",
            "fun": lambda z: z[-1] - r + g @ z[:-1],
            "jac": lambda z: np.c_[g, np.ones(len(r))],
        },
        method="SLSQP",
        options={"ftol": 1e-16, "maxiter": 500},
    ).x[:-1]
    active = np.flatnonzero(r - g @ answer >= top(answer) - 1e-6)
    free = np.flatnonzero(answer > 1e-7)
    f, k = len(free), len(active)
    M = np.zeros((f + k + 1, f + 1 + k))  # l_free, the maximum, weights of the active policies
    M[:f, :f], M[:f, f + 1 :] = np.eye(f), -eta * g[active][:, free].T
    M[f:-1, :f], M[f:-1, f] = g[active][:, free], 1
    M[-1, f + 1 :] = 1
    exact = np.zeros(m)
    exact[free] = np.linalg.lstsq(M, np.concatenate([lam[free], r[active], [1]]))[0][:f]
    return exact


def reference(alg, cmdp, steps):
    """Multipliers of the proximal point method."""
    points, lam = corners(cmdp), np.zeros(cmdp.m)
    out = [lam]
    for _ in range(steps + 1):
        out.append(proximal(points, out[-1], alg.eta))
    return {"lam": np.array(out[:-1]), "price": np.array(out[1:])}


@given(cmdps(), st.sampled_from([0.1, 1.0, 30.0]))
@settings(max_examples=8)
def test_theorems(cmdp, eta):
    for verdict in check(run(AugmentedLagrangian(eta), cmdp, 8), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


@pytest.mark.parametrize("eta", [0.1, 0.5, 10.0])
def test_it_ends_after_as_many_steps_as_the_dual_function_is_flat(eta):
    """D(l) falls by 1.5 a unit up to the multiplier 1: in steps of 1.5 eta, and the last one lands on it."""
    result = run(AugmentedLagrangian(eta), paradoxical(), 12)
    np.testing.assert_allclose(result["lam"][0, :, 0], np.minimum(1.5 * eta * result.t, 1), atol=1e-14)
    there = int(np.ceil(1 / (1.5 * eta)))
    np.testing.assert_allclose(
        result["returns"][0, there - 1 :, 1], 0.5, atol=1e-13 + (1 - 1.5 * eta * (there - 1)) / eta
    )
    np.testing.assert_allclose(result["returns"][0, there:, 1], 0.5, atol=1e-13)


def test_small_steps_keep_their_digits():
    """Found by the count of false alarms: a price of 0.008 that was right to 1e-14 left an excess that was to 1e-12."""
    P = [[[0.9995, 0.0005], [0.0005, 0.9995]], [[0.0005, 0.9995], [0.9995, 0.0005]]]
    cmdp = CMDP(MDP(P, [[0, 0], [1, 0]], 0.9), [[[0, 0], [1, 0]], [[1, 1], [0, 1]]], [6.0, 6.0])
    result = run(AugmentedLagrangian(0.002350074403294678), cmdp, 3)
    excess = result["returns"][0, :, 1:] - cmdp.b
    np.testing.assert_allclose(
        result["price"][0], np.maximum(result["lam"][0] + result.alg.eta * excess, 0), rtol=1e-14
    )
    assert CARRIED.check(result).ok


def test_what_the_average_earns_has_a_ratio():
    """Both sides are positive, so that a search can make it tight."""
    (score,) = judge(AVERAGE_GAP, [Candidate(AugmentedLagrangian(), Instance.of(constrained_two_state()), 10)])
    assert score is not None
    assert 0 < score.value <= 1


def test_long_steps_solve_at_once():
    cmdp = constrained_garnet()
    result = run(AugmentedLagrangian(1e4), cmdp, 2)
    np.testing.assert_allclose(result["price"][0, 0], optimum(cmdp).multipliers, atol=1e-9)
    assert result["returns"][0, 1, 0] == pytest.approx(float(optimum(cmdp).value), abs=1e-9)


@given(st.integers(1, 5), st.integers(0, 3), st.integers(0, 3), st.integers(0, 10_000))
@settings(max_examples=60)
def test_quadratic_program(k, more, rank, seed):
    """Its optimality conditions, for matrices of any rank, and linear terms with ties."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(rank, k + more))
    R = np.concatenate([root, np.eye(k + more)[k:]])
    q = rng.integers(-2, 3, k + more) / 2 if seed % 2 else rng.normal(size=k + more)
    z, y, level = quadratic_on_simplex(R, q, k)
    np.testing.assert_allclose(y, R @ z, atol=1e-12)
    slope = q - R.T @ R @ z - level * (np.arange(k + more) < k)
    assert z.min() >= 0
    assert z[:k].sum() == pytest.approx(1, abs=1e-12)
    assert slope.max() <= 1e-12
    assert abs(slope * z).max() <= 1e-9
