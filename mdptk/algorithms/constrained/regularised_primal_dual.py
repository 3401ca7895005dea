r"""Regularised primal-dual (RPG-PD): entropy for the policy, a square for the prices, and the last iterate converges.

.. math::

   \pi_{t+1}(a|s) \propto \pi_t(a|s) \exp\!\big(\eta\, Q_t(s, a)\big), \qquad
   \lambda_{t+1} = \mathrm{Proj}_{[0,\Lambda]}\big((1 - \eta\tau)\lambda_t + \eta (V_c^{\pi_t}(\rho) - b)\big),

from the uniform policy and :math:`\lambda_0 = 0`, with :math:`Q_t` for the reward
:math:`r - \lambda_t \cdot c - \tau \log \pi_t`. The regularised Lagrangian
:math:`L_\tau(\pi, \lambda) = L(\pi, \lambda) + \tau H(\pi) + \tfrac\tau2\|\lambda\|_2^2` has one saddle point
:math:`(\pi_\tau^*, \lambda_\tau^*)`, and the potential

.. math::

   \Phi_t = \mathbb{E}_{s\sim d^*}\Big[\tfrac1{1-\gamma}\mathrm{KL}\big(\pi_\tau^*(\cdot|s)\|\pi_t(\cdot|s)\big)\Big]
   + \tfrac12 \|\lambda_\tau^* - \lambda_t\|_2^2

shrinks by the factor :math:`1-\eta\tau` up to a remainder of second order in :math:`\eta`. The factor
:math:`1/(1-\gamma)` is part of it: with occupancies normalised to one this is false half of the time (see the tests).

The published proof bounds :math:`|Q_t|` as if :math:`-\tau\log\pi_t(a|s)` were at most :math:`\tau\log A`, which only
its mean is. The repaired bound uses that no probability ever falls below :math:`e^{-B/\tau}/A`; its constants are
larger, and it is the one called proved.

Figure: ``mdptk reproduce constrained_oscillation``. Proof: ``proofs/constrained/regularised_primal_dual.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.constrained import paradoxical
>>> run(RegularisedPrimalDual(bound=4.0), paradoxical(), 400)["lam"][0, -1].round(2)
array([1.07])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from sympy import Max, Symbol, exp, log, sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Positive, Range, Solver
from mdptk.core.models import CMDP, Array
from mdptk.theory import Assumption, Cite, Start, Theorem, initial, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.saddle import potential, remainder
from mdptk.theory.stock_constrained import (
    MEASURES,
    budgets_in_range,
    gap,
    known_bound,
    lam_star_sum,
    multiplier_bound,
    slater,
    slater_condition,
    unit_costs,
    unit_rewards,
    violation,
    wide_bound,
    xi,
)
from mdptk.theory.symbols import A, eta, gamma, m, t

tau = Symbol("tau", positive=True)


class State(NamedTuple):
    """Log-probabilities, the policy that they stand for, and multipliers."""

    log_pi: Array  # (S, A)
    pi: Array  # (S, A)
    lam: Array  # (m,)


def _too_fast(alg: Any, problem: CMDP) -> str | None:
    return None if alg.eta * alg.tau <= 1 else f"eta tau = {alg.eta * alg.tau:.6g}"


def _another_bound(alg: Any, problem: CMDP) -> str | None:
    paper = 1 / ((1 - problem.gamma) * slater(problem))
    found = alg.multiplier_bound(problem)
    return None if abs(found - paper) <= 4 * EPS * paper else f"bound = {found:.6g}, 1/((1-gamma) xi) = {paper:.6g}"


contraction = Assumption(r"$\eta\tau \leq 1$", _too_fast)
bound_of_paper = Assumption(r"$\Lambda = 1/((1-\gamma)\xi)$", _another_bound)
one_cost = Assumption("one constraint", lambda alg, cmdp: None if cmdp.m == 1 else f"m = {cmdp.m}")
ANYWHERE = Start(
    r"any positive policy and $\lambda_0$ in its range",
    lambda state: np.append(state.log_pi, state.lam),
    lambda alg, problem, x: _state(
        x[: -problem.m].reshape(problem.mdp.r.shape), np.clip(x[-problem.m :], 0, alg.multiplier_bound(problem))
    ),
)

KEY = "ding2023last"
UNIT = (unit_rewards, unit_costs, budgets_in_range)
B = (1 + m * multiplier_bound + gamma * tau * log(A)) / (1 - gamma)  # range of Q without the entropy of the first step
C = (1 + 1 / ((1 - gamma) * xi) + tau * log(A)) / (1 - gamma)
C2 = (1 + tau / xi) / (1 - gamma)
RECURSION = Theorem(
    name="one step",
    cite=Cite(KEY, "the proof of the convergence of RPG-PD, before the remainder is bounded"),
    reason=r"derived, with the remainder as it is: $\epsilon_t = \mathbb{E}_{s\sim d^*}[\tfrac1{1-\gamma}\log"
    r"\sum_a \pi_t(a|s) e^{\eta A_t(s,a)}] + \tfrac{\eta^2}2\|V_c^{\pi_t}(\rho) - b - \tau\lambda_t\|_2^2$",
    assumes=(known_bound, contraction),
    consecutive=True,
    lhs=potential,
    rhs=(1 - eta * tau) * previous(potential) + previous(remainder),
    proof="constrained/regularised_primal_dual",
    iterate="last",
    starts=ANYWHERE,
)
REPAIRED = Theorem(
    name="convergence with repaired constants",
    cite=Cite(KEY, "the convergence of RPG-PD"),
    reason="derived: the published statement with a bound on the action values that holds",
    assumes=(slater_condition, *UNIT, contraction),
    lhs=potential,
    rhs=(1 - eta * tau) ** t * initial(potential)
    + eta
    / tau
    * ((2 * B + tau * log(A)) ** 2 / (8 * (1 - gamma)) + m * (1 / (1 - gamma) + tau * multiplier_bound) ** 2 / 2),
    silent="it allows more than the potential of the start, unless eta is far below tau",
    proof="constrained/regularised_primal_dual",
    iterate="last",
)
PUBLISHED = Theorem(
    name="convergence as published",
    cite=Cite(KEY, "the convergence of RPG-PD to the regularised saddle point"),
    reason=r"its proof takes $\tau\log A$ for a bound on $-\tau\log\pi_t(a|s)$; no instance is known that breaks it. "
    "The statement is from notes on the paper, which was not at hand",
    status="disputed",
    assumes=(slater_condition, *UNIT, contraction, one_cost, bound_of_paper),
    lhs=potential,
    rhs=exp(-eta * tau * t) * initial(potential) + eta / tau * Max(C**2, C2**2),
    silent="as with the repaired constants",
    iterate="last",
)
GAP = Theorem(
    name="gap of the last policy",
    cite=Cite(KEY, "the optimality gap of the last iterate"),
    reason="derived, from the potential as it is",
    assumes=(slater_condition, *UNIT),
    lhs=gap,
    rhs=tau * log(A) / (1 - gamma) + sqrt(potential / (2 * (1 - gamma))) / (1 - gamma),
    silent="what a small potential is good for",
    proof="constrained/regularised_primal_dual",
    iterate="last",
    starts=ANYWHERE,
)
VIOLATION = Theorem(
    name="violation of the last policy",
    cite=Cite(KEY, "the constraint violation of the last iterate"),
    reason="derived, from the potential as it is",
    assumes=(slater_condition, *UNIT, wide_bound),
    lhs=violation,
    rhs=tau * (log(A) / (1 - gamma) + multiplier_bound**2 / 2) / (multiplier_bound - lam_star_sum)
    + sqrt(potential / (2 * (1 - gamma))) / (1 - gamma),
    silent="what a small potential is good for",
    proof="constrained/regularised_primal_dual",
    iterate="last",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class RegularisedPrimalDual(Solver[CMDP, State]):
    r"""Steps of size `eta` with regularisation `tau`; multipliers stay in [0, `bound`].

    Without a `bound` it is :math:`1/((1-\gamma)\xi)`, with the Slater constant of the problem.
    """

    eta: Positive = 0.1
    tau: Positive = 0.1
    bound: Annotated[float | None, Range(0, np.inf)] = None

    sees: ClassVar[type] = CMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (RECURSION, REPAIRED, PUBLISHED, GAP, VIOLATION)
    measures: ClassVar[tuple[Measure, ...]] = MEASURES

    def multiplier_bound(self, problem: CMDP) -> float:
        r"""What the multipliers are kept below, :math:`\Lambda`."""
        return 1 / ((1 - problem.gamma) * slater(problem)) if self.bound is None else self.bound

    def init(self, problem: CMDP) -> State:
        return _state(np.zeros(problem.mdp.r.shape), np.zeros(problem.m))

    def step(self, problem: CMDP, state: State) -> State:
        priced = problem.penalised(state.lam)
        q = priced.q(exact.soft_evaluate(priced, state.log_pi, self.tau)) - self.tau * state.log_pi
        over = exact.returns(problem, state.pi)[1:] - problem.b
        lam = (1 - self.eta * self.tau) * state.lam + self.eta * over
        return _state(state.log_pi + self.eta * q, np.clip(lam, 0, self.multiplier_bound(problem)))


def _state(logits: Array, lam: Array) -> State:
    log_pi = exact.log_softmax(logits)
    return State(log_pi, np.exp(log_pi), lam)
