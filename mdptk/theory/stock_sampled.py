"""Quantities and assumptions that sampled policy gradients share.

States have a field `theta`: logits (H, S, A). Those with a critic have a field `v`: values (H + 1, S), of which the
last row is zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sympy import Symbol, sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Measure
from mdptk.core.estimators import bootstrap_bias, expected_gae
from mdptk.theory.quantity import Quantity, previous
from mdptk.theory.stock import unit_rewards
from mdptk.theory.symbols import H, eta, t
from mdptk.theory.theorem import Assumption, Asymptotic, Cite, Theorem


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


# with a critic: the algorithm has a field `lam`, the weight of later temporal differences ----------------------------

lam = Symbol("lam", nonnegative=True)


def critic_measure(weight: Any) -> Measure:
    """Bias, its formula and the error of a critic whose temporal differences are weighted by powers of ``weight(x)``.

    One measure of three numbers, since all of them ask for the values of the policy.
    """

    def of(truth: exact.Truth, x: Any) -> Any:
        problem, pi, lam = truth.problem, exact.softmax(x.theta), weight(x)
        xp, d = exact.namespace(pi), exact.occupancy(problem, pi)[..., None]
        e = x.v - exact.evaluate(problem, pi)

        def estimate(w: Any) -> Any:
            return d * pi * (w - (pi * w).sum(-1, keepdims=True))

        off = estimate(expected_gae(problem, pi, x.v, lam)) - exact.softmax_gradient(problem, pi)
        formula = estimate(bootstrap_bias(problem, pi, e, lam))
        return xp.stack([(off**2).sum() ** 0.5, (formula**2).sum() ** 0.5, abs(e[1:]).max()])

    return Measure("critic", of)


def _bias_rounding(run: Any) -> Any:
    """Of a norm of H S A numbers, each off by a few roundings of a value."""
    return 4 * exact.rounding(run.problem) * (run.problem.H * run.problem.S * run.problem.A) ** 0.5


bias = Quantity(
    "bias",
    lambda run: run["critic"][..., 0],
    latex=r"\|\mathbb{E}\, \hat g_{%t} - \nabla_\theta V^{\pi_{%t}}(\rho)\|_2",
    rounding=_bias_rounding,
)
bootstrapped = Quantity(
    "bootstrapped",
    lambda run: run["critic"][..., 1],
    latex=r"\big\| d_h \pi_h \big(b_h - \langle \pi_h, b_h \rangle\big) \big\|_2",
    rounding=_bias_rounding,
)
critic_error = Quantity(
    "critic_error",
    lambda run: run["critic"][..., 2],
    latex=r"\max_{h > 1, s} |v_h - V_h^{\pi_{%t}}|(s)",
    rounding=lambda run: exact.rounding(run.problem),
)

SCHULMAN, EVERY_CRITIC = "schulman2016high", "it holds for every policy and every critic, learned or not"
BIAS_FORMULA = Theorem(
    name="bias of the estimate",
    cite=Cite(SCHULMAN, "section 3, the bias worked out"),
    lhs=bias,
    rhs=bootstrapped,
    relation="=",
    since=0,
    reason="derived: b_h(s, a) is `mdptk.core.estimators.bootstrap_bias` of the errors of the critic",
)
BIAS_BOUND = Theorem(
    name="bias of a wrong critic",
    cite=Cite(SCHULMAN, "section 3, with a constant of proofs/"),
    lhs=bias,
    rhs=(1 - lam ** (H - 1)) * sqrt((H - 1) / 2) * critic_error,
    since=0,
    reason="derived in proofs/",
    silent=EVERY_CRITIC,
    proof="policy_gradient/critic",
)


# from data that are not drawn from the policy: states have its logits `before`, and the estimate `g` ----------------


def parts_measure(data: Any) -> Measure:
    """The norm of the gradient's error, as it is and as the sum of its parts, and the squared sampling error.

    ``data(x)`` are how often each action was taken and what was earned then, sums of returns to go, (H, S, A) both.
    """

    def of(truth: exact.Truth, x: Any) -> Any:
        problem, pi = truth.problem, exact.softmax(x.before)
        xp, (n, G) = exact.namespace(pi), data(x)
        count = n.sum(-1, keepdims=True)
        q, d, N = exact.action_values(problem, pi), exact.occupancy(problem, pi)[..., None], count[0].sum()
        N = xp.maximum(N, 1)
        off = n - count * pi
        e = (G - n * q) / N + off / N * q + (count / N - d) * pi * q
        wrong, parts = x.g - exact.softmax_gradient(problem, pi), e - pi * e.sum(-1, keepdims=True)
        return xp.stack([(wrong**2).sum() ** 0.5, (parts**2).sum() ** 0.5, (off**2).sum()])

    return Measure("error", of)


def _parts_rounding(run: Any) -> float:
    return 16 * exact.rounding(run.problem) * np.sqrt(run.problem.H * run.problem.S * run.problem.A)


gradient_error = Quantity(
    "gradient_error",
    lambda run: run["error"][..., 0],
    latex=r"\|\hat g_{%t-1} - \nabla_\theta V^{\pi_{%t-1}}(\rho)\|_2",
    rounding=_parts_rounding,
)
sum_of_parts = Quantity(
    "sum_of_parts",
    lambda run: run["error"][..., 1],
    latex=r"\big\|e - \pi \langle 1, e \rangle\big\|_2,\; e = \tfrac{n}{N} (\bar G - Q)"
    r" + \tfrac{n_s}{N} \big(\tfrac{n}{n_s} - \pi\big) Q + \big(\tfrac{n_s}{N} - d\big) \pi Q",
    rounding=_parts_rounding,
)
PARTS = Theorem(
    name="parts of the error",
    cite=Cite("zhong2022robust", "what sampling error is, worked out for a gradient"),
    lhs=gradient_error,
    rhs=sum_of_parts,
    relation="=",
    reason="derived: n and the mean return G are what the batch has; Q, d and the policy are what they stand for",
)


# of steps of length eta / (t + 1) along a direction `d` that was made for the logits `before` ------------------------


def _step_of(truth: exact.Truth, x: Any) -> Any:
    g = exact.softmax_gradient(truth.problem, exact.softmax(x.before))
    xp = exact.namespace(g)
    return xp.stack([(g**2).sum() ** 0.5, ((x.d - g) ** 2).sum() ** 0.5])


NORMALISED_MEASURES = (MEASURES[0], Measure("last_step", _step_of))

gradient_before = Quantity(
    "gradient_before",
    lambda run: run["last_step"][..., 0],
    latex=r"\|\nabla_\theta V^{\pi_{%t-1}}(\rho)\|_2",
    rounding=_bias_rounding,
)
direction_error = Quantity(
    "direction_error",
    lambda run: run["last_step"][..., 1],
    latex=r"\|d_{%t-1} - \nabla_\theta V^{\pi_{%t-1}}(\rho)\|_2",
    rounding=_bias_rounding,
)
NORMALISED_ASCENT = Theorem(
    name="ascent of a normalised step",
    cite=Cite("cutkosky2020momentum", "Lemma 2 in substance, with the smoothness of proofs/"),
    assumes=(unit_rewards,),
    lhs=gap,
    rhs=previous(gap) - eta / (t + 1) * (gradient_before - 2 * direction_error) + H * (eta / (t + 1)) ** 2 / 4,
    consecutive=True,
    reason="derived in proofs/",
    silent="a direction of zero is wrong by the whole gradient; it is broken by steps that do not follow the direction",
    proof="policy_gradient/normalised_step",
)


def direction(d: Any) -> Any:
    """The unit vector along d, or zero."""
    xp = exact.namespace(d)
    norm = (d**2).sum() ** 0.5
    return d / xp.where(norm > 0, norm, 1.0)


HARPG_RATE = Theorem(
    name="rate of the gap",
    cite=Cite("fatkhullin2023stochastic", "the rate of the abstract: a sample complexity of order epsilon^-2"),
    assumes=(unit_rewards,),
    lhs=gap,
    rhs=t ** (-1 / 2),
    holds=Asymptotic(-1 / 2),
    status="order-only",
    reason="constants unknown; asks for a Fisher matrix that is nowhere degenerate, which a softmax policy has not",
)
