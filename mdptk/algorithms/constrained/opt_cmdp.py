r"""OptCMDP: play the best policy that an optimistic model allows, where the reward is high and the cost is low.

.. math::

   \pi_k \in \arg\max_\pi \; V^\pi_{r + \beta_k}(\hat P_k) \;\text{ s.t. }\; V^\pi_{c - \beta_k}(\hat P_k) \leq b,
   \qquad
   \beta_{k,h}(s,a) = \tfrac{H-h}{2} \min\Big\{ 2, \sqrt{\tfrac{2 (S \log 2 + \log(SA\, n(n+1)/\delta))}{n}} \Big\},

with n the visits of (s, a) before episode k at any stage. The optimal policy is allowed by the optimistic model, so
what is played is promised to earn more than :math:`V^*` and to spend less than b, and is wrong in both by what is
unknown about the states that it visits. Nothing is made up for later: the bounds hold for the strong regret and the
strong violation, in which episodes do not cancel. A linear program in every episode is what that costs.

With one constraint the program is a search along the upper edge of what policies earn and spend. The bonus is for the
L1 ball around the counted transitions, one factor of :math:`\sqrt{S}` above Bernstein's, and holds for all policies and
all K at once. As for UCBVI, the regret bound says nothing in short runs; the lemmas that it is made of can fail at any
size.

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

from mdptk.core.algorithm import Fraction, Learner, Measure
from mdptk.core.counted import counted, optimistic, values
from mdptk.core.oracles import EpisodicCosts
from mdptk.solve._plans import best_plan
from mdptk.theory import Theorem
from mdptk.theory.stock_online import COST_IDENTITY, LEAST_PLANNED, MEASURES, REWARD_IDENTITY
from mdptk.theory.stock_optimistic import (
    ALLOWED,
    OPTIMISM,
    PLANNED_VIOLATION,
    REGRET,
    REGRET_BY_ERROR,
    SURPLUS,
    SURPLUS_EXCESS,
    VIOLATION,
    VIOLATION_BY_ERROR,
)


class State(NamedTuple):
    """What is remembered between episodes."""

    N: Any  # (S, A, S): transitions seen
    pi: Any  # (H, S, A): the policy of the next episode
    Q: Any  # (1 + m, H, S, A): its planned action values, for the reward and the costs
    b: Any  # (H, S, A): the bonus in Q


@dataclass(frozen=True)
class OptCMDP(Learner[EpisodicCosts, State]):
    """Optimistic planning under budgets, with a bonus that holds with probability 1 - `delta`."""

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
        PLANNED_VIOLATION,
        SURPLUS_EXCESS,
    )

    def init(self, oracle: EpisodicCosts, key: Any) -> State:
        _, S, A = oracle.r.shape
        return self._plan(oracle, jnp.zeros((S, A, S)))

    def draw(self, oracle: EpisodicCosts, key: Any) -> Any:
        return jax.random.uniform(key, (oracle.episodes.H + 1, 2))

    def step(self, oracle: EpisodicCosts, state: State, xi: Any) -> State:
        return self._plan(oracle, counted(state.N, *oracle.episodes.follow(state.pi, xi)))

    def _plan(self, oracle: EpisodicCosts, N: Any) -> State:
        P, g, beta = optimistic(oracle, N, self.delta)
        pi = best_plan(P, g, oracle.rho, oracle.b)
        return State(N, pi, values(P, g, pi), beta)
