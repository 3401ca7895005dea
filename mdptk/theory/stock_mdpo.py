r"""What m inner gradient steps in place of a step of mirror descent have in common, wherever the states come from.

States of runs have ``log_pi``, ``pi``, ``f[s, a]``, the last step over eta, and ``least``, the least weight of a state
times probability of an action on the way; the algorithm has `eta`, `m` and `inner`, the step size of the inner steps.
"""

from __future__ import annotations

import numpy as np

from mdptk.core import exact
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.theory.quantity import EPS, Quantity, previous
from mdptk.theory.stock import batch_first, before, policy, suboptimality, unit_rewards, value_rounding
from mdptk.theory.stock_linear_policy import divergence, log_normaliser, misfit
from mdptk.theory.stock_policy import least_value_gain
from mdptk.theory.symbols import eta, gamma, m
from mdptk.theory.theorem import Cite, Theorem


def _log_rounding(run: Run) -> Array:
    return 32 * EPS * run.alg.m * (run.problem.A + abs(run["log_pi"]).max((-2, -1)))


def _span(x: Array) -> Array:
    return (x.max(-1) - x.min(-1)).max(-1)


def _residual(run: Run, fraction: float) -> Array:
    return _span(before(exact.advantage(batch_first(run), policy(run))) - fraction * run["f"])


def _rate(run: Run) -> Array:
    return 1 - run.alg.inner(run.problem) / run.alg.eta * run["least"]


def _kl(run: Run) -> Array:
    """``E_{d_t} KL(pi_t || pi_{t-1})`` as a sum of terms that are not negative."""
    x = before(run["log_pi"]) - run["log_pi"]
    kl = (policy(run) * (np.expm1(x) - x)).sum(-1)
    return (exact.occupancy(batch_first(run), policy(run)) * kl).sum(-1)


def _gain(run: Run, error: bool = False) -> Array:
    problem, pi = batch_first(run), policy(run)
    d, advantage = exact.occupancy(problem, pi)[..., None], before(exact.advantage(problem, pi))
    change = pi - before(pi)
    if error:
        off = 32 * EPS * run.alg.m * (1 + abs(run["log_pi"])) * (pi + before(pi))
        change, advantage = abs(change), abs(advantage)
        return (abs(d) * (value_rounding(run) * change + off * advantage)).sum((-2, -1)) / (1 - problem.gamma)
    return (d * advantage * change).sum((-2, -1)) / (1 - problem.gamma)


gained = Quantity(
    "gain",
    _gain,
    latex=r"V^{\pi_{%t}}(\rho) - V^{\pi_{%t-1}}(\rho)",
    rounding=lambda run: _gain(run, error=True),
)
moved = Quantity(
    "moved",
    _kl,
    latex=r"\mathbb{E}_{s\sim d^{\pi_{%t}}_\rho}\mathrm{KL}(\pi_{%t} \| \pi_{%t-1})(s)",
    rounding=lambda run: _log_rounding(run) * np.sqrt(np.nan_to_num(_kl(run)) + EPS),
)
residual = Quantity(
    "residual",
    lambda run: _residual(run, 1.0),
    latex=r"\max_s \mathrm{span}_a \big[A^{\pi_{%t-1}} - \tfrac1\eta\log(\pi_{%t}/\pi_{%t-1})\big](s, a)",
    rounding=lambda run: 2 * value_rounding(run) + 2 * _log_rounding(run) / run.alg.eta,
)
spread = Quantity(
    "spread",
    lambda run: _residual(run, 0.0),
    latex=r"\max_s \mathrm{span}_a A^{\pi_{%t-1}}(s, a)",
    rounding=lambda run: 2 * value_rounding(run),
)
rate = Quantity("rate", _rate, latex=r"\Big(1 - \tfrac\alpha\eta \min_{i < m, s, a} D_{%t-1}(s) p_i(a|s)\Big)")
least_gain = least_value_gain(lambda run: _log_rounding(run))

# theorems -----------------------------------------------------------------------------------------------------------

TOMAR = "tomar2022mirror"
DERIVED = "the paper has no theorem about m steps: derived in proofs"


def regret_identity(where: str, proof: str) -> Theorem:
    """The gap before the step, exactly."""
    return Theorem(
        name="regret identity",
        cite=Cite(TOMAR, where),
        reason=DERIVED,
        consecutive=True,
        lhs=(1 - gamma) * previous(suboptimality),
        rhs=(previous(divergence) - divergence + log_normaliser) / eta + misfit,
        relation="=",
        proof=proof,
    )


def improvement(where: str, proof: str) -> Theorem:
    """The value rises by the divergence."""
    return Theorem(
        name="improvement",
        cite=Cite(TOMAR, where),
        reason=DERIVED,
        assumes=(unit_rewards,),
        consecutive=True,
        lhs=gained,
        rhs=moved / (eta * (1 - gamma)),
        relation=">=",
        silent="if nothing moves both sides are zero",
        proof=proof,
    )


def monotone_improvement(where: str, proof: str) -> Theorem:
    """No state loses."""
    return Theorem(
        name="monotone improvement",
        cite=Cite(TOMAR, where),
        reason=DERIVED,
        assumes=(unit_rewards,),
        consecutive=True,
        lhs=least_gain,
        rhs=0,
        relation=">=",
        silent="it says that no state ever loses: a wrong step does lose somewhere",
        proof=proof,
    )


def inner_convergence(proof: str) -> Theorem:
    """How near the exact step is after m inner ones."""
    return Theorem(
        name="inner convergence",
        cite=Cite(TOMAR, "m steps approximate the exact step"),
        reason=DERIVED,
        assumes=(unit_rewards,),
        consecutive=True,
        lhs=residual,
        rhs=rate**m * spread,
        silent="if nothing moves nothing shrinks, and nothing need; steps that are too short or too long break it",
        proof=proof,
    )
