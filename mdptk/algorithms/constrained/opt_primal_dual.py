r"""OptPrimalDual-CMDP: one mirror step of the policy and one of the prices in each episode, on optimistic values.

.. math::

   \pi_{k+1,h}(a|s) \propto \pi_{k,h}(a|s) \exp\!\big(\eta\,(\hat Q_{r,k} - \lambda_k \cdot \hat Q_{c,k})_h(s, a)\big),
   \qquad
   \lambda_{k+1} = \big[\lambda_k + \eta_\lambda (\hat V_{c,k}(\rho) - b)\big]_+,

with :math:`\hat Q_r = \min\{H-h+1,\, r + \hat P \hat V_r + \beta\}` and :math:`\hat Q_c = \max\{0,\, c + \hat P \hat
V_c - \beta\}` the values of :math:`\pi_k` in the counted model, raised and lowered by the bonus of OptCMDP. No program
is solved, and any number of constraints will do. What is lost is the strength of the statement: the bounds are for the
weak regret and the weak violation, where an episode that overspends is made up for by one that saves.

Both bounds below are of a run, with what happened in it on the right side: the prices that were reached, and what the
optimistic values promised too much. With steps of size :math:`1/\sqrt K` and prices that stay bounded, which Slater's
condition gives, they are of order :math:`\sqrt K`.

After Efroni, Mannor and Pirotta [efroni2020exploration]. Proof: ``proofs/constrained/opt_primal_dual.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.learning_constrained import tiring_swim
>>> run(OptPrimalDual(), tiring_swim(), 8, repeats=2)["lam"].shape
(2, 9, 1)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from sympy import log

from mdptk.core import exact
from mdptk.core.algorithm import Fraction, Learner, Measure, Positive
from mdptk.core.counted import counted, next_prices, optimistic, values
from mdptk.core.oracles import EpisodicCosts
from mdptk.theory import Cite, Quantity, Theorem, WithProbability
from mdptk.theory.stock_online import (
    COST_IDENTITY,
    LEARNABLE,
    MEASURES,
    REWARD_IDENTITY,
    regret,
    reward_error,
)
from mdptk.theory.stock_prices import MISS_SQUARE, miss_square, violation_carried
from mdptk.theory.symbols import A, H, delta, eta, eta_dual


class State(NamedTuple):
    """What is remembered between episodes."""

    N: Any  # (S, A, S): transitions seen
    theta: Any  # (H, S, A): logits of the policy
    lam: Any  # (m,): prices
    pi: Any  # (H, S, A): the policy of the next episode
    Q: Any  # (1 + m, H, S, A): its optimistic action values, for the reward and the costs


price_square = Quantity(
    "price_square",
    lambda run: run["price_square"],
    latex=r"\textstyle\sum_{k<K} (1 + \|\lambda_k\|_1)^2",
)
KEY = "efroni2020exploration"
DERIVED = "the paper was not at hand: derived in proofs/, with what happened in the run in place of bounds on it"
REGRET = Theorem(
    name="regret of the run",
    cite=Cite(KEY, "OptPrimalDual-CMDP, the regret with cancellation"),
    assumes=LEARNABLE,
    lhs=regret,
    rhs=H * log(A) / eta
    + eta * H * (H + 1) * (2 * H + 1) * price_square / 48
    + eta_dual * miss_square / 2
    + reward_error,
    holds=WithProbability(delta),
    reason=DERIVED,
    silent="compares the regret with what the learner itself promised and did, at every K",
    proof="constrained/opt_primal_dual",
    iterate="average",
)
VIOLATION = violation_carried(
    Cite(KEY, "OptPrimalDual-CMDP, the violation with cancellation"), DERIVED, proof="constrained/opt_primal_dual"
)


@dataclass(frozen=True)
class OptPrimalDual(Learner[EpisodicCosts, State]):
    """Steps of size `eta` for the policy and `eta_dual` for the prices, on values that hold with 1 - `delta`."""

    eta: Positive = 0.1
    eta_dual: Positive = 0.1
    delta: Fraction = 0.1

    sees: ClassVar[type] = EpisodicCosts
    keep: ClassVar[tuple[str, ...]] = ("lam",)
    theorems: ClassVar[tuple[Theorem, ...]] = (REGRET, VIOLATION, REWARD_IDENTITY, COST_IDENTITY)
    measures: ClassVar[tuple[Measure, ...]] = (
        *MEASURES,
        Measure("price_square", lambda truth, state: (1 + state.lam.sum()) ** 2, "sum"),
        MISS_SQUARE,
    )

    def init(self, oracle: EpisodicCosts, key: Any) -> State:
        _, S, A = oracle.r.shape
        return self._state(oracle, jnp.zeros((S, A, S)), jnp.zeros_like(oracle.r), jnp.zeros_like(oracle.b))

    def draw(self, oracle: EpisodicCosts, key: Any) -> Any:
        return jax.random.uniform(key, (oracle.episodes.H + 1, 2))

    def step(self, oracle: EpisodicCosts, state: State, xi: Any) -> State:
        Q_r, Q_c = state.Q[0], state.Q[1:]
        theta = state.theta + self.eta * (Q_r - (state.lam[:, None, None, None] * Q_c).sum(0))
        N = counted(state.N, *oracle.episodes.follow(state.pi, xi))
        return self._state(oracle, N, theta, next_prices(oracle, state.lam, self.eta_dual, state.Q, state.pi))

    def _state(self, oracle: EpisodicCosts, N: Any, theta: Any, lam: Any) -> State:
        pi = exact.softmax(theta)
        P, g, _ = optimistic(oracle, N, self.delta)
        left = jnp.arange(len(oracle.r), 0, -1.0)[:, None, None]  # H - h + 1
        return State(N, theta, lam, pi, values(P, g, pi, low=0.0, high=left))
