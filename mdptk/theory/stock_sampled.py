"""Quantities and assumptions that sampled policy gradients share. States have a field `theta`: logits (H, S, A)."""

from __future__ import annotations

from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Measure
from mdptk.theory.quantity import Quantity
from mdptk.theory.symbols import H
from mdptk.theory.theorem import Assumption


def _square(truth: exact.Truth, state: Any) -> Any:
    return (exact.softmax_gradient(truth.problem, exact.softmax(state.theta)) ** 2).sum()


MEASURES = (
    Measure("gap", lambda truth, x: exact.performance_gap(truth.problem, truth.optimum, exact.softmax(x.theta))),
    Measure("square", _square, "sum"),
)

gap = Quantity(
    "gap",
    lambda run: run["gap"],
    latex=r"V^*(\rho) - V^{\pi_{%t}}(\rho)",
    rounding=lambda run: exact.rounding(run.problem),
)
average_square = Quantity(
    "average_square",
    lambda run: run["square"] / np.maximum(run.t, 1),
    latex=r"\tfrac{1}{%t} {\textstyle\sum_{k<%t}} \|\nabla_\theta V^{\pi_k}(\rho)\|_2^2",
    trivial=H * (H + 1) * (2 * H + 1) / 48,  # pi A sums to zero: its square is at most span^2 / 8 at each stage
    rounding=lambda run: exact.rounding(run.problem),
)

short_step = Assumption(
    "eta at most 2/H, one over the smoothness",
    lambda alg, problem: None if alg.eta <= 2 / problem.H else f"eta = {alg.eta:g}, H = {problem.H}",
)
