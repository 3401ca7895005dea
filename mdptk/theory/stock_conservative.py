"""What conservative learners share: a floor that every episode keeps, and the promise that bounds the regret.

States have fields `promise`, the optimistic value of the best policy, `low`, the pessimistic value of what is played,
and `mixed`, 1 where that is a mixture. `MEASURES` are made from a function that gives the true value of what is played.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mdptk.core import exact
from mdptk.core.algorithm import Measure
from mdptk.core.run import Run
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.stock_online import same_transitions, unit_rewards
from mdptk.theory.symbols import H, K, delta
from mdptk.theory.theorem import Asymptotic, Cite, Theorem, WithProbability

ASSUMES = (same_transitions, unit_rewards)


def measures(played: Callable[[exact.Truth, Any], Any]) -> tuple[Measure, ...]:
    """What is measured, where ``played(truth, state)`` is the true value of what is played."""

    def best(truth: exact.Truth) -> Any:
        return (truth.problem.mdp.rho * truth.optimum.v[0]).sum()

    return (
        Measure("regret", lambda truth, x: best(truth) - played(truth, x), "sum"),
        Measure("error", lambda truth, x: x.promise - played(truth, x), "sum"),
        Measure("shortfall", lambda truth, x: truth.problem.floor - played(truth, x), "max"),
        Measure("pessimism", lambda truth, x: best(truth) - x.promise, "max"),
        Measure("overstated", lambda truth, x: x.low - played(truth, x), "max"),
        Measure("miss", lambda truth, x: abs(x.low - truth.problem.floor) * x.mixed, "max"),
    )


def _rounding(run: Run) -> float:
    return 16 * EPS * run.problem.S * run.problem.A * run.problem.H**3


def _sum_rounding(run: Run) -> Any:
    return run.t * _rounding(run)


regret = Quantity(
    "regret",
    lambda run: run["regret"],
    latex=r"\sum_{k<K} (V^* - V^{\pi_k})(\rho)",
    trivial=H * K,
    rounding=_sum_rounding,
)
error = Quantity(
    "error", lambda run: run["error"], latex=r"\sum_{k<K} (\hat V_k - V^{\pi_k})(\rho)", rounding=_sum_rounding
)
shortfall = Quantity(
    "shortfall",
    lambda run: run["shortfall"],
    latex=r"\max_{k \leq K} (v_0 - V^{\pi_k}(\rho))",
    rounding=_rounding,
)
pessimism = Quantity(
    "pessimism", lambda run: run["pessimism"], latex=r"\max_{k \leq K} (V^* - \hat V_k)(\rho)", rounding=_rounding
)
overstated = Quantity(
    "overstated",
    lambda run: run["overstated"],
    latex=r"\max_{k \leq K} (\check V_k^{\pi_k} - V^{\pi_k})(\rho)",
    rounding=_rounding,
)
miss = Quantity(
    "miss",
    lambda run: run["miss"],
    latex=r"\max_{k \leq K,\, \pi_k \text{ mixed}} |\check V_k^{\pi_k}(\rho) - v_0|",
    rounding=_rounding,
)

KEY = "li2023conservative"
PROOF = "exploration/conservative"
DERIVED = "the paper uses Bernstein's bonus; derived in proofs/ for the L1 bonus of OptCMDP"
FLOOR = Theorem(
    name="the floor is kept",
    cite=Cite(KEY, "the conservative constraint holds in every episode"),
    assumes=ASSUMES,
    lhs=shortfall,
    rhs=0,
    holds=WithProbability(delta),
    reason=DERIVED,
    silent="a learner that plays the baseline for ever keeps it",
    proof=PROOF,
)
PESSIMISM = Theorem(
    name="pessimism",
    cite=Cite(KEY, "lower confidence bounds on what is played"),
    assumes=ASSUMES,
    lhs=overstated,
    rhs=0,
    holds=WithProbability(delta),
    reason=DERIVED,
    silent="before any data the lower bound is far below; a bonus too small breaks it",
    proof=PROOF,
)
OPTIMISM = Theorem(
    name="optimism",
    cite=Cite(KEY, "upper confidence bounds"),
    assumes=ASSUMES,
    lhs=pessimism,
    rhs=0,
    holds=WithProbability(delta),
    reason=DERIVED,
    silent="a learner that never updates stays optimistic; a bonus too small does not",
    proof=PROOF,
)
LINEAR = Theorem(
    name="a mixture is worth the floor",
    cite=Cite(KEY, "the choice of the mixture coefficient"),
    lhs=miss,
    rhs=0,
    relation="=",
    since=0,
    reason="the lower bound is not cut off at zero: it would not be linear",
    proof=PROOF,
)
PROMISE = Theorem(
    name="regret by errors",
    cite=Cite(KEY, "the decomposition of the regret"),
    assumes=ASSUMES,
    lhs=regret,
    rhs=error,
    holds=WithProbability(delta),
    reason=DERIVED,
    silent="compares the regret with what the learner itself promised, at every K",
    proof=PROOF,
)
ORDER = Theorem(
    name="regret order",
    cite=Cite(KEY, "the regret bound"),
    assumes=ASSUMES,
    lhs=regret,
    rhs=0,
    holds=Asymptotic(0.5),
    status="order-only",
    reason="from the abstract: the order without the constraint; short runs play the baseline and grow like K",
)
THEOREMS = (FLOOR, PESSIMISM, OPTIMISM, LINEAR, PROMISE, ORDER)
