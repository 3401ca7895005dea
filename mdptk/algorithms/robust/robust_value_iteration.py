r"""Robust value iteration: apply the Bellman operator against the worst transitions again and again.

.. math::

   v_{t+1}(s) = (T v_t)(s) = \max_a \Big( r(s, a) + \gamma \min_{p \in U(s, a)} \langle p, v_t \rangle \Big),
   \qquad v_0 = 0.

The minimum of contractions is a contraction, so everything that holds for value iteration holds here, with the same
constants, whatever the ambiguity sets are. The greedy loss is about the policy against its own worst kernel, not
against the one that `v` had in mind.

Proof: ``proofs/robust/robust_value_iteration.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.robust import robust_riverswim
>>> run(RobustValueIteration(), robust_riverswim(), 3)["v"].shape
(1, 4, 6)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Solver
from mdptk.core.minimax import robust_evaluate
from mdptk.core.models import Array
from mdptk.core.robust import RobustMDP
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem, initial, previous
from mdptk.theory.stock import before, optimum, optimum_rounding, reward_span, sweep_rounding, value_error
from mdptk.theory.symbols import dt, gamma, t


class State(NamedTuple):
    """What robust value iteration remembers."""

    v: Array  # (S,)


def _greedy_error(run: Run) -> Array:
    pi = exact.greedy(run.problem.q(run["v"]))
    return abs(optimum(run).v - robust_evaluate(run.problem, pi)).max(-1)


greedy_error = Quantity(
    "greedy_error",
    _greedy_error,
    latex=r"\|V^* - \min_{P \in U} V_P^{\mathrm{greedy}(v_{%t})}\|_\infty",
    trivial=reward_span / (1 - gamma),
    rounding=lambda run: 2 * optimum_rounding(run) + 2 * sweep_rounding(run) / (1 - run.problem.gamma),
)
shortfall = Quantity(
    "shortfall",
    lambda run: (optimum(run).v - run["v"]).max(-1),
    latex=r"\max_s (V^* - v_{%t})(s)",
    rounding=lambda run: 2 * optimum_rounding(run) + sweep_rounding(run),
)
last_change = Quantity(
    "last_change",
    lambda run: (run["v"] - before(run["v"])).max(-1),
    latex=r"\max_s (v_{%t} - v_{%t-1})(s)",
    rounding=sweep_rounding,
)

ANYWHERE = Start("any $v_0$", lambda state: state.v, lambda alg, problem, v: State(v))

IYENGAR = "iyengar2005robust"
DERIVED = "place in the source from memory; derived in proofs/"
CONTRACTION = Theorem(
    name="contraction",
    cite=Cite(IYENGAR, "Theorem 3.2"),
    reason=DERIVED,
    lhs=value_error,
    rhs=gamma**dt * previous(value_error),
    proof="robust/robust_value_iteration",
    starts=ANYWHERE,
)
CONVERGENCE = Theorem(
    name="convergence",
    cite=Cite(IYENGAR, "Theorem 3.2"),
    reason=DERIVED,
    lhs=value_error,
    rhs=gamma**t * initial(value_error),
    proof="robust/robust_value_iteration",
    starts=ANYWHERE,
)
STOPPING = Theorem(
    name="stopping rule",
    cite=Cite(IYENGAR),
    reason="the rule of value iteration, derived in proofs/",
    lhs=shortfall,
    rhs=gamma / (1 - gamma) * last_change,
    proof="robust/robust_value_iteration",
    starts=ANYWHERE,
)
GREEDY_LOSS = Theorem(
    name="greedy loss",
    cite=Cite("singh1994upper", "Theorem 2"),
    reason="stated there for one kernel; derived in proofs/ for sets",
    lhs=greedy_error,
    rhs=2 * gamma / (1 - gamma) * value_error,
    silent="it compares every v with its own greedy policy",
    proof="robust/robust_value_iteration",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class RobustValueIteration(Solver[RobustMDP, State]):
    """Robust value iteration from zero."""

    sees: ClassVar[type] = RobustMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONTRACTION, CONVERGENCE, STOPPING, GREEDY_LOSS)

    def init(self, problem: RobustMDP) -> State:
        return State(v=np.zeros(problem.S))

    def step(self, problem: RobustMDP, state: State) -> State:
        return State(v=problem.q(state.v).max(-1))
