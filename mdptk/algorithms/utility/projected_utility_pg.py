r"""Projected policy gradient for general utilities, in the direct parameterisation, with exact gradients.

.. math::

   \pi_{t+1} = \mathrm{Proj}_{\Delta(A)^S}\big(\pi_t + \eta \nabla_\pi F(x^{\pi_t})\big), \qquad
   \frac{\partial F(x^\pi)}{\partial \pi(a|s)} = d^\pi_\rho(s)\, Q^\pi_{\nabla F(x^\pi)}(s, a), \qquad
   \pi_0 \text{ uniform}.

The gradient is the usual one, for a reward that changes with the policy. F is concave in the occupancy and not in the
policy, but there are no wrong stationary points: an occupancy between those of two policies belongs to a policy near
the first, as near as the mismatch coefficient lets it. That hidden concavity gives the rate 1/t, where the usual
argument by gradient domination gives :math:`1/\sqrt t`.

Proof: ``proofs/utility/projected_utility_pg.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.utilities import explore_two_state
>>> run(ProjectedUtilityPG(), explore_two_state(), 3)["pi"].shape
(1, 4, 2, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Range, Solver
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.core.utilities import UtilityMDP, gradient
from mdptk.theory import Assumption, Cite, Quantity, Start, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import policy, step_size
from mdptk.theory.stock_utility import (
    DUALITY,
    ahead,
    gained,
    mismatch,
    positive_start,
    smoothness,
    span,
    suboptimality,
)
from mdptk.theory.symbols import A, S, gamma, t


class State(NamedTuple):
    """The policy."""

    pi: Array  # (S, A)


def _length(run: Run) -> Array:
    change = ahead(run, run.alg.step_size(run.problem)) - policy(run)
    return np.sqrt((change**2).sum((-2, -1)))


def _length_rounding(run: Run) -> float:
    problem = run.problem
    largest = float(problem.utility.span) * (1 + problem.gamma) / (1 - problem.gamma) ** 2
    return 8 * EPS * np.sqrt(problem.S * problem.A) * (problem.A + run.alg.step_size(problem) * largest)


length = Quantity(
    "length",
    _length,
    latex=r"\|\mathrm{Proj}(\pi_{%t} + \eta \nabla_\pi F(x^{\pi_{%t}})) - \pi_{%t}\|_2",
    rounding=_length_rounding,
)


def _other_step(alg: ProjectedUtilityPG, problem: UtilityMDP) -> str | None:
    if problem.gamma * problem.utility.span + problem.utility.smoothness == 0:
        return "F is linear in the policy: L = 0"
    eta, ours = alg.step_size(problem), 1 / _smoothness(problem)
    return None if np.isclose(eta, ours, rtol=1e-12, atol=0) else f"eta = {eta:.6g}, 1 / L = {ours:.6g}"


ANYWHERE = Start("any policy", lambda state: state.pi, lambda alg, problem, x: State(exact.project_simplex(x)))
ZHANG = "zhang2020variational"
L = A * (2 * gamma * span + smoothness) / (1 - gamma) ** 2
CONVERGENCE = Theorem(
    name="convergence by hidden concavity",
    cite=Cite(ZHANG, "the rate O(1/t) of its section on hidden convexity, constants of proofs/"),
    reason="derived in proofs/ for the direct parameterisation; the constants of the paper were not at hand",
    assumes=(
        Assumption("a start distribution that is positive", positive_start),
        Assumption("the step size eta = 1 / L", _other_step),
    ),
    lhs=suboptimality,
    rhs=8 * L * S * mismatch**2 / ((1 - gamma) ** 2 * t),
    silent="above the trivial bound in short runs: steps 1 / L are short, and the mismatch is squared; the ascent of "
    "every step is not",
    proof="utility/projected_utility_pg",
    starts=ANYWHERE,
)
ASCENT = Theorem(
    name="ascent",
    cite=Cite(ZHANG, "the ascent lemma, constants of proofs/"),
    reason="the smoothness of F in the policy is derived in proofs/, from that of values (Agarwal et al. 2021)",
    consecutive=True,
    lhs=gained,
    rhs=(1 / step_size - L / 2) * previous(length) ** 2,
    relation=">=",
    proof="utility/projected_utility_pg",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class ProjectedUtilityPG(Solver[UtilityMDP, State]):
    """Projected gradient ascent with step size `eta`, by default one over the smoothness, from the uniform policy."""

    eta: Annotated[float | None, Range(0, np.inf)] = None

    sees: ClassVar[type] = UtilityMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, ASCENT, DUALITY)

    def step_size(self, problem: UtilityMDP) -> Any:
        """`eta`, or the inverse of the smoothness if none was given."""
        return 1 / _smoothness(problem) if self.eta is None else self.eta

    def init(self, problem: UtilityMDP) -> State:
        return State(exact.uniform(problem.mdp))

    def step(self, problem: UtilityMDP, state: State) -> State:
        return State(exact.project_simplex(state.pi + self.step_size(problem) * gradient(problem, state.pi)))


def _smoothness(problem: UtilityMDP) -> float:
    """L of the theorems; one where F is linear, and without discount, so that every step size will do."""
    u = problem.utility
    L = problem.A * (2 * problem.gamma * u.span + u.smoothness) / (1 - problem.gamma) ** 2
    return float(L) if L > 0 else 1.0
