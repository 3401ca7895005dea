r"""Projected policy gradient: gradient ascent on the probabilities themselves (the direct parameterisation).

.. math::

   \pi_{t+1} = \mathrm{Proj}_{\Delta(A)^S}\big(\pi_t + \eta \nabla_\pi V^{\pi_t}(\rho)\big), \qquad
   \frac{\partial V^\pi(\rho)}{\partial \pi(a|s)} = \frac{1}{1-\gamma} d^\pi_\rho(s)\, Q^\pi(s, a), \qquad
   \pi_0 \text{ uniform}.

The value is not concave in the policy, yet there are no wrong stationary points: the gap is at most the mismatch times
what the gradient promises inside the simplices. That is where d(s) hurts. A state that the policy hardly visits has a
small gradient, however wrong its action is; with the start distribution zero there, ascent may stop for ever.

Proof: ``proofs/policy_gradient/projected_pg.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(ProjectedPG(), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from sympy import sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Range, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Assumption, Cite, Quantity, Start, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import (
    batch_first,
    before,
    discounted,
    gain,
    mismatch,
    optimum_rounding,
    policy,
    positive_start,
    step_size,
    suboptimality,
    unit_rewards,
)
from mdptk.theory.symbols import A, S, gamma, t


class State(NamedTuple):
    """The policy."""

    pi: Array  # (..., S, A)


def _projection_rounding(run: Run) -> float:
    """How far rounding may put a probability: that of pi + eta g, then of a sum of A terms of size one."""
    problem = run.problem
    largest = abs(problem.r).max() / (1 - problem.gamma) ** 2
    return 8 * EPS * (problem.A + run.alg.step_size(problem) * largest)


def _change(run: Run) -> Array:
    return policy(run) - before(policy(run))


def _ascent(run: Run) -> Array:
    """What maximises the gradient inside the simplices gains over the policy."""
    problem, pi = batch_first(run), policy(run)
    d = np.maximum(exact.occupancy(problem, pi), (1 - problem.gamma) * problem.rho)
    return (d * exact.advantage(problem, pi).max(-1)).sum(-1) / (1 - problem.gamma)


def _length(run: Run) -> Array:
    problem, pi = batch_first(run), policy(run)
    ahead = exact.project_simplex(pi + run.alg.step_size(problem) * exact.gradient(problem, pi))
    return np.sqrt(((ahead - pi) ** 2).sum((-2, -1)))


def _norm_rounding(run: Run) -> float:
    return np.sqrt(run.problem.S * run.problem.A) * _projection_rounding(run)


gained = gain(_projection_rounding)
promise = Quantity(
    "promise",
    _ascent,
    latex=r"\max_{\pi}\langle\pi - \pi_{%t}, \nabla_\pi V^{\pi_{%t}}(\rho)\rangle",
    rounding=lambda run: 2 * optimum_rounding(run),
)
length = Quantity(
    "length",
    _length,
    latex=r"\|\mathrm{Proj}(\pi_{%t} + \eta \nabla_\pi V^{\pi_{%t}}(\rho)) - \pi_{%t}\|_2",
    rounding=_norm_rounding,
)
moved = Quantity(
    "moved",
    lambda run: np.sqrt((_change(run) ** 2).sum((-2, -1))),
    latex=r"\|\pi_{%t} - \pi_{%t-1}\|_2",
    rounding=_norm_rounding,
)


def _paper_step(gamma: Any, A: int) -> Any:
    return (1 - gamma) ** 3 / (2 * gamma * A)


def _other_step(alg: ProjectedPG, problem: MDP) -> str | None:
    eta, paper = alg.step_size(problem), _paper_step(problem.gamma, problem.A)
    fits = np.isclose(eta, paper, rtol=1e-12, atol=0)
    return None if fits else f"eta = {eta:.6g}, (1 - gamma)^3 / (2 gamma A) = {paper:.6g}"


ANYWHERE = Start("any policy", lambda state: state.pi, lambda alg, problem, x: State(exact.project_simplex(x)))

AGARWAL = "agarwal2021theory"
smoothness = 2 * gamma * A / (1 - gamma) ** 3
CONVERGENCE = Theorem(
    name="global convergence",
    cite=Cite(AGARWAL, "Theorem 5 with mu = rho"),
    reason="recalled and rederived, with the same constants; the paper speaks of the best iterate, which is the last "
    "one here, since at mu = rho every step ascends",
    assumes=(
        unit_rewards,
        positive_start,
        discounted,
        Assumption("the step size eta = (1 - gamma)^3 / (2 gamma A)", _other_step),
    ),
    lhs=suboptimality,
    rhs=8 * mismatch / (1 - gamma) ** 3 * sqrt(gamma * S * A / t),
    silent="above the trivial bound in short runs; the three lemmas that it is made of are not",
    proof="policy_gradient/projected_pg",
    starts=ANYWHERE,
)
DOMINATION = Theorem(
    name="gradient domination",
    cite=Cite(AGARWAL, "Lemma 4 with mu = rho"),
    reason="recalled and rederived",
    assumes=(positive_start,),
    lhs=suboptimality,
    rhs=mismatch / (1 - gamma) * promise,
    silent="it compares every policy with its own gradient",
    proof="policy_gradient/projected_pg",
    starts=ANYWHERE,
)
STATIONARITY = Theorem(
    name="short steps are stationary",
    cite=Cite(AGARWAL, "the gradient mapping in the proof of Theorem 5"),
    reason="derived for any step size, with the diameter sqrt(2 S) of the policies where the paper has 2 sqrt(S)",
    assumes=(unit_rewards,),
    consecutive=True,
    lhs=promise,
    rhs=sqrt(2 * S) * (1 / step_size + smoothness) * moved,
    proof="policy_gradient/projected_pg",
    starts=ANYWHERE,
)
ASCENT = Theorem(
    name="ascent",
    cite=Cite(AGARWAL, "the ascent lemma in the proof of Theorem 5"),
    reason="derived for any step size from the smoothness of the value",
    assumes=(unit_rewards,),
    consecutive=True,
    lhs=gained,
    rhs=(1 / step_size - smoothness / 2) * previous(length) ** 2,
    relation=">=",
    proof="policy_gradient/projected_pg",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class ProjectedPG(Solver[MDP, State]):
    """Projected policy gradient with step size `eta`, by default (1 - gamma)^3 / (2 gamma A), from the uniform policy.

    Without discount the value is linear in the policy and every step size ascends: the default is 1 there.
    """

    eta: Annotated[float | None, Range(0, np.inf)] = None

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, DOMINATION, STATIONARITY, ASCENT)

    def step_size(self, problem: MDP) -> Any:
        """`eta`, or the inverse of the smoothness of the value if none was given."""
        if self.eta is not None:
            return self.eta
        return _paper_step(problem.gamma, problem.A) if problem.gamma > 0 else 1.0

    def init(self, problem: MDP) -> State:
        return State(exact.uniform(problem))

    def step(self, problem: MDP, state: State) -> State:
        return State(exact.project_simplex(state.pi + self.step_size(problem) * exact.gradient(problem, state.pi)))
