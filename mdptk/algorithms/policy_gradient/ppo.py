r"""Proximal policy optimisation, tabular and exact: gradient ascent on the clipped surrogate.

From :math:`p = \pi_t`, uniform at first, m gradient steps in the logits of p, with the exact advantages of pi_t,

.. math::

   \max_p \; \mathbb{E}_{a \sim \pi_t} \min\!\big(\rho A, \; \mathrm{clip}(\rho, 1-\epsilon, 1+\epsilon) A\big)(s, a),
   \qquad \rho = \frac{p(a|s)}{\pi_t(a|s)}, \quad A = A^{\pi_t}(s, a),

in every state s. The minimum is what an action promises, less a drift that is never negative. So a policy that makes
the surrogate positive improves on pi_t, in every state, whether the maximum was reached or not: no trust region is
needed for that if advantages are exact and states do not share parameters. The first of the m steps is one of softmax
policy gradient. What clipping does not do is to bound the ratio (that claim is here, refuted): outside the interval the
slope is zero, and what is outside stays there. Steps are halved where they would lower the surrogate.

Proof: ``proofs/policy_gradient/ppo.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(PPO(), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from sympy import Symbol

from mdptk.core import exact
from mdptk.core.algorithm import Count, Fraction, Positive, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run, run
from mdptk.core.surrogates import Clipped, ascend
from mdptk.theory import Cite, Start, Theorem
from mdptk.theory.stock import unit_rewards
from mdptk.theory.stock_surrogates import furthest, least_gain, least_promise, mean_drift, surrogate_gain

epsilon = Symbol("epsilon", positive=True)


class State(NamedTuple):
    """Log-probabilities and the policy."""

    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)


KEY = "schulman2017proximal"
KUBA = "kuba2022mirror"
ANYWHERE = Start("any positive policy", lambda state: state.log_pi, lambda alg, problem, x: _state(x))
MONOTONE = Theorem(
    name="monotone improvement",
    cite=Cite(KUBA, "Theorem 3.6, for the drift of clipping"),
    reason="of the paper the abstract is known to us; derived for ascent that need not reach the maximum",
    assumes=(unit_rewards,),
    consecutive=True,
    lhs=least_gain,
    rhs=0,
    relation=">=",
    silent="it says that no state ever loses: a wrong step does lose somewhere",
    proof="policy_gradient/ppo",
    starts=ANYWHERE,
)
PROMISE = Theorem(
    name="surrogate ascent",
    cite=Cite(KEY, "equation (7)"),
    reason="derived: what the halving of steps is there for",
    consecutive=True,
    lhs=least_promise,
    rhs=0,
    relation=">=",
    silent="staying is allowed; a step that is too long or downhill breaks it",
    proof="policy_gradient/ppo",
    starts=ANYWHERE,
)
PESSIMISM = Theorem(
    name="pessimistic surrogate",
    cite=Cite(KEY, "below equation (7): a lower bound on the unclipped objective"),
    reason="derived: a drift is not negative, and costs no more than the policy gains to first order",
    consecutive=True,
    lhs=mean_drift,
    rhs=surrogate_gain,
    silent="if nothing moves both sides are zero",
    proof="policy_gradient/ppo",
    starts=ANYWHERE,
)


def _two_arms() -> Run:
    """Nothing pulls back once a ratio is outside: a long step of the ascent ends where it ends."""
    return run(PPO(step_size=20.0), MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.0), 1)


RATIO = Theorem(
    name="ratios stay in the interval",
    cite=Cite(KEY, "Section 3: clipping removes the incentive for moving r outside of the interval"),
    status="refuted",
    reason="it removes the incentive, not the possibility: outside the slope is zero, so that nothing comes back",
    consecutive=True,
    lhs=furthest,
    rhs=epsilon,
    silent="a run that never moves stays inside",
    starts=ANYWHERE,
    counterexample=_two_arms,
)


@dataclass(frozen=True)
class PPO(Solver[MDP, State]):
    """Proximal policy optimisation: clipping at `epsilon`, `m` steps of at most `step_size`, from uniform."""

    epsilon: Fraction = 0.2
    step_size: Positive = 1.0
    m: Count = 4

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (MONOTONE, PROMISE, PESSIMISM, RATIO)

    @property
    def surrogate(self) -> Clipped:
        """The surrogate, less the promise."""
        return Clipped(self.epsilon)

    def init(self, problem: MDP) -> State:
        return _state(np.zeros_like(problem.r))

    def step(self, problem: MDP, state: State) -> State:
        advantage = exact.advantage(problem, state.pi)
        return _state(ascend(self.surrogate, state.log_pi, advantage, m=self.m, step=self.step_size).log_pi)


def _state(x: Array) -> State:
    log_pi = exact.log_softmax(x)
    return State(log_pi, np.exp(log_pi))
