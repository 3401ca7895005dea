r"""Mirror descent policy optimisation (MDPO): m gradient steps in place of each step of mirror descent.

From :math:`p = \pi_t`, uniform at first, m steps of gradient ascent in the logits of p,

.. math::

   \theta(s, \cdot) \leftarrow \theta(s, \cdot) + \alpha\, \nabla_{\theta(s)}\, d^{\pi_t}_\rho(s) \Big[
   \langle p(s), A^{\pi_t}(s, \cdot)\rangle - \frac1\eta \mathrm{KL}(p(s) \,\|\, \pi_t(s)) \Big], \qquad
   \frac1\alpha = \frac{1}{1-\gamma} + \frac1\eta.

The first of the m steps is one of softmax policy gradient, for the divergence is flat where it begins; infinitely many
make the exact step, which is natural policy gradient. In between nothing is lost that matters: the objective of every
state rises, so the value of every state does, for any m. How near the exact step is is seen in the *residual*
:math:`A - \frac1\eta\log(p/\pi_t)`, constant in each state at the maximum: an inner step takes a part
:math:`\alpha\, d(s)\, p(a|s) / \eta` of what an action is off, so where the policy seldom goes, or hardly ever tries
something, m steps are as good as none.

Proof: ``proofs/mirror_descent/mdpo.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(MDPO(m=5), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Count, Positive, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.surrogates import inner_steps
from mdptk.theory import Theorem
from mdptk.theory.stock_mdpo import improvement, inner_convergence, monotone_improvement, regret_identity


class State(NamedTuple):
    """Log-probabilities, the policy, and of the last step: its length over eta, and the least d p on its way."""

    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)
    f: Array  # (..., S, A): log (pi_t / pi_{t-1}) / eta, which the exact step makes A up to a constant
    least: Any  # (...): of d(s) p(a|s), over the inner steps


WHERE, PROOF = "on-policy MDPO; the inner steps inexact", "mirror_descent/mdpo"
IDENTITY = regret_identity(WHERE, PROOF)
IMPROVEMENT = improvement(WHERE, PROOF)
MONOTONE = monotone_improvement(WHERE, PROOF)
INNER = inner_convergence(PROOF)


@dataclass(frozen=True)
class MDPO(Solver[MDP, State]):
    """On-policy MDPO with step `eta` and `m` inner gradient steps, from the uniform policy."""

    eta: Positive = 1.0
    m: Count = 10

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (IDENTITY, IMPROVEMENT, MONOTONE, INNER)

    def inner(self, problem: MDP) -> float:
        """The step size of the inner steps."""
        return 1 / (1 / (1 - problem.gamma) + 1 / self.eta)

    def init(self, problem: MDP) -> State:
        pi = exact.uniform(problem)
        return State(np.log(pi), pi, np.zeros_like(pi), np.zeros(problem.batch))

    def step(self, problem: MDP, state: State) -> State:
        advantage, alpha = exact.advantage(problem, state.pi), self.inner(problem)
        d = np.maximum(exact.occupancy(problem, state.pi), (1 - problem.gamma) * problem.rho)
        x, least = inner_steps(state.log_pi, advantage, d, eta=self.eta, m=self.m, alpha=alpha)
        return State(x, np.exp(x), (x - state.log_pi) / self.eta, least)
