"""Robust value iteration against loops with a linear program for every inner minimum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import linprog

from mdptk import MDP, check, run
from mdptk.algorithms.planning.value_iteration import ValueIteration
from mdptk.algorithms.robust.robust_value_iteration import CONVERGENCE, RobustValueIteration
from mdptk.core.robust import L1, Finite, Interval, RobustMDP
from mdptk.problems.garnet import garnet
from mdptk.problems.robust import machine_replacement, robust_riverswim
from mdptk.solve import solve
from mdptk.testing import robust_mdps


def inner(U, s, a, v):
    """min p.v over the set, as it is defined."""
    n = len(v)
    if isinstance(U, Finite):
        return min(float(P[s, a] @ v) for P in U.P)
    if isinstance(U, Interval):
        bounds = [(lo, min(hi, 1)) for lo, hi in zip(U.lower[s, a], U.upper[s, a], strict=True)]
        return linprog(v, A_eq=np.ones((1, n)), b_eq=[1], bounds=bounds).fun
    p, up_down = U.P[s, a], np.r_[np.ones(n), -np.ones(n)]
    bounds = [(0, None)] * n + [(0, x) for x in p]
    moved = linprog(
        np.r_[v, -v], A_eq=up_down[None], b_eq=[0], A_ub=[[1] * 2 * n], b_ub=[U.radius[s, a]], bounds=bounds
    )
    return float(p @ v) + moved.fun


def reference(alg, problem, steps):
    v, out = np.zeros(problem.S), []
    for _ in range(steps + 1):
        out.append(v)
        new = np.empty(problem.S)
        for s in range(problem.S):
            values = []
            for a in range(problem.A):
                values.append(problem.r[s, a] + problem.gamma * inner(problem.ambiguity, s, a, v))
            new[s] = max(values)
        v = new
    return {"v": np.array(out)}


@settings(max_examples=25)
@given(robust_mdps(max_S=3, max_A=2))
def test_pseudo_code(problem):
    got = run(RobustValueIteration(), problem, 3)["v"][0]
    np.testing.assert_allclose(got, reference(None, problem, 3)["v"], rtol=1e-9, atol=1e-9)


@settings(max_examples=25)
@given(robust_mdps())
def test_theorems(problem):
    for verdict in check(run(RobustValueIteration(), problem, 12)):
        assert verdict.ok is not False, verdict


def test_one_kernel_is_value_iteration():
    mdp = garnet()
    got, want = run(RobustValueIteration(), RobustMDP(mdp, L1(mdp.P, 0.0)), 10), run(ValueIteration(), mdp, 10)
    np.testing.assert_array_equal(got["v"], want["v"])


def test_convergence_is_tight_when_the_error_is_constant():
    mdp = MDP([[[1.0]]], [[1.0]], 0.9)
    verdict = CONVERGENCE.check(run(RobustValueIteration(), RobustMDP(mdp, L1(mdp.P, 0.5)), 50))
    assert verdict.ok
    assert verdict.ratio > 1 - 1e-9


@pytest.mark.parametrize("problem", [robust_riverswim(), machine_replacement()])
def test_it_converges_to_the_certified_value(problem):
    v = run(RobustValueIteration(), problem, 600)["v"][0, -1]
    np.testing.assert_allclose(v, solve(problem).value, atol=1e-7)


def test_the_worst_case_repairs_earlier():
    problem = machine_replacement()
    robust, nominal = solve(problem).policy.argmax(1), solve(problem.nominal).policy.argmax(1)
    assert robust.tolist() == [0, 0, 0, 0, 1, 1]
    assert nominal.tolist() == [0, 0, 0, 0, 0, 1]


def test_a_large_radius_keeps_the_swimmer_at_home():
    assert solve(robust_riverswim(0.2)).policy[0].tolist() == [0, 1]
    assert solve(robust_riverswim(0.4)).policy[0].tolist() == [1, 0]
