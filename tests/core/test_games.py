"""Games: bad input, and equilibria of stage games against linear programs."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from mdptk.core import exact
from mdptk.core.errors import InvalidModel
from mdptk.core.games import MarkovGame, MatrixGame
from mdptk.core.minimax import equilibrium, game_optimal
from mdptk.core.models import MDP
from mdptk.problems.garnet import garnet


@st.composite
def matrices(draw, max_A=6):
    """Payoffs of all kinds: reals, many ties, equal rows, low rank, saddle points, constants."""
    A, B = draw(st.integers(1, max_A)), draw(st.integers(1, max_A))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["reals", "signs", "rows", "rank one", "constant", "dominated", "skew"]))
    R = rng.uniform(-1, 1, (A, B))
    if kind == "signs":
        R = rng.integers(-1, 2, (A, B)).astype(float)
    elif kind == "rows":
        R = np.repeat(R[:1], A, 0)
    elif kind == "rank one":
        R = np.outer(rng.integers(-2, 3, A), rng.integers(-2, 3, B)).astype(float)
    elif kind == "constant":
        R = np.full((A, B), 0.1)
    elif kind == "dominated":
        R[0] = R.max(0) + 1
    elif kind == "skew":
        R = rng.integers(-3, 4, (A, A)).astype(float)
        R = R - R.T
    return R * 10.0 ** draw(st.integers(-9, 9))


def width(R, e):
    return (R @ e.y).max() - (e.x @ R).min()


@settings(max_examples=300, deadline=None)
@example(np.zeros((2, 3)))
@given(matrices())
def test_nobody_gains_from_another_strategy(R):
    e = equilibrium(R)
    assert e.x.min() >= 0
    assert e.y.min() >= 0
    assert abs(e.x.sum() - 1) + abs(e.y.sum() - 1) < 1e-14
    assert width(R, e) <= 64 * np.finfo(float).eps * max(abs(R).max(), 1e-300) * sum(R.shape)


def test_many_at_once_are_as_one_by_one():
    R = np.random.default_rng(0).integers(-2, 3, (4, 5, 3, 4)).astype(float)
    together = equilibrium(R)
    assert together.v.shape == (4, 5)
    for i in np.ndindex(4, 5):
        alone = equilibrium(R[i])
        np.testing.assert_allclose(together.v[i], alone.v, atol=1e-14)


@pytest.mark.parametrize("shape", [(3, 4), (12, 7), (25, 30)])
def test_values_are_those_of_linear_programs(shape):
    rng = np.random.default_rng(shape[0])
    for R in (rng.standard_normal(shape), rng.integers(-1, 2, shape).astype(float)):
        A, B = shape
        lp = linprog(
            np.append(np.zeros(A), -1),
            A_ub=np.c_[-R.T, np.ones(B)],
            b_ub=np.zeros(B),
            A_eq=[[1] * A + [0]],
            b_eq=[1],
            bounds=[(0, None)] * A + [(None, None)],
        )
        assert equilibrium(R).v == pytest.approx(-lp.fun, abs=1e-9)


def test_one_player_is_a_decision_problem():
    mdp = garnet()
    best = exact.optimal(mdp)
    first = game_optimal(MarkovGame(mdp.P[:, :, None], mdp.r[:, :, None], mdp.gamma))
    second = game_optimal(MarkovGame(mdp.P[:, None], -mdp.r[:, None], mdp.gamma))
    np.testing.assert_allclose(first.v, best.v, rtol=1e-12)
    np.testing.assert_allclose(second.v, -best.v, rtol=1e-12)


def test_responses_are_decision_problems():
    rng = np.random.default_rng(0)
    game = MarkovGame(rng.dirichlet(np.ones(3), (3, 2, 4)), rng.random((3, 2, 4)), 0.8)
    x, y = rng.dirichlet(np.ones(2), 3), rng.dirichlet(np.ones(4), 3)
    first, second = game.against_second(y), game.against_first(x)
    assert isinstance(first, MDP)
    np.testing.assert_allclose(exact.evaluate(first, x), -exact.evaluate(second, y), rtol=1e-12)


CHANCE = np.full((2, 1, 2, 2), 0.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MatrixGame([1.0, 2.0]), r"R has shape \(2,\)"),
        (lambda: MatrixGame(np.zeros((0, 2))), r"R has shape \(0, 2\)"),
        (lambda: MatrixGame([[1.0, np.nan]]), r"R\[0, 1\] = nan is not finite"),
        (lambda: MarkovGame(CHANCE[0], np.zeros((1, 2)), 0.5), "P has shape"),
        (lambda: MarkovGame(CHANCE, np.zeros((2, 2, 1)), 0.5), r"expected \(2, 1, 2\)"),
        (lambda: MarkovGame(1.1 * CHANCE, np.zeros((2, 1, 2)), 0.5), r"P\[0, 0, 0\] is not a probability vector"),
        (lambda: MarkovGame(CHANCE, np.zeros((2, 1, 2)), 1.0), r"gamma = 1.0 is not in \[0, 1\)"),
        (lambda: MarkovGame(CHANCE, np.zeros((2, 1, 2)), 0.5, [0.5, 0.6]), "rho is not a probability"),
        (lambda: MarkovGame(sp.csr_array(np.eye(2)), np.zeros((2, 1, 2)), 0.5), "takes a dense"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(InvalidModel, match=message):
        make()
