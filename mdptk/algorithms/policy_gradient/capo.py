r"""Curvature-aware policy optimisation on a bandit: contributions to a gradient step are kept where two models allow.

.. math::

   \theta_{t+1} = \theta_t + d_t, \qquad d_t = \sum_y X_t(y)\, d_t(y), \qquad
   d_t(y) = \eta\, \pi_t(y)\, A_t(y)\, (e_y - \pi_t), \qquad
   X_t(y) = 1\{m_H(d_t(y)) \geq \delta_H,\; m_F(d_t(y)) \leq \delta_F\},

with the models of second order, :math:`m_H(d) = \langle g, d\rangle + \tfrac12 d^\top H d` of what a step gains and
:math:`m_F(d) = \tfrac12 d^\top F d` of how far the policy moves, in relative entropy; g, H and F are the exact
gradient, Hessian and Fisher information. How wrong the models can be is known: by cubes of the span of the step. So a
step whose model gains more than that improves, and the theorem is about the whole step; nothing follows for the sum
from what is true of its parts.

Proof: ``proofs/policy_gradient/capo.py``.

>>> from mdptk.core.run import run
>>> from mdptk.core.bandits import BernoulliBandit
>>> run(CAPO(), BernoulliBandit([0.9, 0.5, 0.1]), 3)["pi"].shape
(1, 4, 3)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from sympy import Rational

from mdptk.core import exact
from mdptk.core.algorithm import Positive, Range, Solver
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.quantity import EPS


class State(NamedTuple):
    """Logits, their policy, the last step, and what the two models say of it."""

    theta: Array  # (A,)
    pi: Array  # (A,)
    d: Array  # (A,)
    gain: Array  # m_H, ()
    shift: Array  # m_F, ()


def models(means: Array, pi: Array, d: Array) -> tuple[Any, Any]:
    r"""``m_H`` and ``m_F`` of steps ``d[..., y]`` from a policy: moments of d under it, no matrix is needed.

    :math:`\langle g, d\rangle = \mathrm{Cov}(r, d)`, :math:`d^\top H d = \mathbb{E}[(r - J)(d - \bar d)^2]`,
    :math:`d^\top F d = \mathrm{Var}(d)`.
    """
    advantage, off = means - pi @ means, d - (d * pi).sum(-1, keepdims=True)
    return (pi * advantage * (off + off**2 / 2)).sum(-1), (pi * off**2).sum(-1) / 2


def _gained(run: Run) -> Array:
    J = (run["pi"] * run.problem.means).sum(-1)
    return J - np.concatenate([np.full_like(J[:, :1], np.nan), J[:, :-1]], 1)


def _kl(run: Run) -> Array:
    """``KL(pi_{t-1} || pi_t)`` as a sum of terms that are not negative."""
    log_pi = exact.log_softmax(run["theta"])
    x = np.diff(log_pi, axis=1)
    kl = (run["pi"][:, :-1] * (np.expm1(x) - x)).sum(-1)
    return np.concatenate([np.full_like(kl[:, :1], np.nan), kl], 1)


def _rounding(run: Run) -> Array:
    return 32 * EPS * run.problem.A * (1 + abs(run["theta"]).max(-1))


model_error = Quantity(
    "model_error",
    lambda run: abs(_gained(run) - run["gain"]),
    latex=r"\big|J(\theta_{%t}) - J(\theta_{%t-1}) - m_H(d_{%t-1})\big|",
    rounding=_rounding,
)
shift_error = Quantity(
    "shift_error",
    lambda run: abs(_kl(run) - run["shift"]),
    latex=r"\big|\mathrm{KL}(\pi_{%t-1} \| \pi_{%t}) - m_F(d_{%t-1})\big|",
    rounding=_rounding,
)
span = Quantity("span", lambda run: np.ptp(run["d"], axis=-1), latex=r"\mathrm{span}(d_{%t-1})")

KEY = "melo2025stabilizing"
DERIVED = "the abstract has no constants; derived in proofs/ for a softmax over arms with means in [0, 1]"
ZERO = "it speaks of the last step; where none is taken both sides are zero"
GAIN = Theorem(
    name="model of the gain",
    cite=Cite(KEY, "the second-order model of the objective"),
    reason=DERIVED,
    consecutive=True,
    lhs=model_error,
    rhs=Rational(7, 96) * span**3,
    silent=ZERO,
    proof="policy_gradient/capo",
)
SHIFT = Theorem(
    name="model of the shift",
    cite=Cite(KEY, "the second-order model of the policy shift"),
    reason=DERIVED,
    consecutive=True,
    lhs=shift_error,
    rhs=Rational(1, 24) * span**3,
    silent=ZERO,
    proof="policy_gradient/capo",
)


@dataclass(frozen=True)
class CAPO(Solver[BernoulliBandit, State]):
    """Steps of size `eta` from contributions that gain `delta_H` at least and shift the policy by `delta_F` at most."""

    eta: Positive = 2.0
    delta_H: Annotated[float, Range(-np.inf, np.inf)] = 0.0
    delta_F: Positive = 0.05

    sees: ClassVar[type] = BernoulliBandit
    theorems: ClassVar[tuple[Theorem, ...]] = (GAIN, SHIFT)

    def init(self, problem: BernoulliBandit) -> State:
        zero = np.zeros(problem.A)
        return State(zero, exact.softmax(zero), zero, np.zeros(()), np.zeros(()))

    def step(self, problem: BernoulliBandit, state: State) -> State:
        pi, r = state.pi, problem.means
        parts = self.eta * (pi * (r - pi @ r))[:, None] * (np.eye(problem.A) - pi)
        gain, shift = models(r, pi, parts)
        d = parts[(gain >= self.delta_H) & (shift <= self.delta_F)].sum(0)
        theta = state.theta + d
        return State(theta, exact.softmax(theta), d, *models(r, pi, d))
