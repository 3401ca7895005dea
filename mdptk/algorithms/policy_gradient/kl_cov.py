r"""KL-Cov, tabular and exact: a penalty for moving, on those actions only that would cost much entropy.

From :math:`p = \pi_t`, uniform at first, m gradient steps in the logits of p, with the exact advantages of pi_t,

.. math::

   \max_p \; \mathbb{E}_{a \sim \pi_t} \big[\rho A - \beta X (\rho - 1 - \log\rho)\big](s, a), \qquad
   X = 1\{c > \omega\}, \quad c(s, a) = \big(\log\pi_t(a|s) + H(\pi_t(\cdot|s))\big) A(s, a),
   \qquad \rho = \frac{p(a|s)}{\pi_t(a|s)},

in every state s. The penalty is zero, with zero slope, where a step begins: so the first of the m steps is one of plain
policy gradient, and the method exists only for m > 1. Where `ClipCov` forbids an action to move, KL-Cov holds it
back the more the further it goes. The penalty is a drift in the sense of mirror learning, whatever is marked: no state
loses. The paper marks a small part of the samples, those with the largest c; with all information, as here, what is
above :math:`\omega`. Written with a single sample, -log rho alone would be the penalty; its mean over all actions is
the same, over some of them it is not a drift.

Proof: ``proofs/policy_gradient/kl_cov.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(KLCov(), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Count, NonNegative, Positive, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.core.surrogates import Marked, ascend, promised
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.stock import before, unit_rewards, value_rounding
from mdptk.theory.stock_entropy import ENTROPY, centred_product
from mdptk.theory.stock_policy import advantage_before
from mdptk.theory.stock_surrogates import least_gain, rounding


class State(NamedTuple):
    """Log-probabilities, the policy, and what was marked in the last step."""

    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)
    marked: Array  # (..., S, A): 0 or 1


def _least_promise(run: Run) -> Array:
    drift = Marked(run.alg.beta, run["marked"])
    return promised(drift, before(run["log_pi"]), run["log_pi"], advantage_before(run)).min(-1)


def _rounding(run: Run) -> Array:
    slope = run.alg.beta * (1 + abs(run["log_pi"]).max((-2, -1))) + 1 / (1 - run.problem.gamma)
    return 8 * value_rounding(run) + slope * rounding(run).sum(-1).max(-1)


least_promise = Quantity(
    "least_promise",
    _least_promise,
    latex=r"\min_s\,\big[\langle A^{\pi_{%t-1}}, \pi_{%t}\rangle"
    r" - \beta \mathbb{E}_{\pi_{%t-1}} X_{%t} (\rho - 1 - \log\rho)\big](s)",
    rounding=_rounding,
)

KEY = "cui2025entropy"
MONOTONE = Theorem(
    name="monotone improvement",
    cite=Cite("kuba2022mirror", "Theorem 3.6, for the drift of KL-Cov"),
    reason="derived, for what is marked; of the paper the abstract is known to us",
    assumes=(unit_rewards,),
    consecutive=True,
    lhs=least_gain,
    rhs=0,
    relation=">=",
    silent="it says that no state ever loses: a wrong step does lose somewhere",
    proof="policy_gradient/kl_cov",
)
PAID = Theorem(
    name="surrogate ascent",
    cite=Cite(KEY, "KL-Cov: the objective"),
    reason="derived: what the halving of steps is there for",
    consecutive=True,
    lhs=least_promise,
    rhs=0,
    relation=">=",
    silent="staying is allowed; a step that is too long or downhill breaks it",
    proof="policy_gradient/kl_cov",
)


@dataclass(frozen=True)
class KLCov(Solver[MDP, State]):
    """KL-Cov with weight `beta` on what has a product above `omega`, `m` steps of at most `step_size`, from uniform."""

    beta: NonNegative = 1.0
    omega: NonNegative = 0.1
    step_size: Positive = 1.0
    m: Count = 4

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (ENTROPY, MONOTONE, PAID)

    def init(self, problem: MDP) -> State:
        pi = exact.uniform(problem)
        return State(np.log(pi), pi, np.zeros_like(pi))

    def step(self, problem: MDP, state: State) -> State:
        advantage = exact.advantage(problem, state.pi)
        marked = 1.0 * (centred_product(state.log_pi, advantage) > self.omega)
        drift = Marked(self.beta, marked)
        log_pi = ascend(drift, state.log_pi, advantage, m=self.m, step=self.step_size).log_pi
        return State(log_pi, np.exp(log_pi), marked)
