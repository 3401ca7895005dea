r"""Policy mirror descent with the Euclidean map and a constant step: projected Q-ascent.

.. math::

   \pi_{t+1}(\cdot|s) = \arg\max_{p \in \Delta(A)} \; \eta \langle Q^{\pi_t}(s, \cdot), p \rangle
   - \tfrac12 \|p - \pi_t(\cdot|s)\|_2^2
   = \mathrm{Proj}_{\Delta(A)}\big(\pi_t(\cdot|s) + \eta\, Q^{\pi_t}(s, \cdot)\big), \qquad \pi_0 \text{ uniform}.

Mirror descent follows Q, not the gradient d(s) Q(s, a): a state that is hardly visited learns as fast as any other. So
the rate has no S, no mismatch and no condition on the step, as that of natural policy gradient. That is no accident:
the relative entropy in place of the square gives NPG itself, with step (1 - gamma) eta, since Q and the advantage
differ by a constant in each state. What the square changes is the end: bad actions get probability zero after finitely
many steps. While they have not, the lemma about three points and the improvement are equalities.

Proof: ``proofs/mirror_descent/euclidean_pmd.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(EuclideanPMD(eta=1.0), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Positive, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import batch_first, before, optimum, policy, suboptimality, unit_rewards, value_rounding
from mdptk.theory.stock_policy import advance as advance_by
from mdptk.theory.stock_policy import advantage_before, least_value_gain, optimal_visits
from mdptk.theory.symbols import A, eta, gamma, t


class State(NamedTuple):
    """The policy."""

    pi: Array  # (..., S, A)


def _change(run: Run) -> Array:
    return policy(run) - before(policy(run))


def _projection_rounding(run: Run) -> float:
    """How far rounding may put a probability: that of pi + eta Q, then of a sum of A terms of size one."""
    problem = run.problem
    return 8 * EPS * (problem.A + run.alg.eta * abs(problem.r).max() / (1 - problem.gamma))


def _first_order(weights: Array, run: Run) -> Array:
    """Rounding error of ``E_weights <A_{t-1}, pi_t - pi_{t-1}>``."""
    error = value_rounding(run) * abs(_change(run)) + _projection_rounding(run) * abs(advantage_before(run))
    return (weights * error.sum(-1)).sum(-1)


def _visits(run: Run) -> Array:
    return exact.occupancy(batch_first(run), policy(run))


def _step_length(run: Run) -> Array:
    """``||pi_t - pi_{t-1}||^2`` as the update has it, (repeats, records, S)."""
    problem, pi = batch_first(run), policy(run)
    step = exact.project_simplex(pi + run.alg.eta * exact.action_values(problem, pi)) - pi
    return before((step**2).sum(-1))


divergence = Quantity(
    "D",
    lambda run: (optimal_visits(run) * ((optimum(run).pi - policy(run)) ** 2).sum(-1)).sum(-1) / 2,
    latex=r"\mathbb{E}_{s\sim d^{\pi^*}_\rho}\tfrac12\|\pi^*(\cdot|s) - \pi_{%t}(\cdot|s)\|_2^2",
    rounding=lambda run: 2 * _projection_rounding(run),
)
travelled = Quantity(
    "travelled",
    lambda run: (optimal_visits(run) * (_change(run) ** 2).sum(-1)).sum(-1) / 2,
    latex=r"\mathbb{E}_{s\sim d^{\pi^*}_\rho}\tfrac12\|\pi_{%t}(\cdot|s) - \pi_{%t-1}(\cdot|s)\|_2^2",
)
advance = advance_by(_projection_rounding)
gain = Quantity(
    "gain",
    lambda run: (
        np.einsum("...s,...sa,...sa->...", _visits(run), advantage_before(run), _change(run)) / (1 - run.problem.gamma)
    ),  # the performance difference: small errors for small steps
    latex=r"V^{\pi_{%t}}(\rho) - V^{\pi_{%t-1}}(\rho)",
    rounding=lambda run: _first_order(abs(_visits(run)), run) / (1 - run.problem.gamma),
)
length = Quantity(
    "length",
    lambda run: (_visits(run) * _step_length(run)).sum(-1),
    latex=r"\mathbb{E}_{s\sim d^{\pi_{%t}}_\rho}\|\mathrm{Proj}(\pi_{%t-1} + \eta Q^{\pi_{%t-1}})(\cdot|s)"
    r" - \pi_{%t-1}(\cdot|s)\|_2^2",
    rounding=lambda run: 4 * _projection_rounding(run) * (abs(_visits(run)) * np.sqrt(_step_length(run))).sum(-1),
)
least_gain = least_value_gain(_projection_rounding)

ANYWHERE = Start("any policy", lambda state: state.pi, lambda alg, problem, x: State(exact.project_simplex(x)))

XIAO = "xiao2022convergence"
READ = "read in a copy without its formulas: constants and index are those of the derivation in proofs"
CONVERGENCE = Theorem(
    name="global convergence",
    cite=Cite(XIAO, "Theorem 8, for the Euclidean map"),
    reason=READ + "; 2 E KL becomes E ||pi* - pi_0||^2, which is 1 - 1/A from the uniform policy",
    assumes=(unit_rewards,),
    lhs=suboptimality,
    rhs=((A - 1) / (2 * A * eta * (1 - gamma)) + 1 / (1 - gamma) ** 2) / (t + 1),
    proof="mirror_descent/euclidean_pmd",
)
THREE_POINTS = Theorem(
    name="three-point lemma",
    cite=Cite(XIAO, "Lemma 6, three points, at pi*, averaged over d*"),
    reason=READ,
    consecutive=True,
    lhs=(1 - gamma) * previous(suboptimality),
    rhs=(previous(divergence) - divergence - travelled) / eta + advance,
    proof="mirror_descent/euclidean_pmd",
    starts=ANYWHERE,
)
IMPROVEMENT = Theorem(
    name="improvement",
    cite=Cite(XIAO, "Lemma 6, three points, at pi_t"),
    reason=READ,
    consecutive=True,
    lhs=gain,
    rhs=length / (eta * (1 - gamma)),
    relation=">=",
    proof="mirror_descent/euclidean_pmd",
    starts=ANYWHERE,
)
MONOTONE = Theorem(
    name="monotone improvement",
    cite=Cite(XIAO, "Lemma 7"),
    reason=READ,
    consecutive=True,
    lhs=least_gain,
    rhs=0,
    relation=">=",
    silent="it says that no state ever loses: a wrong step does lose somewhere",
    proof="mirror_descent/euclidean_pmd",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class EuclideanPMD(Solver[MDP, State]):
    """Projected Q-ascent with step size `eta`, from the uniform policy."""

    eta: Positive = 1.0

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, THREE_POINTS, IMPROVEMENT, MONOTONE)

    def init(self, problem: MDP) -> State:
        return State(exact.uniform(problem))

    def step(self, problem: MDP, state: State) -> State:
        return State(exact.project_simplex(state.pi + self.eta * exact.action_values(problem, state.pi)))
