r"""Simple policy optimisation, tabular and exact: a parabola in the ratio in place of clipping.

From :math:`p = \pi_t`, uniform at first, m gradient steps in the logits of p, with the exact advantages of pi_t,

.. math::

   \max_p \; \mathbb{E}_{a \sim \pi_t} \Big[\rho A - \frac{|A|}{2\epsilon} (\rho - 1)^2\Big](s, a),
   \qquad \rho = \frac{p(a|s)}{\pi_t(a|s)}, \quad A = A^{\pi_t}(s, a),

in every state s. Of one sample the best ratio is 1 + sign(A) epsilon, and outside the slope leads back, where PPO's is
zero. For a whole policy that is not a bound on the ratio: probabilities sum to one, so the actions share what they may
move, and one that is rare and barely better than the average is moved much further (that claim is here, refuted). Steps
are halved where they would lower the surrogate.

Proof: ``proofs/policy_gradient/spo.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(SPO(), riverswim(), 3)["pi"].shape
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
from mdptk.core.surrogates import Squared, ascend
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


KEY = "xie2024simple"
ANYWHERE = Start("any positive policy", lambda state: state.log_pi, lambda alg, problem, x: _state(x))
PROOF = "policy_gradient/spo"
DRIFT = "the drift of a parabola"
MONOTONE = monotone_improvement(DRIFT, PROOF, ANYWHERE)
GAIN = drift_is_gained(DRIFT, PROOF, ANYWHERE)
SHARES = contraction_by_shares(DRIFT, PROOF, ANYWHERE)
PROMISE = surrogate_ascent(Cite(KEY, "the objective"), PROOF, ANYWHERE)
PESSIMISM = pessimistic_surrogate(Cite(KEY, "the objective is the surrogate less a penalty"), PROOF, ANYWHERE)


def _barely_good() -> Run:
    """An action that is rare, and a little better than the average."""
    bandit = MDP(np.ones((1, 3, 1)), [[0.3, 1.0, 0.42]], 0.0)
    return run(SPO(m=300, step_size=100.0), bandit, 1, start=_state(np.log([[0.8, 0.15, 0.05]])))


RATIO = ratios_in_interval(
    Cite(KEY, "the unconstrained maximiser of the objective of one sample, 1 + sign(A) epsilon"),
    "probabilities sum to one: what the others may not move goes to an action that is paid for by little",
    ANYWHERE,
    _barely_good,
)


@dataclass(frozen=True)
class SPO(Solver[MDP, State]):
    """Simple policy optimisation: ratios about `epsilon` away, `m` steps of at most `step_size`, from uniform."""

    epsilon: Fraction = 0.2
    step_size: Positive = 1.0
    m: Count = 4

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (MONOTONE, GAIN, SHARES, PROMISE, PESSIMISM, RATIO)

    @property
    def surrogate(self) -> Squared:
        """The surrogate, less the promise."""
        return Squared(self.epsilon)

    def init(self, problem: MDP) -> State:
        return _state(np.zeros_like(problem.r))

    def step(self, problem: MDP, state: State) -> State:
        advantage = exact.advantage(problem, state.pi)
        return _state(ascend(self.surrogate, state.log_pi, advantage, m=self.m, step=self.step_size).log_pi)


def _state(x: Array) -> State:
    log_pi = exact.log_softmax(x)
    return State(log_pi, np.exp(log_pi))
