r"""OptDual-CMDP: the best policy of an optimistic model at prices, and prices that rise by what it overspends.

.. math::

   \pi_k \in \arg\max_\pi \; V^\pi_{r + \beta_k - \lambda_k \cdot (c - \beta_k)}(\hat P_k), \qquad
   \lambda_{k+1} = \big[\lambda_k + \eta_\lambda\,(\hat V_{c,k}(\rho) - b)\big]_+, \qquad \lambda_0 = 0,

with the bonus :math:`\beta_k` of OptCMDP. Where OptCMDP solves a linear program in every episode, this solves a dynamic
program, for any number of constraints; where OptPrimalDual takes a step of the policy, this takes the best one at once.
So what is played is deterministic, and jumps: regret and violation are bounded only up to cancellation, between
episodes that overspend and episodes that save. Both bounds are of a run, with what happened in it on the right side;
with steps of size :math:`1/\sqrt K` and prices that stay bounded, which Slater's condition gives, they are of order
:math:`\sqrt K`. Beside OptPrimalDual the terms of the policy's steps are gone from the regret.

After Efroni, Mannor and Pirotta [efroni2020exploration]. Proof: ``proofs/constrained/opt_dual.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.learning_constrained import tiring_swim
>>> run(OptDual(), tiring_swim(), 8, repeats=2)["lam"].shape
(2, 9, 1)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from mdptk.core.algorithm import Fraction, Learner, Measure, Positive
from mdptk.core.counted import best_at_price, counted, next_prices, optimistic, values
from mdptk.core.oracles import EpisodicCosts
from mdptk.theory import Cite, Theorem, WithProbability
from mdptk.theory.stock_online import (
    COST_IDENTITY,
    LEARNABLE,
    MEASURES,
    REWARD_IDENTITY,
    regret,
    reward_error,
)
from mdptk.theory.stock_optimistic import SURPLUS, SURPLUS_EXCESS
from mdptk.theory.stock_prices import MISS_SQUARE, best_at, miss_square, violation_carried
from mdptk.theory.symbols import delta, eta_dual


class State(NamedTuple):
    """What is remembered between episodes."""

    N: Any  # (S, A, S): transitions seen
    lam: Any  # (m,): what was overspent, up to its cut-off at zero
    pi: Any  # (H, S, A): the policy of the next episode, deterministic
    Q: Any  # (1 + m, H, S, A): its planned action values, for the reward and the costs
    b: Any  # (H, S, A): the bonus in Q
    top: Any  # (): the most that a policy is worth at the prices


KEY = "efroni2020exploration"
DERIVED = "the paper was not at hand: derived in proofs/, with what happened in the run in place of bounds on it"
PLAN = best_at("lam", r"\lambda_K")
BEST = PLAN.theorem(Cite(KEY, "OptDual-CMDP, the policy update"), proof="constrained/opt_dual")
REGRET = Theorem(
    name="regret of the run",
    cite=Cite(KEY, "OptDual-CMDP, the regret with cancellation"),
    assumes=LEARNABLE,
    lhs=regret,
    rhs=eta_dual * miss_square / 2 + reward_error,
    holds=WithProbability(delta),
    reason=DERIVED,
    silent="compares the regret with what the learner itself promised and did, at every K",
    proof="constrained/opt_dual",
    iterate="average",
)
VIOLATION = violation_carried(
    Cite(KEY, "OptDual-CMDP, the violation with cancellation"), DERIVED, proof="constrained/opt_dual"
)


@dataclass(frozen=True)
class OptDual(Learner[EpisodicCosts, State]):
    """Price steps of size `eta_dual` on plans that are optimistic with probability 1 - `delta`."""

    eta_dual: Positive = 0.1
    delta: Fraction = 0.1

    sees: ClassVar[type] = EpisodicCosts
    keep: ClassVar[tuple[str, ...]] = ("lam", "top")
    theorems: ClassVar[tuple[Theorem, ...]] = (BEST, SURPLUS, REGRET, VIOLATION, REWARD_IDENTITY, COST_IDENTITY)
    measures: ClassVar[tuple[Measure, ...]] = (*MEASURES, MISS_SQUARE, PLAN.measure, SURPLUS_EXCESS)

    def init(self, oracle: EpisodicCosts, key: Any) -> State:
        _, S, A = oracle.r.shape
        return self._plan(oracle, jnp.zeros((S, A, S)), jnp.zeros_like(oracle.b))

    def draw(self, oracle: EpisodicCosts, key: Any) -> Any:
        return jax.random.uniform(key, (oracle.episodes.H + 1, 2))

    def step(self, oracle: EpisodicCosts, state: State, xi: Any) -> State:
        N = counted(state.N, *oracle.episodes.follow(state.pi, xi))
        return self._plan(oracle, N, next_prices(oracle, state.lam, self.eta_dual, state.Q, state.pi))

    def _plan(self, oracle: EpisodicCosts, N: Any, lam: Any) -> State:
        P, g, beta = optimistic(oracle, N, self.delta)
        pi, top = best_at_price(P, g, oracle.rho, lam)
        return State(N, lam, pi, values(P, g, pi), beta, top)
