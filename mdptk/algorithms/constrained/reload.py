r"""ReLOAD: optimistic mirror ascent-descent in policies and prices.

.. math::

   \pi_{t+1}(a|s) \propto \pi_t(a|s) \exp\!\big(\eta\,(2 Q_t - Q_{t-1})(s, a)\big), \qquad
   \lambda_{t+1} = \big[\lambda_t + \eta_\lambda (2 g_t - g_{t-1})\big]_+,

where :math:`Q_t = Q_{\lambda_t}^{\pi_t}` is for the reward :math:`r - \lambda_t \cdot c` and
:math:`g_t = V_c^{\pi_t}(\rho) - b`; from the uniform policy and :math:`\lambda_0 = 0`, with
:math:`Q_{-1} = Q_0,\ g_{-1} = g_0`. With (1, 0) in place of (2, -1) this is gradient descent-ascent, which circles. The
guarantee for the last iterate is about such steps on occupancies, where the game is bilinear (ReLOADOccupancy). In
policies it is not, and the rate is what is seen, not what is proved. What is exact is the sum of all steps: the policy
is that of multiplicative weights for all gradients so far, the last of them counted twice.

Figure: ``mdptk reproduce constrained_oscillation``. Proof: ``proofs/constrained/reload.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.constrained import paradoxical
>>> run(ReLOAD(eta=0.3, eta_dual=0.3), paradoxical(), 600)["pi"][0, -1].round(2)
array([[0.75, 0.25]])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Positive, Solver
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Geometric, Quantity, Theorem
from mdptk.theory.quantity import EPS
from mdptk.theory.stock_constrained import MEASURES, last_error, returns_rounding, slater_condition


class State(NamedTuple):
    """Log-probabilities, the policy that they stand for, multipliers, and the gradients of the step before."""

    log_pi: Array  # (S, A)
    pi: Array  # (S, A)
    lam: Array  # (m,)
    q: Array  # (S, A)
    g: Array  # (m,)


def _departure(run: Run) -> Array:
    """How far log pi_t is from eta times the gradients before it, constants in each state aside."""
    q = run["q"]  # Q_{t-1} at record t, and Q_0 at the first
    counted = np.cumsum(q, axis=1) - 2 * q[:, :1] + q
    return np.ptp(run["log_pi"] - run.alg.eta * counted, axis=-1).max(-1)


def _rounding(run: Run) -> Array:
    size = np.maximum.accumulate(abs(run["log_pi"]).max((-2, -1)), axis=1)
    prices = 1 + np.maximum.accumulate(run["lam"].sum(-1), axis=1)
    return (1 + run.t) * (16 * EPS * size + 4 * run.alg.eta * returns_rounding(run.problem) * prices)


departure = Quantity(
    "departure",
    _departure,
    latex=r"\max_s \mathrm{span}_a[\log\pi_{%t} - \eta(\sum_{k<%t} Q_k + Q_{%t-1} - Q_0)]",
    rounding=_rounding,
)

KEY = "moskovitz2023reload"
SUM = Theorem(
    name="all gradients, and the last one twice",
    cite=Cite(KEY, "the update, summed"),
    reason="algebra: the update telescopes",
    consecutive=True,
    lhs=departure,
    rhs=0,
    relation="=",
    proof="constrained/reload",
    iterate="last",
)
LAST = Theorem(
    name="convergence of the last iterate",
    cite=Cite(KEY, "convergence of the last iterate"),
    reason="the guarantee is about occupancies; in policies the decrease is an observation",
    assumes=(slater_condition,),
    lhs=last_error,
    rhs=0,
    holds=Geometric(),
    status="order-only",
    iterate="last",
)


@dataclass(frozen=True)
class ReLOAD(Solver[CMDP, State]):
    """Optimistic steps of size `eta` for the policy and `eta_dual` for the multipliers."""

    eta: Positive = 0.1
    eta_dual: Positive = 0.1

    sees: ClassVar[type] = CMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (SUM, LAST)
    measures: ClassVar[tuple[Measure, ...]] = MEASURES

    def init(self, problem: CMDP) -> State:
        log_pi, lam = exact.log_softmax(np.zeros(problem.mdp.r.shape)), np.zeros(problem.m)
        return State(log_pi, np.exp(log_pi), lam, *self._gradient(problem, np.exp(log_pi), lam))

    def step(self, problem: CMDP, state: State) -> State:
        q, g = self._gradient(problem, state.pi, state.lam)
        log_pi = exact.log_softmax(state.log_pi + self.eta * (2 * q - state.q))
        lam = np.maximum(state.lam + self.eta_dual * (2 * g - state.g), 0)
        return State(log_pi, np.exp(log_pi), lam, q, g)

    def _gradient(self, problem: CMDP, pi: Array, lam: Array) -> tuple[Array, Array]:
        q = exact.action_values(problem.penalised(lam), pi)
        return q, exact.returns(problem, pi)[1:] - problem.b
