r"""Feasible iteration: how bad the worst moment of the best policy is, by a contraction.

.. math::

   Q_{t+1}(s, a) = (1-\gamma)\,h(s, a)
     + \gamma \max\Big\{h(s, a),\; \max_{s' : P(s'|s, a) > 0}\, v_t(s')\Big\}, \qquad v_t(s) = \min_a Q_t(s, a),

from :math:`Q_0 = h`, where :math:`h(s, a) > 0` is a violation: here a cost above `level`, in any of the constraints.
Budgets are not used: no violation is too small, and none may happen. For :math:`\gamma = 1` the fixed point would be
the worst violation that cannot be helped, and its sign would tell from where one can be avoided for ever; but then
there is no contraction. With :math:`\gamma < 1` there is one, and the sign is wrong on one side only. Where a policy
can stay safe, :math:`v_t \le 0` in every step. But where it cannot, :math:`v^* \le 0` is possible, too: safe moments
now outweigh a violation to come. It cannot happen if safe is never much better than zero (cut h off at zero from below,
or take a cost of 0 and 1), or if :math:`\gamma` is near enough to one for the size of the problem; then the set is
found exactly, after as many steps as there are states at most.

The operator is that of FISOR, Zheng et al. [zheng2024fisor], after Fisac et al. [fisac2019bridging], against the worst
possible successor. `mdptk.core.safety` finds the same set on the graph.

Proof: ``proofs/constrained/feasible_iteration.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.constrained import hazard_gridworld
>>> v = run(FeasibleIteration(), hazard_gridworld(slip=0.0), 12)["q"][0, -1].min(-1)
>>> (v > 0).nonzero()[0].tolist()  # the hazard itself: elsewhere one can stay out of it
[9, 10]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mdptk.core.algorithm import NonNegative, Solver
from mdptk.core.errors import NotConverged
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.core.safety import largest_safe_set, possible
from mdptk.theory import Assumption, Cite, Quantity, Theorem, initial, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.symbols import dt, gamma, t

SETTLED = 100_000  # sweeps of the fixed point; for gamma up to 0.999 and more


class State(NamedTuple):
    """How bad it gets after an action."""

    q: Array  # (S, A)


def violation(alg: Any, problem: CMDP) -> Array:
    """h: by how much the worst cost is above the level, (S, A)."""
    return problem.c.max(0) - alg.level


def _operator(h: Array, can: Array, gamma: float, q: Array) -> Array:
    later = np.where(can, q.min(-1), -np.inf).max(-1)
    return (1 - gamma) * h + gamma * np.maximum(h, later)


@lru_cache(maxsize=64)
def _fixed_point(alg: Any, problem: CMDP) -> Array:
    h, can, g = violation(alg, problem), possible(problem.mdp), problem.gamma
    q, size = h, np.inf
    for _ in range(SETTLED):
        new = _operator(h, can, g, q)
        size, q = float(abs(new - q).max()), new
        if size <= 4 * EPS * abs(h).max():
            return q
    raise NotConverged(f"the fixed point was not reached in {SETTLED} sweeps", size)


def _rounding(run: Run) -> float:
    """Of a sweep, of which 1/(1 - gamma) count; and of the fixed point."""
    return 8 * EPS * float(abs(violation(run.alg, run.problem)).max()) / (1 - run.problem.gamma)


def _called_safe(run: Run) -> Array:
    return run["q"].min(-1) <= 0


def _truly_safe(run: Run) -> Array:
    return largest_safe_set(run.problem.mdp, violation(run.alg, run.problem))[0]


error = Quantity(
    "error",
    lambda run: abs(run["q"] - _fixed_point(run.alg, run.problem)).max((-2, -1)),
    latex=r"\|Q_{%t} - Q^*\|_\infty",
    rounding=_rounding,
)
doubted = Quantity(
    "doubted",
    lambda run: (_truly_safe(run) & ~_called_safe(run)).sum(-1),
    latex=r"|K \setminus \{v_{%t} \leq 0\}|",
)
overlooked = Quantity(
    "overlooked",
    lambda run: (~_truly_safe(run) & _called_safe(run)).sum(-1),
    latex=r"|\{v_{%t} \leq 0\} \setminus K|",
)
left = Quantity("left", lambda run: np.maximum(run.problem.S - 1 - run.t, 0)[None], latex=r"\max\{S - 1 - %t,\; 0\}")


def _far(alg: Any, problem: CMDP) -> str | None:
    """Whether a violation S - 1 steps ahead still outweighs safe moments, by more than rounding."""
    h, near = violation(alg, problem), problem.gamma ** (problem.S - 1)
    if not (h > 0).any():
        return None
    least, good = h[h > 0].min(), max(0.0, -float(h.min()))
    if near * least - (1 - near) * good > 64 * problem.S * EPS * abs(h).max():
        return None
    return f"gamma^(S-1) = {near:.3g}; the least violation is {least:.3g}, the safest moment {good:.3g} below zero"


outweighs = Assumption(
    r"$\gamma^{S-1} h_+ > (1 - \gamma^{S-1}) h_-$, with the least violation $h_+$ and the safest moment $-h_-$", _far
)
KEY = "zheng2024fisor"
NOT_READ = "the formulas of the paper are from memory: derived in proofs, for the worst possible successor"
SET = r"; $K$ is the largest persistently safe set, found on the graph"
CONTRACTION = Theorem(
    name="contraction",
    cite=Cite(KEY, "the feasible Bellman operator"),
    reason=NOT_READ,
    lhs=error,
    rhs=gamma**dt * previous(error),
    proof="constrained/feasible_iteration",
)
CONVERGENCE = Theorem(
    name="convergence",
    cite=Cite(KEY, "the feasible Bellman operator"),
    reason=NOT_READ,
    lhs=error,
    rhs=gamma**t * initial(error),
    proof="constrained/feasible_iteration",
)
INSIDE = Theorem(
    name="safe states are called safe",
    cite=Cite(KEY, "the feasible region is the sublevel set at zero"),
    reason=NOT_READ + SET,
    since=0,
    lhs=doubted,
    rhs=0,
    relation="=",
    silent="it is true of the first step, where nothing but the present counts",
    proof="constrained/feasible_iteration",
)
OUTSIDE = Theorem(
    name="unsafe states are found",
    cite=Cite(KEY, "the feasible region is the sublevel set at zero"),
    reason=NOT_READ + SET + ". The assumption is what remains of the limit in the discount",
    assumes=(outweighs,),
    silent="where every violation is one step away, the first step knows it; in a river that cannot be left it is an "
    "equality, and the run that never moves breaks it",
    since=0,
    lhs=overlooked,
    rhs=left,
    proof="constrained/feasible_iteration",
)


@dataclass(frozen=True)
class FeasibleIteration(Solver[CMDP, State]):
    """Sweeps of the feasibility operator; a cost above `level` is a violation."""

    level: NonNegative = 0.0

    sees: ClassVar[type] = CMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONTRACTION, CONVERGENCE, INSIDE, OUTSIDE)

    def init(self, problem: CMDP) -> State:
        return State(violation(self, problem))

    def step(self, problem: CMDP, state: State) -> State:
        return State(_operator(violation(self, problem), possible(problem.mdp), problem.gamma, state.q))
