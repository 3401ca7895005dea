r"""Value iteration with the expectile of the whole target: over the next state as well as the next action.

.. math::

   Q_{t+1}(s, a) = e_\tau\big(r(s, a) + \gamma\, Q_t(s', a')\big), \qquad
   s' \sim P(\cdot|s, a), \quad a' \text{ uniform}, \qquad Q_0 = 0, \quad \tau \in [\tfrac12, 1).

That is what a loss finds that is asymmetric in the temporal difference, :math:`|\tau - 1\{u < 0\}|\, u^2` with
:math:`u = r + \gamma Q(s', a') - Q(s, a)`, where the operator that is meant takes the expectile over actions only
(`ExpectileIteration`). The two agree if transitions are deterministic. If not, luck counts as choice: the limit is the
value when the odds of next states may be tilted, too, by a factor of tau / (1 - tau) at most, and a chain without any
choice is overestimated. It is still a contraction. Whether it overestimates the other operator always? With two
actions whose values differ yes; in general no (that claim is here, refuted): one factor for all is less freedom than
one factor in each next state.

Proof: ``proofs/planning/joint_expectile_iteration.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(JointExpectileIteration(tau=0.9), riverswim(), 3)["q"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from sympy import Symbol

from mdptk.core.algorithm import Range, Solver
from mdptk.core.expectile import expectile, joint_expectile
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run, run
from mdptk.theory import Cite, Quantity, Start, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import batch_first, before, value_rounding
from mdptk.theory.symbols import gamma

tau = Symbol("tau", positive=True)


class State(NamedTuple):
    """Action values."""

    q: Array  # (..., S, A)


def _rounding(run: Run) -> Array:
    size = abs(run["q"]).max((-2, -1))
    return 16 * EPS * run.problem.S * run.problem.A * (size + before(size)) + value_rounding(run)


def _stationarity(run: Run) -> Array:
    """The derivative of the mean asymmetric square of the temporal difference, over -2."""
    mdp, tau = batch_first(run).dense(), run.alg.tau
    target = mdp.r[..., None, None] + mdp.gamma * before(run["q"])[..., None, None, :, :]
    u = target - run["q"][..., None, None]
    slope = tau * np.maximum(u, 0) - (1 - tau) * np.maximum(-u, 0)
    return abs((mdp.P * slope.mean(-1)).sum(-1)).max((-2, -1))


def _above(run: Run, lower: bool) -> Array:
    """The least of Q_t less r + gamma P of the mean, or of the expectile, over actions of Q_{t-1}."""
    q = before(run["q"])
    inner = q.mean(-1) if lower else expectile(np.nan_to_num(q), run.alg.tau)[0]
    return (run["q"] - batch_first(run).q(inner)).min((-2, -1))


change = Quantity(
    "change",
    lambda run: abs(run["q"] - before(run["q"])).max((-2, -1)),
    latex=r"\|Q_{%t} - Q_{%t-1}\|_\infty",
    rounding=_rounding,
)
stationarity = Quantity(
    "stationarity",
    _stationarity,
    latex=r"\max_{s,a}\,|\mathbb{E}[\tau u_+ - (1-\tau) u_-]|, \quad u = r + \gamma Q_{%t-1}(s', a') - Q_{%t}",
    rounding=_rounding,
)
above_mean = Quantity(
    "above_mean",
    lambda run: _above(run, lower=True),
    latex=r"\min_{s,a}\,[Q_{%t} - r - \gamma P \tfrac1A {\textstyle\sum_{a'}} Q_{%t-1}(\cdot, a')]",
    rounding=_rounding,
)
above_actions = Quantity(
    "above_actions",
    lambda run: _above(run, lower=False),
    latex=r"\min_{s,a}\,[Q_{%t} - r - \gamma P\, e_\tau(Q_{%t-1})]",
    rounding=_rounding,
)

OMURA = "omura2025gradual"
DERIVED = "the text was not at hand: that the loss takes the expectile of the whole target is our reading"
ANYWHERE = Start("any values", lambda state: state.q, lambda alg, problem, q: State(q))
CONTRACTION = Theorem(
    name="contraction",
    cite=Cite(OMURA, "the expectile loss on the temporal difference"),
    reason=DERIVED + "; derived in proofs",
    since=2,
    consecutive=True,
    lhs=change,
    rhs=gamma * previous(change),
    silent="a run that never moves has no changes",
    proof="planning/joint_expectile_iteration",
    starts=ANYWHERE,
)
LOSS = Theorem(
    name="minimiser of the loss",
    cite=Cite(OMURA, "the expectile loss on the temporal difference"),
    reason=DERIVED,
    consecutive=True,
    lhs=stationarity,
    rhs=0,
    relation="=",
    proof="planning/joint_expectile_iteration",
    starts=ANYWHERE,
)
ABOVE_MEAN = Theorem(
    name="above the mean",
    cite=Cite(OMURA, "monotone in tau"),
    reason=DERIVED + "; derived in proofs",
    consecutive=True,
    lhs=above_mean,
    rhs=0,
    relation=">=",
    silent="values that stay at zero are less than the rewards only if rewards are positive",
    proof="planning/joint_expectile_iteration",
    starts=ANYWHERE,
)


def _unlike_states() -> Run:
    """A rare next state has one very good action, a likely one two fair ones: each tilts for itself what it has."""
    P = np.zeros((3, 3, 3))
    P[0, :, 1:] = [0.1, 0.9]
    P[1, :, 1] = P[2, :, 2] = 1
    q = np.array([[0.0, 0.0, 0.0], [2.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    return run(JointExpectileIteration(0.9), MDP(P, np.zeros((3, 3)), 0.9), 1, start=State(q))


OVERESTIMATES = Theorem(
    name="never below the expectile over actions",
    cite=Cite(OMURA, "that the loss overestimates where transitions are random; as remembered, for all of them"),
    status="refuted",
    reason="one bound on all odds at once is less freedom than one for each next state",
    consecutive=True,
    lhs=above_actions,
    rhs=0,
    relation=">=",
    silent="values that stay at zero are less than the rewards only if rewards are positive",
    starts=ANYWHERE,
    counterexample=_unlike_states,
)


@dataclass(frozen=True)
class JointExpectileIteration(Solver[MDP, State]):
    """Value iteration with the expectile of level `tau` over next states and the actions of the uniform policy."""

    tau: Annotated[float, Range(0.5, 1, "low")] = 0.9

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONTRACTION, LOSS, ABOVE_MEAN, OVERESTIMATES)

    def init(self, problem: MDP) -> State:
        return State(np.zeros_like(problem.r))

    def step(self, problem: MDP, state: State) -> State:
        return State(problem.r + problem.gamma * joint_expectile(state.q, problem.dense().P, self.tau))
