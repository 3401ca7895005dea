r"""Modified policy iteration: improve the policy, then evaluate it with m sweeps only.

.. math::

   \pi_{t+1}(s) \in \arg\max_a \Big( r(s, a) + \gamma \sum_{s'} P(s' | s, a)\, v_t(s') \Big), \qquad
   v_{t+1} = (T_{\pi_{t+1}})^m v_t, \qquad v_0 = \frac{\min_{s,a} r(s, a)}{1-\gamma}.

With m = 1 this is value iteration, as m grows it becomes policy iteration, and a sweep of evaluation costs A times less
than an improvement. The start matters: :math:`T v_0 \geq v_0` makes every further sweep a gain, so the values climb to
V* ahead of value iteration. From a start that is too high somewhere, more sweeps can put them behind.

Figure: the run on RiverSwim in the gallery. Proof: ``proofs/planning/modified_policy_iteration.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(ModifiedPolicyIteration(m=5), riverswim(), 3)["v"].shape
(1, 4, 6)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Count, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem, initial
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import (
    batch_first,
    before,
    optimum,
    optimum_rounding,
    sweep_rounding,
    value_error,
)
from mdptk.theory.symbols import gamma, t


class State(NamedTuple):
    """Values and the policy that was evaluated to get them; at the start, the one that is evaluated next."""

    v: Array  # (..., S)
    pi: Array  # (..., S, A), deterministic


def _value_iteration(run: Run) -> Array:
    """``T^t v_0`` at the records of the run, (repeats, records, S)."""
    w = [run["v"][:, 0]]
    for _ in range(run.steps):
        w.append(run.problem.q(w[-1]).max(-1))
    return np.stack(w[:: run.every], axis=1)


def _unexplained(run: Run) -> Array:
    P, _ = exact.chain(batch_first(run), run["pi"])
    term = rest = before(batch_first(run).q(run["v"]).max(-1) - run["v"])
    for _ in range(run.alg.m - 1):
        term = run.problem.gamma * (P @ term[..., None])[..., 0]
        rest = rest + term
    return abs(run["v"] - before(run["v"]) - rest).max(-1)


climb = Quantity(
    "climb",
    lambda run: (run["v"] - before(run["v"])).min(-1),
    latex=r"\min_s (v_{%t} - v_{%t-1})(s)",
    rounding=lambda run: 2 * sweep_rounding(run),
)
excess = Quantity(
    "excess",
    lambda run: (run["v"] - optimum(run).v).max(-1),
    latex=r"\max_s (v_{%t} - V^*)(s)",
    rounding=lambda run: 2 * optimum_rounding(run) + sweep_rounding(run),
)
lead = Quantity(
    "lead",
    lambda run: (run["v"] - _value_iteration(run)).min(-1),
    latex=r"\min_s (v_{%t} - T^{%t} v_0)(s)",
    rounding=lambda run: 2 * sweep_rounding(run),
)
unexplained = Quantity(
    "unexplained",
    _unexplained,
    latex=r"\|v_{%t} - v_{%t-1} - \sum_{i<m} (\gamma P_{\pi_{%t}})^i (T v_{%t-1} - v_{%t-1})\|_\infty",
    rounding=lambda run: 4 * sweep_rounding(run),
)

ANYWHERE = Start("any $v_0$", lambda state: state.v, lambda alg, problem, v: State(v, exact.greedy(problem.q(v))))
BELOW = Start(r"any $v_0 \leq T v_0$", lambda state: state.v, lambda alg, problem, v: _below(problem, v))
SANDWICH = Cite("puterman1994markov", "Theorem 6.5.5")
CONVERGENCE = Theorem(
    name="convergence",
    cite=SANDWICH,
    reason="derived in proofs/ from T^t v_0 <= v_t <= V*, read in Isabelle's MDP-Algorithms, which follows the book",
    lhs=value_error,
    rhs=gamma**t * initial(value_error),
    proof="planning/modified_policy_iteration",
    starts=BELOW,
)
DOMINATION = Theorem(
    name="domination of value iteration",
    cite=SANDWICH,
    lhs=lead,
    rhs=0,
    relation=">=",
    proof="planning/modified_policy_iteration",
    starts=BELOW,
)
UNDER = Theorem(
    name="never above the optimum",
    cite=SANDWICH,
    lhs=excess,
    rhs=0,
    silent="the start is below the optimum; domination says how far the values must come up",
    proof="planning/modified_policy_iteration",
    starts=BELOW,
)
CLIMB = Theorem(
    name="climb",
    cite=SANDWICH,
    consecutive=True,
    lhs=climb,
    rhs=0,
    relation=">=",
    silent="standing still is no loss; domination says how much must be gained",
    proof="planning/modified_policy_iteration",
    starts=BELOW,
)
EXPANSION = Theorem(
    name="sweeps of gain",
    cite=Cite("puterman1994markov", "equation (6.5.7)"),
    consecutive=True,
    lhs=unexplained,
    rhs=0,
    relation="=",
    proof="planning/modified_policy_iteration",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class ModifiedPolicyIteration(Solver[MDP, State]):
    """Policy iteration with `m` sweeps of evaluation per improvement, from below."""

    m: Count = 5

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, DOMINATION, UNDER, CLIMB, EXPANSION)

    def init(self, problem: MDP) -> State:
        v = np.broadcast_to(problem.r.min((-2, -1), keepdims=True)[..., 0] / (1 - problem.gamma), problem.r.shape[:-1])
        return State(v, exact.greedy(problem.q(v)))

    def step(self, problem: MDP, state: State) -> State:
        q = problem.q(state.v)
        pi, v = exact.greedy(q), q.max(-1)  # the first sweep is had with the improvement: T_pi v = T v
        P, r = exact.chain(problem, pi)
        for _ in range(self.m - 1):
            v = r + problem.gamma * (P @ v[..., None])[..., 0]
        return State(v, pi)


def _below(problem: MDP, v: Array) -> State:
    """From ``v`` less a constant, where a sweep would lose: then none does, by more than rounding."""
    loss, size = (v - problem.q(v).max(-1)).max(-1), abs(v).max(-1) + abs(problem.r).max((-2, -1))
    shift = np.where(loss > 0, loss + 64 * EPS * size, 0) / (1 - problem.gamma)
    v = v - shift[..., None]
    return State(v, exact.greedy(problem.q(v)))
