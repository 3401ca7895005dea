r"""Soft actor-critic, tabular and exact: a critic that is m soft backups old, an actor that is its softmax.

.. math::

   Q_{t+1} = (\mathcal{T}_\tau^{\pi_t})^m Q_t, \quad
   \mathcal{T}_\tau^\pi Q = r + \gamma P \langle \pi, Q - \tau\log\pi \rangle, \qquad
   \pi_{t+1}(\cdot|s) = \arg\min_p \mathrm{KL}\big(p \,\|\, e^{Q_{t+1}(s, \cdot)/\tau}/Z\big)
   \propto e^{Q_{t+1}(s, \cdot)/\tau}, \qquad Q_0 = 0.

It is off-policy mirror descent policy optimisation with the divergence from the uniform policy in place of that from
the last one; nothing in it depends on where the data come from, as long as every state is seen. With m = 1 it is soft
value iteration (the actor adds nothing), with m infinite soft policy iteration, and in between it is for soft policy
iteration what modified policy iteration is for policy iteration. So with rewards that are not negative the critic never
overestimates, and its error falls by gamma in every step, for any m.

Proof: ``proofs/policy_gradient/soft_actor_critic.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(SoftActorCritic(m=2), riverswim(), 3)["q"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Count, Positive, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Theorem, initial
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import before, unit_rewards
from mdptk.theory.stock_policy import (
    soft_gap_by_values,
    soft_optimum,
    soft_optimum_rounding,
    soft_value_rounding,
    tau,
)
from mdptk.theory.symbols import gamma, t


class State(NamedTuple):
    """The critic, and the actor with its logarithm."""

    q: Array  # (..., S, A)
    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)


def _off(run: Run) -> Array:
    return soft_optimum(run).log_pi - run["log_pi"]


critic_error = Quantity(
    "critic_error",
    lambda run: abs(soft_optimum(run).q - run["q"]).max((-2, -1)),
    latex=r"\|Q_\tau^* - Q_{%t}\|_\infty",
    rounding=soft_optimum_rounding,
)
overestimate = Quantity(
    "overestimate",
    lambda run: (run["q"] - soft_optimum(run).q).max((-2, -1)),
    latex=r"\max_{s,a}\,[Q_{%t} - Q_\tau^*](s, a)",
    rounding=soft_optimum_rounding,
)
least_rise = Quantity(
    "least_rise",
    lambda run: (run["q"] - before(run["q"])).min((-2, -1)),
    latex=r"\min_{s,a}\,[Q_{%t} - Q_{%t-1}](s, a)",
    rounding=lambda run: 2 * soft_value_rounding(run),
)
log_error = Quantity(
    "log_error",
    lambda run: abs(_off(run)).max((-2, -1)),
    latex=r"\|\log\pi_\tau^* - \log\pi_{%t}\|_\infty",
    rounding=lambda run: 2 * soft_optimum_rounding(run) / run.alg.tau + 16 * EPS * abs(run["log_pi"]).max((-2, -1)),
)

HAARNOJA = "haarnoja2018soft"
DERIVED = "the papers have the tabular limit m to infinity: derived in proofs for every m"
LINEAR = Theorem(
    name="linear convergence",
    cite=Cite(HAARNOJA, "Theorem 1, soft policy iteration; here with a rate, and with a critic that is cut short"),
    reason=DERIVED,
    assumes=(unit_rewards,),
    lhs=critic_error,
    rhs=gamma**t * initial(critic_error),
    proof="policy_gradient/soft_actor_critic",
)
BELOW = Theorem(
    name="the critic never overestimates",
    cite=Cite(HAARNOJA, "Lemma 2, soft policy improvement"),
    reason=DERIVED,
    assumes=(unit_rewards,),
    lhs=overestimate,
    rhs=0,
    silent="zero is below; a critic that jumps ahead breaks it",
    proof="policy_gradient/soft_actor_critic",
)
MONOTONE = Theorem(
    name="the critic never falls",
    cite=Cite(HAARNOJA, "Lemma 2, soft policy improvement"),
    reason=DERIVED,
    assumes=(unit_rewards,),
    consecutive=True,
    lhs=least_rise,
    rhs=0,
    relation=">=",
    silent="it says that no state and action ever loses: a wrong backup loses somewhere",
    proof="policy_gradient/soft_actor_critic",
)
POLICIES = Theorem(
    name="the actor follows the critic",
    cite=Cite("tomar2022mirror", "off-policy MDPO with the divergence from the uniform policy"),
    reason="derived in proofs",
    assumes=(unit_rewards,),
    since=0,
    lhs=log_error,
    rhs=critic_error / tau,
    proof="policy_gradient/soft_actor_critic",
    silent="it compares a critic and its actor: staying is allowed; a softmax at another temperature breaks it",
)
GAP = Theorem(
    name="gap of the actor",
    cite=Cite(HAARNOJA, "Theorem 1, soft policy iteration; here with a rate, and with a critic that is cut short"),
    reason=DERIVED,
    assumes=(unit_rewards,),
    lhs=soft_gap_by_values,
    rhs=gamma**t * initial(critic_error) / (1 - gamma),
    proof="policy_gradient/soft_actor_critic",
)


@dataclass(frozen=True)
class SoftActorCritic(Solver[MDP, State]):
    """Soft actor-critic with entropy of weight `tau` and `m` backups of the critic for each step of the actor."""

    tau: Positive = 0.1
    m: Count = 1

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (LINEAR, GAP, POLICIES, BELOW, MONOTONE)

    def init(self, problem: MDP) -> State:
        return self._state(np.zeros_like(problem.r))

    def step(self, problem: MDP, state: State) -> State:
        q = state.q
        for _ in range(self.m):
            q = problem.q((state.pi * (q - self.tau * state.log_pi)).sum(-1))
        return self._state(q)

    def _state(self, q: Array) -> State:
        log_pi = exact.log_softmax(q / self.tau)
        return State(q, log_pi, np.exp(log_pi))
