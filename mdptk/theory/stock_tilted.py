r"""The dual function of a problem of one step with a penalty on the entropy, in closed form, and quantities of it.

A run's states have multipliers `lam`, and the policy tilted at them, `pi`, with its logarithm; the algorithm has `beta`
and a `step_size`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.stock import before
from mdptk.theory.stock_constrained import excess, last, returns_rounding


def smoothness(problem: CMDP) -> float:
    r"""A bound on :math:`\beta` times the Hessian: the largest variance of each cost in a state, summed."""
    return float((np.ptp(problem.c, axis=2) ** 2).max(1).sum() / 4)


def tilt(problem: CMDP, lam: Array, beta: float) -> Array:
    r""":math:`(r - \lambda \cdot c)/\beta`, by which the uniform policy is tilted: (..., S, A) for ``lam[..., i]``."""
    return (problem.mdp.r - np.einsum("...i,isa->...sa", lam, problem.c)) / beta


def dual(problem: CMDP, lam: Array, beta: float) -> Any:
    r""":math:`D(\lambda)` for ``lam[..., i]``, by the logarithm of a sum."""
    x = tilt(problem, lam, beta)
    top = x.max(-1)
    log_z = top + np.log(np.exp(x - top[..., None]).mean(-1))
    return beta * log_z @ problem.mdp.rho + lam @ problem.b


@lru_cache(maxsize=64)
def _minimiser(problem: CMDP, beta: float) -> tuple[Array, float]:
    """The least point of D, and how far D may be above its minimum there, within twice that distance of zero."""
    from scipy.optimize import minimize  # only where it is needed: half a second

    def value(lam: Array) -> tuple[float, Array]:
        pi = exact.softmax(tilt(problem, lam, beta))
        return float(dual(problem, lam, beta)), problem.b - exact.returns(problem, pi)[1:]

    lam = minimize(value, np.zeros(problem.m), jac=True, bounds=[(0, None)] * problem.m, method="L-BFGS-B",
                   options={"ftol": 0, "gtol": 1e-13, "maxiter": 1000}).x  # fmt: skip
    g = value(lam)[1]
    return lam, float(abs(g @ lam) - np.minimum(g, 0).sum() * (1 + 2 * np.linalg.norm(lam)))


def _penalised(run: Run) -> Array:
    """The Lagrangian with the penalty, at the recorded policies and prices."""
    entropy = (run["pi"] * (run["log_pi"] + np.log(run.problem.A))).sum(-1) @ run.problem.mdp.rho
    return last(run)[..., 0] - run.alg.beta * entropy - (run["lam"] * excess(run, last(run))).sum(-1)


def _divergence(run: Run) -> Array:
    """KL(pi_{t-1} || pi_t), in the mean over prompts."""
    old, log_old = before(run["pi"]), before(run["log_pi"])
    return (old * (log_old - run["log_pi"])).sum(-1) @ run.problem.mdp.rho


def _slope(run: Run) -> Array:
    """The gradient at the old multipliers, times the step."""
    return -(before(excess(run, last(run))) * (run["lam"] - before(run["lam"]))).sum(-1)


def _rounding(run: Run) -> Array:
    size = 1 + abs(run["lam"]).sum(-1) + run.alg.beta * np.log(run.problem.A)
    return 4 * (returns_rounding(run.problem) + 8 * EPS * run.problem.A) * np.maximum.accumulate(size, axis=1)


D = Quantity("D", lambda run: dual(run.problem, run["lam"], run.alg.beta), latex=r"D(\lambda_{%t})", rounding=_rounding)
lagrangian = Quantity("lagrangian", _penalised, latex=r"L_\beta(\pi_{%t}, \lambda_{%t})", rounding=_rounding)
divergence = Quantity(
    "divergence",
    _divergence,
    latex=r"\mathrm{KL}(\pi_{%t-1}\|\pi_{%t})",
    rounding=lambda run: _rounding(run) / run.alg.beta,
)
slope = Quantity(
    "slope",
    _slope,
    latex=r"\nabla D(\lambda_{%t-1}) \cdot (\lambda_{%t} - \lambda_{%t-1})",
    rounding=_rounding,
)
suboptimality = Quantity(
    "suboptimality",
    lambda run: dual(run.problem, run["lam"], run.alg.beta) - dual(run.problem, *_best(run)),
    latex=r"D(\lambda_{%t}) - \min D",
    rounding=lambda run: 2 * _rounding(run) + _minimiser(run.problem, run.alg.beta)[1],
)
lam_beta = Quantity(
    "lam_beta",
    lambda run: np.linalg.norm(_best(run)[0]),
    latex=r"\|\lambda^*_\beta\|_2",
    rounding=lambda run: 1e-7 * np.linalg.norm(_best(run)[0]),
)
step = Quantity("step", lambda run: run.alg.step_size(run.problem), latex=r"\eta")


def _best(run: Run) -> tuple[Array, float]:
    return _minimiser(run.problem, run.alg.beta)[0], run.alg.beta
