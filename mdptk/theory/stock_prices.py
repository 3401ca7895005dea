r"""Quantities of learners under budgets that move prices by what they plan to overspend.

A learner's state has prices `lam`, (m,), and its plans Q. Its regret is bounded by how much it plans to miss the
budgets, as for a player of an online linear game, and its violation by how far the prices had to rise.
"""

from __future__ import annotations

from typing import Any

from mdptk.core import exact
from mdptk.core.algorithm import Measure
from mdptk.theory.quantity import Quantity
from mdptk.theory.stock_online import plan_rounding, planned


def planned_miss(truth: exact.Truth, state: Any) -> Any:
    """What the plan overspends, (m,)."""
    return planned(truth, state)[1:] - truth.problem.b


MISS_SQUARE = Measure("miss_square", lambda truth, state: (planned_miss(truth, state) ** 2).sum(), "sum")
PRICED = Measure(
    "priced", lambda truth, state: planned(truth, state)[0] - (state.price * planned(truth, state)[1:]).sum()
)

miss_square = Quantity(
    "miss_square",
    lambda run: run["miss_square"],
    latex=r"\textstyle\sum_{k<K} \|\hat V_{c,k}(\rho) - b\|_2^2",
)
largest_price = Quantity("largest_price", lambda run: run["lam"].max(-1), latex=r"\max_i \lambda_{K,i}")


def _rounding(run: Any) -> Any:
    return 8 * plan_rounding(run.problem) * (1 + run["price"].sum(-1))


priced = Quantity(
    "priced",
    lambda run: run["priced"],
    latex=r"\hat V_{r,K}(\rho) - p_K \cdot \hat V_{c,K}(\rho)",
    rounding=_rounding,
)
top = Quantity(
    "top",
    lambda run: run["top"],
    latex=r"\max_\pi V^\pi_{r + \beta_K - p_K \cdot (c - \beta_K)}(\hat P_K)",
    rounding=_rounding,
)
