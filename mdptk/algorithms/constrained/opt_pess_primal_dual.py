r"""OptPess-PrimalDual: optimistic plans at prices, and budgets that are tightened a little less in every episode.

.. math::

   \pi_k \in \arg\max_\pi \; V^\pi_{r + \beta_k - p_k \cdot (c - \beta_k)}(\hat P_k), \quad
   p_k = \frac{\lambda_k}{\eta\sqrt{k+1}}, \qquad
   \lambda_{k+1} = \big[\lambda_k + \hat V_{c,k}(\rho) - b + \tfrac{\epsilon}{\sqrt{k+1}}\big]_+,

from :math:`\lambda_0 = 0`, with the bonus of OptCMDP. Beside OptDual the pessimism is new. Plans are optimistic about
the costs, so what is spent exceeds what is planned, in sum by the order of :math:`\sqrt K`; and so is what the tighter
budgets save, in sum :math:`2\epsilon(\sqrt{K+1} - 1)`. With an :math:`\epsilon` for which the one makes up for the
other, the violation stops growing, and without a policy that is known to be safe. The price is regret, :math:`2 H
\epsilon \sqrt K/\xi` with the Slater constant :math:`\xi`, of the same order as all of it. The default is too small for
that in short runs; the two bounds say what is missing.

After Liu et al. [liu2021learning], whose :math:`\epsilon` and :math:`\eta` are constants of the proof. Proof:
``proofs/constrained/opt_pess_primal_dual.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.learning_constrained import tiring_swim
>>> run(OptPessPrimalDual(), tiring_swim(), 8, repeats=2)["lam"].shape
(2, 9, 1)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from sympy import Symbol, sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Fraction, Learner, Measure, Positive
from mdptk.core.constrained import EpisodicCMDP
from mdptk.core.counted import best_at_price, counted, next_prices, optimistic, values
from mdptk.core.oracles import EpisodicCosts
from mdptk.theory import Assumption, Cite, Quantity, Theorem, WithProbability
from mdptk.theory.stock_online import (
    COST_IDENTITY,
    LEARNABLE,
    MEASURES,
    REWARD_IDENTITY,
    cost_error,
    optimum,
    regret,
    reward_error,
    violation,
)
from mdptk.theory.stock_prices import best_at, largest_price, planned_miss
from mdptk.theory.symbols import H, K, delta


class State(NamedTuple):
    """What is remembered between episodes."""

    k: Any  # (): episodes played
    N: Any  # (S, A, S): transitions seen
    lam: Any  # (m,): what was overspent of the tighter budgets, up to its cut-off at zero
    price: Any  # (m,)
    pi: Any  # (H, S, A): the policy of the next episode, deterministic
    Q: Any  # (1 + m, H, S, A): its planned action values, for the reward and the costs
    tight: Any  # (): by how much the budgets are tightened
    scale: Any  # (): the prices are lam over that
    top: Any  # (): the most that a policy is worth at the prices


def _scaled_miss(truth: exact.Truth, state: State) -> Any:
    return ((planned_miss(truth, state) + state.tight) ** 2).sum() / (2 * state.scale)


def _slack(problem: EpisodicCMDP) -> float:
    """What some policy leaves of every budget: the one that is known to be safe, or the one with most of it."""
    known = 0.0 if problem.safe is None else float(problem.slack.min())
    return max(known, optimum(problem).slater)


def _short(alg: Any, problem: EpisodicCMDP) -> str | None:
    slack = _slack(problem)
    return None if alg.eps <= slack else f"eps = {alg.eps:.6g}, the slack is {slack:.6g}"


eps = Symbol("eps", positive=True)
xi = Quantity("xi", lambda run: _slack(run.problem), latex=r"\xi")
scaled_miss = Quantity(
    "scaled_miss",
    lambda run: run["scaled_miss"],
    latex=r"\sum_{k<K} \tfrac{1}{2\eta\sqrt{k+1}}"
    r"\big\|\hat V_{c,k}(\rho) - b + \tfrac{\epsilon}{\sqrt{k+1}}\big\|_2^2",
)

KEY = "liu2021learning"
DERIVED = "the paper was not at hand: derived in proofs/, with what happened in the run in place of bounds on it"
enough = Assumption(r"a policy with the slack $\epsilon$ in every constraint", _short)
PLAN = best_at("price", "p_K")
BEST = PLAN.theorem(Cite(KEY, "OptPess-PrimalDual, the policy update"), proof="constrained/opt_pess_primal_dual")
REGRET = Theorem(
    name="regret of the run",
    cite=Cite(KEY, "OptPess-PrimalDual, the regret"),
    assumes=(*LEARNABLE, enough),
    lhs=regret,
    rhs=scaled_miss + 2 * H * eps * sqrt(K) / xi + reward_error,
    holds=WithProbability(delta),
    reason=DERIVED,
    silent="compares the regret with what the learner itself promised and did, at every K",
    proof="constrained/opt_pess_primal_dual",
    iterate="average",
)
VIOLATION = Theorem(
    name="violation of the run",
    cite=Cite(KEY, "OptPess-PrimalDual, the bounded violation"),
    lhs=violation,
    rhs=largest_price - 2 * eps * (sqrt(K + 1) - 1) + cost_error,
    reason=DERIVED,
    silent="a price that does not follow what is planned breaks it, a run that stands still does not",
    proof="constrained/opt_pess_primal_dual",
    iterate="average",
)


@dataclass(frozen=True)
class OptPessPrimalDual(Learner[EpisodicCosts, State]):
    """Prices that are scaled by `eta` and budgets tightened by `eps`, on plans optimistic with chance 1 - `delta`."""

    eta: Positive = 10.0
    eps: Positive = 0.1
    delta: Fraction = 0.1

    sees: ClassVar[type] = EpisodicCosts
    keep: ClassVar[tuple[str, ...]] = ("lam", "price", "top")
    theorems: ClassVar[tuple[Theorem, ...]] = (BEST, REGRET, VIOLATION, REWARD_IDENTITY, COST_IDENTITY)
    measures: ClassVar[tuple[Measure, ...]] = (*MEASURES, PLAN.measure, Measure("scaled_miss", _scaled_miss, "sum"))

    def init(self, oracle: EpisodicCosts, key: Any) -> State:
        _, S, A = oracle.r.shape
        return self._plan(oracle, jnp.zeros(()), jnp.zeros((S, A, S)), jnp.zeros_like(oracle.b))

    def draw(self, oracle: EpisodicCosts, key: Any) -> Any:
        return jax.random.uniform(key, (oracle.episodes.H + 1, 2))

    def step(self, oracle: EpisodicCosts, state: State, xi: Any) -> State:
        N = counted(state.N, *oracle.episodes.follow(state.pi, xi))
        lam = next_prices(oracle, state.lam, 1.0, state.Q, state.pi, state.tight)
        return self._plan(oracle, state.k + 1, N, lam)

    def _plan(self, oracle: EpisodicCosts, k: Any, N: Any, lam: Any) -> State:
        P, g, _ = optimistic(oracle, N, self.delta)
        root = jnp.sqrt(k + 1)
        price = lam / (self.eta * root)
        pi, top = best_at_price(P, g, oracle.rho, price)
        return State(k, N, lam, price, pi, values(P, g, pi), self.eps / root, self.eta * root, top)
