r"""Quantities of policies that follow a fit f of the action values, which need not be good.

States have fields ``log_pi`` and ``pi[s, a]`` and, if they are log-linear, ``theta[i]``; and of the step that led to
them: the weights ``w[i]``, if any, and the fit ``f[s, a]`` of the values of the policy before, so that
:math:`\pi_t \propto \pi_{t-1} \exp(\eta f_t)`.
"""

from __future__ import annotations

import numpy as np

from mdptk.core import exact
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.stock import batch_first, before, optimum, policy, suboptimality, value_rounding
from mdptk.theory.stock_policy import optimal_visits


def _rounding(run: Run) -> Array:
    """How far rounding may put log pi_t, (repeats, records): a sum over the features, and its normaliser."""
    terms = abs(run["theta"]).sum(-1) if "theta" in run.out else 0.0
    return 16 * EPS * (run.problem.A + terms + abs(run["log_pi"]).max((-2, -1)))


def _mean_so_far(x: Array) -> Array:
    """Mean over the steps before t of what was recorded when they were made; nan at 0."""
    t = np.arange(x.shape[1], dtype=x.dtype)
    steps = np.where(t > 0, x, 0.0)
    return np.cumsum(steps, axis=1) / np.where(t > 0, t, np.nan)


def _to_optimum(run: Run) -> Array:
    return -(optimal_visits(run) * (optimum(run).pi * run["log_pi"]).sum(-1)).sum(-1)


def _log_normaliser(run: Run) -> Array:
    """``E_{d*} log E_{pi_{t-1}} exp(eta (f - E f))``, the largest exponent taken out."""
    x = run.alg.eta * run["f"] + before(run["log_pi"])
    top = x.max(-1)
    mean = run.alg.eta * (before(policy(run)) * run["f"]).sum(-1)
    return (optimal_visits(run) * (top + np.log(np.exp(x - top[..., None]).sum(-1)) - mean)).sum(-1)


def _misfit(run: Run) -> Array:
    """``E_{d*} <pi* - pi_{t-1}, Q_{t-1} - f_t>``."""
    rest = before(exact.action_values(batch_first(run), policy(run))) - run["f"]
    return (optimal_visits(run) * ((optimum(run).pi - before(policy(run))) * rest).sum(-1)).sum(-1)


def _misfit_rounding(run: Run) -> Array:
    terms = abs(run["w"]).sum(-1) if "w" in run.out else _rounding(run) / EPS / run.alg.eta
    return 2 * value_rounding(run) + 32 * EPS * (abs(run["f"]).max((-2, -1)) + terms)


divergence = Quantity(
    "D",
    _to_optimum,
    latex=r"\mathbb{E}_{s\sim d^{\pi^*}_\rho}\mathrm{KL}(\pi^* \| \pi_{%t})(s)",
    rounding=_rounding,
)
log_normaliser = Quantity(
    "log_normaliser",
    _log_normaliser,
    latex=r"\mathbb{E}_{s\sim d^{\pi^*}_\rho}\log Z_{%t}(s)",
    rounding=lambda run: _rounding(run) + before(_rounding(run)) + run.alg.eta * _misfit_rounding(run),
)
misfit = Quantity(
    "misfit",
    _misfit,
    latex=r"\mathbb{E}_{s\sim d^{\pi^*}_\rho}\langle\pi^* - \pi_{%t-1}, Q^{\pi_{%t-1}} - f_{%t}\rangle(s)",
    rounding=_misfit_rounding,
)
mean_misfit = Quantity(
    "mean_misfit",
    lambda run: _mean_so_far(misfit.values(run)),
    latex=r"\tfrac1t\sum_{k \leq %t} \mathbb{E}_{s\sim d^{\pi^*}_\rho}"
    r"\langle\pi^* - \pi_{k-1}, Q^{\pi_{k-1}} - f_k\rangle(s)",
    rounding=lambda run: np.nan_to_num(_mean_so_far(misfit.error(run))),
)
regret = Quantity(
    "regret",
    lambda run: _mean_so_far(before(suboptimality.values(run))),
    latex=r"\tfrac1t\sum_{k < %t} [V^*(\rho) - V^{\pi_k}(\rho)]",
    trivial=suboptimality.trivial,
    rounding=lambda run: np.nan_to_num(_mean_so_far(before(suboptimality.error(run)))),
)
longest = Quantity(
    "W",
    lambda run: np.maximum.accumulate((run["w"] ** 2).sum(-1), axis=1),
    latex=r"\max_{k \leq %t}\|w_k\|_2^2",
)
