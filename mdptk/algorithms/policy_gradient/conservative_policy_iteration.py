r"""Conservative policy iteration: a small step of mixing towards the greedy policy, with the step that is proved safe.

.. math::

   \pi_{t+1} = (1 - \alpha_t)\, \pi_t + \alpha_t\, \pi_t', \qquad \pi_t' \text{ greedy for } Q^{\pi_t}, \qquad
   \alpha_t = \tfrac14 (1-\gamma)^2\, \mathbb{A}_t, \quad
   \mathbb{A}_t = \mathbb{E}_{s \sim d^{\pi_t}_\rho} \max_a A^{\pi_t}(s, a), \qquad \pi_0 \text{ uniform}.

Policy iteration jumps, which is safe only if Q is known in every state. This one asks for the advantage of the greedy
policy where the present policy goes, one number: mixing with a weight alpha changes the states that are visited by no
more than alpha, so a gain of first order pays for a loss of second. With exact advantages the price is the rate: 1/t.

Proof: ``proofs/policy_gradient/conservative_policy_iteration.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(ConservativePolicyIteration(), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Solver
from mdptk.core.models import MDP, Array
from mdptk.theory import Cite, Quantity, Start, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import (
    batch_first,
    gain,
    mismatch,
    policy,
    positive_start,
    suboptimality,
    unit_rewards,
    value_rounding,
)
from mdptk.theory.symbols import gamma, t


class State(NamedTuple):
    """The policy."""

    pi: Array  # (..., S, A)


def _toward(problem: Any, pi: Array) -> tuple[Array, Any]:
    """The greedy policy, ties within rounding shared, and its advantage where `pi` goes."""
    advantage = exact.advantage(problem, pi)
    best = advantage >= advantage.max(-1, keepdims=True) - exact.rounding(problem)
    d = np.maximum(exact.occupancy(problem, pi), (1 - problem.gamma) * problem.rho)
    share = best * exact.uniform(problem)
    greedy = share / share.sum(-1, keepdims=True)
    return greedy, (d * np.maximum((greedy * advantage).sum(-1), 0.0)).sum(-1)


gained = gain(lambda run: 16 * EPS * policy(run))
greedy_advantage = Quantity(
    "greedy_advantage",
    lambda run: _toward(batch_first(run), policy(run))[1],
    latex=r"\mathbb{A}_{%t}",
    rounding=lambda run: 4 * value_rounding(run),
)

ANYWHERE = Start("any policy", lambda state: state.pi, lambda alg, problem, x: State(exact.project_simplex(x)))

KAKADE = "kakade2002approximately"
RECALLED = "recalled and rederived, for values that are sums of rewards where the paper has (1 - gamma) times them"
IMPROVEMENT = Theorem(
    name="improvement",
    cite=Cite(KAKADE, "Corollary 4.2"),
    reason=RECALLED,
    assumes=(unit_rewards,),
    consecutive=True,
    lhs=gained,
    rhs=(1 - gamma) / 8 * previous(greedy_advantage) ** 2,
    relation=">=",
    proof="policy_gradient/conservative_policy_iteration",
    starts=ANYWHERE,
)
DOMINATION = Theorem(
    name="greedy advantage bounds the gap",
    cite=Cite(KAKADE, "Theorem 6.2 with mu = rho"),
    reason=RECALLED,
    assumes=(positive_start,),
    lhs=suboptimality,
    rhs=mismatch / (1 - gamma) ** 2 * greedy_advantage,
    silent="it compares every policy with its own advantages",
    proof="policy_gradient/conservative_policy_iteration",
    starts=ANYWHERE,
)
CONVERGENCE = Theorem(
    name="global convergence",
    cite=Cite(KAKADE, "derived from Corollary 4.2 and Theorem 6.2"),
    reason="the paper stops at a threshold; with exact advantages the two statements above make a rate",
    assumes=(unit_rewards, positive_start),
    lhs=suboptimality,
    rhs=8 * mismatch**2 / ((1 - gamma) ** 5 * (t + 1)),
    silent="above the trivial bound in short runs; the two statements that it is made of are not",
    proof="policy_gradient/conservative_policy_iteration",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class ConservativePolicyIteration(Solver[MDP, State]):
    """Conservative policy iteration with exact advantages, for rewards in [0, 1], from the uniform policy."""

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (IMPROVEMENT, DOMINATION, CONVERGENCE)

    def init(self, problem: MDP) -> State:
        return State(exact.uniform(problem))

    def step(self, problem: MDP, state: State) -> State:
        greedy, advantage = _toward(problem, state.pi)
        alpha = np.minimum((1 - problem.gamma) ** 2 / 4 * advantage, 1.0)[..., None, None]  # at most 1/4 as proved
        return State((1 - alpha) * state.pi + alpha * greedy)
