r"""Inverse constraint learning from several tasks: a cost that forbids what pays better than the experts' way.

.. math::

   d_{k,t} \in \arg\max_{d} \Big\{ \langle r_k, d\rangle : \langle c_t, d\rangle \leq \langle c_t, d_{E_k}\rangle
   \Big\},
   \qquad
   c_{t+1} = \Pi_{[0,1]}\Big(c_t + \eta \sum_k (d_{k,t} - d_{E_k})\Big), \qquad c_0 = 0,

over occupancies d, normalised to one. A zero-sum game: one player looks for the policy that earns the most without
spending more than the expert of its task, the other for the cost that makes it spend more. The first answers best, the
second without regret, and then the *average* policies are as rewarding as the experts, and spend hardly more of any
cost in [0, 1], the hidden one included. They need not be what the experts do, nor need c be the hidden cost: with one
task, it may well forbid all that the expert happened not to do. Tasks that differ leave less of that open.

After Kim et al. [kim2023learning]. The inner problem is a linear program in each step. Proof:
``proofs/inverse/shared_constraint.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.demonstrations import hidden_hazards
>>> run(SharedConstraintLearning(), hidden_hazards(), 5)["c"].shape
(1, 6, 9, 4)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Positive, Solver
from mdptk.core.inverse import SharedConstraint
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.solve._linear_program import highs
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.symbols import eta, t


class State(NamedTuple):
    """The learnt cost and the best responses to it."""

    c: Array  # (S, A)
    d: Array  # (K, S, A): occupancies


def _square(truth: exact.Truth, state: State) -> float:
    return float(((state.d - truth.problem.occupancies).sum(0) ** 2).sum())


def _mean(run: Run) -> Array:
    """Average occupancies before each record, (repeats, records, K, S, A); nan at t = 0."""
    with np.errstate(invalid="ignore"):
        return run["total"] / run.t[:, None, None, None]


def _shortfall(run: Run) -> Array:
    problem = run.problem
    return (problem.rewards * (problem.occupancies - _mean(run))).sum((-2, -1)).max(-1)


def _more(run: Run) -> Array:
    """Average of sum_k (d_k - d_Ek), (repeats, records, S, A)."""
    return (_mean(run) - run.problem.occupancies).sum(-3)


def _program(run: Run) -> float:
    """What a linear program leaves open of an objective: its tolerances, for occupancies that sum to one."""
    return 1e-7 * run.problem.tasks


shortfall = Quantity(
    "shortfall",
    _shortfall,
    latex=r"\max_k \langle r_k, d_{E_k} - \bar d_{k,%t} \rangle",
    rounding=_program,
)
overspent = Quantity(
    "overspent",
    lambda run: (run.problem.c * _more(run)).sum((-2, -1)),
    latex=r"\textstyle\sum_k \langle c^E, \bar d_{k,%t} - d_{E_k} \rangle",
    rounding=_program,
)
told_apart = Quantity(
    "told_apart",
    lambda run: np.maximum(_more(run), 0).sum((-2, -1)),
    latex=r"\max_{c \in [0,1]^{SA}} \textstyle\sum_k \langle c, \bar d_{k,%t} - d_{E_k} \rangle",
    rounding=_program,
)
squares = Quantity(
    "squares",
    lambda run: run["squares"],
    latex=r"\textstyle\sum_{u<%t} \|\sum_k (d_{k,u} - d_{E_k})\|_2^2",
)
cells = Quantity("cells", lambda run: (run.problem.c**2).sum(), latex=r"\|c^E\|_2^2")
size = Quantity("size", lambda run: run.problem.S * run.problem.A, latex=r"SA")

KEY = "kim2023learning"
OWN = "the paper was not at hand: derived in proofs/ for exact best responses and gradient ascent"
REWARDING = Theorem(
    name="as rewarding as the experts",
    cite=Cite(KEY, "the guarantee on the reward"),
    lhs=shortfall,
    rhs=0,
    silent="each best response is, from the first one on",
    reason=OWN,
    proof="inverse/shared_constraint",
    iterate="average",
)
SAFE = Theorem(
    name="as safe as the experts",
    cite=Cite(KEY, "the guarantee on the constraint"),
    lhs=overspent,
    rhs=cells / (2 * eta * t) + eta * squares / (2 * t),
    reason=OWN,
    proof="inverse/shared_constraint",
    iterate="average",
)
ANY_COST = Theorem(
    name="safe for any cost",
    cite=Cite(KEY, "the guarantee on the constraint"),
    lhs=told_apart,
    rhs=size / (2 * eta * t) + eta * squares / (2 * t),
    reason=OWN,
    proof="inverse/shared_constraint",
    iterate="average",
)


@dataclass(frozen=True)
class SharedConstraintLearning(Solver[SharedConstraint, State]):
    """Projected gradient ascent of size `eta` on the cost, against best responses."""

    eta: Positive = 0.5

    sees: ClassVar[type] = SharedConstraint
    theorems: ClassVar[tuple[Theorem, ...]] = (REWARDING, SAFE, ANY_COST)
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("total", lambda truth, state: state.d, "sum"),
        Measure("squares", _square, "sum"),
    )

    def init(self, problem: SharedConstraint) -> State:
        c = np.zeros((problem.S, problem.A))
        return State(c, _responses(problem, c))

    def step(self, problem: SharedConstraint, state: State) -> State:
        g = (state.d - problem.occupancies).sum(0)
        c = np.clip(state.c + self.eta * g, 0, 1)
        return State(c, _responses(problem, c))


def _responses(problem: SharedConstraint, c: Array) -> Array:
    return np.stack(
        [_response(problem.mdp, r, c, d) for r, d in zip(problem.rewards, problem.occupancies, strict=True)]
    )


def _response(mdp: MDP, r: Array, c: Array, expert: Array) -> Array:
    """The best occupancy for `r` that spends at most what the expert does of `c`."""
    flow = exact.occupancy_flow(mdp).T
    x = highs(
        -r.ravel(),
        A_ub=c.reshape(1, -1),
        b_ub=[(c * expert).sum()],
        A_eq=flow,
        b_eq=(1 - mdp.gamma) * mdp.rho,
        bounds=(0, None),
    ).x
    return x.reshape(r.shape)
