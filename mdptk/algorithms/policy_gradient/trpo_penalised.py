r"""TRPO as its theorem has it: the surrogate is maximised with a penalty on the largest divergence, not a constraint.

.. math::

   \pi_{t+1} = \arg\max_p \; L_{\pi_t}(p) - C_t \max_s \mathrm{KL}(\pi_t(s) \,\|\, p(s)), \qquad
   C_t = \frac{4 \epsilon_t \gamma}{(1-\gamma)^2}, \quad \epsilon_t = \max_{s,a} |A^{\pi_t}(s, a)|,
   \qquad \pi_0 \text{ uniform}.

What is maximised is a lower bound of the value that is exact at pi_t, so every step improves. That is the theorem; the
trust region of `TRPO` is what one does instead, because these steps are very short. The more states move equally far,
the less does the divergence of the largest cost: all states move by the same divergence delta,

.. math::

   \pi_{t+1}(a|s) = \nu_s\, \frac{\pi_t(a|s)}{\lambda_s - A^{\pi_t}(s, a)}, \qquad
   \sum_s \frac{d^{\pi_t}_\rho(s)}{1-\gamma}\, \nu_s = C_t,

and nu is what one more unit of divergence gains in a state. Newton's method finds lambda for delta, and then delta.
Without discount C would be zero and the maximiser deterministic: C is taken to be epsilon at least. A state in which
the policy takes what is best up to rounding is left as it is; so are all, if no state that is visited gains anything.

Proof: ``proofs/policy_gradient/trpo_penalised.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(PenalisedTRPO(), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Solver
from mdptk.core.errors import NotConverged
from mdptk.core.models import MDP, Array
from mdptk.core.trust_region import NEAR, at_excess, excess
from mdptk.theory import Cite, Start, Theorem, previous
from mdptk.theory.stock_trust_region import epsilon, gained, largest_kl, surrogate_gain
from mdptk.theory.symbols import gamma

LEAST = 1.0  # of epsilon is the penalty at least: without one the maximiser is deterministic
SEEN = 1e-13  # variance of the advantage, over epsilon^2, below which a state is left as it is


class State(NamedTuple):
    """Log-probabilities and the policy."""

    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)


SCHULMAN = "schulman2015trust"
ANYWHERE = Start("any positive policy", lambda state: state.log_pi, lambda alg, problem, x: _state(x))
penalty = 4 * previous(epsilon) * gamma / (1 - gamma) ** 2 * largest_kl
BOUND = Theorem(
    name="monotonic improvement bound",
    cite=Cite(SCHULMAN, "Theorem 1 with the relative entropy, equation (9)"),
    reason="epsilon is the largest advantage of the policy that is left; values are sums of rewards",
    consecutive=True,
    lhs=gained,
    rhs=surrogate_gain - penalty,
    relation=">=",
    silent="it compares two policies; if they are the same both sides are zero",
    proof="policy_gradient/trpo_penalised",
    starts=ANYWHERE,
)
MINORISATION = Theorem(
    name="the penalty is paid",
    cite=Cite(SCHULMAN, "Algorithm 1: the minorisation-maximisation step"),
    reason="derived: the maximiser is worth no less than staying, where surrogate and penalty are both zero",
    consecutive=True,
    lhs=surrogate_gain,
    rhs=penalty,
    relation=">=",
    silent="staying is allowed; the maximiser is not worse, and a step that is three times as long is",
    proof="policy_gradient/trpo_penalised",
    starts=ANYWHERE,
)
MONOTONE = Theorem(
    name="monotone improvement",
    cite=Cite(SCHULMAN, "Algorithm 1: guaranteed to be non-decreasing"),
    reason="the two lines above together: constants cancel",
    consecutive=True,
    lhs=gained,
    rhs=0,
    relation=">=",
    silent="it says that the value never falls: a wrong step makes it fall",
    proof="policy_gradient/trpo_penalised",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class PenalisedTRPO(Solver[MDP, State]):
    """Tabular TRPO with the penalty of its theorem, from the uniform policy."""

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (BOUND, MINORISATION, MONOTONE)

    def init(self, problem: MDP) -> State:
        return _state(np.zeros_like(problem.r))

    def step(self, problem: MDP, state: State) -> State:
        advantage, d = exact.advantage(problem, state.pi), exact.occupancy(problem, state.pi)
        largest = abs(advantage).max((-2, -1))
        price = largest * np.maximum(4 * problem.gamma / (1 - problem.gamma) ** 2, LEAST) * (1 - problem.gamma)
        spread = (state.pi * advantage**2).sum(-1)
        moves = (np.ptp(advantage, axis=-1) > 8 * exact.rounding(problem)) & (spread > SEEN * largest[..., None] ** 2)
        weight = np.where(moves, np.maximum(d, (1 - problem.gamma) * problem.rho), 0.0)
        moves = moves & (weight.sum(-1, keepdims=True) > 0)  # nobody does where no state that is visited gains
        below = np.where(moves[..., None], advantage.max(-1, keepdims=True) - advantage, 0.0)
        e = _balance(state.pi, below, weight, np.asarray(price))[..., None]
        return _state(state.log_pi - np.log1p(below / e))


def _state(x: Array) -> State:
    log_pi = exact.log_softmax(x)
    return State(log_pi, np.exp(log_pi))


def _balance(pi: Array, below: Array, weight: Array, price: Array) -> Array:
    """The lambda - max A where one more unit of divergence in all states gains `price`; Newton in logarithms."""
    idle = weight.sum(-1) == 0
    wanted = np.log(np.where(idle, 1.0, price))
    spread = (pi * (below - (pi * below).sum(-1, keepdims=True)) ** 2).sum(-1)
    small = (weight * np.sqrt(spread)).sum(-1)  # where nu is sqrt(Var A / (2 delta))
    ln = 2 * (np.log(np.where(idle, 1.0, small)) - wanted) - np.log(2)
    step = np.zeros_like(ln)
    for k in range(100):
        delta = np.exp(ln)[..., None]
        e = excess(pi, below, delta)
        if k and (abs(step) <= NEAR).all():
            return e
        _, nu, fall = at_excess(pi, below, e)
        seen = (weight > 0) & (fall > 0)
        bend = np.where(seen, 1 + e / np.where(seen, nu * fall, 1.0), 0.0)  # -nu' delta / nu, over delta
        total = np.where(idle, 1.0, (weight * nu).sum(-1))
        slope = (weight * nu * bend * delta).sum(-1) / total
        step = np.where(idle, 0.0, (np.log(total) - wanted) / np.where(idle, 1.0, slope))
        ln = ln + np.clip(step, -2, 2)
    raise NotConverged("the divergence of the penalised step did not settle in 100 iterations", float(abs(step).max()))
