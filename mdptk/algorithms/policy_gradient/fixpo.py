r"""FixPO, tabular and exact: a penalty that adapts, and a second phase after which the trust region holds for certain.

From :math:`p = \pi_t`, uniform at first: *primary phase*, m gradient steps in the logits of p, in every state, on

.. math::

   \langle p(s), A^{\pi_t}(s, \cdot)\rangle - \beta_t\, \mathrm{KL}(\pi_t(s) \,\|\, p(s)), \qquad
   \beta_{t+1} = \max\big(0, \beta_t + \kappa\, (3 \max_s \mathrm{KL}(\pi_t \| p)(s) - \delta)\big),

that are shorter by the factor :math:`1/(1+\beta_t)`, or a large penalty would make them unstable. Then the
*fixup phase*, gradient steps on the divergence alone in the states where it is more than delta, until there is none:
:math:`\theta(s, \cdot) \leftarrow \theta(s, \cdot) - (p(s) - \pi_t(s))`. The divergence is convex in the logits, so the
second phase ends, and there is a bound on how soon. What holds then is the trust region itself, not its penalty: TRPO's
bound applies to the policy that is kept. The multiplier leaves the second phase little to do.

Proof: ``proofs/policy_gradient/fixpo.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(FixPO(), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sympy import Symbol

from mdptk.core import exact
from mdptk.core.algorithm import Count, NonNegative, Positive, Solver
from mdptk.core.errors import NotConverged
from mdptk.core.models import MDP, Array
from mdptk.core.parameterisations import centred
from mdptk.theory import Cite, Quantity, Theorem, previous
from mdptk.theory.stock_trust_region import epsilon, gained, largest_kl, largest_tv, surrogate_gain
from mdptk.theory.symbols import gamma

MARGIN = 3.0  # the primary phase aims at a third of the region
MOST = 100_000  # steps of a fixup phase
radius = Symbol("radius", positive=True)


class State(NamedTuple):
    """Log-probabilities, the policy, the multiplier, and of the last step: fixups, and how far the first phase went."""

    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)
    beta: Any  # (...)
    fixes: Any  # (...): steps of the fixup phase
    far: Any  # (...): largest squared distance of the logits over states, of mean zero


fixes = Quantity("fixes", lambda run: run["fixes"], latex=r"n^{\mathrm{fix}}_{%t}")
far = Quantity("far", lambda run: run["far"], latex=r"\max_s \|\theta^{\mathrm{primary}}_{%t} - \theta_{%t-1}\|_2^2")

ZENTNER = "zentner2023guaranteed"
SCHULMAN = "schulman2015trust"
TRUST = Theorem(
    name="trust region",
    cite=Cite(ZENTNER, "the trust region holds after every update"),
    reason="what the second phase stops at, exactly: here in every state of a table, in the paper in every one sampled",
    consecutive=True,
    lhs=largest_kl,
    rhs=radius,
    silent="a run that never moves stays in every region",
    proof="policy_gradient/fixpo",
)
ENDS = Theorem(
    name="the fixup phase ends",
    cite=Cite(ZENTNER, "the fixup phase terminates"),
    reason="derived for a table, where the paper has an argument without a number",
    lhs=fixes,
    rhs=1 + far / (2 * radius),
    silent="a run that never moves has nothing to fix",
    proof="policy_gradient/fixpo",
)
BOUND = Theorem(
    name="bound by total variation",
    cite=Cite(SCHULMAN, "Theorem 1"),
    reason="it needs the trust region of every state, which is what the second phase is for",
    consecutive=True,
    lhs=gained,
    rhs=surrogate_gain - 4 * previous(epsilon) * gamma / (1 - gamma) ** 2 * largest_tv**2,
    relation=">=",
    silent="it compares two policies; if they are the same both sides are zero",
    proof="policy_gradient/fixpo",
)


@dataclass(frozen=True)
class FixPO(Solver[MDP, State]):
    """FixPO: `m` steps of size `step_size`, a region of `radius`, a multiplier with rate `kappa`, from uniform."""

    radius: Positive = 0.01
    step_size: Positive = 0.5
    m: Count = 10
    kappa: NonNegative = 1.0

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (TRUST, ENDS, BOUND)

    def init(self, problem: MDP) -> State:
        zero = np.zeros(problem.batch)
        return State(np.log(exact.uniform(problem)), exact.uniform(problem), zero + 1.0, zero, zero)

    def step(self, problem: MDP, state: State) -> State:
        advantage, beta = exact.advantage(problem, state.pi), np.asarray(state.beta)
        x, size = state.log_pi, (self.step_size / (1 + beta))[..., None, None]
        for _ in range(self.m):
            p = np.exp(x)
            pull = beta[..., None, None] * (state.pi - p)
            x = exact.log_softmax(x + size * (p * centred(p, advantage) + pull))
        away = x - state.log_pi
        far = ((away - away.mean(-1, keepdims=True)) ** 2).sum(-1).max(-1)
        beta = np.maximum(0.0, beta + self.kappa * (MARGIN * _kl(state, x).max(-1) - self.radius))
        x, n = _fixed(state, x, self.radius)
        return State(x, np.exp(x), beta, n, far)


def _kl(state: State, x: Array) -> Array:
    """``KL(pi || exp(x))``, (..., S), as a sum of terms that are not negative."""
    change = x - state.log_pi
    return (state.pi * (np.expm1(change) - change)).sum(-1)


def _fixed(state: State, x: Array, radius: float) -> tuple[Array, Any]:
    """The policy after the fixup phase, and the steps that its slowest state took."""
    n = np.zeros(x.shape[:-1])
    for _ in range(MOST):
        outside = _kl(state, x) > radius
        if not outside.any():
            return x, n.max(-1)
        x = np.where(outside[..., None], exact.log_softmax(x - (np.exp(x) - state.pi)), x)
        n = n + outside
    raise NotConverged(f"the fixup phase took more than {MOST} steps", float(_kl(state, x).max()))
