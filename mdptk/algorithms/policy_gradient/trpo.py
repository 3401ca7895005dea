r"""Trust region policy optimisation, tabular and exact: the surrogate is maximised where no state moves far.

.. math::

   \pi_{t+1} = \arg\max_p \; L_{\pi_t}(p) \quad \text{subject to} \quad
   \max_s \mathrm{KL}(\pi_t(s) \,\|\, p(s)) \leq \delta, \qquad
   L_\pi(p) = V^\pi(\rho) + \frac{1}{1-\gamma} \mathbb{E}_{s \sim d^\pi_\rho} \langle p(s), A^\pi(s, \cdot) \rangle,
   \qquad \pi_0 \text{ uniform}.

The constraint is on each state, so each state is a problem of its own, with a solution in closed form up to one number:

.. math::

   \pi_{t+1}(a|s) = \nu_s\, \frac{\pi_t(a|s)}{\lambda_s - A^{\pi_t}(s, a)}, \qquad \lambda_s > \max_a A^{\pi_t}(s, a),

where lambda makes the relative entropy delta. The famous bound compares the value of the new policy with L for any two
policies; it holds at every step here, and promises an increase only for a delta that is far too small to be of use.

Proof: ``proofs/policy_gradient/trpo.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(TRPO(radius=0.01), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from sympy import Symbol

from mdptk.core import exact
from mdptk.core.algorithm import Positive, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.trust_region import excess
from mdptk.theory import Cite, Start, Theorem, previous
from mdptk.theory.stock_trust_region import epsilon, gained, largest_kl, largest_tv, surrogate_gain
from mdptk.theory.symbols import gamma

radius = Symbol("radius", positive=True)


class State(NamedTuple):
    """Log-probabilities and the policy."""

    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)


SCHULMAN = "schulman2015trust"
ANYWHERE = Start("any positive policy", lambda state: state.log_pi, lambda alg, problem, x: _state(x))
BOUND = Theorem(
    name="monotonic improvement bound",
    cite=Cite(SCHULMAN, "Theorem 1 with the relative entropy, equation (9)"),
    reason="epsilon is the largest advantage of the policy that is left; values are sums of rewards",
    consecutive=True,
    lhs=gained,
    rhs=surrogate_gain - 4 * previous(epsilon) * gamma / (1 - gamma) ** 2 * largest_kl,
    relation=">=",
    silent="it compares two policies; if they are the same both sides are zero",
    proof="policy_gradient/trpo",
    starts=ANYWHERE,
)
TIGHTER = Theorem(
    name="bound by total variation",
    cite=Cite(SCHULMAN, "Theorem 1"),
    reason="epsilon is the largest advantage of the policy that is left; values are sums of rewards",
    consecutive=True,
    lhs=gained,
    rhs=surrogate_gain - 4 * previous(epsilon) * gamma / (1 - gamma) ** 2 * largest_tv**2,
    relation=">=",
    silent="it compares two policies; if they are the same both sides are zero",
    proof="policy_gradient/trpo",
    starts=ANYWHERE,
)
TRUST = Theorem(
    name="trust region",
    cite=Cite(SCHULMAN, "equation (11)"),
    consecutive=True,
    lhs=largest_kl,
    rhs=radius,
    silent="a run that never moves stays in every region",
    proof="policy_gradient/trpo",
    starts=ANYWHERE,
)
SURROGATE = Theorem(
    name="surrogate improvement",
    cite=Cite(SCHULMAN, "Section 3: the minorisation-maximisation argument"),
    consecutive=True,
    lhs=surrogate_gain,
    rhs=0,
    relation=">=",
    silent="staying is allowed; the maximiser is not worse",
    proof="policy_gradient/trpo",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class TRPO(Solver[MDP, State]):
    """Tabular TRPO with a relative entropy of at most `radius` in every state, from the uniform policy."""

    radius: Positive = 0.01

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (BOUND, TIGHTER, TRUST, SURROGATE)

    def init(self, problem: MDP) -> State:
        return _state(np.zeros_like(problem.r))

    def step(self, problem: MDP, state: State) -> State:
        advantage = exact.advantage(problem, state.pi)
        below = advantage.max(-1, keepdims=True) - advantage
        below = np.where(below > exact.rounding(problem), below, 0.0)  # a tie within rounding is one
        e = excess(state.pi, below, self.radius)[..., None]
        return _state(state.log_pi - np.log1p(below / e))


def _state(x: Array) -> State:
    log_pi = exact.log_softmax(x)
    return State(log_pi, np.exp(log_pi))
