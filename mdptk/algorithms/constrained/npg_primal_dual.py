r"""NPG primal-dual: natural policy gradient on the Lagrangian, gradient ascent on the prices, at the same time.

.. math::

   \pi_{t+1}(a|s) \propto \pi_t(a|s) \exp\!\Big(\frac{\eta}{1-\gamma} A_{\lambda_t}^{\pi_t}(s, a)\Big), \qquad
   \lambda_{t+1} = \mathrm{Proj}_{[0, \Lambda]}\big(\lambda_t + \eta_\lambda (V_c^{\pi_t}(\rho) - b)\big),

with the advantage for the reward :math:`r - \lambda_t \cdot c`, from the uniform policy and :math:`\lambda_0 = 0`. The
problem is not concave in the policy, and yet the *average* has a rate without S and without a mismatch coefficient: in
every state runs one copy of multiplicative weights, as in NPG, and the prices only move the reward a little in each
step. Nothing is said about the last policy, and nothing could be: this is gradient descent-ascent, which circles around
the saddle.

With the steps :math:`\eta = 2\log A`, :math:`\eta_\lambda = 2(1-\gamma)/\sqrt T` and one constraint the bounds below
are of the form :math:`C/((1-\gamma)^2\sqrt T)` of Theorem 1 of Ding et al. [ding2020natural] at :math:`t = T`.

Figure: ``mdptk reproduce constrained_oscillation``. Proof: ``proofs/constrained/npg_primal_dual.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.constrained import constrained_two_state
>>> run(NPGPrimalDual(eta=1.0), constrained_two_state(), 3)["lam"].shape
(1, 4, 1)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from sympy import log

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Positive, Range, Solver
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import before
from mdptk.theory.stock_constrained import (
    MEASURES,
    PLAYED,
    average_gap,
    average_violation,
    budgets_in_range,
    excess,
    known_bound,
    lagrangian,
    lagrangian_advantage,
    lagrangian_rounding,
    lam_star_sum,
    last,
    multiplier_bound,
    regret,
    slater,
    slater_condition,
    unit_costs,
    unit_rewards,
    wide_bound,
)
from mdptk.theory.symbols import A, eta, eta_dual, gamma, m, t


class State(NamedTuple):
    """Log-probabilities, the policy that they stand for, and multipliers."""

    log_pi: Array  # (S, A)
    pi: Array  # (S, A)
    lam: Array  # (m,)


def _log_normaliser(run: Run) -> Array:
    moved = run["log_pi"] + run.alg.eta / (1 - run.problem.gamma) * lagrangian_advantage(run)
    top = moved.max(-1)
    return top + np.log(np.exp(moved - top[..., None]).sum(-1))


mean_log_normaliser = Quantity(
    "mean_log_normaliser",
    lambda run: _log_normaliser(run) @ run.problem.mdp.rho,
    latex=r"\mathbb{E}_{s\sim\rho}[\log Z_{%t}(s)]",
    rounding=lambda run: (
        2 * run.alg.eta / (1 - run.problem.gamma) * lagrangian_rounding(run) + 16 * EPS * run.problem.A
    ),
)
after_policy = Quantity(
    "after_policy",
    lambda run: last(run)[..., 0] - (before(run["lam"]) * excess(run, last(run))).sum(-1),
    latex=r"L(\pi_{%t}, \lambda_{%t-1})",
    rounding=lambda run: lagrangian_rounding(run) + before(lagrangian_rounding(run)[..., None])[..., 0],
)

ANYWHERE = Start(
    r"any positive policy and $\lambda_0$ in its range",
    lambda state: np.append(state.log_pi, state.lam),
    lambda alg, problem, x: _state(
        x[: -problem.m].reshape(problem.mdp.r.shape), np.clip(x[-problem.m :], 0, alg.multiplier_bound(problem))
    ),
)

KEY = "ding2020natural"
NOT_READ = "only the abstract was at hand: constants derived in proofs, for m costs and any steps"
SMALL = (slater_condition, unit_rewards, unit_costs, budgets_in_range)
drift = log(A) / (eta * t) + 1 / ((1 - gamma) ** 2 * t) + m * eta_dual / (1 - gamma) ** 3
REGRET = Theorem(
    name="primal regret",
    cite=Cite(KEY, "the lemma on the average performance"),
    reason=NOT_READ,
    assumes=SMALL,
    lhs=regret,
    rhs=drift,
    proof="constrained/npg_primal_dual",
    iterate="average",
)
GAP = Theorem(
    name="average gap",
    cite=Cite(KEY, "Theorem 1, optimality gap"),
    reason=NOT_READ,
    assumes=SMALL,
    lhs=average_gap,
    rhs=drift + m * eta_dual / (2 * (1 - gamma) ** 2),
    proof="constrained/npg_primal_dual",
    iterate="average",
)
VIOLATION = Theorem(
    name="average violation",
    cite=Cite(KEY, "Theorem 1, constraint violation"),
    reason=NOT_READ,
    assumes=(*SMALL, wide_bound),
    silent="with the default steps it takes thousands of steps until the bound is below what any policy violates",
    lhs=average_violation,
    rhs=(drift + m * eta_dual / (2 * (1 - gamma) ** 2) + multiplier_bound**2 / (2 * eta_dual * t))
    / (multiplier_bound - lam_star_sum),
    proof="constrained/npg_primal_dual",
    iterate="average",
)
IMPROVEMENT = Theorem(
    name="improvement at a fixed price",
    cite=Cite(KEY, "the lemma on non-monotonic improvement"),
    reason="an inequality of natural policy gradient for the reward at the price of the step; the Lagrangian need not "
    "increase when the price moves, too",
    assumes=(known_bound,),
    consecutive=True,
    lhs=after_policy,
    rhs=previous(lagrangian) + (1 - gamma) / eta * previous(mean_log_normaliser),
    relation=">=",
    proof="constrained/npg_primal_dual",
    iterate="last",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class NPGPrimalDual(Solver[CMDP, State]):
    r"""Steps of size `eta` for the policy and `eta_dual` for the multipliers, which stay in [0, `bound`].

    Without a `bound` it is :math:`2/((1-\gamma)\xi)`, with the Slater constant of the problem.
    """

    eta: Positive = 1.0
    eta_dual: Positive = 0.01
    bound: Annotated[float | None, Range(0, np.inf)] = None

    sees: ClassVar[type] = CMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (REGRET, GAP, VIOLATION, IMPROVEMENT)
    measures: ClassVar[tuple[Measure, ...]] = (*MEASURES, PLAYED)

    def multiplier_bound(self, problem: CMDP) -> float:
        r"""What the multipliers are kept below, :math:`\Lambda`."""
        return 2 / ((1 - problem.gamma) * slater(problem)) if self.bound is None else self.bound

    def init(self, problem: CMDP) -> State:
        return _state(np.zeros(problem.mdp.r.shape), np.zeros(problem.m))

    def step(self, problem: CMDP, state: State) -> State:
        advantage = exact.advantage(problem.penalised(state.lam), state.pi)
        spent = exact.returns(problem, state.pi)[1:]
        lam = np.clip(state.lam + self.eta_dual * (spent - problem.b), 0, self.multiplier_bound(problem))
        return _state(state.log_pi + self.eta / (1 - problem.gamma) * advantage, lam)


def _state(logits: Array, lam: Array) -> State:
    log_pi = exact.log_softmax(logits)
    return State(log_pi, np.exp(log_pi), lam)
