"""What theorems about bandits share: regret, sums over gaps, and what chance may do to the means.

States have fields `n`, pulls of each arm, `x`, the sums of their rewards, and `a`, the arm that is pulled next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sympy import Rational, log

from mdptk.core.algorithm import Measure
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.exact import Truth, namespace
from mdptk.core.run import Run
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.symbols import t
from mdptk.theory.theorem import Cite, Theorem, WithProbability


def _gap(truth: Truth, state: Any) -> Any:
    return truth.optimum.v - truth.optimum.q[state.a]


def _deviation(truth: Truth, state: Any) -> Any:
    """What the deviations of the means say about log(1 / delta), by Hoeffding's inequality."""
    xp = namespace(state.n)
    m = xp.maximum(state.n, 1)
    error = xp.where(state.n > 0, state.x / m - truth.optimum.q, 0.0)
    return (2 * m * error**2 - xp.log(2 * state.n.shape[-1] * m * (m + 1))).max(-1)


REGRET = Measure("regret", _gap, "sum")  # with the means of the arms pulled, not with the rewards
DEVIATION = Measure("deviation", _deviation, "max")


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
deviation = Quantity(
    "deviation",
    lambda run: run["deviation"],
    latex=r"\max_{k \leq %t, a} \left(2 n_a (\hat\mu_a - \mu_a)^2 - \log(2 A\, n_a(n_a+1))\right)",
)

CONFIDENCE = Rational(1, 10)
MEANS = Theorem(
    name="means",
    cite=Cite("hoeffding1963probability", "Theorem 1"),
    lhs=deviation,
    rhs=log(1 / CONFIDENCE),
    holds=WithProbability(CONFIDENCE),
    reason="union over arms and numbers of pulls in proofs/",
    silent="without pulls there is no deviation; counts that drift from the rewards break it",
    proof="bandits/means",
)
