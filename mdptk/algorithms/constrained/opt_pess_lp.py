r"""OptPess-LP: optimistic about the reward, pessimistic about the cost, and safe from the first episode on.

.. math::

   \pi_k \in \arg\max_\pi \; V^\pi_{r + (1 + 2H/\xi) \beta_k}(\hat P_k)
   \;\text{ s.t. }\; V^\pi_{c + \beta_k}(\hat P_k) \leq b,
   \qquad
   \pi_k = \pi_s \text{ while } 2 V^{\pi_s}_{\beta_k}(\hat P_k) \geq \xi,

with the bonus :math:`\beta_k` of OptCMDP and a policy :math:`\pi_s` that is known to be safe, with the known slack
:math:`\xi = \min_i (b_i - V_{c_i}^{\pi_s})`. What the pessimistic model allows is allowed by the true one, so no
episode overspends. The price is that the optimal policy may not be allowed; but a mixture of it with the safe policy
is, and the reward of the bonus is raised until this mixture is promised :math:`V^*`. The smaller the slack, the more it
takes.

The papers' bonus and factor are others; those here come out of the proof. After Liu et al.
[liu2021learning]. Proof: ``proofs/constrained/opt_pess_lp.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.learning_constrained import dear_reward
>>> result = run(OptPessLP(), dear_reward(), 8, repeats=2)
>>> float(result["over_sum"].max())
0.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from mdptk.core import exact
from mdptk.core.algorithm import Fraction, Learner, Measure
from mdptk.core.counted import bonus, counted, empirical, start_values, values
from mdptk.core.errors import MdptkError
from mdptk.core.oracles import EpisodicCosts
from mdptk.core.run import Run
from mdptk.solve._plans import best_plan
from mdptk.theory import Assumption, Asymptotic, Cite, Quantity, Theorem, WithProbability
from mdptk.theory.stock_online import (
    COST_IDENTITY,
    LEARNABLE,
    MEASURES,
    REWARD_IDENTITY,
    optimum,
    plan_rounding,
    planned,
    regret,
)
from mdptk.theory.symbols import delta


class State(NamedTuple):
    """What is remembered between episodes."""

    N: Any  # (S, A, S): transitions seen
    pi: Any  # (H, S, A): the policy of the next episode
    Q: Any  # (1 + m, H, S, A): its planned action values, for the reward and the costs
    free: Any  # (): 1 if it was planned, 0 if it is the safe policy


def _excess(truth: exact.Truth, state: State) -> Any:
    return (exact.returns(truth.problem, state.pi)[1:] - truth.problem.b).max()


def _free(truth: exact.Truth, state: State) -> Any:
    """1, what is earned and what was promised, where the policy was planned; zeros elsewhere."""
    found = jnp.stack([jnp.ones(()), exact.returns(truth.problem, state.pi)[0], planned(truth, state)[0]])
    return state.free * found


def _rounding(run: Run) -> Any:
    size = 1 + 2 * run.problem.H / run.problem.slack.min()  # the factor of the bonus
    return run.t * (size * plan_rounding(run.problem) + optimum(run.problem).width)


def _free_error(run: Run) -> Any:
    return run["free_sum"][..., 2] - run["free_sum"][..., 1]


worst = Quantity(
    "worst",
    lambda run: run["worst"],
    latex=r"\max_{k \leq K} (V_c^{\pi_k}(\rho) - b)",
    rounding=lambda run: plan_rounding(run.problem),
)
free_regret = Quantity(
    "free_regret",
    lambda run: run["free_sum"][..., 0] * optimum(run.problem).value - run["free_sum"][..., 1],
    latex=r"\sum_{k<K,\, \pi_k \neq \pi_s} (V^* - V_r^{\pi_k})(\rho)",
    rounding=_rounding,
)
free_error = Quantity(
    "free_error",
    _free_error,
    latex=r"\sum_{k<K,\, \pi_k \neq \pi_s} (\hat V_{r,k} - V_r^{\pi_k})(\rho)",
    rounding=_rounding,
)


def _unknown(alg: Any, problem: Any) -> str | None:
    return "nobody knows one" if problem.safe is None else None


known_safe = Assumption("a policy that is known to spend less than the budget", _unknown)
ASSUMES = (*LEARNABLE, known_safe)
KEY = "liu2021learning"
DERIVED = "the paper was not at hand: factor and bonus derived in proofs/"
SAFE = Theorem(
    name="no violation",
    cite=Cite(KEY, "zero constraint violation with high probability"),
    assumes=ASSUMES,
    lhs=worst,
    rhs=0,
    holds=WithProbability(delta),
    reason=DERIVED,
    silent="a learner that plays the safe policy for ever is safe",
    proof="constrained/opt_pess_lp",
)
PROMISE = Theorem(
    name="regret by errors",
    cite=Cite(KEY, "the decomposition of the regret"),
    assumes=ASSUMES,
    lhs=free_regret,
    rhs=free_error,
    holds=WithProbability(delta),
    reason=DERIVED + "; over the episodes whose policy was planned",
    silent="compares the regret with what the learner itself promised; nothing while the safe policy is played",
    proof="constrained/opt_pess_lp",
)
ORDER = Theorem(
    name="regret order",
    cite=Cite(KEY, "the regret bound"),
    assumes=ASSUMES,
    lhs=regret,
    rhs=0,
    holds=Asymptotic(0.5),
    status="order-only",
    reason="from memory, without its constants; short runs are spent on the safe policy and grow like K",
)


@dataclass(frozen=True)
class OptPessLP(Learner[EpisodicCosts, State]):
    """Planning in a model with high rewards and high costs, from a safe policy; right with probability 1 - `delta`."""

    delta: Fraction = 0.1

    sees: ClassVar[type] = EpisodicCosts
    theorems: ClassVar[tuple[Theorem, ...]] = (SAFE, PROMISE, REWARD_IDENTITY, COST_IDENTITY, ORDER)
    measures: ClassVar[tuple[Measure, ...]] = (
        *MEASURES,
        Measure("worst", _excess, "max"),
        Measure("free_sum", _free, "sum"),
    )

    def init(self, oracle: EpisodicCosts, key: Any) -> State:
        if oracle.safe is None:
            raise MdptkError("OptPessLP starts from a safe policy, the problem has none: EpisodicCMDP(..., safe=...)")
        _, S, A = oracle.r.shape
        return self._plan(oracle, jnp.zeros((S, A, S)))

    def draw(self, oracle: EpisodicCosts, key: Any) -> Any:
        return jax.random.uniform(key, (oracle.episodes.H + 1, 2))

    def step(self, oracle: EpisodicCosts, state: State, xi: Any) -> State:
        return self._plan(oracle, counted(state.N, *oracle.episodes.follow(state.pi, xi)))

    def _plan(self, oracle: EpisodicCosts, N: Any) -> State:
        P, n = empirical(N)
        H = len(oracle.r)
        beta = bonus(n, H, self.delta)
        unsure = start_values(values(P, beta[None], oracle.safe), oracle.safe, oracle.rho)[0]
        slack = oracle.slack.min()
        free = 2 * unsure < slack
        g = jnp.concatenate([(oracle.r + (1 + 2 * H / slack) * beta)[None], oracle.c + beta])
        pi = jnp.where(free, best_plan(P, g, oracle.rho, oracle.b), oracle.safe)
        return State(N, pi, values(P, g, pi), free * 1.0)
