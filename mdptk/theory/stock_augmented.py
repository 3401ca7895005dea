r"""Quantities of the augmented Lagrangian, and how far float64 puts them off.

A state has multipliers `lam`, the policy that is played, and `price`, the multipliers that come next.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.stock import before
from mdptk.theory.stock_constrained import excess, last, optimum, optimum_error, returns_rounding, violation


def _dual(run: Run, name: str) -> Array:
    """The dual function at each record, (repeats, records); once for prices that have come to rest."""
    problem = run.problem
    lams, where = np.unique(run[name][0], axis=0, return_inverse=True)
    values = [problem.mdp.rho @ exact.optimal(problem.penalised(lam)).v + lam @ problem.b for lam in lams]
    return np.array(values)[where.reshape(1, -1)]


def resolution(problem: CMDP, eta: float, lam: Array) -> Any:
    """Rounding error of a Lagrangian, of m + 1 terms, at prices that are eta times what is spent, a rounded number.

    Twice this is not less than what `mdptk.core.quadratic` stops at, 64 (m + 1) units in the last place.
    """
    spread = np.ptp(problem.c, axis=(1, 2)).sum() / (1 - problem.gamma)
    return 4 * (problem.m + 1) * returns_rounding(problem) * (1 + lam.sum(-1) + eta * spread)


def _price_rounding(run: Run, name: str) -> Array:
    return resolution(run.problem, run.alg.eta, run[name])


def _played(run: Run) -> Array:
    return last(run)[..., 0] - (run["price"] * excess(run, last(run))).sum(-1)


def _carried_rounding(run: Run) -> Array:
    """Of a multiplier: that of t excesses, and of as many sums; steps stop where a better policy is worth no more."""
    return run.t * (2 * run.alg.eta * returns_rounding(run.problem) + EPS * run["lam"].max(-1))


def _price_error(run: Run) -> Array:
    r"""How far the next price is from that of exact steps, (repeats, records).

    A step stops where no policy gains more than twice the resolution :math:`\epsilon`, which is measured up to once
    that. So the price p that comes next has :math:`D(p) \leq L(x, p) + 3\epsilon`. As the step is a saddle point, p
    misses the least value of :math:`D(p) + \|p - \lambda\|^2/(2\eta)` by no more than :math:`3\epsilon`, and that is
    strongly convex: p is within :math:`\sqrt{6\eta\epsilon}` of the exact one, a root. Exact steps bring no two prices
    further apart, nor do their lengths differ by more: so the errors of all steps so far add up, in the price and in
    the length of a step, which bounds eta times the violation.
    """
    return (run.t + 1) * np.sqrt(6 * run.alg.eta * np.maximum.accumulate(_price_rounding(run, "price"), axis=1))


played = Quantity(
    "played",
    _played,
    latex=r"L(\pi_{%t}, \lambda_{%t+1})",
    rounding=lambda run: 3 * _price_rounding(run, "price"),  # a step stops at twice that
)
best = Quantity(
    "best",
    lambda run: _dual(run, "price"),
    latex=r"D(\lambda_{%t+1})",
    rounding=lambda run: _price_rounding(run, "price"),
)
dual_gap = Quantity(
    "dual_gap",
    lambda run: _dual(run, "lam") - optimum(run.problem).value,
    latex=r"D(\lambda_{%t}) - V^*(\rho)",
    rounding=lambda run: 3 * _price_rounding(run, "lam") + optimum_error(run.problem),
)
distance = Quantity(
    "distance",
    lambda run: np.linalg.norm(run["lam"] - optimum(run.problem).multipliers, axis=-1),
    latex=r"\|\lambda_{%t} - \lambda^*\|_2",
    rounding=lambda run: run.alg.eta * _price_rounding(run, "lam"),
)
move = Quantity(
    "move",
    lambda run: np.linalg.norm(run["lam"] - before(run["lam"]), axis=-1),
    latex=r"\|\lambda_{%t} - \lambda_{%t-1}\|_2",
    rounding=lambda run: run.alg.eta * _price_rounding(run, "lam"),
)
excess_played = Quantity(
    "excess_played",
    violation.of,
    latex=violation.template,
    trivial=violation.trivial,
    rounding=lambda run: 2 * returns_rounding(run.problem) + _price_error(run) / run.alg.eta,
)
size = Quantity(
    "size", lambda run: np.linalg.norm(run["lam"], axis=-1), latex=r"\|\lambda_{%t}\|_2", rounding=_carried_rounding
)
highest = Quantity(
    "highest", lambda run: run["lam"].max(-1), latex=r"\max_i \lambda_{%t,i}", rounding=_carried_rounding
)
