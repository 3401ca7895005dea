r"""The saddle point of the Lagrangian with entropy and a square: the yardstick of regularised primal-dual methods.

Quantities of a run whose states have `log_pi`, `pi` and `lam`, with step size `eta` and regularisation `tau`: the
distance from the saddle, and what a step adds to it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.stock_constrained import excess, last, priced_action_values, returns_rounding


class Saddle(NamedTuple):
    r"""A point :math:`(\pi, \lambda)` such that :math:`L_\tau(\pi', \lambda) - L_\tau(\pi, \lambda') \leq` `error`."""

    log_pi: Array  # (S, A): the best response to lam
    d: Array  # (S,): its state occupancy, normalised to one
    lam: Array  # (m,)
    error: float


@lru_cache(maxsize=64)
def regularised_saddle(problem: CMDP, tau: float, bound: float) -> Saddle:
    r"""The saddle of :math:`V_r - \lambda \cdot (V_c - b) + \tau H + \tfrac\tau2\|\lambda\|_2^2`, up to `bound`.

    The dual function is smooth and strongly convex, with the gradient :math:`b - V_c + \tau\lambda` at the policy that
    is best with entropy: quasi-Newton steps, then Newton's on the multipliers that are free. The error is computed from
    the result, not from how it was found.
    """
    from scipy.optimize import minimize  # only where it is needed: half a second

    def dual(lam: Array) -> tuple[float, Array]:
        priced = problem.penalised(lam)
        best = exact.soft_optimal.__wrapped__(priced, tau)
        over = exact.returns(problem, np.exp(best.log_pi))[1:] - problem.b
        return float(problem.mdp.rho @ best.v + lam @ problem.b + tau / 2 * lam @ lam), tau * lam - over

    box = [(0.0, bound)] * problem.m
    lam = minimize(dual, np.zeros(problem.m), jac=True, bounds=box, method="L-BFGS-B", options={"ftol": 1e-15}).x
    points = [lam]
    for _ in range(4):
        g, h = dual(lam)[1], 1e-6 * (1 + lam)
        free = (lam > 0) & (lam < bound) | ((lam <= 0) & (g < 0)) | ((lam >= bound) & (g > 0))
        if not free.any():
            break
        H = np.stack([(dual(lam + e)[1] - g) / e.sum() for e in np.diag(h)[free]], axis=-1)[free]
        step = np.zeros(problem.m)
        step[free] = -np.linalg.solve(H + H.T, 2 * g[free])
        lam = np.clip(lam + step, 0, bound)
        points.append(lam)
    lam, error = min(((x, _error(dual(x)[1], x, tau, bound)) for x in points), key=lambda found: found[1])
    log_pi = exact.soft_optimal.__wrapped__(problem.penalised(lam), tau).log_pi
    return Saddle(log_pi, exact.occupancy(problem.mdp, np.exp(log_pi)), lam, error)


def _error(g: Array, lam: Array, tau: float, bound: float) -> float:
    r"""What :math:`\lambda` can still lower of :math:`L_\tau(\pi, \cdot)`, a sum of parabolas with the gradient g."""
    best = np.clip(lam - g / tau, 0, bound)
    return float((g * (lam - best) - tau / 2 * (lam - best) ** 2).sum())


# of runs --------------------------------------------------------------------------------------------------------


def _saddle(run: Run) -> Saddle:
    return regularised_saddle(run.problem, run.alg.tau, run.alg.multiplier_bound(run.problem))


def _potential(run: Run) -> Array:
    star = _saddle(run)
    kl = np.maximum((np.exp(star.log_pi) * (star.log_pi - run["log_pi"])).sum(-1), 0)  # rounding below zero is zero
    return kl @ star.d / (1 - run.problem.gamma) + ((star.lam - run["lam"]) ** 2).sum(-1) / 2


def _remainder(run: Run) -> Array:
    """What one step from each record adds, of second order: log E exp(eta A_t), and the square of the price's move."""
    star, alg, pi = _saddle(run), run.alg, run["pi"]
    q = priced_action_values(run.problem, pi, run["lam"], -alg.tau * run["log_pi"])
    x = alg.eta * (q - (pi * q).sum(-1, keepdims=True))
    cumulant = _log_mean_exp(run["log_pi"], x) @ star.d / (1 - run.problem.gamma)
    move = excess(run, last(run)) - alg.tau * run["lam"]
    return cumulant + alg.eta**2 * (move**2).sum(-1) / 2


def _log_mean_exp(log_pi: Array, x: Array) -> Array:
    top = (log_pi + x).max(-1)
    return top + np.log(np.exp(log_pi + x - top[..., None]).sum(-1))


def _rounding(run: Run) -> Array:
    """Rounding error of the potential: t updates of log-probabilities, and a saddle that is one up to its own gap."""
    problem, alg = run.problem, run.alg
    size = 1 + abs(run["log_pi"]).max((-2, -1)) + run["lam"].max(-1)
    step = 16 * EPS * size + 2 * alg.eta * returns_rounding(problem) * (1 + run["lam"].sum(-1)) / (1 - problem.gamma)
    return (1 + run.t) * np.maximum.accumulate(step, axis=1) / (1 - problem.gamma) + alg.eta * _saddle(run).error


potential = Quantity("Phi", _potential, latex=r"\Phi_{%t}", rounding=_rounding)
remainder = Quantity("remainder", _remainder, latex=r"\epsilon_{%t}", rounding=_rounding)
