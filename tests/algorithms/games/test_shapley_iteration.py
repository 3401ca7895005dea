"""Shapley's iteration against loops with a linear program in every state."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from scipy.optimize import linprog

from mdptk import check, run
from mdptk.algorithms.games.shapley_iteration import CONVERGENCE, ShapleyIteration
from mdptk.algorithms.planning.value_iteration import ValueIteration
from mdptk.core.games import MarkovGame
from mdptk.problems.games import inspection
from mdptk.problems.garnet import garnet
from mdptk.solve import solve
from mdptk.testing import markov_games


def game_value(M):
    """max v subject to x M >= v, as it is printed in textbooks."""
    A, B = M.shape
    lp = linprog(
        np.append(np.zeros(A), -1),
        A_ub=np.c_[-M.T, np.ones(B)],
        b_ub=np.zeros(B),
        A_eq=[[1] * A + [0]],
        b_eq=[1],
        bounds=[(0, None)] * A + [(None, None)],
    )
    return -lp.fun


def reference(alg, problem, steps):
    S, A, B = problem.r.shape
    v, out = np.zeros(S), []
    for _ in range(steps + 1):
        out.append(v)
        new = np.empty(S)
        for s in range(S):
            M = np.empty((A, B))
            for a in range(A):
                for b in range(B):
                    M[a, b] = problem.r[s, a, b] + problem.gamma * sum(
                        problem.P[s, a, b, s2] * v[s2] for s2 in range(S)
                    )
            new[s] = game_value(M)
        v = new
    return {"v": np.array(out)}


@settings(max_examples=25)
@given(markov_games(max_S=2))
def test_pseudo_code(problem):
    got = run(ShapleyIteration(), problem, 3)["v"][0]
    np.testing.assert_allclose(got, reference(None, problem, 3)["v"], rtol=1e-9, atol=1e-9)


@settings(max_examples=20)
@given(markov_games())
def test_theorems(problem):
    for verdict in check(run(ShapleyIteration(), problem, 10)):
        assert verdict.ok is not False, verdict


def test_one_player_is_value_iteration():
    mdp = garnet()
    got = run(ShapleyIteration(), MarkovGame(mdp.P[:, :, None], mdp.r[:, :, None], mdp.gamma), 10)
    np.testing.assert_allclose(got["v"], run(ValueIteration(), mdp, 10)["v"], rtol=1e-13)


def test_convergence_is_tight_when_the_error_is_constant():
    game = MarkovGame(np.ones((1, 2, 2, 1)), [[[1, 0], [0, 1]]], 0.9)
    verdict = CONVERGENCE.check(run(ShapleyIteration(), game, 50))
    assert verdict.ok
    assert verdict.ratio > 1 - 1e-9


def test_the_inspection_is_uniform_over_the_days():
    """Without discount the value with k days left is (k - 1) / k: found here at a discount of almost one."""
    value = solve(inspection(4, gamma=1 - 1e-5), tol=1e-6).value
    np.testing.assert_allclose(value[2::2], [0, 1 / 2, 2 / 3, 3 / 4], atol=4e-5)
    np.testing.assert_allclose(value[3::2], 1, atol=1e-12)
