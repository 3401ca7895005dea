r"""Zero-sum games: bounds on the value from what either strategy is worth against its best answer.

For any strategies, :math:`\min_b (x^\top R)_b \le v^* \le \max_a (R y)_a`: nobody who found them is trusted. In a
Markov game the same holds with :math:`V^{x,\cdot} \le V^* \le V^{\cdot,y}`, where the best answer to a stationary
strategy is the optimum of an MDP. That MDP is never formed in floats: its backup is, as a `Backup`, and `certificates`
bounds its value. Strategies are the stored floats divided by their exact sums.

Sources: von Neumann [vonneumann1928theorie], Shapley [shapley1953stochastic], Hoffman and Karp
[hoffman1966nonterminating].
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from mdptk.core.errors import InvalidHyperparameter, NotConverged
from mdptk.core.exact import optimal
from mdptk.core.games import MarkovGame, MatrixGame
from mdptk.core.minimax import Equilibrium, equilibrium, simplex
from mdptk.solve._linear_program import highs
from mdptk.solve._policy_iteration import newton
from mdptk.solve.certificates import TINY, WIDE, Bracket, U, _up, bracket, float_above, float_below
from mdptk.solve.solution import ExactGameSolution, GameSolution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mdptk.core.models import MDP, Array

SUPPORT = 1e-9  # a probability below this is what HiGHS leaves of zero
RATIONAL = 1000  # entries of a game up to which the simplex method is worth a try in rationals
ROUNDS = 100_000  # of Shapley's iteration


# matrix games ----------------------------------------------------------------------------------------------------


def solve_matrix(game: MatrixGame, tol: float) -> GameSolution:
    """The value of a matrix game between bounds that are `tol` apart; see `mdptk.solve.solve`."""
    reached = float("inf")
    for steps, x, y in _strategies(game.R):
        lower, upper = matrix_bounds(game.R, x, y)
        reached = min(reached, upper - lower)
        if upper - lower <= tol:
            return _solution(np.array(lower), np.array(upper), x, y, steps, "lp")
    raise NotConverged(f"bounds {reached:.3g} apart, tol = {tol:.3g}", reached)


def _strategies(R: Array) -> Iterator[tuple[int, Array, Array]]:
    """Better and better strategies: from HiGHS, with the digits that it leaves out, and in rationals."""
    low, high = float(R.min()), float(R.max())
    M = (R - low) / (high - low) if high > low else np.zeros_like(R)
    A, B = R.shape
    rows = np.concatenate([-M.T, np.ones((B, 1))], axis=1)  # v <= x M
    answer = highs(
        np.append(np.zeros(A), -1.0),
        A_ub=rows,
        b_ub=np.zeros(B),
        A_eq=np.append(np.ones(A), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0, None)] * A + [(None, None)],
    )
    x, y = np.maximum(answer.x[:A], 0), np.maximum(-answer.ineqlin.marginals, 0)
    x, y = x / x.sum(), y / y.sum()
    yield answer.nit, x, y
    yield (
        answer.nit,
        _equalising(M[np.ix_(x > SUPPORT, y > SUPPORT)].T, x),
        _equalising(M[np.ix_(x > SUPPORT, y > SUPPORT)], y),
    )
    if R.size <= RATIONAL:
        _, exact_x, exact_y = rational_equilibrium(R)
        yield answer.nit, exact_x.astype(np.float64), exact_y.astype(np.float64)


def _equalising(M: Array, p: Array) -> Array:
    """The strategy on the support of `p` that makes all rows of `M` worth the same."""
    m, n = M.shape
    system = np.block([[M, -np.ones((m, 1))], [np.ones((1, n)), np.zeros((1, 1))]])
    q = np.zeros_like(p)
    q[p > SUPPORT] = np.maximum(np.linalg.lstsq(system, np.append(np.zeros(m), 1.0))[0][:n], 0)
    return q / q.sum() if q.any() else p


def matrix_bounds(R: Array, x: Array, y: Array) -> tuple[float, float]:
    """What `x` is worth at least and `y` at most, rounding included, for weights that need not sum to one."""
    x, y, M = x.astype(WIDE), y.astype(WIDE), R.astype(WIDE)
    # a sum of n products and one of n weights, a quotient: 2 n + 2 roundings of a mean of entries of R
    noise = (2 * max(R.shape) + 4) * U * abs(M).max() + TINY
    low, high = (x @ M).min() / x.sum(), (M @ y).max() / y.sum()
    return float(float_below(-_up(noise - low))), float(float_above(_up(high + noise)))


def rational_equilibrium(R: Array) -> tuple[Fraction, Array, Array]:
    """The value and strategies of the stored game, exactly: the simplex method over `fractions.Fraction`."""
    A, B = R.shape
    exact = np.array([[Fraction(float(z)) for z in row] for row in R], dtype=object).reshape(A, B)
    low = exact.min()
    (T,), (basis,) = simplex((1 + exact - low)[None], 0)
    total = T[-1, -1]
    y = np.array([Fraction(0)] * (A + B), dtype=object)
    y[basis] = T[:A, -1] / total
    return 1 / total - 1 + low, T[-1, B:-1] / total, y[:B]


def solve_matrix_exactly(game: MatrixGame) -> ExactGameSolution:
    """The value and strategies of a matrix game in rationals."""
    start = time.perf_counter()
    v, x, y = rational_equilibrium(game.R)
    value = np.array(float(v))
    above = value if Fraction(float(value)) >= v else np.nextafter(value, np.inf)
    below = value if Fraction(float(value)) <= v else np.nextafter(value, -np.inf)
    return ExactGameSolution(
        value=value,
        policy=x.astype(np.float64),
        lower=np.array(below),
        upper=np.array(above),
        iterations=0,
        seconds=time.perf_counter() - start,
        method="exact",
        reason="exact: the simplex method over the rationals",
        opponent=y.astype(np.float64),
        exact=v,
        exact_policy=x,
        exact_opponent=y,
    )


# Markov games ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Answer:
    """What remains when one strategy of a Markov game is fixed: a `Backup` of the player who answers, maximising."""

    game: MarkovGame
    weights: Array  # (S, A) of the first player, or (S, B) of the second, in the widest float
    first: bool  # whether these are the first player's

    @property
    def gamma(self) -> float:
        return self.game.gamma

    @property
    def shape(self) -> tuple[int, int]:
        return self.game.S, self.game.B if self.first else self.game.A

    @property
    def r(self) -> Array:
        return self.game.r  # for its size alone

    @property
    def terms(self) -> int:
        return self.game.terms + 2 * self.weights.shape[1] + 4  # a mean of n action values: 2 n + 2 more roundings

    def q(self, v: Array) -> Array:
        w = self.weights / self.weights.sum(1, keepdims=True)
        if self.first:
            return -np.einsum("sa,sab->sb", w, self.game.q(-v))
        return np.einsum("sb,sab->sa", w, self.game.q(v))


def answered(game: MarkovGame, pi: Array, *, first: bool, patience: int = 3) -> Bracket:
    """The closest bounds on the best answer's value to ``pi``, of the first player or the second, that floats allow."""
    backup = _Answer(game, pi.astype(WIDE), first)
    mdp: MDP = game.against_first(pi) if first else game.against_second(pi)
    v = optimal(mdp).v.astype(WIDE)
    best, idle = bracket(backup, v), 0
    while idle < patience:
        b = bracket(backup, v)
        best, idle = (b, 0) if b.width < best.width else (best, idle + 1)
        v = v + newton(mdp, b.actions, b.residual.astype(np.float64))
    return best


def _close(game: MarkovGame, stage: Equilibrium) -> tuple[Array, Array, float]:
    """Bounds from the strategies of the stage games, and how far they are apart."""
    lower, upper = -answered(game, stage.x, first=True).upper, answered(game, stage.y, first=False).upper
    return lower, upper, float((upper - lower).max())


def shapley(game: MarkovGame, tol: float) -> GameSolution:
    r"""Shapley's iteration, :math:`v \leftarrow \mathrm{val}(r + \gamma P v)`, until its strategies are `tol` apart."""
    v, ask, reached, idle, k = np.zeros(game.S), tol / 4, float("inf"), 0, 0
    for k in range(ROUNDS):
        stage = equilibrium(game.q(v))
        residual = abs(stage.v - v).max()
        if not np.isfinite(residual):
            break
        idle = idle + 1 if residual <= 8 * game.terms * np.finfo(float).eps * abs(v).max() else 0
        if game.gamma * residual / (1 - game.gamma) <= ask or idle:
            lower, upper, width = _close(game, stage)
            reached, ask = min(reached, width), ask / 4
            if width <= tol:
                return _solution(lower, upper, stage.x, stage.y, k, "shapley")
            if idle > 3:
                break
        v = stage.v
    raise NotConverged(f"bounds {reached:.3g} apart after {k} rounds, tol = {tol:.3g}", reached)


def hoffman_karp(game: MarkovGame, tol: float) -> GameSolution:
    r"""Policy iteration of Hoffman and Karp: answer the first player's stage strategies as well as can be, for ever."""
    v, reached, idle, k = np.zeros(game.S), float("inf"), 0, 0
    for k in range(1000):
        stage = equilibrium(game.q(v))
        lower, upper, width = _close(game, stage)
        if width <= tol:
            return _solution(lower, upper, stage.x, stage.y, k, "pi")
        reached, idle = (width, 0) if width < reached else (reached, idle + 1)
        if idle >= 5 or not np.isfinite(width):
            break
        v = lower
    raise NotConverged(f"bounds {reached:.3g} apart after {k} rounds, tol = {tol:.3g}", reached)


# answers ---------------------------------------------------------------------------------------------------------

METHODS: dict[type, dict[str, Callable[..., GameSolution]]] = {
    MatrixGame: {"lp": solve_matrix},
    MarkovGame: {"pi": hoffman_karp, "shapley": shapley},
}


def solve_game(game: MatrixGame | MarkovGame, tol: float, method: str) -> GameSolution:
    """See `mdptk.solve.solve`."""
    methods = METHODS[type(game)]
    reason = "asked for"
    if method == "auto":
        method = next(iter(methods))
        markov = f"{game.S} states: few rounds, each an MDP for either player"
        reason = markov if isinstance(game, MarkovGame) else "the one method for MatrixGame"
    if method not in methods:
        raise InvalidHyperparameter(f"method = {method!r} is not one of {', '.join(methods)} for {game!r}")
    return replace(methods[method](game, tol), reason=reason)


def _solution(lower: Array, upper: Array, x: Array, y: Array, iterations: int, method: str) -> GameSolution:
    value = np.asarray(lower + (upper - lower) / 2)
    for z in (value, x, y, lower, upper):
        z.setflags(write=False)
    return GameSolution(value, x, lower, upper, iterations, 0.0, method, "", y)
