"""Quantities of methods that bound how far a policy moves; states have ``log_pi`` and ``pi``."""

from __future__ import annotations

import numpy as np

from mdptk.core import exact
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.stock import batch_first, before, gain, policy, value_rounding
from mdptk.theory.stock_policy import advantage_before


def _rounding(run: Run) -> Array:
    pi = policy(run)
    return 16 * EPS * run.problem.A * (1 + abs(run["log_pi"])) * (pi + before(pi))


def _surrogate(run: Run, error: bool = False) -> Array:
    """``L(pi_t) - V^{pi_{t-1}}(rho)`` at pi_{t-1}, or its rounding error."""
    problem, pi = batch_first(run), policy(run)
    d = before(exact.occupancy(problem, pi))[..., None] / (1 - problem.gamma)
    change = pi - before(pi)
    if error:
        off = value_rounding(run) * abs(change) + _rounding(run) * abs(advantage_before(run))
        return (abs(d) * off).sum((-2, -1))
    return (d * advantage_before(run) * change).sum((-2, -1))


def _largest_kl(run: Run) -> Array:
    """``max_s KL(pi_{t-1} || pi_t)(s)``, as a sum of terms that are not negative."""
    old, new = before(run["log_pi"]), run["log_pi"]
    x = new - old
    return (np.exp(old) * (np.expm1(x) - x)).sum(-1).max(-1)


gained = gain(_rounding)
surrogate_gain = Quantity(
    "surrogate_gain",
    _surrogate,
    latex=r"L_{\pi_{%t-1}}(\pi_{%t}) - L_{\pi_{%t-1}}(\pi_{%t-1})",
    rounding=lambda run: _surrogate(run, error=True),
)
largest_kl = Quantity(
    "largest_kl",
    _largest_kl,
    latex=r"\max_s\mathrm{KL}(\pi_{%t-1} \| \pi_{%t})(s)",
    rounding=lambda run: _rounding(run).sum(-1).max(-1),
)
largest_tv = Quantity(
    "largest_tv",
    lambda run: abs(policy(run) - before(policy(run))).sum(-1).max(-1) / 2,
    latex=r"\max_s\mathrm{TV}(\pi_{%t-1}, \pi_{%t})(s)",
    rounding=lambda run: _rounding(run).sum(-1).max(-1),
)
epsilon = Quantity(
    "epsilon",
    lambda run: abs(exact.advantage(batch_first(run), policy(run))).max((-2, -1)),
    latex=r"\epsilon_{%t}",
    rounding=lambda run: 2 * value_rounding(run),
)
