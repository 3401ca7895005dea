r"""How far natural policy gradient on a Lagrangian is from an optimal policy: what its primal-dual methods share.

For the step :math:`\log \pi' = \log \pi + \frac{\eta}{1-\gamma} A - \log Z`, with the advantage A of :math:`\pi` at any
prices :math:`\lambda`, and any policy :math:`\pi^*` with its occupancy :math:`d^*`,

.. math::

   \mathrm{KL}_{d^*}(\pi^*\|\pi') = \mathrm{KL}_{d^*}(\pi^*\|\pi)
     - \eta\,\big(L(\pi^*, \lambda) - L(\pi, \lambda)\big) + \mathbb{E}_{s \sim d^*}[\log Z(s)].

Functions of a run that records `pi`, `log_pi`, prices and what is earned and spent; the policy is the one that `solve`
certifies for `problem`, which may have other budgets than the one that was run.
"""

from __future__ import annotations

import numpy as np

from mdptk.core import exact
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.theory.quantity import EPS
from mdptk.theory.stock_constrained import optimum, priced_action_values, returns_rounding


def visits(problem: CMDP) -> Array:
    """The state occupancy of the optimal policy, (S,)."""
    return exact.occupancy(problem.mdp, optimum(problem).policy)


def kl_to_optimal(run: Run, problem: CMDP) -> Array:
    r""":math:`\mathbb{E}_{s\sim d^*} \mathrm{KL}(\pi^*(s)\|\pi_t(s))`, (repeats, records)."""
    star = optimum(problem).policy
    log_star = np.log(np.where(star > 0, star, 1))
    return (star * (log_star - run["log_pi"])).sum(-1) @ visits(problem)


def mean_log_normaliser(run: Run, problem: CMDP, prices: str) -> Array:
    """The mean of log Z over the states that the optimal policy visits, at the recorded `prices`."""
    q = priced_action_values(run.problem, run["pi"], run[prices])
    advantage = q - (run["pi"] * q).sum(-1, keepdims=True)
    moved = run["log_pi"] + run.alg.eta / (1 - run.problem.gamma) * advantage
    top = moved.max(-1)
    return (top + np.log(np.exp(moved - top[..., None]).sum(-1))) @ visits(problem)


def price_rounding(run: Run, prices: str) -> Array:
    """Of a Lagrangian at the recorded `prices`."""
    return 2 * returns_rounding(run.problem) * (1 + run[prices].sum(-1))


def normaliser_rounding(run: Run, prices: str) -> Array:
    """Of `mean_log_normaliser`."""
    return 2 * run.alg.eta / (1 - run.problem.gamma) * price_rounding(run, prices) + 16 * EPS


def policy_rounding(run: Run) -> Array:
    """Of log-probabilities that were normalised t times, in a mean over states."""
    return 16 * EPS * (1 + run.t) * (1 + np.maximum.accumulate(abs(run["log_pi"]).max((-2, -1)), axis=1))


def saddle_error(run: Run, problem: CMDP, prices: str) -> Array:
    """How far the certified policy and multipliers are from a saddle point, at the prices of a run."""
    found = optimum(problem)
    return found.width + found.violation * (run[prices].sum(-1) + found.multipliers.sum())
