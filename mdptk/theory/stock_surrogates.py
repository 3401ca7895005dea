"""What methods that ascend a surrogate with a drift have in common: quantities, and the theorems themselves.

The algorithm has `surrogate`; states have ``log_pi`` and ``pi``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sympy import Symbol

from mdptk.core import exact
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.core.surrogates import SMALLEST, promised
from mdptk.theory.quantity import EPS, Quantity, initial
from mdptk.theory.stock import batch_first, before, gain, policy, policy_error, unit_rewards, value_rounding
from mdptk.theory.stock_policy import advantage_before, least_value_gain
from mdptk.theory.theorem import Cite, Start, Theorem


def rounding(run: Run) -> Array:
    """Rounding error of the recorded probabilities, each."""
    pi = policy(run)
    return 16 * EPS * run.problem.A * (1 + abs(run["log_pi"])) * (pi + before(pi))


def _mean(run: Run, x: Array) -> Array:
    """Over the visits of the policy before, (repeats, records)."""
    d = before(exact.occupancy(batch_first(run), policy(run)))
    return (d * x).sum(-1) / (1 - run.problem.gamma)


def _surrogate(run: Run) -> Array:
    return _mean(run, (advantage_before(run) * (policy(run) - before(policy(run)))).sum(-1))


def _drift(run: Run) -> Array:
    old, new = before(run["log_pi"]), run["log_pi"]
    ratio = np.maximum(np.exp(new - old), SMALLEST)
    return (np.exp(old) * run.alg.surrogate.drift(ratio, advantage_before(run))).sum(-1)


def _surrogate_rounding(run: Run) -> Array:
    change = abs(policy(run) - before(policy(run)))
    off = value_rounding(run) * change + rounding(run) * abs(advantage_before(run))
    return _mean(run, off.sum(-1) + 4 * value_rounding(run))


def _least_promise(run: Run) -> Array:
    return promised(run.alg.surrogate, before(run["log_pi"]), run["log_pi"], advantage_before(run)).min(-1)


surrogate_gain = Quantity(
    "surrogate_gain",
    _surrogate,
    latex=r"L_{\pi_{%t-1}}(\pi_{%t}) - L_{\pi_{%t-1}}(\pi_{%t-1})",
    rounding=_surrogate_rounding,
)
mean_drift = Quantity(
    "mean_drift",
    lambda run: _mean(run, _drift(run)),
    latex=r"\tfrac{1}{1-\gamma}\mathbb{E}_{s\sim d^{\pi_{%t-1}}_\rho}\mathfrak{D}_{\pi_{%t-1}}(\pi_{%t})(s)",
    rounding=_surrogate_rounding,
)


def _paid(run: Run) -> Array:
    """The drift over the visits of the new policy."""
    d = exact.occupancy(batch_first(run), policy(run))
    return (d * _drift(run)).sum(-1) / (1 - run.problem.gamma)


def _paid_rounding(run: Run) -> Array:
    """Of the drift, and what a surrogate may fall short of zero by."""
    off = (value_rounding(run) * before(policy(run)) + rounding(run) * abs(advantage_before(run))).sum(-1)
    d = exact.occupancy(batch_first(run), policy(run))
    return (d * (2 * off + 8 * value_rounding(run))).sum(-1) / (1 - run.problem.gamma)


def _off(run: Run) -> Array:
    """What rounding may put an advantage of the new policy off by, (repeats, records, S)."""
    return 4 * value_rounding(run) + (rounding(run) * abs(advantage_before(run))).sum(-1)


def _shrunk(run: Run) -> Array:
    """The product of ``1 - (1 - gamma) c``; c from what is certain of both parts, 1 where there is nothing to gain."""
    off, best = _off(run), advantage_before(run).max(-1)
    got = (advantage_before(run) * (policy(run) - before(policy(run)))).sum(-1)
    nothing = best <= off
    share = np.where(nothing, 1.0, np.maximum(got - off, 0) / np.where(nothing, 1.0, best + off)).min(-1)
    factor = 1 - (1 - run.problem.gamma) * share
    return np.cumprod(np.where(np.arange(factor.shape[1]) > 0, factor, 1.0), axis=1)


shrunk = Quantity(
    "shrunk",
    _shrunk,
    latex=r"{\textstyle\prod_{k<%t}} \big(1 - (1-\gamma) c_k\big)",
    rounding=lambda run: 16 * EPS * run.t,
)
error_left = Quantity(
    "error_left",
    lambda run: policy_error.values(run),
    latex=r"\|V^* - V^{\pi_{%t}}\|_\infty,\; c_k = \min_s \frac{\langle A^{\pi_k}, \pi_{k+1}\rangle(s)}"
    r"{\max_a A^{\pi_k}(s, a)}",
    rounding=lambda run: policy_error.error(run) + np.nancumsum(_off(run).max(-1), axis=1),
)
gained = gain(rounding)
paid_drift = Quantity(
    "paid_drift",
    _paid,
    latex=r"\tfrac{1}{1-\gamma}\mathbb{E}_{s\sim d^{\pi_{%t}}_\rho}\mathfrak{D}_{\pi_{%t-1}}(\pi_{%t})(s)",
    rounding=_paid_rounding,
)
least_promise = Quantity(
    "least_promise",
    _least_promise,
    latex=r"\min_s\,[\langle A^{\pi_{%t-1}}, \pi_{%t}\rangle - \mathfrak{D}_{\pi_{%t-1}}(\pi_{%t})](s)",
    rounding=lambda run: 8 * value_rounding(run) + rounding(run).sum(-1).max(-1) / (1 - run.problem.gamma),
)
least_gain = least_value_gain(lambda run: 16 * EPS * run.problem.A * (1 + abs(run["log_pi"]).max((-2, -1))))
furthest = Quantity(
    "furthest",
    lambda run: abs(np.expm1(run["log_pi"] - before(run["log_pi"]))).max((-2, -1)),
    latex=r"\max_{s,a} |\pi_{%t}(a|s)/\pi_{%t-1}(a|s) - 1|",
    rounding=lambda run: 32 * EPS * (1 + abs(run["log_pi"]).max((-2, -1))),
)


# theorems: mirror learning, which asks of a drift only that it is not negative, and zero where nothing moves ----------

KUBA = "kuba2022mirror"
epsilon = Symbol("epsilon", positive=True)


def monotone_improvement(drift: str, proof: str, starts: Start) -> Theorem:
    """No state loses; `drift` says in words which drift it is."""
    return Theorem(
        name="monotone improvement",
        cite=Cite(KUBA, f"Theorem 3.6, for {drift}"),
        reason="of the paper the abstract is known to us; derived for ascent that need not reach the maximum",
        assumes=(unit_rewards,),
        consecutive=True,
        lhs=least_gain,
        rhs=0,
        relation=">=",
        silent="it says that no state ever loses: a wrong step does lose somewhere",
        proof=proof,
        starts=starts,
    )


def drift_is_gained(drift: str, proof: str, starts: Start) -> Theorem:
    """The value rises by the drift at least."""
    return Theorem(
        name="improvement by the drift",
        cite=Cite(KUBA, f"Theorem 3.6, the strict improvement, for {drift}"),
        reason="recalled; derived for ascent that need not reach the maximum, so that convergence is not claimed",
        consecutive=True,
        lhs=gained,
        rhs=paid_drift,
        relation=">=",
        silent="if nothing moves both sides are zero",
        proof=proof,
        starts=starts,
    )


def contraction_by_shares(drift: str, proof: str, starts: Start) -> Theorem:
    """The error shrinks by the share that a step realises of what there is to gain to first order."""
    return Theorem(
        name="contraction by shares",
        cite=Cite(KUBA, f"Theorem 3.6, convergence, which has no rate; here one by what steps realise, for {drift}"),
        reason="derived in proofs/ for ascent that need not reach the maximum; the shares are measured, since without "
        "an assumption they have no lower bound: they tend to zero where the policy becomes deterministic",
        assumes=(unit_rewards,),
        consecutive=True,
        lhs=error_left,
        rhs=shrunk * initial(policy_error),
        silent="a run that never moves has no share in anything",
        proof=proof,
        starts=starts,
    )


def surrogate_ascent(cite: Cite, proof: str, starts: Start) -> Theorem:
    """The surrogate of no state falls."""
    return Theorem(
        name="surrogate ascent",
        cite=cite,
        reason="derived: what the halving of steps is there for",
        consecutive=True,
        lhs=least_promise,
        rhs=0,
        relation=">=",
        silent="staying is allowed; a step that is too long or downhill breaks it",
        proof=proof,
        starts=starts,
    )


def pessimistic_surrogate(cite: Cite, proof: str, starts: Start) -> Theorem:
    """The drift is paid for by what the policy gains to first order."""
    return Theorem(
        name="pessimistic surrogate",
        cite=cite,
        reason="derived: a drift is not negative, and costs no more than the policy gains to first order",
        consecutive=True,
        lhs=mean_drift,
        rhs=surrogate_gain,
        silent="if nothing moves both sides are zero",
        proof=proof,
        starts=starts,
    )


def ratios_in_interval(cite: Cite, reason: str, starts: Start, counterexample: Callable[[], Run]) -> Theorem:
    """The claim, refuted, that no ratio is further from 1 than epsilon."""
    return Theorem(
        name="ratios stay in the interval",
        cite=cite,
        status="refuted",
        reason=reason,
        consecutive=True,
        lhs=furthest,
        rhs=epsilon,
        silent="a run that never moves stays inside",
        starts=starts,
        counterexample=counterexample,
    )
