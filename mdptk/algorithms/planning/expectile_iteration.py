r"""Value iteration with an expectile in place of the maximum: between the value of a policy and the optimal one.

.. math::

   Q_{t+1}(s, a) = r(s, a) + \gamma \sum_{s'} P(s'|s, a)\, v_t(s'), \qquad v_t(s) = e_\tau\big(Q_t(s, \cdot)\big),
   \qquad Q_0 = 0, \quad \tau \in [\tfrac12, 1),

where the expectile solves, with the actions of the uniform policy,

.. math::

   \tau \sum_a (Q(s, a) - e)_+ = (1-\tau) \sum_a (e - Q(s, a))_+ .

At 1/2 it is the mean, and the limit is the value of the uniform policy; at 1 it is the maximum. In between it is the
best mean when no action may count more than tau / (1 - tau) times another, so the limit is the value of a policy: of
the best one whose probabilities differ by no larger factor. That makes the operator a contraction, monotone in tau, and
tells how far its limit is from optimal. A method that anneals tau from near 1 to 1/2 goes from one to the other.

Proof: ``proofs/planning/expectile_iteration.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(ExpectileIteration(tau=0.9), riverswim(), 3)["v"].shape
(1, 4, 6)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from sympy import Symbol

from mdptk.core.algorithm import Range, Solver
from mdptk.core.expectile import expectile, limit
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem, initial, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import before, optimum_rounding, value_error, value_rounding
from mdptk.theory.stock_policy import largest_loss
from mdptk.theory.symbols import A, gamma, t

tau = Symbol("tau", positive=True)


class State(NamedTuple):
    """Action values, and the expectiles over actions."""

    q: Array  # (..., S, A)
    v: Array  # (..., S)


def _limit(run: Run) -> Array:
    q = limit(run.problem, run.alg.tau)
    return q[:, None] if run.problem.batch else q


def _rounding(run: Run) -> float:
    return 2 * optimum_rounding(run)


error = Quantity(
    "error",
    lambda run: abs(run["q"] - _limit(run)).max((-2, -1)),
    latex=r"\|Q_{%t} - Q_\tau\|_\infty",
    rounding=_rounding,
)
change = Quantity(
    "change",
    lambda run: abs(run["q"] - before(run["q"])).max((-2, -1)),
    latex=r"\|Q_{%t} - Q_{%t-1}\|_\infty",
    rounding=value_rounding,
)
below_mean = Quantity(
    "below_mean",
    lambda run: (run["v"] - run["q"].mean(-1)).min(-1),
    latex=r"\min_s\,[v_{%t}(s) - \tfrac{1}{A} {\textstyle\sum_a} Q_{%t}(s, a)]",
    rounding=lambda run: 16 * EPS * run.problem.A * abs(run["q"]).max((-2, -1)),
)
residual = Quantity(
    "residual",
    lambda run: abs(_balance(run)).max(-1),
    latex=r"\max_s\,|\tau {\textstyle\sum_a} (Q_{%t} - v_{%t})_+ - (1-\tau) {\textstyle\sum_a} (v_{%t} - Q_{%t})_+|(s)",
    rounding=lambda run: 16 * EPS * run.problem.A**2 * abs(run["q"]).max((-2, -1)),
)


def _balance(run: Run) -> Array:
    x = run["q"] - run["v"][..., None]
    return (run.alg.tau * np.maximum(x, 0) - (1 - run.alg.tau) * np.maximum(-x, 0)).sum(-1)


others = (1 - tau) * (A - 1) / (tau + (1 - tau) * (A - 1))
OMURA = "omura2025gradual"
DERIVED = "the text was not at hand: the operator is that of the abstract, the statement is derived in proofs"
ANYWHERE = Start("any values", lambda state: state.q, lambda alg, problem, q: State(q, expectile(q, alg.tau)[0]))
CONTRACTION = Theorem(
    name="contraction",
    cite=Cite(OMURA, "the expectile Bellman operator"),
    reason=DERIVED,
    since=2,
    consecutive=True,
    lhs=change,
    rhs=gamma * previous(change),
    silent="a run that never moves has no changes",
    proof="planning/expectile_iteration",
    starts=ANYWHERE,
)
CONVERGENCE = Theorem(
    name="linear convergence",
    cite=Cite(OMURA, "the expectile Bellman operator"),
    reason=DERIVED,
    lhs=error,
    rhs=gamma**t * initial(error),
    proof="planning/expectile_iteration",
    starts=ANYWHERE,
)
NEARLY_OPTIMAL = Theorem(
    name="distance from optimal",
    cite=Cite(OMURA, "the limit as tau goes to 1"),
    reason=DERIVED,
    lhs=value_error,
    rhs=gamma**t * initial(error) + others * largest_loss / (1 - gamma),
    proof="planning/expectile_iteration",
    starts=ANYWHERE,
)
EXPECTILE = Theorem(
    name="expectile",
    cite=Cite(OMURA, "the minimiser of the expectile loss"),
    reason="the stationarity of the asymmetric square loss",
    lhs=residual,
    rhs=0,
    relation="=",
    since=0,
    proof="planning/expectile_iteration",
    starts=ANYWHERE,
)
ABOVE_MEAN = Theorem(
    name="above the mean",
    cite=Cite(OMURA, "monotone in tau"),
    reason=DERIVED,
    since=0,
    lhs=below_mean,
    rhs=0,
    relation=">=",
    silent="it is about every set of action values",
    proof="planning/expectile_iteration",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class ExpectileIteration(Solver[MDP, State]):
    """Value iteration with the expectile of level `tau` over the actions of the uniform policy, from zero."""

    tau: Annotated[float, Range(0.5, 1, "low")] = 0.9

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, NEARLY_OPTIMAL, CONTRACTION, EXPECTILE, ABOVE_MEAN)

    def init(self, problem: MDP) -> State:
        q = np.zeros_like(problem.r)
        return State(q, q.max(-1))

    def step(self, problem: MDP, state: State) -> State:
        q = problem.q(state.v)
        return State(q, expectile(q, self.tau)[0])
