r"""Value iteration: apply the Bellman optimality operator again and again.

.. math::

   v_{t+1}(s) = (T v_t)(s) = \max_a \Big( r(s, a) + \gamma \sum_{s'} P(s' | s, a)\, v_t(s') \Big), \qquad v_0 = 0.

T is a contraction in the maximum norm, so the error shrinks by gamma in every sweep. That bound is an equality when
the value error is the same in all states, and the sweep after which the *greedy policy* is optimal can come long
before the values are: the greedy loss theorem measures how much the values must be right for that.

Figure: the contraction on RiverSwim in the gallery. Proof: ``proofs/planning/value_iteration.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(ValueIteration(), riverswim(), 3)["v"].shape
(1, 4, 6)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem, initial, previous
from mdptk.theory.stock import batch_first, before, optimum, optimum_rounding, reward_span, sweep_rounding, value_error
from mdptk.theory.symbols import dt, gamma, t


class State(NamedTuple):
    """What value iteration remembers."""

    v: Array  # (..., S)


def _residual(run: Run) -> Array:
    v = run["v"]
    return abs(batch_first(run).q(v).max(-1) - v).max(-1)


def _greedy_error(run: Run) -> Array:
    problem = batch_first(run)
    pi = exact.greedy(problem.q(run["v"]))
    return abs(optimum(run).v - exact.evaluate(problem, pi)).max(-1)


def _last_change(run: Run) -> Array:
    return (run["v"] - before(run["v"])).max(-1)


residual = Quantity("residual", _residual, latex=r"\|T v_{%t} - v_{%t}\|_\infty", rounding=sweep_rounding)
greedy_error = Quantity(
    "greedy_error",
    _greedy_error,
    latex=r"\|V^* - V^{\mathrm{greedy}(v_{%t})}\|_\infty",
    trivial=reward_span / (1 - gamma),
    rounding=lambda run: 2 * optimum_rounding(run) + 2 * sweep_rounding(run) / (1 - run.problem.gamma),
)
shortfall = Quantity(
    "shortfall",
    lambda run: (optimum(run).v - run["v"]).max(-1),
    latex=r"\max_s (V^* - v_{%t})(s)",
    rounding=lambda run: 2 * optimum_rounding(run) + sweep_rounding(run),
)
last_change = Quantity("last_change", _last_change, latex=r"\max_s (v_{%t} - v_{%t-1})(s)", rounding=sweep_rounding)

ANYWHERE = Start("any $v_0$", lambda state: state.v, lambda alg, problem, v: State(v))
PUTERMAN = "puterman1994markov"
CONTRACTION = Theorem(
    name="contraction",
    cite=Cite(PUTERMAN, "Proposition 6.2.4"),
    lhs=value_error,
    rhs=gamma**dt * previous(value_error),
    proof="planning/value_iteration",
    starts=ANYWHERE,
)
CONVERGENCE = Theorem(
    name="convergence",
    cite=Cite(PUTERMAN, "Theorem 6.3.3"),
    lhs=value_error,
    rhs=gamma**t * initial(value_error),
    proof="planning/value_iteration",
    starts=ANYWHERE,
)
RESIDUAL = Theorem(
    name="residual",
    cite=Cite(PUTERMAN, "Theorem 6.3.3"),
    lhs=residual,
    rhs=gamma**t * initial(residual),
    proof="planning/value_iteration",
    starts=ANYWHERE,
)
STOPPING = Theorem(
    name="stopping rule",
    cite=Cite(PUTERMAN, "Theorem 6.3.3"),
    lhs=shortfall,
    rhs=gamma / (1 - gamma) * last_change,
    proof="planning/value_iteration",
    starts=ANYWHERE,
)
GREEDY_LOSS = Theorem(
    name="greedy loss",
    cite=Cite("singh1994upper", "Theorem 2"),
    lhs=greedy_error,
    rhs=2 * gamma / (1 - gamma) * value_error,
    since=0,
    silent="it compares every v with its own greedy policy",
    proof="planning/value_iteration",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class ValueIteration(Solver[MDP, State]):
    """Value iteration from zero."""

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONTRACTION, CONVERGENCE, RESIDUAL, STOPPING, GREEDY_LOSS)

    def init(self, problem: MDP) -> State:
        return State(v=np.zeros(problem.r.shape[:-1]))

    def step(self, problem: MDP, state: State) -> State:
        return State(v=problem.q(state.v).max(-1))
