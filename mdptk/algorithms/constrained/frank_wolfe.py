r"""Frank-Wolfe on occupancies: mix a little of a best policy into what is played, at prices that grow with the excess.

.. math::

   x_{t+1} = x_t + \tfrac{2}{t+2}\,(s_t - x_t), \qquad
   s_t \in \arg\max_s \langle r - \lambda_t \cdot c,\, s\rangle, \qquad
   \lambda_t = \beta\,[\langle c, x_t\rangle - b]_+,

over occupancies, here of mass :math:`1/(1-\gamma)`, from the uniform policy. It climbs the concave function
:math:`\langle r, x\rangle - \tfrac\beta2 \|[\langle c, x\rangle - b]_+\|_2^2`, and all that it asks for are optimal
policies of discounted problems without constraints. The point itself is a mixture, so the *last* policy has the
guarantee, and there is no step size to tune. What it pays for that is beta: in the end a budget may be exceeded by
:math:`2\|\lambda^*\|_2/\beta`, and a large beta makes the climb slow.

Proof: ``proofs/constrained/frank_wolfe.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.constrained import constrained_two_state
>>> run(FrankWolfe(beta=10.0), constrained_two_state(), 200)["returns"][0, -1].round(1)
array([2.1, 2.1])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from sympy import Symbol, sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Positive, Solver
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem
from mdptk.theory.stock_constrained import (
    MEASURES,
    excess,
    gap,
    lam_star,
    last,
    optimum,
    optimum_error,
    returns_rounding,
    slater_condition,
    violation,
)
from mdptk.theory.symbols import t


class State(NamedTuple):
    """Steps made, the occupancy of mass 1/(1 - gamma), its policy, and the prices there."""

    t: int
    x: Array  # (S, A)
    pi: Array  # (S, A)
    lam: Array  # (m,)


def _missing(run: Run) -> Array:
    over = np.maximum(excess(run, last(run)), 0)
    return optimum(run.problem).value - last(run)[..., 0] + run.alg.beta / 2 * (over**2).sum(-1)


def _rounding(run: Run) -> Array:
    over = np.maximum(excess(run, last(run)), 0).sum(-1)
    return 2 * returns_rounding(run.problem) * (1 + run.alg.beta * over) + optimum_error(run.problem)


missing = Quantity(
    "missing",
    _missing,
    latex=r"V^*(\rho) - V_r^{\pi_{%t}}(\rho) + \tfrac{\beta}{2} \|[V_c^{\pi_{%t}}(\rho) - b]_+\|_2^2",
    rounding=_rounding,
)
D = Quantity(
    "D",
    lambda run: np.linalg.norm(np.ptp(run.problem.c, axis=(1, 2))) / (1 - run.problem.gamma),
    latex=r"D",
)  # what two policies spend is at most that far apart

beta = Symbol("beta", positive=True)
KEY = "jaggi2013revisiting"
NOT_READ = r"the standard proof, rederived, for $D = \|\mathrm{span}(c)\|_2/(1-\gamma)$"
climbed = 2 * beta * D**2 / (t + 2)
ANYWHERE = Start(  # the first step goes all the way
    "any policy",
    lambda state: state.pi,
    lambda alg, problem, x: alg.at(problem, 0, _occupancy(problem, exact.project_simplex(x))),
)
CONVERGENCE = Theorem(
    name="convergence",
    cite=Cite(KEY, "Theorem 1"),
    reason=NOT_READ + ", and with V* in place of the largest value, which is not below it",
    assumes=(slater_condition,),
    lhs=missing,
    rhs=climbed,
    proof="constrained/frank_wolfe",
    iterate="last",
    starts=ANYWHERE,
)
GAP = Theorem(
    name="gap of the last policy",
    cite=Cite(KEY, "Theorem 1, with a penalty that is not negative"),
    reason=NOT_READ,
    assumes=(slater_condition,),
    silent="it takes more steps until the bound is below what the uniform policy loses",
    lhs=gap,
    rhs=climbed,
    proof="constrained/frank_wolfe",
    iterate="last",
    starts=ANYWHERE,
)
VIOLATION = Theorem(
    name="violation of the last policy",
    cite=Cite(KEY, "Theorem 1, with the price of the budgets"),
    reason=NOT_READ,
    assumes=(slater_condition,),
    lhs=violation,
    rhs=(lam_star + sqrt(lam_star**2 + 2 * beta * climbed)) / beta,
    proof="constrained/frank_wolfe",
    iterate="last",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class FrankWolfe(Solver[CMDP, State]):
    """Steps 2/(t + 2) towards a best policy, with the weight `beta` of the squared excess."""

    beta: Positive = 10.0

    sees: ClassVar[type] = CMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, GAP, VIOLATION)
    measures: ClassVar[tuple[Measure, ...]] = MEASURES

    def init(self, problem: CMDP) -> State:
        return self.at(problem, 0, _occupancy(problem, np.full(problem.mdp.r.shape, 1 / problem.A)))

    def step(self, problem: CMDP, state: State) -> State:
        best = exact.optimal(problem.penalised(state.lam)).pi
        toward = _occupancy(problem, best) - state.x
        return self.at(problem, state.t + 1, state.x + 2 / (state.t + 2) * toward)

    def at(self, problem: CMDP, steps: int, x: Array) -> State:
        over = np.tensordot(problem.c, x) - problem.b
        return State(steps, x, exact.conditional(x), self.beta * np.maximum(over, 0))


def _occupancy(problem: CMDP, pi: Array) -> Array:
    return exact.occupancy(problem.mdp, pi)[:, None] * pi / (1 - problem.gamma)
