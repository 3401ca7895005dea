r"""Natural policy gradient with Clip-Cov: no step on actions that would cost much entropy.

.. math::

   \log\pi_{t+1}(a|s) = \log\pi_t(a|s) + \eta\, X_t(s, a)\, A^{\pi_t}(s, a) - \log Z_t(s), \qquad
   X_t = 1\{c_t \leq \omega\}, \qquad
   c_t(s, a) = \big(\log\pi_t(a|s) + H(\pi_t(\cdot|s))\big)\, A^{\pi_t}(s, a).

The entropy of a state changes by :math:`-\eta \sum_a \pi(a|s)\, c(s, a) X(s, a)`, to first order: it falls where likely
actions are good and unlikely ones bad, and rises where a good action is rare. The paper clips at random a small part of
the samples with high c; here all information is there, and everything above :math:`\omega` is clipped. What is left
never makes the policy worse, since no sign is changed. The paper's other method is `KLCov`.

Proof: ``proofs/policy_gradient/clip_cov.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(ClipCov(), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from sympy import Integer

from mdptk.core import exact
from mdptk.core.algorithm import NonNegative, Positive, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import batch_first, before, policy, value_rounding
from mdptk.theory.stock_entropy import ENTROPY, centred_product, covariance
from mdptk.theory.stock_policy import softmax_gain


class State(NamedTuple):
    """Log-probabilities and the policy."""

    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)


def _spared(run: Run) -> Array:
    """The least of: what a plain step costs, minus what the step that was taken costs, to first order, over states."""
    log_pi, pi = before(run["log_pi"]), before(policy(run))
    plain = run.alg.eta * before(exact.advantage(batch_first(run), policy(run)))
    taken = run["log_pi"] - log_pi
    return (covariance(pi, log_pi, plain) - covariance(pi, log_pi, taken)).min(-1)


def _spared_rounding(run: Run) -> Array:
    size = 1 + abs(run["log_pi"]).max((-2, -1))
    return 16 * size * (run.alg.eta * value_rounding(run) + EPS * run.problem.A * size)


spared = Quantity(
    "spared",
    _spared,
    latex=r"\min_s \mathrm{Cov}_{\pi_{%t-1}}\big(\log\pi_{%t-1}, \eta A^{\pi_{%t-1}}"
    r" - \log\pi_{%t} + \log\pi_{%t-1}\big)(s)",
    rounding=_spared_rounding,
)

ANYWHERE = Start("any positive policy", lambda state: state.log_pi, lambda alg, problem, x: _state(x))
KEY = "cui2025entropy"
SPARED = Theorem(
    name="clipping spares entropy",
    cite=Cite(KEY, "Clip-Cov; the entropy-clip rule of Xi et al. 2025 for a clip of this form"),
    reason="terms that are left out are positive",
    consecutive=True,
    lhs=spared,
    rhs=Integer(0),
    relation=">=",
    silent="a run that never moves spares all of it where the covariance is positive",
    proof="policy_gradient/clip_cov",
    starts=ANYWHERE,
)
IMPROVEMENT = Theorem(
    name="improvement",
    cite=Cite(KEY, "derived for Clip-Cov with exact advantages"),
    reason="derived in proofs/",
    consecutive=True,
    lhs=softmax_gain,
    rhs=Integer(0),
    relation=">=",
    silent="a run that never moves does not get worse",
    proof="policy_gradient/clip_cov",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class ClipCov(Solver[MDP, State]):
    """Natural policy gradient with step size `eta` that leaves out what has a product above `omega`."""

    eta: Positive = 0.1
    omega: NonNegative = 0.1

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (ENTROPY, SPARED, IMPROVEMENT)

    def init(self, problem: MDP) -> State:
        return _state(np.zeros_like(problem.r))

    def step(self, problem: MDP, state: State) -> State:
        advantage = exact.advantage(problem, state.pi)
        kept = centred_product(state.log_pi, advantage) <= self.omega
        return _state(state.log_pi + self.eta * kept * advantage)


def _state(x: Array) -> State:
    log_pi = exact.log_softmax(x)
    return State(log_pi, np.exp(log_pi))
