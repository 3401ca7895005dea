"""What theorems about bandits share: regret, and sums over gaps.

States have a field `a`, the arm that is pulled next.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mdptk.core.algorithm import Measure
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.exact import Truth
from mdptk.core.run import Run
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.symbols import t


def _gap(truth: Truth, state: Any) -> Any:
    return truth.optimum.v - truth.optimum.q[state.a]


REGRET = Measure("regret", _gap, "sum")  # with the means of the arms pulled, not with the rewards


def _positive(problem: BernoulliBandit) -> np.ndarray:
    return problem.gaps[problem.gaps > 0]


largest_gap = Quantity("largest_gap", lambda run: run.problem.gaps.max(), latex=r"\max_a \Delta_a")
total_gap = Quantity("total_gap", lambda run: run.problem.gaps.sum(), latex=r"\sum_a \Delta_a")
inverse_gaps = Quantity(
    "inverse_gaps", lambda run: (1 / _positive(run.problem)).sum(), latex=r"\sum_{a:\, \Delta_a > 0} \frac{1}{\Delta_a}"
)


def _regret_rounding(run: Run) -> Any:
    return 2 * EPS * run.t**2  # t additions of gaps of at most one to sums of at most t


regret = Quantity(
    "regret",
    lambda run: run["regret"],
    latex=r"\sum_{k<%t} \Delta_{a_k}",
    trivial=largest_gap * t,
    rounding=_regret_rounding,
)
