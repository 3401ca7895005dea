r"""OptAug-CMDP: the augmented Lagrangian in an optimistic model, whose policies do not oscillate.

.. math::

   \pi_k \in \arg\max_\pi \; V^\pi_{r+\beta_k}(\hat P_k)
   - \tfrac{1}{2\eta} \big[\lambda_k + \eta\,(V^\pi_{c-\beta_k}(\hat P_k) - b)\big]_+^2, \qquad
   \lambda_{k+1} = \big[\lambda_k + \eta\,(\hat V_{c,k}(\rho) - b)\big]_+,

with the bonus :math:`\beta_k` of OptCMDP. The quadratic term makes a policy that spends more pay a higher price, so the
best one is a mixture, and it is best at the price :math:`\lambda_{k+1}` that follows from it. That makes the update of
the prices a proximal step, which goes where it goes and does not come back: what the plan overspends is
:math:`(\lambda_{k+1} - \lambda_k)/\eta`, and what it earns too little is paid by a price that falls. So there are
bounds without cancellation, by how much the prices climbed and fell.

For one constraint, where the maximum is found on the edge of what policies earn and spend. After Müller, Alatur,
Ramponi and He [muller2023cancellation]. Proof: ``proofs/constrained/opt_aug.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.learning_constrained import dear_reward
>>> run(OptAug(), dear_reward(), 8, repeats=2)["lam"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from mdptk.core import exact
from mdptk.core.algorithm import Fraction, Learner, Measure, Positive
from mdptk.core.counted import best_value, bonus, empirical, start_values, trade_off, values
from mdptk.core.errors import MdptkError
from mdptk.core.oracles import EpisodicCosts
from mdptk.core.run import Run
from mdptk.theory import Asymptotic, Cite, Quantity, Theorem, WithProbability
from mdptk.theory.stock_online import (
    COST_IDENTITY,
    LEARNABLE,
    MEASURES,
    REWARD_IDENTITY,
    cost_error,
    plan_rounding,
    planned,
    reward_error,
    strong_regret,
    strong_violation,
)
from mdptk.theory.symbols import delta, eta


class State(NamedTuple):
    """What is remembered between episodes."""

    N: Any  # (S, A, S): transitions seen
    lam: Any  # (): the price
    pi: Any  # (H, S, A): the policy of the next episode
    Q: Any  # (2, H, S, A): its planned action values, for the reward and for the cost
    after: Any  # (): the next price
    top: Any  # (): the most that the plan could be worth at the next price


def _climb(truth: exact.Truth, state: State) -> Any:
    return jnp.maximum(state.after - state.lam, 0)


def _fall(truth: exact.Truth, state: State) -> Any:
    return state.after * jnp.maximum(state.lam - state.after, 0)


def _worth(truth: exact.Truth, state: State) -> Any:
    earned, spent = planned(truth, state)
    return earned - state.after * spent


def _rounding(run: Run) -> Any:
    return 8 * plan_rounding(run.problem) * (1 + run["after"])


worth = Quantity(
    "worth",
    lambda run: run["worth"],
    latex=r"\hat V_{r,K}(\rho) - \lambda_{K+1} \hat V_{c,K}(\rho)",
    rounding=_rounding,
)
top = Quantity(
    "top",
    lambda run: run["top"],
    latex=r"\max_\pi V^\pi_{r + \beta_K - \lambda_{K+1} (c - \beta_K)}(\hat P_K)",
    rounding=_rounding,
)
climb = Quantity("climb", lambda run: run["climb"], latex=r"\textstyle\sum_{k<K} [\lambda_{k+1} - \lambda_k]_+")
fall = Quantity(
    "fall",
    lambda run: run["fall"],
    latex=r"\textstyle\sum_{k<K} \lambda_{k+1} [\lambda_k - \lambda_{k+1}]_+",
)

KEY = "muller2023cancellation"
DERIVED = "the paper was not at hand: derived in proofs/, with what happened in the run in place of bounds on it"
PROXIMAL = Theorem(
    name="the plan is best at the next price",
    cite=Cite(KEY, "the augmented Lagrangian as a proximal step on the dual"),
    assumes=LEARNABLE,
    lhs=worth,
    rhs=top,
    relation="=",
    reason=DERIVED,
    since=0,
    proof="constrained/opt_aug",
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
        Measure("worth", _worth),
        Measure("climb", _climb, "sum"),
        Measure("fall", _fall, "sum"),
    )

    def init(self, oracle: EpisodicCosts, key: Any) -> State:
        if len(oracle.b) != 1:
            raise MdptkError(f"OptAug is for one constraint, the problem has m = {len(oracle.b)}")
        _, S, A = oracle.r.shape
        return self._plan(oracle, jnp.zeros((S, A, S)), jnp.zeros(()))

    def draw(self, oracle: EpisodicCosts, key: Any) -> Any:
        return jax.random.uniform(key, (oracle.episodes.H + 1, 2))

    def step(self, oracle: EpisodicCosts, state: State, xi: Any) -> State:
        s, a = oracle.episodes.follow(state.pi, xi)
        return self._plan(oracle, state.N.at[s[:-1], a, s[1:]].add(1.0), state.after)

    def _plan(self, oracle: EpisodicCosts, N: Any, lam: Any) -> State:
        P, n = empirical(N)
        beta = bonus(n, len(oracle.r), self.delta)
        g = jnp.stack([oracle.r + beta, oracle.c[0] - beta])
        pi = trade_off(P, g, oracle.rho, lambda price: oracle.b[0] + (price - lam) / self.eta)
        Q = values(P, g, pi)
        spent = start_values(Q, pi, oracle.rho)[1]
        after = jnp.maximum(lam + self.eta * (spent - oracle.b[0]), 0)
        return State(N, lam, pi, Q, after, best_value(P, g, oracle.rho, jnp.stack([jnp.ones(()), -after])))
