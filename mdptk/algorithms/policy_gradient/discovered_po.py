r"""Discovered policy optimisation, tabular and exact: mirror learning with a drift that was found by search.

From :math:`p = \pi_t`, uniform at first, m gradient steps in the logits of p, with the exact advantages of pi_t,

.. math::

   \max_p \; \mathbb{E}_{a \sim \pi_t} [\rho A - f(\rho, A)](s, a), \qquad
   f = \begin{cases}
   \max\big(0, (\rho - 1) A - \alpha \tanh((\rho - 1) A / \alpha)\big) & A \geq 0 \\
   \max\big(0, A \log\rho - \beta \tanh(A \log\rho / \beta)\big) & A < 0
   \end{cases} \qquad \rho = \frac{p(a|s)}{\pi_t(a|s)}, \quad A = A^{\pi_t}(s, a),

in every state s. Mirror learning asks of a drift f that it be not negative, and zero with zero slope at rho = 1; then
improvement is monotone whatever else it is. PPO's clipping is such a drift, as is SPO's parabola: the three differ in
one line, and the theorem does not see which. Steps are halved where they would lower the surrogate.

Proof: ``proofs/policy_gradient/discovered_po.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(DiscoveredPO(), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Count, Positive, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.surrogates import Discovered, ascend
from mdptk.theory import Cite, Start, Theorem
from mdptk.theory.stock_surrogates import (
    contraction_by_shares,
    drift_is_gained,
    monotone_improvement,
    pessimistic_surrogate,
    surrogate_ascent,
)


class State(NamedTuple):
    """Log-probabilities and the policy."""

    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)


KEY = "lu2022discovered"
ANYWHERE = Start("any positive policy", lambda state: state.log_pi, lambda alg, problem, x: _state(x))
PROOF = "policy_gradient/discovered_po"
DRIFT = "the drift that was discovered"
MONOTONE = monotone_improvement(DRIFT, PROOF, ANYWHERE)
GAIN = drift_is_gained(DRIFT, PROOF, ANYWHERE)
SHARES = contraction_by_shares(DRIFT, PROOF, ANYWHERE)
PROMISE = surrogate_ascent(Cite(KEY, "the drift function, from the authors' code"), PROOF, ANYWHERE)
PESSIMISM = pessimistic_surrogate(Cite(KEY, "a drift function is not negative"), PROOF, ANYWHERE)


@dataclass(frozen=True)
class DiscoveredPO(Solver[MDP, State]):
    """Mirror learning with the discovered drift: `m` steps of at most `step_size`, from the uniform policy."""

    alpha: Positive = 2.0
    beta: Positive = 0.6
    step_size: Positive = 1.0
    m: Count = 4

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (MONOTONE, GAIN, SHARES, PROMISE, PESSIMISM)

    @property
    def surrogate(self) -> Discovered:
        """The surrogate, less the promise."""
        return Discovered(self.alpha, self.beta)

    def init(self, problem: MDP) -> State:
        return _state(np.zeros_like(problem.r))

    def step(self, problem: MDP, state: State) -> State:
        advantage = exact.advantage(problem, state.pi)
        return _state(ascend(self.surrogate, state.log_pi, advantage, m=self.m, step=self.step_size).log_pi)


def _state(x: Array) -> State:
    log_pi = exact.log_softmax(x)
    return State(log_pi, np.exp(log_pi))
