r"""OptCMDP: play the best policy that an optimistic model allows, where the reward is high and the cost is low.

.. math::

   \pi_k \in \arg\max_\pi \; V^\pi_{r + \beta_k}(\hat P_k) \;\text{ s.t. }\; V^\pi_{c - \beta_k}(\hat P_k) \leq b,
   \qquad
   \beta_{k,h}(s,a) = \tfrac{H-h}{2} \min\Big\{ 2, \sqrt{\tfrac{2 (S \log 2 + \log(SA\, n(n+1)/\delta))}{n}} \Big\},

with n the visits of (s, a) before episode k at any stage. The optimal policy is allowed by the optimistic model, so
what is played is promised to earn more than :math:`V^*` and to spend less than b, and is wrong in both by what is
unknown about the states that it visits. Nothing is made up for later: the bounds hold for the strong regret and the
strong violation, in which episodes do not cancel. A linear program in every episode is what that costs.

For one constraint, where the program is a search along the upper edge of what policies earn and spend. The bonus is
for the L1 ball around the counted transitions, one factor of :math:`\sqrt{S}` above Bernstein's, and holds for all
policies and all K at once. As for UCBVI, the regret bound says nothing in short runs; the lemmas that it is made of can
fail at any size.

After Efroni, Mannor and Pirotta [efroni2020exploration], their variant with a bonus. Proof:
``proofs/constrained/opt_cmdp.py``.

Figure: ``mdptk reproduce regret_under_budgets``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.learning_constrained import dear_reward
>>> run(OptCMDP(), dear_reward(), 8, repeats=2)["over_sum"].shape
(2, 9, 1)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from sympy import log, sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Fraction, Learner, Measure
from mdptk.core.counted import bonus, empirical, trade_off, values
from mdptk.core.errors import MdptkError
from mdptk.core.oracles import EpisodicCosts
from mdptk.theory import Cite, Quantity, Theorem, WithProbability
from mdptk.theory.stock_online import (
    COST_IDENTITY,
    LEARNABLE,
    LEAST_PLANNED,
    MEASURES,
    REWARD_IDENTITY,
    cost_error,
    pessimism,
    plan_rounding,
    planned,
    reward_error,
    strong_regret,
    strong_violation,
    surplus,
)
from mdptk.theory.symbols import A, H, K, S, delta


class State(NamedTuple):
    """What is remembered between episodes."""

    N: Any  # (S, A, S): transitions seen
    pi: Any  # (H, S, A): the policy of the next episode
    Q: Any  # (2, H, S, A): its planned action values, for the reward and for the cost
    b: Any  # (H, S, A): the bonus in Q


def _dearest(truth: exact.Truth, state: State) -> Any:
    return (planned(truth, state)[1:] - truth.problem.b).max()


def _surplus_excess(truth: exact.Truth, state: State) -> Any:
    left = jnp.arange(len(state.b), 0, -1.0)[:, None, None] - 1  # H - h
    return (abs(surplus(truth, state)) - state.b * (left + 3) / 2).max()


planned_violation = Quantity(
    "planned_violation",
    lambda run: run["planned_violation"],
    latex=r"\max_{k \leq K} (\hat V_{c,k}(\rho) - b)",
    rounding=lambda run: plan_rounding(run.problem),
)
surplus_excess = Quantity(
    "surplus_excess",
    lambda run: run["surplus_excess"],
    latex=r"\max_{k \leq K, h, s, a} \big(|\hat Q_k - g - P \hat V_k| - \tfrac{H-h+3}{2} \beta_{k,h}\big)(s, a)",
    rounding=lambda run: plan_rounding(run.problem),
)

KEY = "efroni2020exploration"
DERIVED = "the paper was not at hand: constants derived in proofs/, for the L1 bonus"
OPTIMISM = Theorem(
    name="optimism",
    cite=Cite(KEY, "OptCMDP-bonus, optimism of the reward"),
    assumes=LEARNABLE,
    lhs=pessimism,
    rhs=0,
    holds=WithProbability(delta),
    reason=DERIVED,
    silent="a learner that never updates stays optimistic; a bonus too small, or a plan not the best, does not",
    proof="constrained/opt_cmdp",
)
ALLOWED = Theorem(
    name="the plan meets the budget",
    cite=Cite(KEY, "OptCMDP-bonus, the constraint of its linear program"),
    assumes=LEARNABLE,
    lhs=planned_violation,
    rhs=0,
    holds=WithProbability(delta),
    reason=DERIVED,
    silent="about the plan, from the first one on",
    proof="constrained/opt_cmdp",
)
SURPLUS = Theorem(
    name="surplus bound",
    cite=Cite(KEY, "OptCMDP-bonus, the error of one step"),
    assumes=LEARNABLE,
    lhs=surplus_excess,
    rhs=0,
    holds=WithProbability(delta),
    reason=DERIVED + "; g is the reward or the cost",
    silent="holds before any data too; a Q that is off in one entry breaks it",
    proof="constrained/opt_cmdp",
)
REGRET_BY_ERROR = Theorem(
    name="regret by errors",
    cite=Cite(KEY, "the decomposition of the regret"),
    assumes=LEARNABLE,
    lhs=strong_regret,
    rhs=reward_error,
    holds=WithProbability(delta),
    consecutive=True,
    reason=DERIVED,
    silent="compares the regret with what the learner itself promised, at every K",
    proof="constrained/opt_cmdp",
)
VIOLATION_BY_ERROR = Theorem(
    name="violation by errors",
    cite=Cite(KEY, "the decomposition of the violation"),
    assumes=LEARNABLE,
    lhs=strong_violation,
    rhs=cost_error,
    holds=WithProbability(delta),
    reason=DERIVED,
    silent="compares the violation with what the learner itself promised, at every K",
    proof="constrained/opt_cmdp",
)
WORST = (H - 1) * (H + 2) / 4  # surplus per unit of the radius, at the first stage
RADIUS = sqrt(2 * (S * log(2) + log(S * A * K * H * (K * H + 1) / delta)))  # over the root of n
BOUND = (
    2 * sqrt(2) * WORST * RADIUS * sqrt(S * A * H * K)
    + 2 * WORST * (2 * H - 1) * S * A
    + 2 * H * WORST * sqrt(K * log(K * (K + 1) / delta) / 2)
)
REGRET = Theorem(
    name="strong regret",
    cite=Cite(KEY, "OptCMDP-bonus, the regret without cancellation"),
    assumes=LEARNABLE,
    lhs=strong_regret,
    rhs=BOUND,
    holds=WithProbability(2 * delta),
    consecutive=True,
    reason=DERIVED,
    silent="above H K in short runs: vacuous there",
    proof="constrained/opt_cmdp",
)
VIOLATION = Theorem(
    name="strong violation",
    cite=Cite(KEY, "OptCMDP-bonus, the violation without cancellation"),
    assumes=LEARNABLE,
    lhs=strong_violation,
    rhs=BOUND,
    holds=WithProbability(2 * delta),
    reason=DERIVED,
    silent="above H K in short runs: vacuous there",
    proof="constrained/opt_cmdp",
)


@dataclass(frozen=True)
class OptCMDP(Learner[EpisodicCosts, State]):
    """Optimistic planning under one constraint, with a bonus that holds with probability 1 - `delta`."""

    delta: Fraction = 0.1

    sees: ClassVar[type] = EpisodicCosts
    theorems: ClassVar[tuple[Theorem, ...]] = (
        OPTIMISM,
        ALLOWED,
        SURPLUS,
        REWARD_IDENTITY,
        COST_IDENTITY,
        REGRET_BY_ERROR,
        VIOLATION_BY_ERROR,
        REGRET,
        VIOLATION,
    )
    measures: ClassVar[tuple[Measure, ...]] = (
        *MEASURES,
        LEAST_PLANNED,
        Measure("planned_violation", _dearest, "max"),
        Measure("surplus_excess", _surplus_excess, "max"),
    )

    def init(self, oracle: EpisodicCosts, key: Any) -> State:
        if len(oracle.b) != 1:
            raise MdptkError(f"OptCMDP is for one constraint, the problem has m = {len(oracle.b)}")
        _, S, A = oracle.r.shape
        return self._plan(oracle, jnp.zeros((S, A, S)))

    def draw(self, oracle: EpisodicCosts, key: Any) -> Any:
        return jax.random.uniform(key, (oracle.episodes.H + 1, 2))

    def step(self, oracle: EpisodicCosts, state: State, xi: Any) -> State:
        s, a = oracle.episodes.follow(state.pi, xi)
        return self._plan(oracle, state.N.at[s[:-1], a, s[1:]].add(1.0))

    def _plan(self, oracle: EpisodicCosts, N: Any) -> State:
        P, n = empirical(N)
        beta = bonus(n, len(oracle.r), self.delta)
        g = jnp.stack([oracle.r + beta, oracle.c[0] - beta])
        pi = trade_off(P, g, oracle.rho, lambda lam: oracle.b[0])
        return State(N, pi, values(P, g, pi), beta)
