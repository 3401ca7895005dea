r"""Policy iteration (Howard): evaluate the policy exactly, then improve it in every state at once.

.. math::

   V^{\pi_t} = (I - \gamma P_{\pi_t})^{-1} r_{\pi_t}, \qquad
   \pi_{t+1}(s) \in \arg\max_a \Big( r(s, a) + \gamma \sum_{s'} P(s' | s, a)\, V^{\pi_t}(s') \Big),

where a state keeps its action unless another one is better, by more than rounding: so ties never cycle, and it stops.

One step does at least what a sweep of value iteration does, hence the same geometric rate. But value iteration only
comes close, while this becomes exactly optimal after a number of steps that depends on no reward at all: whatever the
rewards, every few steps some action leaves some state for ever. That count follows one action in a state, so it starts
from a deterministic policy, the first action everywhere: the uniform one is no single action that could be ruled out.

Figure: the run on RiverSwim in the gallery. Proof: ``proofs/planning/policy_iteration.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(PolicyIteration(), riverswim(), 8)["changes"]
array([[0., 1., 2., 3., 4., 5., 6., 6., 6.]])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from sympy import ceiling, log

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Assumption, Cite, Quantity, Start, Theorem, initial, previous
from mdptk.theory.stock import batch_first, before, expected_return, optimum_rounding, policy_error, value_rounding
from mdptk.theory.symbols import A, S, gamma, t


class State(NamedTuple):
    """The policy and its value."""

    pi: Array  # (..., S, A), deterministic
    v: Array  # (..., S)


def _evaluated(problem: MDP, pi: Array) -> State:
    return State(pi, exact.evaluate(problem, pi))


def _better(problem: MDP, state: State) -> tuple[Array, Array]:
    """Action values of the policy, and the states in which an action is better by more than rounding."""
    q = problem.q(state.v)
    return q, q.max(-1) > (state.pi * q).sum(-1) + exact.rounding(problem)


def _promise(run: Run) -> Array:
    """``T V - V`` at the policy before: what one more decision would gain, (repeats, records, S)."""
    return before(batch_first(run).q(run["v"]).max(-1) - run["v"])


CHANGED = Measure("changes", lambda truth, state: 1.0 * _better(truth.problem, state)[1].any(-1), "sum")
changes = Quantity("changes", lambda run: run["changes"], latex=r"\sum_{k<%t} 1[\pi_{k+1} \neq \pi_k]", trivial=t)
improvement = Quantity(
    "improvement",
    lambda run: (run["v"] - before(run["v"])).min(-1),
    latex=r"\min_s (V^{\pi_{%t}} - V^{\pi_{%t-1}})(s)",
    rounding=lambda run: 4 * optimum_rounding(run),
)
lead = Quantity(
    "lead",
    lambda run: (run["v"] - before(run["v"]) - _promise(run)).min(-1),
    latex=r"\min_s (V^{\pi_{%t}} - T V^{\pi_{%t-1}})(s)",
    rounding=lambda run: 4 * optimum_rounding(run),
)
kept = Quantity(
    "kept",
    lambda run: (exact.occupancy(batch_first(run), run["pi"]) * _promise(run)).sum(-1),
    latex=r"\mathbb{E}_{s\sim d^{\pi_{%t}}_\rho} (T V^{\pi_{%t-1}} - V^{\pi_{%t-1}})(s)",
    rounding=lambda run: 4 * value_rounding(run),
)
counts_one = Assumption(
    "gamma > 0 (at gamma = 0 the formula gives 0, but the first step may still change the policy)",
    lambda alg, problem: None if problem.gamma > 0 else f"gamma = {problem.gamma:g}",
)

ANYWHERE = Start(
    "any deterministic policy", lambda state: state.pi, lambda alg, problem, x: _evaluated(problem, exact.greedy(x))
)

PUTERMAN = "puterman1994markov"
DERIVED = "place cited from memory, statement derived in proofs/"
CONVERGENCE = Theorem(
    name="convergence",
    cite=Cite(PUTERMAN, "proof of Theorem 6.4.6"),
    reason=DERIVED,
    lhs=policy_error,
    rhs=gamma**t * initial(policy_error),
    proof="planning/policy_iteration",
    starts=ANYWHERE,
)
IMPROVEMENT = Theorem(
    name="improvement",
    cite=Cite(PUTERMAN, "Proposition 6.4.1"),
    reason=DERIVED,
    consecutive=True,
    lhs=improvement,
    rhs=0,
    relation=">=",
    silent="standing still is no loss; domination says how much must be gained",
    proof="planning/policy_iteration",
    starts=ANYWHERE,
)
DOMINATION = Theorem(
    name="domination of value iteration",
    cite=Cite(PUTERMAN, "proof of Theorem 6.4.6"),
    reason=DERIVED,
    consecutive=True,
    lhs=lead,
    rhs=0,
    relation=">=",
    proof="planning/policy_iteration",
    starts=ANYWHERE,
)
IDENTITY = Theorem(
    name="promise kept",
    cite=Cite(PUTERMAN, "Proposition 6.4.1"),
    reason="V' - V = (I - gamma P')^-1 (T V - V), averaged over the start; " + DERIVED,
    consecutive=True,
    lhs=expected_return - previous(expected_return),
    rhs=kept / (1 - gamma),
    relation="=",
    proof="planning/policy_iteration",
    starts=ANYWHERE,
)
CHANGES = Theorem(
    name="policy changes",
    cite=Cite("scherrer2016improved", "Theorem 3"),
    reason=DERIVED + " for this count: the last evaluation, which changes nothing, is free",
    assumes=(counts_one,),
    lhs=changes,
    rhs=S * (A - 1) * ceiling(log(1 / (1 - gamma)) / (1 - gamma)),
    proof="planning/policy_iteration",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class PolicyIteration(Solver[MDP, State]):
    """Howard's policy iteration, from the first action in every state."""

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, IMPROVEMENT, DOMINATION, IDENTITY, CHANGES)
    measures: ClassVar[tuple[Measure, ...]] = (CHANGED,)

    def init(self, problem: MDP) -> State:
        return _evaluated(problem, exact.one_hot(np.zeros(problem.r.shape[:-1], dtype=int), problem.A))

    def step(self, problem: MDP, state: State) -> State:
        q, better = _better(problem, state)
        return _evaluated(problem, np.where(better[..., None], exact.greedy(q), state.pi))
