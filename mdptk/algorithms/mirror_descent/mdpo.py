r"""Mirror descent policy optimisation (MDPO): m gradient steps in place of each step of mirror descent.

From :math:`p = \pi_t`, uniform at first, m steps of gradient ascent in the logits of p,

.. math::

   \theta(s, \cdot) \leftarrow \theta(s, \cdot) + \alpha\, \nabla_{\theta(s)}\, d^{\pi_t}_\rho(s) \Big[
   \langle p(s), A^{\pi_t}(s, \cdot)\rangle - \frac1\eta \mathrm{KL}(p(s) \,\|\, \pi_t(s)) \Big], \qquad
   \frac1\alpha = \frac{1}{1-\gamma} + \frac1\eta.

The first of the m steps is one of softmax policy gradient, for the divergence is flat where it begins; infinitely many
make the exact step, which is natural policy gradient. In between nothing is lost that matters: the objective of every
state rises, so the value of every state does, for any m. How near the exact step is is seen in the *residual*
:math:`A - \frac1\eta\log(p/\pi_t)`, constant in each state at the maximum: an inner step takes a part
:math:`\alpha\, d(s)\, p(a|s) / \eta` of what an action is off, so where the policy seldom goes, or hardly ever tries
something, m steps are as good as none.

Proof: ``proofs/mirror_descent/mdpo.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(MDPO(m=5), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Count, Positive, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.parameterisations import centred
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import batch_first, before, policy, suboptimality, unit_rewards, value_rounding
from mdptk.theory.stock_linear_policy import divergence, log_normaliser, misfit
from mdptk.theory.stock_policy import least_value_gain
from mdptk.theory.symbols import eta, gamma, m


class State(NamedTuple):
    """Log-probabilities, the policy, and of the last step: its length over eta, and the least d p on its way."""

    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)
    f: Array  # (..., S, A): log (pi_t / pi_{t-1}) / eta, which the exact step makes A up to a constant
    least: Any  # (...): of d(s) p(a|s), over the inner steps


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
rate = Quantity(
    "rate", _rate, latex=r"\Big(1 - \tfrac\alpha\eta \min_{i < m, s, a} d^{\pi_{%t-1}}_\rho(s) p_i(a|s)\Big)"
)
least_gain = least_value_gain(lambda run: _log_rounding(run))

ANYWHERE = Start(
    "any positive policy",
    lambda state: state.log_pi,
    lambda alg, problem, x: State(exact.log_softmax(x), exact.softmax(x), np.zeros_like(x), np.zeros(problem.batch)),
)
TOMAR = "tomar2022mirror"
DERIVED = "the paper has no theorem about m steps: derived in proofs"
IDENTITY = Theorem(
    name="regret identity",
    cite=Cite(TOMAR, "on-policy MDPO; the inner steps inexact"),
    reason=DERIVED,
    consecutive=True,
    lhs=(1 - gamma) * previous(suboptimality),
    rhs=(previous(divergence) - divergence + log_normaliser) / eta + misfit,
    relation="=",
    proof="mirror_descent/mdpo",
)
IMPROVEMENT = Theorem(
    name="improvement",
    cite=Cite(TOMAR, "on-policy MDPO; the inner steps inexact"),
    reason=DERIVED,
    assumes=(unit_rewards,),
    consecutive=True,
    lhs=gained,
    rhs=moved / (eta * (1 - gamma)),
    relation=">=",
    silent="if nothing moves both sides are zero",
    proof="mirror_descent/mdpo",
)
MONOTONE = Theorem(
    name="monotone improvement",
    cite=Cite(TOMAR, "on-policy MDPO; the inner steps inexact"),
    reason=DERIVED,
    assumes=(unit_rewards,),
    consecutive=True,
    lhs=least_gain,
    rhs=0,
    relation=">=",
    silent="it says that no state ever loses: a wrong step does lose somewhere",
    proof="mirror_descent/mdpo",
)
INNER = Theorem(
    name="inner convergence",
    cite=Cite(TOMAR, "m steps approximate the exact step"),
    reason=DERIVED,
    assumes=(unit_rewards,),
    consecutive=True,
    lhs=residual,
    rhs=rate**m * spread,
    silent="if nothing moves nothing shrinks, and nothing need; steps that are too short or too long break it",
    proof="mirror_descent/mdpo",
)


@dataclass(frozen=True)
class MDPO(Solver[MDP, State]):
    """On-policy MDPO with step `eta` and `m` inner gradient steps, from the uniform policy."""

    eta: Positive = 1.0
    m: Count = 10

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (IDENTITY, IMPROVEMENT, MONOTONE, INNER)

    def inner(self, problem: MDP) -> float:
        """The step size of the inner steps."""
        return 1 / (1 / (1 - problem.gamma) + 1 / self.eta)

    def init(self, problem: MDP) -> State:
        pi = exact.uniform(problem)
        return State(np.log(pi), pi, np.zeros_like(pi), np.zeros(problem.batch))

    def step(self, problem: MDP, state: State) -> State:
        advantage, alpha = exact.advantage(problem, state.pi), self.inner(problem)
        d = np.maximum(exact.occupancy(problem, state.pi), (1 - problem.gamma) * problem.rho)[..., None]
        x, least = state.log_pi, np.inf
        for _ in range(self.m):
            p = np.exp(x)
            least = np.minimum(least, (d * p).min((-2, -1)))
            x = exact.log_softmax(x + alpha * d * p * centred(p, advantage - (x - state.log_pi) / self.eta))
        return State(x, np.exp(x), (x - state.log_pi) / self.eta, least)
