"""Values of games between their bounds: in rationals, with both strategies held against their best answers."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk.core.errors import InvalidHyperparameter, NotConverged
from mdptk.core.games import MarkovGame, MatrixGame
from mdptk.problems.garnet import garnet
from mdptk.solve import ExactGameSolution, GameSolution, solve
from mdptk.solve.solution import Unsupported
from tests.core.test_games import matrices
from tests.solve.test_solve import dot, fractions, gauss, rows

ROCK_PAPER_SCISSORS = [[0, -1, 1], [1, 0, -1], [-1, 1, 0]]

# matrix games ----------------------------------------------------------------------------------------------------


def support_value(R):
    """The value by trying every square subgame (Shapley and Snow 1950), in rationals."""
    M, (A, B) = fractions(R), R.shape
    for k in range(1, min(A, B) + 1):
        for rows_ in combinations(range(A), k):
            for columns in combinations(range(B), k):
                x = equalising([[M[a][b] for a in rows_] for b in columns])
                y = equalising([[M[a][b] for b in columns] for a in rows_])
                if x is None or y is None or min(*x, *y) < 0:
                    continue
                low = min(sum(p * M[a][b] for p, a in zip(x, rows_, strict=True)) for b in range(B))
                high = max(sum(q * M[a][b] for q, b in zip(y, columns, strict=True)) for a in range(A))
                if low == high:
                    return low
    raise AssertionError("every game has a square kernel")


def equalising(M):
    """Weights that sum to one and make all rows of the square `M` worth the same; None if they are not unique."""
    k = len(M)
    system = [[*row, Fraction(-1)] for row in M] + [[Fraction(1)] * k + [Fraction(0)]]
    try:
        return gauss(system, [Fraction(0)] * k + [Fraction(1)])[:k]
    except StopIteration:  # singular
        return None


@settings(max_examples=200, deadline=None)
@given(matrices(max_A=4), st.integers(2, 12), st.booleans())
def test_matrix_bounds_hold_or_not_converged(R, digits, relative):
    tol = 10.0**-digits * (max(abs(R).max(), 1e-200) if relative else 1)
    v = support_value(R)
    exact = solve(MatrixGame(R), exact=True)
    assert exact.exact == v
    assert Fraction(float(exact.lower)) <= v <= Fraction(float(exact.upper))
    assert exact.upper in (exact.lower, np.nextafter(exact.lower, np.inf))
    try:
        solution = solve(MatrixGame(R), tol=tol)
    except NotConverged as error:
        failure = error
    else:
        failure = None
    if failure is not None:
        assert failure.reached > tol
        assert tol < 64 * np.finfo(float).eps * abs(R).max()
        return
    assert isinstance(solution, GameSolution)
    assert solution.exploitability <= tol
    assert Fraction(float(solution.lower)) <= v <= Fraction(float(solution.upper))
    x, y, M = fractions(solution.policy), fractions(solution.opponent), fractions(R)
    worst = min(dot(x, column) for column in zip(*M, strict=True)) / sum(x)
    best = max(dot(y, row) for row in M) / sum(y)
    assert Fraction(float(solution.lower)) <= worst
    assert best <= Fraction(float(solution.upper))


@pytest.mark.parametrize(
    ("R", "value", "x", "y"),
    [
        (ROCK_PAPER_SCISSORS, 0, [1 / 3] * 3, [1 / 3] * 3),
        ([[1, -1], [-1, 1]], 0, [0.5, 0.5], [0.5, 0.5]),
        ([[3, -1], [-1, 1]], Fraction(1, 3), [1 / 3, 2 / 3], [1 / 3, 2 / 3]),
        ([[1, 2], [0, 3]], 1, [1, 0], [1, 0]),
        ([[5]], 5, [1], [1]),
    ],
)
def test_games_whose_answer_is_known(R, value, x, y):
    float_, exact = solve(MatrixGame(R), tol=1e-14), solve(MatrixGame(R), exact=True)
    assert isinstance(exact, ExactGameSolution)
    assert exact.exact == value
    for solution in (float_, exact):
        assert solution.value == pytest.approx(float(value), abs=1e-14)
        np.testing.assert_allclose(solution.policy, x, atol=1e-14)
        np.testing.assert_allclose(solution.opponent, y, atol=1e-14)
    assert sum(exact.exact_policy) == 1


def test_large_games_need_no_rationals():
    R = np.random.default_rng(0).standard_normal((120, 90))
    assert solve(MatrixGame(R), tol=1e-12).exploitability <= 1e-12


# Markov games ----------------------------------------------------------------------------------------------------


def best_answer(game, pi, first):
    """What the best answer to a strategy earns, by policy iteration in rationals; `pi` is divided by its sums."""
    P, r, gamma = fractions(game.P), fractions(game.r), Fraction(game.gamma)
    states, sign = range(game.S), -1 if first else 1
    weights = [[w / sum(row) for w in row] for row in fractions(pi)]
    n = game.B if first else game.A

    def mixed(table, s, c):
        return [(table[s][a][c] if first else table[s][c][a]) for a in range(len(weights[s]))]

    R = [[sign * dot(weights[s], mixed(r, s, c)) for c in range(n)] for s in states]
    Q = [[[dot(weights[s], [row[t] for row in mixed(P, s, c)]) for t in states] for c in range(n)] for s in states]
    actions = [0] * game.S
    while True:
        rows_ = [Q[s][a] for s, a in enumerate(actions)]
        M = [[(s == t) - gamma * rows_[s][t] for t in states] for s in states]
        v = gauss(M, [R[s][a] for s, a in enumerate(actions)])
        q = [[R[s][c] + gamma * dot(Q[s][c], v) for c in range(n)] for s in states]
        best = [max(range(n), key=row.__getitem__) for row in q]
        if all(row[b] <= row[a] for row, a, b in zip(q, actions, best, strict=True)):
            return [sign * x for x in v]
        actions = [b if row[b] > row[a] else a for row, a, b in zip(q, actions, best, strict=True)]


@st.composite
def games(draw, discounts=(0.0, 0.3, 0.9, 0.99)):
    """Games that are degenerate in all the ways of `matrices` and of models, turn-based ones included."""
    S, A, B = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    P = np.array([[[rows(draw, S, rng) for _ in range(B)] for _ in range(A)] for _ in range(S)])
    kind = draw(st.sampled_from(["reals", "signs", "turns", "zero", "equal"]))
    r = rng.uniform(-1, 1, (S, A, B))
    if kind == "signs":
        r = rng.integers(-1, 2, (S, A, B)).astype(float)
    elif kind == "turns":  # the first player moves in even states, the second in odd ones
        for s in range(S):
            side = (slice(None), slice(0, 1)) if s % 2 == 0 else (slice(0, 1), slice(None))
            P[s], r[s] = P[s][side], r[s][side]
    elif kind == "zero":
        r = np.zeros((S, A, B))
    elif kind == "equal":
        P, r = np.repeat(P[:, :1], A, 1), np.repeat(r[:, :1], A, 1)
    return MarkovGame(P, r * 10.0 ** draw(st.integers(-9, 9)), draw(st.sampled_from(discounts)))


@settings(max_examples=100, deadline=None)
@given(games(), st.integers(2, 12), st.booleans(), st.sampled_from(["auto", "shapley", "pi"]))
def test_markov_bounds_hold_or_not_converged(game, digits, relative, method):
    """lower <= V* <= upper is proved by the two strategies alone: their best answers are computed in rationals."""
    size = abs(game.r).max()
    tol = 10.0**-digits * (max(size, 1e-13) if relative else 1)
    if method == "shapley" and digits > 6 and game.gamma > 0.9:  # thousands of rounds of linear programs
        method = "auto"
    try:
        solution = solve(game, tol=tol, method=method)
    except NotConverged as error:
        failure = error
    else:
        failure = None
    if failure is not None:
        assert failure.reached > tol
        assert tol < 512 * np.finfo(float).eps * size / (1 - game.gamma) ** 2
        return
    assert solution.exploitability <= tol
    worst, best = best_answer(game, solution.policy, True), best_answer(game, solution.opponent, False)
    assert all(x <= y for x, y in zip(worst, best, strict=True))
    assert all(Fraction(float(x)) <= y for x, y in zip(solution.lower, worst, strict=True))
    assert all(y <= Fraction(float(x)) for x, y in zip(solution.upper, best, strict=True))


@pytest.mark.parametrize("method", ["shapley", "pi"])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9])
def test_a_value_with_a_square_root(gamma, method):
    """Play [[1 and again, 0], [0, 1]], all else ends in a state that pays nothing.

    v = (1 + gamma v) / (2 + gamma v), so gamma v^2 + (2 - gamma) v = 1: no rational number at gamma = 1/2.
    """
    P = np.zeros((2, 2, 2, 2))
    P[..., 1] = 1
    P[0, 0, 0] = [1, 0]
    r = np.zeros((2, 2, 2))
    r[0] = np.eye(2)
    solution = solve(MarkovGame(P, r, gamma), tol=1e-13, method=method)
    v = (-(2 - gamma) + np.sqrt((2 - gamma) ** 2 + 4 * gamma)) / (2 * gamma) if gamma else 0.5
    np.testing.assert_allclose(solution.value, [v, 0], atol=1e-13)


@pytest.mark.parametrize("method", ["shapley", "pi"])
def test_one_player_is_a_decision_problem(method):
    mdp = garnet()
    want = solve(mdp)
    first = solve(MarkovGame(mdp.P[:, :, None], mdp.r[:, :, None], mdp.gamma), method=method)
    second = solve(MarkovGame(mdp.P[:, None], mdp.r[:, None], mdp.gamma), method=method)
    assert (first.lower <= want.upper).all()
    assert (want.lower <= first.upper).all()
    np.testing.assert_array_equal(first.policy, want.policy)
    assert (second.upper <= want.upper).all()  # who minimises pays no more


def test_bad_questions():
    with pytest.raises(InvalidHyperparameter, match="method = 'pi' is not one of lp"):
        solve(MatrixGame(ROCK_PAPER_SCISSORS), method="pi")
    with pytest.raises(InvalidHyperparameter, match="tol = 0"):
        solve(MatrixGame(ROCK_PAPER_SCISSORS), tol=0)
    with pytest.raises(Unsupported):
        solve(MarkovGame(np.ones((1, 2, 2, 1)), np.zeros((1, 2, 2)), 0.5), exact=True)
    with pytest.raises(NotConverged):
        solve(MarkovGame(np.ones((1, 1, 1, 1)), [[[1.0]]], 1 - 1e-10))
