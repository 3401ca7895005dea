r"""Shapley's iteration: solve the stage game of every state, and take its value for the value of the state.

.. math::

   v_{t+1}(s) = (T v_t)(s) = \max_{x \in \Delta(A)} \min_{y \in \Delta(B)}
   \sum_{a, b} x_a y_b \Big( r(s, a, b) + \gamma \sum_{s'} P(s' | s, a, b)\, v_t(s') \Big), \qquad v_0 = 0.

The value of a matrix game moves at most as far as its entries, so T is a contraction, and it has one fixed point: the
paper of 1953 that introduced it proved in a page that these games have a value and stationary optimal strategies. The
stage strategies of the last step are close to optimal, in a sense that needs no knowledge of the value.

Proof: ``proofs/games/shapley_iteration.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.games import random_game
>>> run(ShapleyIteration(), random_game(), 3)["x"].shape
(1, 4, 4, 3)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Solver
from mdptk.core.games import MarkovGame
from mdptk.core.minimax import equilibrium
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem, initial, previous
from mdptk.theory.stock import before, optimum_rounding, per_model, sweep_rounding, value_error
from mdptk.theory.symbols import dt, gamma, t


class State(NamedTuple):
    """The values, and the strategies of the stage games that they are the values of."""

    v: Array  # (S,)
    x: Array  # (S, A)
    y: Array  # (S, B)


def _gap(run: Run) -> Array:
    """What best answers gain against the recorded strategies, (repeats, records); rounding below zero is zero."""
    best = exact.optimal(run.problem.against_second(run["y"])).v
    worst = -exact.optimal(run.problem.against_first(run["x"])).v
    return np.maximum(best - worst, 0).max(-1)


payoff_span = Quantity(
    "payoff_span", lambda run: per_model(run.problem.r.max() - run.problem.r.min()), latex=r"\mathrm{span}(r)"
)
gap = Quantity(
    "gap",
    _gap,
    latex=r"\|\max_x V^{x, y_{%t}} - \min_y V^{x_{%t}, y}\|_\infty",
    trivial=payoff_span / (1 - gamma),
    rounding=lambda run: 4 * optimum_rounding(run) + 4 * sweep_rounding(run) / (1 - run.problem.gamma),
)
change = Quantity(
    "change",
    lambda run: abs(run["v"] - before(run["v"])).max(-1),
    latex=r"\|v_{%t} - v_{%t-1}\|_\infty",
    rounding=sweep_rounding,
)

ANYWHERE = Start("any $v_0$", lambda state: state.v, lambda alg, problem, v: _state(problem, v))

SHAPLEY = "shapley1953stochastic"
CONTRACTION = Theorem(
    name="contraction",
    cite=Cite(SHAPLEY, "Theorem 1"),
    reason="place in the source from memory; derived in proofs/",
    lhs=value_error,
    rhs=gamma**dt * previous(value_error),
    proof="games/shapley_iteration",
    starts=ANYWHERE,
)
CONVERGENCE = Theorem(
    name="convergence",
    cite=Cite(SHAPLEY, "Theorem 1"),
    reason="place in the source from memory; derived in proofs/",
    lhs=value_error,
    rhs=gamma**t * initial(value_error),
    proof="games/shapley_iteration",
    starts=ANYWHERE,
)
GAP = Theorem(
    name="duality gap",
    cite=Cite(SHAPLEY),
    reason="not in the source, which has the strategies of the limit; derived in proofs/",
    consecutive=True,
    lhs=gap,
    rhs=2 * gamma / (1 - gamma) * change,
    proof="games/shapley_iteration",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class ShapleyIteration(Solver[MarkovGame, State]):
    """Shapley's iteration from zero, and from uniform strategies."""

    sees: ClassVar[type] = MarkovGame
    theorems: ClassVar[tuple[Theorem, ...]] = (CONTRACTION, CONVERGENCE, GAP)

    def init(self, problem: MarkovGame) -> State:
        return _state(problem, np.zeros(problem.S))

    def step(self, problem: MarkovGame, state: State) -> State:
        return State(*equilibrium(problem.q(state.v)))


def _state(problem: MarkovGame, v: Array) -> State:
    S, A, B = problem.r.shape
    return State(v, np.full((S, A), 1 / A), np.full((S, B), 1 / B))
