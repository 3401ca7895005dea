r"""Policy dual averaging: all action values so far, each as weighty as the last, with a step that shrinks with time.

.. math::

   \pi_t(\cdot|s) = \arg\max_{p \in \Delta(A)} \Big\langle \sum_{k < t} Q^{\pi_k}(s, \cdot), p \Big\rangle
   - \frac{1}{\eta_t} \mathrm{KL}(p \,\|\, \mathrm{uniform})
   \propto \exp\Big(\eta_t \sum_{k < t} Q^{\pi_k}(s, \cdot)\Big), \qquad \eta_t = \frac{\eta}{\sqrt{t + 1}}.

Mirror descent regularises towards the last policy, dual averaging towards the first. With a constant step both are
natural policy gradient. With a step that shrinks they part: mirror descent weighs the late values less, dual averaging
weighs all of them less, the old ones too. So it needs to know neither the number of steps nor the scale of the values
for its rate, and it can take back what it did: a step may lose value, and the rate is that of the mean gap.

Proof: ``proofs/mirror_descent/dual_averaging.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(DualAveraging(eta=1.0), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sympy import log, sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Positive, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import batch_first, before, optimum, policy, suboptimality, unit_rewards, value_rounding
from mdptk.theory.stock_linear_policy import regret
from mdptk.theory.stock_policy import optimal_visits
from mdptk.theory.symbols import A, eta, gamma, t


class State(NamedTuple):
    """The sum of the action values so far less its largest in each state, the policy, and the number of values."""

    total: Array  # (..., S, A)
    pi: Array  # (..., S, A)
    n: Any  # (...)


def _step_size(run: Run) -> Array:
    return run.alg.eta / np.sqrt(run.t + 1)


def _potential(run: Run, late: bool) -> Array:
    """``E_{d*} log mean_a exp(eta_k (total - total(a*))) / eta_k``, at the step size of t, or of one step earlier."""
    size = _step_size(run)
    size = (np.concatenate([size[:1], size[:-1]]) if late else size)[:, None, None]
    star = (optimum(run).pi * run["total"]).sum(-1, keepdims=True)
    soft = np.log(np.exp(size * run["total"]).mean(-1)) / size[..., 0]
    return (optimal_visits(run) * (soft - star[..., 0])).sum(-1)


def _curvature(run: Run) -> Array:
    """``E_{d*} [log E_{pi_{t-1}} exp(eta_{t-1} A_{t-1})] / eta_{t-1}``: at most eta_{t-1} span^2 / 8."""
    advantage = before(exact.advantage(batch_first(run), policy(run)))
    size = np.concatenate([[np.nan], _step_size(run)[:-1]])[:, None]
    pi, logits = before(policy(run)), size[..., None] * before(run["total"])
    known = pi > np.finfo(float).tiny  # floats below it have fewer digits, or are zero; the logits have them all
    log_pi = np.where(known, np.log(np.where(known, pi, 1.0)), exact.log_softmax(logits))
    x = log_pi + size[..., None] * advantage
    top = x.max(-1)
    return (optimal_visits(run) * (top + np.log(np.exp(x - top[..., None]).sum(-1))) / size).sum(-1)


def _rounding(run: Run) -> Array:
    size = abs(run["total"]).max((-2, -1))
    return 64 * EPS * (run.problem.A / _step_size(run) + size) + (1 + run.t) * value_rounding(run)


potential = Quantity(
    "potential",
    lambda run: _potential(run, late=False),
    latex=r"\Phi_{%t}(\eta_{%t})",
    rounding=_rounding,
)
late_potential = Quantity(
    "late_potential",
    lambda run: _potential(run, late=True),
    latex=r"\Phi_{%t}(\eta_{%t-1})",
    rounding=_rounding,
)
curvature = Quantity(
    "curvature",
    _curvature,
    latex=r"\tfrac{1}{\eta_{%t-1}} \mathbb{E}_{s\sim d^{\pi^*}_\rho}"
    r"\log\mathbb{E}_{\pi_{%t-1}} e^{\eta_{%t-1} A^{\pi_{%t-1}}}(s)",
    rounding=lambda run: 4 * value_rounding(run) + _rounding(run),
)

JU = "ju2022policy"
DERIVED = "of the paper only the scheme is known to us: constants are those of the derivation in proofs"
RATE = Theorem(
    name="mean gap",
    cite=Cite(JU, "policy dual averaging with exact values"),
    reason=DERIVED,
    assumes=(unit_rewards,),
    consecutive=True,
    lhs=regret,
    rhs=(log(A) / eta + eta / (4 * (1 - gamma) ** 2)) / ((1 - gamma) * sqrt(t)),
    proof="mirror_descent/dual_averaging",
)
IDENTITY = Theorem(
    name="regret identity",
    cite=Cite(JU, "the step of the proof, before anything is bounded"),
    reason=DERIVED,
    consecutive=True,
    lhs=(1 - gamma) * previous(suboptimality),
    rhs=previous(potential) - late_potential + curvature,
    relation="=",
    proof="mirror_descent/dual_averaging",
)
SHRINKING = Theorem(
    name="shrinking steps cost nothing",
    cite=Cite(JU, "steps that decrease"),
    reason=DERIVED,
    consecutive=True,
    lhs=potential,
    rhs=late_potential,
    silent="the potential rises with the step size, for every sum",
    proof="mirror_descent/dual_averaging",
)


@dataclass(frozen=True)
class DualAveraging(Solver[MDP, State]):
    """Policy dual averaging with the step sizes ``eta / sqrt(t + 1)``, from the uniform policy."""

    eta: Positive = 1.0

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (RATE, IDENTITY, SHRINKING)

    def init(self, problem: MDP) -> State:
        return State(np.zeros_like(problem.r), exact.uniform(problem), np.zeros(problem.batch))

    def step(self, problem: MDP, state: State) -> State:
        total = state.total + exact.advantage(problem, state.pi)
        total, n = total - total.max(-1, keepdims=True), state.n + 1
        size = self.eta / np.sqrt(np.asarray(n + 1))[..., None, None]
        return State(total, exact.softmax(size * total), n)
