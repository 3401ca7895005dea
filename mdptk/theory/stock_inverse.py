r"""What inverse methods with entropy share: how far a soft optimal policy is from an expert, and how smooth that is.

The causal divergence :math:`\frac{\tau}{1-\gamma} \sum_s d^E(s)\, \mathrm{KL}(\pi_E \| \pi)(s)` is, up to what does not
depend on the policy, minus tau times the log-likelihood of the expert's actions. For a policy that is soft optimal for
a reward linear in some parameters it is convex and smooth in them, with the gradient *features of the policy minus
features of the expert*.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.theory.quantity import Quantity
from mdptk.theory.theorem import Assumption


def smoothness(problem: Any, features: Array) -> float:
    r""":math:`L = \frac{|\phi| \cdot \mathrm{span}}{2 \tau (1-\gamma)^3}`, of one parameter at a time.

    :math:`\|\nabla D(\lambda) - \nabla D(\lambda')\|_\infty \le L \|\lambda - \lambda'\|_1`, with the largest absolute
    value and the largest span of a feature and zero; times their number it is a constant for the Euclidean norm.
    """
    span = float((features.max((1, 2)).clip(0) - features.min((1, 2)).clip(max=0)).max())
    size = float(abs(features).max())
    return size * span / (2 * problem.tau * (1 - problem.gamma) ** 3)


def short_step(longest: Callable[[Any], float]) -> Assumption:
    """That an algorithm's step is at most ``longest(problem)``, one over the smoothness."""

    def too_long(alg: Any, problem: Any) -> str | None:
        step, top = alg.step_size(problem), longest(problem)
        return None if step <= top * (1 + 1e-12) else f"eta = {step:g}, at most {top:g}"

    return Assumption("a step of at most one over the smoothness", too_long)


def divergence_of(problem: Any, log_pi: Array) -> Array:
    """The causal divergence of policies ``log_pi[..., s, a]`` from the expert."""
    expert = np.exp(problem.expert)
    d = exact.occupancy(problem.mdp, expert)
    kl = (expert * (problem.expert - log_pi)).sum(-1)
    return problem.tau / (1 - problem.gamma) * (d * kl).sum(-1)


def soft_return(problem: Any, log_pi: Array, r: Array) -> Any:
    r"""What policies earn of ``r[s, a]``, and tau times their causal entropy."""
    bonus = -problem.tau * (np.exp(log_pi) * log_pi).sum(-1)
    pi = np.exp(log_pi)
    d = exact.occupancy(problem.mdp, pi) / (1 - problem.gamma)
    return (d * ((pi * r).sum(-1) + bonus)).sum(-1)


def soft_rounding(run: Run, features: Array, parameters: str) -> Array:
    """Rounding error of a soft return at the recorded parameters, (repeats, records)."""
    size = exact.soft_rounding(run.problem.mdp, run.problem.tau)
    per = 64 * float(np.finfo(float).eps) * float(abs(features).max()) / (1 - run.problem.gamma) ** 2
    return 64 * size + per * (1 + abs(run[parameters]).sum(-1))


divergence = Quantity(
    "divergence",
    lambda run: divergence_of(run.problem, run["log_pi"]),
    latex=r"\tfrac{\tau}{1-\gamma} \mathbb{E}_{d^E} \mathrm{KL}(\pi_E \| \pi_{%t})",
    rounding=lambda run: 64 * exact.soft_rounding(run.problem.mdp, run.problem.tau) * (1 + _largest(run)),
)


def _largest(run: Run) -> float:
    """The largest reward that a policy of the run is soft optimal for, over those of the problem."""
    return float(abs(run["log_pi"]).max()) * run.problem.tau / max(1.0, float(abs(run.problem.goal).max()))
