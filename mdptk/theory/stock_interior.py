r"""Quantities of methods that follow the central path of the occupancy LP, and how far float64 puts them off.

A state has occupancies `u` over those of the uniform policy, slacks `y`, values `nu` in the same units, multipliers
`lam`, the mean product `mu`, how far the products are `off` it, the `bound` of the multipliers, and what the equations
are `missed` by, at their prices.
"""

from __future__ import annotations

import numpy as np

from mdptk.core.central_path import occupancy_program
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.stock_constrained import last, returns_rounding


def _sum_rounding(run: Run) -> Array:
    """Of the sum of all products, of n terms: that of the equations, at their prices, and what they are missed by."""
    lp, lead = occupancy_program(run.problem), run["mu"].shape
    z = np.concatenate([run["u"][..., lp.here, :].reshape(*lead, -1), run["y"]], axis=-1)
    prices = np.concatenate([run["nu"][..., lp.here], run["lam"]], axis=-1)
    sums = EPS * len(lp.r) * (abs(prices) * (z @ abs(lp.B).T + abs(lp.right))).sum(-1)
    return sums + 2 * run["missed"] + 2 * returns_rounding(run.problem)


def _measure_rounding(run: Run) -> Array:
    """Of their mean, in as many steps as are remembered: each forgets a share of what was before."""
    once = np.maximum.accumulate(_sum_rounding(run), axis=1) / _size(run)
    return once * np.sqrt(_size(run)) / run.alg.delta


def _size(run: Run) -> int:
    return len(occupancy_program(run.problem).r)


def _falls(run: Run) -> Array:
    """max((1 - delta / sqrt n)^t mu_0, tol)."""
    return np.maximum((1 - run.alg.delta / np.sqrt(_size(run))) ** run.t * run["mu"][:, :1], run.alg.tol)


n = Quantity("n", _size, latex="n")
mu = Quantity("mu", lambda run: run["mu"], latex=r"\mu_{%t}", rounding=_measure_rounding)
falls = Quantity(
    "falls",
    _falls,
    latex=r"\max\{(1 - \tfrac{\delta}{\sqrt n})^{%t} \mu_0,\; \mathrm{tol}\}",
    rounding=_measure_rounding,
)
bound_gap = Quantity(
    "bound_gap",
    lambda run: run["bound"] - last(run)[..., 0],
    latex=r"\rho \cdot v_{%t} + \lambda_{%t} \cdot b - V_r^{\pi_{%t}}(\rho)",
    rounding=_sum_rounding,
)
excess = Quantity(
    "excess",
    lambda run: (last(run)[..., 1:] - run.problem.b).max(-1),
    latex=r"\max_i\,(V_{c_i}^{\pi_{%t}}(\rho) - b_i)",
    rounding=lambda run: 2 * returns_rounding(run.problem),
)
off = Quantity(
    "off",
    lambda run: run["off"],
    latex=r"\|z_{%t} w_{%t} / \mu_{%t} - 1\|_2",
    rounding=lambda run: _measure_rounding(run) * _size(run) / run["mu"],
)
