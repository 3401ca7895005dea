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

from mdptk.core import exact
from mdptk.core.algorithm import Count, Fraction, Positive, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run, run
from mdptk.core.surrogates import Clipped, ascend
from mdptk.theory import Cite, Start, Theorem
from mdptk.theory.stock_surrogates import (
    contraction_by_shares,
    drift_is_gained,
    monotone_improvement,
    pessimistic_surrogate,
    ratios_in_interval,
    surrogate_ascent,
)


class State(NamedTuple):
    """Log-probabilities and the policy."""

    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)


KEY = "schulman2017proximal"
ANYWHERE = Start("any positive policy", lambda state: state.log_pi, lambda alg, problem, x: _state(x))
PROOF = "policy_gradient/ppo"
DRIFT = "the drift of clipping"
MONOTONE = monotone_improvement(DRIFT, PROOF, ANYWHERE)
GAIN = drift_is_gained(DRIFT, PROOF, ANYWHERE)
SHARES = contraction_by_shares(DRIFT, PROOF, ANYWHERE)
PROMISE = surrogate_ascent(Cite(KEY, "equation (7)"), PROOF, ANYWHERE)
PESSIMISM = pessimistic_surrogate(
    Cite(KEY, "below equation (7): a lower bound on the unclipped objective"), PROOF, ANYWHERE
)


def _two_arms() -> Run:
    """Nothing pulls back once a ratio is outside: a long step of the ascent ends where it ends."""
    return run(PPO(step_size=20.0), MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.0), 1)


RATIO = ratios_in_interval(
    Cite(KEY, "Section 3: clipping removes the incentive for moving r outside of the interval"),
    "it removes the incentive, not the possibility: outside the slope is zero, so that nothing comes back",
    ANYWHERE,
    _two_arms,
)


@dataclass(frozen=True)
class PPO(Solver[MDP, State]):
    """Proximal policy optimisation: clipping at `epsilon`, `m` steps of at most `step_size`, from uniform."""

    epsilon: Fraction = 0.2
    step_size: Positive = 1.0
    m: Count = 4

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (MONOTONE, GAIN, SHARES, PROMISE, PESSIMISM, RATIO)

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
