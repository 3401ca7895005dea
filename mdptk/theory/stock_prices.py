r"""Quantities of learners under budgets that move prices by what they plan to overspend.

A learner's state has prices `lam`, (m,), and its plans Q. Its regret is bounded by how much it plans to miss the
budgets, as for a player of an online linear game, and its violation by how far the prices had to rise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mdptk.core import exact
from mdptk.core.algorithm import Measure
from mdptk.core.run import Run
from mdptk.theory.quantity import Quantity
from mdptk.theory.stock_online import cost_error, plan_rounding, planned, violation
from mdptk.theory.symbols import eta_dual
from mdptk.theory.theorem import Cite, Theorem


def planned_miss(truth: exact.Truth, state: Any) -> Any:
    """What the plan overspends, (m,)."""
    return planned(truth, state)[1:] - truth.problem.b


MISS_SQUARE = Measure("miss_square", lambda truth, state: (planned_miss(truth, state) ** 2).sum(), "sum")
miss_square = Quantity(
    "miss_square",
    lambda run: run["miss_square"],
    latex=r"\textstyle\sum_{k<K} \|\hat V_{c,k}(\rho) - b\|_2^2",
)
largest_price = Quantity("largest_price", lambda run: run["lam"].max(-1), latex=r"\max_i \lambda_{K,i}")


class Plan(NamedTuple):
    """What a plan is worth at prices, measured; and the quantity, and the most that a policy is worth there."""

    measure: Measure
    priced: Quantity
    top: Quantity

    def theorem(self, cite: Cite, proof: str) -> Theorem:
        """That the plan is the best one."""
        return Theorem(
            name="the plan is best at its price",
            cite=cite,
            lhs=self.priced,
            rhs=self.top,
            relation="=",
            since=0,
            proof=proof,
        )


def best_at(prices: str, letter: str, carried: Callable[[Run], Any] = lambda run: 0.0) -> Plan:
    """Of a plan that is best at the prices in the field `prices`, with the largest value in the field `top`.

    `carried` says how much the prices themselves are rounded, in units of what a plan is.
    """

    def worth(truth: exact.Truth, state: Any) -> Any:
        returns = planned(truth, state)
        return returns[0] - (getattr(state, prices) * returns[1:]).sum()

    def rounding(run: Run) -> Any:
        return 8 * plan_rounding(run.problem) * (1 + run[prices].sum(-1) + carried(run))

    priced = Quantity(
        "priced",
        lambda run: run["priced"],
        latex=rf"\hat V_{{r,K}}(\rho) - {letter} \cdot \hat V_{{c,K}}(\rho)",
        rounding=rounding,
    )
    top = Quantity(
        "top",
        lambda run: run["top"],
        latex=rf"\max_\pi V^\pi_{{r + \beta_K - {letter} \cdot (c - \beta_K)}}(\hat P_K)",
        rounding=rounding,
    )
    return Plan(Measure("priced", worth), priced, top)


def violation_carried(cite: Cite, reason: str, proof: str) -> Theorem:
    """Prices that rise by `eta_dual` times what is planned to be overspent bound it, up to what the plans got wrong."""
    return Theorem(
        name="violation of the run",
        cite=cite,
        lhs=violation,
        rhs=largest_price / eta_dual + cost_error,
        reason=reason + "; an equality where one price was never cut off at zero",
        silent="a price that does not follow what is planned breaks it, a run that stands still does not",
        proof=proof,
        iterate="average",
    )
