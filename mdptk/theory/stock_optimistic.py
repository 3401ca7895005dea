r"""Theorems of learners that plan in an optimistic model under budgets, with the bonus of the L1 ball.

A learner's state has, beside what `mdptk.theory.stock_online` asks for, ``b[h, s, a]``, the bonus in its plans Q. The
lemmas can fail at any size; the bounds that they make are above the trivial one in short runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sympy import log, sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Measure
from mdptk.theory.quantity import Quantity
from mdptk.theory.stock_online import (
    LEARNABLE,
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
from mdptk.theory.theorem import Cite, Theorem, WithProbability


def _dearest(truth: exact.Truth, state: Any) -> Any:
    return (planned(truth, state)[1:] - truth.problem.b).max()


def _surplus_excess(truth: exact.Truth, state: Any) -> Any:
    left = np.arange(len(state.b), 0, -1.0)[:, None, None] - 1  # H - h
    return (abs(surplus(truth, state)) - state.b * (left + 3) / 2).max()


PLANNED_VIOLATION = Measure("planned_violation", _dearest, "max")
SURPLUS_EXCESS = Measure("surplus_excess", _surplus_excess, "max")

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
