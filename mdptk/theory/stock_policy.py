"""Quantities and assumptions that policy gradient and mirror descent methods share; see `mdptk.theory.stock`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sympy import Symbol

from mdptk.core import exact
from mdptk.core.algorithm import Measure
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.stock import (
    batch_first,
    before,
    gain,
    occupancy,
    optimum,
    optimum_rounding,
    per_model,
    policy,
    value_rounding,
    values,
)

Rounding = Callable[[Run], Any]

# of softmax policies: states have a field `theta` or `log_pi` of logits, and `pi` -----------------------------------


def logits(run: Run) -> Array:
    """The recorded logits, (repeats, records, S, A), the largest about 0."""
    return run.out["theta"] if "theta" in run.out else run["log_pi"]


def softmax_rounding(run: Run) -> Array:
    """Rounding error of a softmax policy: that of the logits, then of exp."""
    pi = policy(run)
    return 16 * EPS * (1 + abs(logits(run))) * (2 * pi + abs(pi - before(pi)))


def _chance(best: Array, pi: Array) -> Any:
    return (best * pi).sum(-1).min(-1)


LEAST = Measure("c", lambda truth, state: _chance(truth.optimum.pi, state.pi), "min")

softmax_gain = gain(softmax_rounding)
gradient_norm = Quantity(
    "gradient_norm",
    lambda run: np.sqrt((exact.softmax_gradient(batch_first(run), policy(run)) ** 2).sum((-2, -1))),
    latex=r"\|\nabla_\theta V^{\pi_{%t}}(\rho)\|_2",
    rounding=lambda run: 2 * optimum_rounding(run),
)
chance = Quantity("chance", lambda run: _chance(optimum(run).pi, policy(run)), latex=r"\min_s \pi_{%t}(a^*(s)|s)")
least = Quantity("least", lambda run: run["c"], latex=r"\min_{k \leq %t, s} \pi_k(a^*(s)|s)")
coverage = Quantity(
    "coverage",
    lambda run: (occupancy(run, policy(run)) / occupancy(run, optimum(run).pi)).min(-1),
    latex=r"\|d^{\pi^*}_\rho / d^{\pi_{%t}}_\rho\|_\infty^{-1}",
)
rarest = Quantity("rarest", lambda run: (1 / batch_first(run).rho).max(-1), latex=r"\|1 / \rho\|_\infty")


# with entropy: states have fields `log_pi` and `pi`, the algorithm has a field `tau` --------------------------------

tau = Symbol("tau", positive=True)


def soft_optimum(run: Run) -> exact.SoftOptimum:
    """What is optimal with entropy, with a records axis behind a batch axis."""
    best = exact.soft_optimal(run.problem, run.alg.tau)
    return best if not run.problem.batch else exact.SoftOptimum(*(x[:, None] for x in best))


def soft_values(run: Run) -> Array:
    """Values with entropy of the recorded policies, (repeats, records, S), computed once for each run."""
    if "soft values" not in run.cache:
        run.cache["soft values"] = exact.soft_evaluate(batch_first(run), run["log_pi"], run.alg.tau)
    return run.cache["soft values"]


def soft_action_values(run: Run) -> Array:
    """Action values with entropy of the recorded policies, (repeats, records, S, A)."""
    return batch_first(run).q(soft_values(run))


def soft_value_rounding(run: Run) -> float:
    """Rounding error of a value with entropy."""
    return exact.soft_rounding(run.problem, run.alg.tau)


def soft_optimum_rounding(run: Run) -> float:
    """Rounding error of the optimal values with entropy."""
    return 2 * soft_value_rounding(run) / (1 - run.problem.gamma)


def _log_rounding(run: Run) -> Array:
    """How far rounding may put log pi_t - log pi*, (repeats, records)."""
    return 2 * soft_optimum_rounding(run) / run.alg.tau + 16 * EPS * abs(run["log_pi"]).max((-2, -1))


def soft_kl(forward: bool, error: Rounding) -> Quantity:
    """``KL(pi_t || pi_{t-1})`` or the other way round, from the occupancy of pi_t; `error` is that of log pi_t."""
    new, old = r"\pi_{%t}", r"\pi_{%t-1}"

    def kl(run: Run) -> Array:
        log_pi, pi = run["log_pi"], policy(run)
        change = log_pi - before(log_pi)
        kl = (pi * change).sum(-1) if forward else -(before(pi) * change).sum(-1)
        return (exact.occupancy(batch_first(run), pi) * kl).sum(-1)

    return Quantity(
        "forward_kl" if forward else "backward_kl",
        kl,
        latex=r"\mathbb{E}_{s\sim d^{\pi_{%t}}_\rho}\mathrm{KL}("
        + (rf"{new} \| {old}" if forward else rf"{old} \| {new}")
        + ")(s)",
        rounding=error,
    )


q_error = Quantity(
    "q_error",
    lambda run: abs(soft_optimum(run).q - soft_action_values(run)).max((-2, -1)),
    latex=r"\|Q_\tau^* - Q_\tau^{\pi_{%t}}\|_\infty",
    rounding=soft_optimum_rounding,
)
log_error = Quantity(
    "log_error",
    lambda run: abs(soft_optimum(run).log_pi - run["log_pi"]).max((-2, -1)),
    latex=r"\|\log\pi_\tau^* - \log\pi_{%t}\|_\infty",
    rounding=_log_rounding,
)
soft_return = Quantity(
    "value",
    lambda run: (batch_first(run).rho * soft_values(run)).sum(-1),
    latex=r"V_\tau^{\pi_{%t}}(\rho)",
    rounding=soft_value_rounding,
)
soft_least_gain = Quantity(
    "least_gain",
    lambda run: (soft_action_values(run) - before(soft_action_values(run))).min((-2, -1)),
    latex=r"\min_{s,a}\,[Q_\tau^{\pi_{%t}}(s, a) - Q_\tau^{\pi_{%t-1}}(s, a)]",
    rounding=lambda run: 2 * soft_value_rounding(run),
)


def _divergence_from_optimum(run: Run) -> Array:
    """``KL(pi_t || pi*)`` from the occupancy of pi_t, a sum of terms that are not negative."""
    log_star = soft_optimum(run).log_pi
    x, pi, star = run["log_pi"] - log_star, policy(run), np.exp(log_star)
    near = np.where(abs(x) < 1, x, 0.0)
    terms = np.where(abs(x) < 1, star * (near * np.exp(near) - np.expm1(near)), pi * x - pi + star)
    return (exact.occupancy(batch_first(run), policy(run)) * terms.sum(-1)).sum(-1)


def _divergence_rounding(run: Run) -> Array:
    """KL(p || q) moves with the logarithms by sum |p - q| times their error, and by its square."""
    d, off = exact.occupancy(batch_first(run), policy(run)), _log_rounding(run)
    apart = abs(policy(run) - np.exp(soft_optimum(run).log_pi)).sum(-1)
    return (d * apart).sum(-1) * off + off**2


divergence_from_optimum = Quantity(
    "KL_star",
    _divergence_from_optimum,
    latex=r"\mathbb{E}_{s\sim d^{\pi_{%t}}_\rho}\mathrm{KL}(\pi_{%t} \| \pi_\tau^*)(s)",
    rounding=_divergence_rounding,
)
soft_suboptimality = Quantity(
    "soft_suboptimality",
    lambda run: run.alg.tau / (1 - run.problem.gamma) * _divergence_from_optimum(run),
    latex=r"V_\tau^*(\rho) - V_\tau^{\pi_{%t}}(\rho)",
    rounding=lambda run: run.alg.tau / (1 - run.problem.gamma) * _divergence_rounding(run),
)
soft_gap_by_values = Quantity(
    "soft_gap_by_values",
    lambda run: (batch_first(run).rho * (soft_optimum(run).v - soft_values(run))).sum(-1),
    latex=r"V_\tau^*(\rho) - V_\tau^{\pi_{%t}}(\rho)",
    rounding=soft_optimum_rounding,
)


def _soft_gain(run: Run, error: Any = 0.0) -> tuple[Array, Array]:
    """The performance difference with entropy between consecutive policies, and its rounding error."""
    problem, log_pi, pi, weight = batch_first(run), run["log_pi"], policy(run), run.alg.tau
    d = exact.occupancy(problem, pi) / (1 - problem.gamma)
    advantage, change = before(exact.soft_advantage(problem, log_pi, weight)), pi - before(pi)
    log_change = log_pi - before(log_pi)
    terms = (change * advantage).sum(-1) - weight * (pi * log_change).sum(-1)
    ulp = 16 * EPS * (1 + abs(log_pi) + abs(before(log_pi)))
    slack = soft_value_rounding(run) * abs(change) + error * abs(advantage) + weight * pi * ulp * (1 + abs(log_change))
    return (d * terms).sum(-1), (abs(d) * slack.sum(-1)).sum(-1)


soft_gain = Quantity(
    "gain",
    lambda run: _soft_gain(run)[0],
    latex=r"V_\tau^{\pi_{%t}}(\rho) - V_\tau^{\pi_{%t-1}}(\rho)",
    rounding=lambda run: _soft_gain(run, softmax_rounding(run))[1],
)
soft_gradient_norm = Quantity(
    "gradient_norm",
    lambda run: np.sqrt((exact.soft_softmax_gradient(batch_first(run), run["log_pi"], run.alg.tau) ** 2).sum((-2, -1))),
    latex=r"\|\nabla_\theta V_\tau^{\pi_{%t}}(\rho)\|_2",
    rounding=soft_optimum_rounding,
)
soft_mismatch = Quantity(
    "mismatch",
    lambda run: (occupancy(run, np.exp(soft_optimum(run).log_pi)) / batch_first(run).rho).max(-1),
    latex=r"\|d^{\pi_\tau^*}_\rho / \rho\|_\infty",
)


# of policy mirror descent ------------------------------------------------------------------------------------------


def optimal_visits(run: Run) -> Array:
    """Occupancy of an optimal policy, (repeats, records, S)."""
    return occupancy(run, optimum(run).pi)


def advantage_before(run: Run) -> Array:
    """Advantages of the policy one record earlier, (repeats, records, S, A)."""
    return before(exact.advantage(batch_first(run), policy(run)))


def advance(error: Rounding) -> Quantity:
    """What a step gains to first order where an optimal policy goes; `error` is that of a recorded probability."""

    def rounding(run: Run) -> Any:
        change = abs(policy(run) - before(policy(run)))
        off = value_rounding(run) * change + error(run) * abs(advantage_before(run))
        return (optimal_visits(run) * off.sum(-1)).sum(-1) + value_rounding(run)

    return Quantity(
        "advance",
        lambda run: np.einsum(
            "...s,...sa,...sa->...", optimal_visits(run), advantage_before(run), policy(run) - before(policy(run))
        ),
        latex=r"\mathbb{E}_{s\sim d^{\pi^*}_\rho}\langle Q^{\pi_{%t-1}}(s, \cdot),"
        r" \pi_{%t}(\cdot|s)-\pi_{%t-1}(\cdot|s)\rangle",
        rounding=rounding,
    )


def least_value_gain(error: Rounding) -> Quantity:
    """The least gain of a state in one step; `error` is that of a recorded probability, a number for each model."""

    def rounding(run: Run) -> Any:
        moved = run.problem.A * error(run) * abs(run.problem.r).max() / (1 - run.problem.gamma) ** 2
        return 2 * value_rounding(run) + moved

    return Quantity(
        "least_gain",
        lambda run: (values(run) - before(values(run))).min(-1),
        latex=r"\min_s\,[V^{\pi_{%t}}(s) - V^{\pi_{%t-1}}(s)]",
        rounding=rounding,
    )


# of optimal action values ------------------------------------------------------------------------------------------


def _loss(run: Run) -> Array:
    """``V*(s) - Q*(s, a)``, zero for what is optimal within rounding."""
    loss = run.truth.optimum.q.max(-1, keepdims=True) - run.truth.optimum.q
    return np.where(loss > 4 * optimum_rounding(run), loss, 0.0)


def _least_positive(loss: Array) -> Any:
    return np.where(loss > 0, loss, np.inf).min((-2, -1))


largest_loss = Quantity(
    "largest_loss",
    lambda run: per_model(_loss(run).max((-2, -1))),
    latex=r"\|V^* - Q^*\|_\infty",
    rounding=lambda run: 4 * optimum_rounding(run),
)
action_gap = Quantity(
    "action_gap",
    lambda run: per_model(_least_positive(_loss(run))),
    latex=r"\Delta",
    rounding=lambda run: 4 * optimum_rounding(run),
)


def span_smoothness(problem: MDP) -> Any:
    r"""``8 span(r) / (1 - gamma)^3``: how smooth the value is in the logits, (...), one for each model.

    Mei et al. 2020, Lemma 7, for rewards that are shifted and scaled.
    """
    return 8 * (problem.r.max((-2, -1)) - problem.r.min((-2, -1))) / (1 - problem.gamma) ** 3
