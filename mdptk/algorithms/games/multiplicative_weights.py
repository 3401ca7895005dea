r"""Multiplicative weights against itself: both players of a matrix game raise what has paid, with exact payoffs.

.. math::

   x_{t+1}(a) \propto x_t(a)\, e^{\eta (R y_t)_a}, \qquad
   y_{t+1}(b) \propto y_t(b)\, e^{-\eta (x_t^\top R)_b}, \qquad x_0, y_0 \text{ uniform}.

Neither player knows that there is an opponent, and the average strategies are an approximate equilibrium: what they
lose to best answers is, exactly, the mean of the two regrets. The last iterates do the opposite. In a game whose
equilibrium is fully mixed their divergence from it never goes down, and they spiral outward to the boundary.

Proof: ``proofs/games/multiplicative_weights.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.games import penalty_kick
>>> run(MultiplicativeWeights(), penalty_kick(), 3)["x"].shape
(1, 4, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from sympy import log

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Positive, Solver
from mdptk.core.games import MatrixGame
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.theory import Assumption, Cite, Quantity, Start, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.symbols import A, B, eta, t


class State(NamedTuple):
    """Log-weights and the strategies that they stand for."""

    log_x: Array  # (A,), the largest 0
    log_y: Array  # (B,)
    x: Array
    y: Array


SUM_X = Measure("sum_x", lambda truth, state: state.x, "sum")  # (A,): t times the average of x_0 .. x_{t-1}
SUM_Y = Measure("sum_y", lambda truth, state: state.y, "sum")  # (B,)
PLAYED = Measure("played", lambda truth, state: state.x @ truth.problem.R @ state.y, "sum")
OFFERED = Measure("offered", lambda truth, state: truth.problem.R @ state.y, "sum")  # (A,)
ASKED = Measure("asked", lambda truth, state: state.x @ truth.problem.R, "sum")  # (B,)


def _sums(run: Run) -> Array:
    """Rounding of sums of t payoffs of up to A or B terms."""
    R = run.problem.R
    return 4 * EPS * (sum(R.shape) + run.t) * (1 + run.t) * abs(R).max()


def _average_gap(run: Run) -> Array:
    R, n = run.problem.R, np.maximum(run.t, 1)[:, None]
    return (run["sum_y"] / n @ R.T).max(-1) - (run["sum_x"] / n @ R).min(-1)


def _divergence(run: Run) -> Array:
    best, total = run.truth.optimum, 0.0
    for star, name in ((best.x, "log_x"), (best.y, "log_y")):
        total = total + (star * (np.log(np.where(star > 0, star, 1)) - exact.log_softmax(run[name]))).sum(-1)
    return total


def _divergence_rounding(run: Run) -> Array:
    best = run.truth.optimum
    loose = float((run.problem.R @ best.y).max() - (best.x @ run.problem.R).min())  # what x*, y* lack of optimal
    size = abs(run["log_x"]).max(-1) + abs(run["log_y"]).max(-1)
    return (
        64 * EPS * sum(run.problem.R.shape) * (1 + size + run.alg.eta * abs(run.problem.R).max()) + run.alg.eta * loose
    )


payoff_span = Quantity("payoff_span", lambda run: np.ptp(run.problem.R), latex=r"\mathrm{span}(R)")
regret_x = Quantity(
    "regret_x",
    lambda run: run["offered"].max(-1) - run["played"],
    latex=r"\max_a \sum_{k<%t} (R y_k)_a - x_k^\top R y_k",
    trivial=t * payoff_span,
    rounding=_sums,
)
regret_y = Quantity(
    "regret_y",
    lambda run: run["played"] - run["asked"].min(-1),
    latex=r"\max_b \sum_{k<%t} x_k^\top R y_k - (x_k^\top R)_b",
    trivial=t * payoff_span,
    rounding=_sums,
)
average_gap = Quantity(
    "average_gap",
    _average_gap,
    latex=r"\max_a (R \bar y_{%t})_a - \min_b (\bar x_{%t}^\top R)_b",
    trivial=payoff_span,
    rounding=lambda run: _sums(run) / np.maximum(run.t, 1),
)
divergence = Quantity(
    "divergence",
    _divergence,
    latex=r"\mathrm{KL}(x^* \| x_{%t}) + \mathrm{KL}(y^* \| y_{%t})",
    rounding=_divergence_rounding,
)


def _not_mixed(problem: MatrixGame) -> str | None:
    truth = exact.truth(problem).optimum
    least = float(min(truth.x.min(), truth.y.min()))
    return None if least > 1e-9 else f"an equilibrium plays some strategy with probability {least:.3g}"


fully_mixed = Assumption("an equilibrium that plays every strategy", lambda alg, problem: _not_mixed(problem))

ANYWHERE = Start(
    "any positive strategies",
    lambda state: np.concatenate([state.log_x, state.log_y]),
    lambda alg, problem, logs: _state(logs[: problem.A], logs[problem.A :]),
)

REGRET = "from Hoeffding's lemma, derived in proofs/ for payoffs of any span"
REGRET_X = Theorem(
    name="regret of the first player",
    cite=Cite("cesabianchi2006prediction", "Theorem 2.2"),
    reason=REGRET,
    lhs=regret_x,
    rhs=log(A) / eta + eta * t * payoff_span**2 / 8,
    proof="games/multiplicative_weights",
)
REGRET_Y = Theorem(
    name="regret of the second player",
    cite=Cite("cesabianchi2006prediction", "Theorem 2.2"),
    reason=REGRET,
    lhs=regret_y,
    rhs=log(B) / eta + eta * t * payoff_span**2 / 8,
    proof="games/multiplicative_weights",
)
IDENTITY = Theorem(
    name="average gap is mean regret",
    cite=Cite("freund1999adaptive"),
    reason="true of any two sequences of strategies: the payoffs played cancel",
    lhs=average_gap,
    rhs=(regret_x + regret_y) / t,
    relation="=",
    proof="games/multiplicative_weights",
    starts=ANYWHERE,
)
AVERAGE = Theorem(
    name="average strategies",
    cite=Cite("freund1999adaptive"),
    reason="order from the source, constants derived in proofs/",
    lhs=average_gap,
    rhs=(log(A) + log(B)) / (eta * t) + eta * payoff_span**2 / 4,
    proof="games/multiplicative_weights",
)
OUTWARD = Theorem(
    name="last iterates move outward",
    cite=Cite("bailey2018multiplicative"),
    reason="the place in the source was not looked up; derived in proofs/",
    assumes=(fully_mixed,),
    consecutive=True,
    lhs=divergence,
    rhs=previous(divergence),
    relation=">=",
    silent="standing still is not moving inward; a method whose last iterate converges breaks it",
    proof="games/multiplicative_weights",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class MultiplicativeWeights(Solver[MatrixGame, State]):
    """Self-play of multiplicative weights with step size `eta`."""

    eta: Positive = 0.5

    sees: ClassVar[type] = MatrixGame
    theorems: ClassVar[tuple[Theorem, ...]] = (REGRET_X, REGRET_Y, IDENTITY, AVERAGE, OUTWARD)
    measures: ClassVar[tuple[Measure, ...]] = (SUM_X, SUM_Y, PLAYED, OFFERED, ASKED)

    def init(self, problem: MatrixGame) -> State:
        return _state(np.zeros(problem.A), np.zeros(problem.B))

    def step(self, problem: MatrixGame, state: State) -> State:
        return _state(
            state.log_x + self.eta * (problem.R @ state.y),
            state.log_y - self.eta * (state.x @ problem.R),
        )


def _state(log_x: Array, log_y: Array) -> State:
    log_x, log_y = log_x - log_x.max(), log_y - log_y.max()
    return State(log_x, log_y, exact.softmax(log_x), exact.softmax(log_y))
