r"""Off-policy mirror descent policy optimisation: the m gradient steps see the states of a replay buffer.

From :math:`p = \pi_t`, uniform at first, m steps of gradient descent in the logits of p, in every state,

.. math::

   \theta(s, \cdot) \leftarrow \theta(s, \cdot) - \frac{\alpha}{\eta}\, \nabla_{\theta(s)}\, D_t(s)\,
   \mathrm{KL}\Big(p(s) \,\Big\|\, \frac{\pi_t(s) \exp(\eta Q^{\pi_t}(s, \cdot))}{Z_t(s)}\Big), \qquad
   D_t = \frac{1}{t+1} \sum_{k \leq t} d^{\pi_k}_\rho, \qquad \frac1\alpha = \frac{1}{1-\gamma} + \frac1\eta.

The buffer holds what all policies so far have visited; values are exact. Written out, the objective is that of
on-policy MDPO with D in place of the visits of the policy, and nothing that is known of it asks where states come from:
every state improves for any buffer and any m. The buffer decides how fast the inner steps approach the exact one: a
state that only early policies came to is still updated. With the uniform policy in place of pi_t, and the
entropy in Q, the same step is that of `SoftActorCritic`.

Proof: ``proofs/mirror_descent/off_policy_mdpo.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(OffPolicyMDPO(m=5), riverswim(), 3)["pi"].shape
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
    """As in MDPO, and the buffer: the mean of the visits of the policies before, and their number."""

    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)
    f: Array  # (..., S, A): log (pi_t / pi_{t-1}) / eta
    least: Any  # (...): of D(s) p(a|s), over the inner steps
    D: Array  # (..., S)
    n: Any  # (...)


WHERE, PROOF = "off-policy MDPO; the inner steps inexact", "mirror_descent/off_policy_mdpo"
IDENTITY = regret_identity(WHERE, PROOF)
IMPROVEMENT = improvement(WHERE, PROOF)
MONOTONE = monotone_improvement(WHERE, PROOF)
INNER = inner_convergence(PROOF)


@dataclass(frozen=True)
class OffPolicyMDPO(Solver[MDP, State]):
    """Off-policy MDPO with step `eta` and `m` inner gradient steps, from the uniform policy."""

    eta: Positive = 1.0
    m: Count = 10

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (IDENTITY, IMPROVEMENT, MONOTONE, INNER)

    def inner(self, problem: MDP) -> float:
        """The step size of the inner steps."""
        return 1 / (1 / (1 - problem.gamma) + 1 / self.eta)

    def init(self, problem: MDP) -> State:
        pi, zero = exact.uniform(problem), np.zeros(problem.batch)
        return State(np.log(pi), pi, np.zeros_like(pi), zero, np.zeros_like(pi[..., 0]), zero)

    def step(self, problem: MDP, state: State) -> State:
        advantage, n = exact.advantage(problem, state.pi), np.asarray(state.n)
        d = np.maximum(exact.occupancy(problem, state.pi), (1 - problem.gamma) * problem.rho)
        D = state.D + (d - state.D) / (n + 1)[..., None]
        x, least = inner_steps(state.log_pi, advantage, D, eta=self.eta, m=self.m, alpha=self.inner(problem))
        return State(x, np.exp(x), (x - state.log_pi) / self.eta, least, D, n + 1)
