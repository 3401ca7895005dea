r"""PID Lagrangian: the price of a budget is set by a controller, not by an ascent step alone.

.. math::

   \pi_{t+1}(a|s) &\propto \pi_t(a|s) \exp\!\Big(\frac{\eta}{1-\gamma} A_{\lambda_t}^{\pi_t}(s, a)\Big), \\
   \lambda_t &= \big[K_I I_t + K_P e_t + K_D [e_t - e_{t-1}]_+\big]_+, \qquad
   I_t = [I_{t-1} + e_t]_+, \qquad e_t = V_c^{\pi_t}(\rho) - b,

from the uniform policy and :math:`I_{-1} = 0`. With :math:`K_I` alone this is ascent on the dual, one half step ahead
of NPGPrimalDual, since the price knows what the present policy spends: it circles, and does not spiral outward. The
other two terms are friction. What is circling has an *energy*,

.. math::

   W_t = \mathbb{E}_{s \sim d^*}\,\mathrm{KL}(\pi^*\|\pi_t) + \tfrac{\eta K_I}{2}\|I_{t-1} - \lambda^*/K_I\|_2^2,

and in a step the part of the price that is not the integral takes :math:`\eta\,(\lambda_t - K_I I_t)\cdot e_t` out of
it. With :math:`K_D = 0` that is never negative: **the proportional term only ever damps**. The derivative damps while a
cost rises above its budget, and feeds the circle while it rises below. Nobody has a rate for the last policy, but on
`paradoxical` the linearised step has eigenvalues of modulus :math:`\sqrt{1 - \eta K_P p(1-p)/(1-\gamma)^2}`, which is
one for :math:`K_P = 0`; the tests hold the run against it.

The controller is that of Stooke, Achiam and Abbeel [stooke2020responsive]; natural policy gradient takes the place of
their learner. The conservative augmented Lagrangian of Wu et al. [wu2024offpolicy], with exact costs, plays
:math:`[\lambda + c\,e_t]_+` and moves :math:`\lambda` by :math:`\eta_\lambda e_t`: away from the boundary this
controller with :math:`K_I = \eta_\lambda,\ K_P = c - \eta_\lambda` (see ConservativeAugmentedLagrangian). So plain
descent-ascent, c = 0, is one with a *negative* proportional term, which is why it spirals outward.

Proof: ``proofs/constrained/pid_lagrangian.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.constrained import paradoxical
>>> for K_P in (0.0, 1.0):
...     spent = run(PIDLagrangian(K_P=K_P), paradoxical(), 600)["returns"][0, -100:, 1]
...     print(K_P, abs(spent - 0.5).max().round(2))
0.0 0.96
1.0 0.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from sympy import Symbol

from mdptk.core import exact
from mdptk.core.algorithm import Measure, NonNegative, Positive, Solver
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import before
from mdptk.theory.stock_constrained import (
    MEASURES,
    average_violation,
    excess,
    last,
    optimum,
    returns_rounding,
    slater_condition,
)
from mdptk.theory.stock_energy import (
    kl_to_optimal,
    mean_log_normaliser,
    normaliser_rounding,
    policy_rounding,
    price_rounding,
    saddle_error,
)
from mdptk.theory.symbols import eta, t


class State(NamedTuple):
    """Log-probabilities, the policy that they stand for, the integral, the excess, and the price."""

    log_pi: Array  # (S, A)
    pi: Array  # (S, A)
    integral: Array  # (m,)
    excess: Array  # (m,)
    lam: Array  # (m,)


def _lagrangian_gap(run: Run) -> Array:
    """L(pi*, lambda_t) - L(pi_t, lambda_t)."""
    earned, *spent = exact.returns(run.problem, optimum(run.problem).policy)
    return earned - last(run)[..., 0] - (run["lam"] * (spent - last(run)[..., 1:])).sum(-1)


def _lag(run: Run) -> Array:
    """The integral one step earlier, zero before the first."""
    return np.nan_to_num(before(run["integral"]))


def _energy(run: Run) -> Array:
    off = _lag(run) - optimum(run.problem).multipliers / run.alg.K_I
    return kl_to_optimal(run, run.problem) + run.alg.eta * run.alg.K_I / 2 * (off**2).sum(-1)


def _gap_rounding(run: Run) -> Array:
    return 4 * price_rounding(run, "lam")


KL = Quantity(
    "KL",
    lambda run: kl_to_optimal(run, run.problem),
    latex=r"\mathrm{KL}_{d^*}(\pi^*\|\pi_{%t})",
    rounding=policy_rounding,
)
log_normaliser = Quantity(
    "log_normaliser",
    lambda run: mean_log_normaliser(run, run.problem, "lam"),
    latex=r"\mathbb{E}_{s\sim d^*}[\log Z_{%t}(s)]",
    rounding=lambda run: normaliser_rounding(run, "lam"),
)
lagrangian_gap = Quantity(
    "lagrangian_gap",
    _lagrangian_gap,
    latex=r"L(\pi^*, \lambda_{%t}) - L(\pi_{%t}, \lambda_{%t})",
    rounding=_gap_rounding,
)
W = Quantity(
    "W",
    _energy,
    latex=r"W_{%t}",
    rounding=lambda run: (
        policy_rounding(run)
        + run.alg.eta * (saddle_error(run, run.problem, "lam") + _gap_rounding(run))
        + run.alg.eta * returns_rounding(run.problem) * run.alg.K_I * (1 + run.t) * (1 + run["integral"].sum(-1))
    ),
)
friction = Quantity(
    "friction",
    lambda run: ((run["lam"] - run.alg.K_I * run["integral"]) * excess(run, last(run))).sum(-1),
    latex=r"(\lambda_{%t} - K_I I_{%t}) \cdot e_{%t}",
    rounding=_gap_rounding,
)
move = Quantity(
    "move",
    lambda run: np.linalg.norm(run["integral"] - _lag(run), axis=-1),
    latex=r"\|I_{%t} - I_{%t-1}\|_2",
    rounding=lambda run: 2 * returns_rounding(run.problem),
)
highest = Quantity(
    "highest",
    lambda run: (run["integral"] - run["excess"]).max(-1),
    latex=r"\max_i\,(I_{%t} - e_{%t})_i",
    rounding=lambda run: run.t * (2 * returns_rounding(run.problem) + EPS * run["integral"].max(-1)),
)

K_I = Symbol("K_I", positive=True)
KEY = "stooke2020responsive"
OURS = "the paper has experiments and no theorem: derived in proofs"
MIRROR = Theorem(
    name="distance to the optimal policy",
    cite=Cite(KEY, "Algorithm 2, with natural policy gradient"),
    reason=OURS + r"; of natural policy gradient at any prices: $\mathrm{KL}_{d^*}(\pi^*\|\pi) = "
    r"\mathbb{E}_{s\sim d^*} \mathrm{KL}(\pi^*(s)\|\pi(s))$ for the policy $\pi^*$ that `solve` certifies, with its "
    "occupancy",
    assumes=(slater_condition,),
    consecutive=True,
    lhs=KL,
    rhs=previous(KL) - eta * previous(lagrangian_gap) + previous(log_normaliser),
    relation="=",
    proof="constrained/pid_lagrangian",
    iterate="last",
)
ENERGY = Theorem(
    name="friction",
    cite=Cite(KEY, "Algorithm 2, with natural policy gradient"),
    reason=OURS + "; an equality on `paradoxical` while the integral is not cut off at zero",
    assumes=(slater_condition,),
    consecutive=True,
    lhs=W,
    rhs=previous(W) - eta * previous(friction) - eta * K_I / 2 * previous(move) ** 2 + previous(log_normaliser),
    proof="constrained/pid_lagrangian",
    iterate="last",
)
CARRIED = Theorem(
    name="violation is carried by the integral",
    cite=Cite(KEY, "Algorithm 2"),
    reason=OURS + r"; $I_t - e_t$ is $I_{t-1}$ where $I_t > 0$, and the statement an equality for a constraint whose "
    "integral was never cut off at zero",
    lhs=average_violation,
    rhs=highest / t,
    proof="constrained/pid_lagrangian",
    iterate="average",
)


@dataclass(frozen=True)
class PIDLagrangian(Solver[CMDP, State]):
    """Natural policy gradient steps of size `eta` at prices with the gains `K_P`, `K_I` and `K_D`."""

    eta: Positive = 0.1
    K_P: NonNegative = 1.0
    K_I: Positive = 0.1
    K_D: NonNegative = 0.0

    sees: ClassVar[type] = CMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (MIRROR, ENERGY, CARRIED)
    measures: ClassVar[tuple[Measure, ...]] = MEASURES

    def init(self, problem: CMDP) -> State:
        return self._state(problem, np.zeros(problem.mdp.r.shape), np.zeros(problem.m), None)

    def step(self, problem: CMDP, state: State) -> State:
        advantage = exact.advantage(problem.penalised(state.lam), state.pi)
        logits = state.log_pi + self.eta / (1 - problem.gamma) * advantage
        return self._state(problem, logits, state.integral, state.excess)

    def _state(self, problem: CMDP, logits: Array, integral: Array, before: Array | None) -> State:
        log_pi = exact.log_softmax(logits)
        e = exact.returns(problem, np.exp(log_pi))[1:] - problem.b
        integral = np.maximum(integral + e, 0)
        rise = np.maximum(e - (e if before is None else before), 0)
        lam = np.maximum(self.K_I * integral + self.K_P * e + self.K_D * rise, 0)
        return State(log_pi, np.exp(log_pi), integral, e, lam)
