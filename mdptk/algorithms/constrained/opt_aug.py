r"""OptAug-CMDP: the augmented Lagrangian in an optimistic model, whose policies do not oscillate.

.. math::

   \pi_k \in \arg\max_\pi \; V^\pi_{r+\beta_k}(\hat P_k)
   - \tfrac{1}{2\eta} \big\|\big[\lambda_k + \eta\,(V^\pi_{c-\beta_k}(\hat P_k) - b)\big]_+\big\|_2^2, \qquad
   \lambda_{k+1} = \big[\lambda_k + \eta\,(\hat V_{c,k}(\rho) - b)\big]_+,

with the bonus :math:`\beta_k` of OptCMDP. The quadratic term makes a policy that spends more pay a higher price, so the
best one is a mixture, and it is best at the price :math:`\lambda_{k+1}` that follows from it. That makes the update of
the prices a proximal step, which goes where it goes and does not come back: what the plan overspends is
:math:`(\lambda_{k+1} - \lambda_k)/\eta`, and what it earns too little is paid by a price that falls. So there are
bounds without cancellation, by how much the prices climbed and fell.

With one constraint the maximum is found on the edge of what policies earn and spend; with more, best policies at a
price are mixed until none is better, some milliseconds in each episode. After Müller, Alatur, Ramponi and He
[muller2023cancellation]. Proof: ``proofs/constrained/opt_aug.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.learning_constrained import dear_reward
>>> run(OptAug(), dear_reward(), 8, repeats=2)["lam"].shape
(2, 9, 1)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from mdptk.core import exact
from mdptk.core.algorithm import Fraction, Learner, Measure, Positive
from mdptk.core.counted import best_at_price, counted, next_prices, optimistic, values
from mdptk.core.oracles import EpisodicCosts
from mdptk.solve._plans import augmented_plan
from mdptk.theory import Asymptotic, Cite, Quantity, Theorem, WithProbability
from mdptk.theory.stock_online import (
    COST_IDENTITY,
    LEARNABLE,
    MEASURES,
    REWARD_IDENTITY,
    cost_error,
    reward_error,
    strong_regret,
    strong_violation,
)
from mdptk.theory.stock_prices import best_at
from mdptk.theory.symbols import delta, eta


class State(NamedTuple):
    """What is remembered between episodes."""

    N: Any  # (S, A, S): transitions seen
    lam: Any  # (m,): the prices
    pi: Any  # (H, S, A): the policy of the next episode
    Q: Any  # (1 + m, H, S, A): its planned action values, for the reward and for the costs
    after: Any  # (m,): the next prices
    top: Any  # (): the most that the plan could be worth at the next prices


def _climb(truth: exact.Truth, state: State) -> Any:
    return jnp.maximum(state.after - state.lam, 0)


def _fall(truth: exact.Truth, state: State) -> Any:
    return jnp.maximum((state.after * (state.lam - state.after)).sum(), 0)


climb = Quantity(
    "climb",
    lambda run: run["climb"].max(-1),
    latex=r"\textstyle\max_i \sum_{k<K} [\lambda_{k+1} - \lambda_k]_{+,i}",
)
fall = Quantity(
    "fall",
    lambda run: run["fall"],
    latex=r"\textstyle\sum_{k<K} [\lambda_{k+1} \cdot (\lambda_k - \lambda_{k+1})]_+",
)

KEY = "muller2023cancellation"
DERIVED = "the paper was not at hand: derived in proofs/, with what happened in the run in place of bounds on it"
PLAN = best_at("after", r"\lambda_{K+1}", carried=lambda run: run.alg.eta * run.problem.H)
PROXIMAL = replace(
    PLAN.theorem(Cite(KEY, "the augmented Lagrangian as a proximal step on the dual"), proof="constrained/opt_aug"),
    name="the plan is best at the next price",
    assumes=LEARNABLE,
    reason=DERIVED,
)
REGRET = Theorem(
    name="strong regret of the run",
    cite=Cite(KEY, "the regret without cancellation"),
    assumes=LEARNABLE,
    lhs=strong_regret,
    rhs=fall / eta + reward_error,
    holds=WithProbability(delta),
    consecutive=True,
    reason=DERIVED,
    silent="compares the regret with what the learner itself promised and did, at every K",
    proof="constrained/opt_aug",
)
VIOLATION = Theorem(
    name="strong violation of the run",
    cite=Cite(KEY, "the violation without cancellation"),
    assumes=LEARNABLE,
    lhs=strong_violation,
    rhs=climb / eta + cost_error,
    holds=WithProbability(delta),
    reason=DERIVED,
    silent="compares the violation with what the learner itself promised and did, at every K",
    proof="constrained/opt_aug",
)
ORDER = Theorem(
    name="strong regret order",
    cite=Cite(KEY, "the regret without cancellation"),
    assumes=LEARNABLE,
    lhs=strong_regret,
    rhs=0,
    holds=Asymptotic(0.5),
    status="order-only",
    consecutive=True,
    reason="the order from memory, without its constants; in short runs the bonus decides and the exponent is near one",
)


@dataclass(frozen=True)
class OptAug(Learner[EpisodicCosts, State]):
    """Augmented Lagrangian steps of size `eta` in a model that is optimistic with probability 1 - `delta`."""

    eta: Positive = 1.0
    delta: Fraction = 0.1

    sees: ClassVar[type] = EpisodicCosts
    keep: ClassVar[tuple[str, ...]] = ("lam", "after", "top")
    theorems: ClassVar[tuple[Theorem, ...]] = (PROXIMAL, REGRET, VIOLATION, REWARD_IDENTITY, COST_IDENTITY, ORDER)
    measures: ClassVar[tuple[Measure, ...]] = (
        *MEASURES,
        PLAN.measure,
        Measure("climb", _climb, "sum"),
        Measure("fall", _fall, "sum"),
    )

    def init(self, oracle: EpisodicCosts, key: Any) -> State:
        _, S, A = oracle.r.shape
        return self._plan(oracle, jnp.zeros((S, A, S)), jnp.zeros_like(oracle.b))

    def draw(self, oracle: EpisodicCosts, key: Any) -> Any:
        return jax.random.uniform(key, (oracle.episodes.H + 1, 2))

    def step(self, oracle: EpisodicCosts, state: State, xi: Any) -> State:
        return self._plan(oracle, counted(state.N, *oracle.episodes.follow(state.pi, xi)), state.after)

    def _plan(self, oracle: EpisodicCosts, N: Any, lam: Any) -> State:
        P, g, _ = optimistic(oracle, N, self.delta)
        pi = augmented_plan(P, g, oracle.rho, oracle.b, lam, self.eta)
        Q = values(P, g, pi)
        after = next_prices(oracle, lam, self.eta, Q, pi)
        return State(N, lam, pi, Q, after, best_at_price(P, g, oracle.rho, after)[1])
