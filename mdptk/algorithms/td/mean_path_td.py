r"""TD(0) on its mean path: temporal differences with linear features, the noise averaged out.

.. math::

   \theta_{t+1} = \theta_t + \alpha\, \bar g(\theta_t), \qquad
   \bar g(\theta) = \sum_s D(s) \big( T^\pi \Phi\theta - \Phi\theta \big)(s)\, \phi(s) = b - A \theta, \qquad
   \theta_0 = 0,

with :math:`A = \Phi^\top D (I - \gamma P_\pi) \Phi` and :math:`b = \Phi^\top D r_\pi`.

A is not symmetric, so the update is the gradient of nothing. Where D is stationary it still points to the fixed point
as a gradient would, and the proof of gradient descent goes through; where D is not, as on Baird's star, the same
update diverges for every step size. The theorem takes the cautious step (1 - gamma) / 4; the descent lemma holds up to
alpha = 1, with equality for a single state, because the update is short where it points badly.

Proof: ``proofs/td/mean_path_td.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.evaluation import random_walk
>>> run(MeanPathTD(), random_walk(), 3)["theta"].shape
(1, 4, 5)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from sympy import exp

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Range, Solver
from mdptk.core.models import Array, PolicyEvaluation
from mdptk.core.run import Run
from mdptk.theory import Assumption, Cite, Quantity, Start, Theorem, initial, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import (
    LINEAR_MEASURES,
    average_distance,
    distance,
    fixed_point_residual,
    full_rank,
    iterate_rounding,
    omega,
    on_policy,
    quadratic_rounding,
    unit_features,
    value_distance,
)
from mdptk.theory.symbols import gamma, t


class State(NamedTuple):
    """The parameters and their running mean."""

    theta: Array  # (n,)
    average: Array  # (n,): mean of theta_0 .. theta_{t-1}; theta_0 at t = 0
    t: int  # updates made


def _update(run: Run) -> Array:
    return run.truth.optimum.b - run["theta"] @ run.truth.optimum.A.T


def _contraction(run: Run) -> Array:
    return np.eye(run.problem.n) - run.alg.step_size(run.problem) * run.truth.optimum.A


def _off_closed_form(run: Run) -> Array:
    error = run["theta"] - run.truth.optimum.theta
    powers = np.stack([np.linalg.matrix_power(_contraction(run), k) for k in range(0, run.steps + 1, run.every)])
    off = error - powers @ error[0, 0]
    return exact.namespace(off).linalg.norm(off, axis=-1)


def _closed_form_rounding(run: Run) -> Array:
    """That of the iterates, as far as the powers may enlarge it."""
    return iterate_rounding(run) * np.maximum(1, np.linalg.norm(_contraction(run), 2)) ** run.t


def _no_solution(problem: PolicyEvaluation) -> str | None:
    theta, _, A, b = exact.fixed_point(problem)
    off, scale = fixed_point_residual(problem), np.linalg.norm(b) + np.linalg.norm(A) * np.linalg.norm(theta)
    return None if off <= 8 * EPS * problem.n * scale else f"the best theta leaves |b - A theta|_2 = {off:.3g}"


def _step_is(alg: Any, problem: PolicyEvaluation, ok: bool) -> str | None:
    return None if ok else f"alpha = {alg.step_size(problem):g} at gamma = {problem.gamma:g}"


step = Quantity("step", lambda run: run.alg.step_size(run.problem), latex=r"\alpha")
alignment = Quantity(
    "alignment",
    lambda run: ((run.truth.optimum.theta - run["theta"]) * _update(run)).sum(-1),
    latex=r"(\theta^* - \theta_{%t})^\top \bar g(\theta_{%t})",
    rounding=quadratic_rounding,
)
update_size = Quantity(
    "update_size",
    lambda run: (_update(run) ** 2).sum(-1),
    latex=r"\|\bar g(\theta_{%t})\|_2^2",
    rounding=quadratic_rounding,
)
off_closed_form = Quantity(
    "off_closed_form",
    _off_closed_form,
    latex=r"\|\theta_{%t} - \theta^* - (I - \alpha A)^{%t} (\theta_0 - \theta^*)\|_2",
    rounding=_closed_form_rounding,
)

solvable = Assumption("a solution of A theta = b", lambda alg, problem: _no_solution(problem))
short_step = Assumption("alpha at most 1", lambda alg, problem: _step_is(alg, problem, alg.step_size(problem) <= 1))
theorem_step = Assumption(
    "alpha = (1 - gamma) / 4",
    lambda alg, problem: _step_is(alg, problem, abs(alg.step_size(problem) / (1 - problem.gamma) - 1 / 4) <= 4 * EPS),
)

ANYWHERE = Start(r"any $\theta_0$", lambda state: state.theta, lambda alg, problem, theta: State(theta, theta, 0))

BHANDARI, PROOF = "bhandari2018finite", "td/mean_path_td"
ALIGNMENT = Theorem(
    name="alignment",
    cite=Cite(BHANDARI, "Lemma 3"),
    assumes=(on_policy,),
    lhs=alignment,
    rhs=(1 - gamma) * value_distance,
    relation=">=",
    since=0,
    silent="it holds at every theta, reached or not; a D that is not stationary breaks it",
    proof=PROOF,
    starts=ANYWHERE,
)
UPDATE_SIZE = Theorem(
    name="update size",
    cite=Cite(BHANDARI, "Lemma 4, sharpened in proofs/"),
    assumes=(on_policy, unit_features),
    lhs=update_size,
    rhs=2 * alignment - (1 - gamma**2) * value_distance,
    since=0,
    reason="derived in proofs/, where the paper's 4 |V_theta - V_theta*|_D^2 follows from it",
    silent="it holds at every theta, reached or not",
    proof=PROOF,
    starts=ANYWHERE,
)
DESCENT = Theorem(
    name="descent",
    cite=Cite(BHANDARI, "proof of Theorem 1, for every alpha up to 1 by proofs/"),
    assumes=(on_policy, unit_features, short_step),
    lhs=distance,
    rhs=previous(distance) - step * (1 - gamma) * (2 - step * (1 - gamma)) * previous(value_distance),
    consecutive=True,
    reason="derived in proofs/; the paper has alpha = (1 - gamma) / 4 and about half of the decrease",
    proof=PROOF,
    starts=ANYWHERE,
)
AVERAGE = Theorem(
    name="average iterate",
    cite=Cite(BHANDARI, "Theorem 1(a)"),
    assumes=(on_policy, unit_features, theorem_step),
    lhs=average_distance,
    rhs=4 * initial(distance) / (t * (1 - gamma) ** 2),
    proof=PROOF,
    starts=ANYWHERE,
)
LAST = Theorem(
    name="last iterate",
    cite=Cite(BHANDARI, "Theorem 1(b)"),
    assumes=(on_policy, unit_features, full_rank, theorem_step),
    lhs=distance,
    rhs=exp(-((1 - gamma) ** 2) * omega * t / 4) * initial(distance),
    proof=PROOF,
    starts=ANYWHERE,
)
CLOSED_FORM = Theorem(
    name="closed form",
    cite=Cite(BHANDARI, "the mean-path update, unrolled"),
    assumes=(solvable,),
    lhs=off_closed_form,
    rhs=0,
    relation="=",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class MeanPathTD(Solver[PolicyEvaluation, State]):
    """Mean-path TD(0) with step size `alpha`, from zero; None is (1 - gamma) / 4, as in the theorem."""

    alpha: Annotated[float | None, Range(0, np.inf)] = None

    sees: ClassVar[type] = PolicyEvaluation
    theorems: ClassVar[tuple[Theorem, ...]] = (ALIGNMENT, UPDATE_SIZE, DESCENT, AVERAGE, LAST, CLOSED_FORM)
    measures: ClassVar[tuple[Measure, ...]] = LINEAR_MEASURES

    def step_size(self, problem: PolicyEvaluation) -> Any:
        """The step size on a problem."""
        return (1 - problem.gamma) / 4 if self.alpha is None else self.alpha

    def init(self, problem: PolicyEvaluation) -> State:
        return State(np.zeros(problem.n), np.zeros(problem.n), 0)

    def step(self, problem: PolicyEvaluation, state: State) -> State:
        theta, average, t = state
        _, _, A, b = exact.fixed_point(problem)
        return State(theta + self.step_size(problem) * (b - A @ theta), average + (theta - average) / (t + 1), t + 1)
