r"""Interior point: along the central path of the occupancy LP, from inside of the budgets.

With all slacks in one vector, :math:`z = (x, y) \geq 0`, where :math:`\langle c_i, x\rangle + y_i = b_i` and x is an
occupancy of mass :math:`1/(1-\gamma)`, and with the reduced costs :math:`w = (v - \gamma P v + \lambda c - r, \lambda)`
of values and multipliers, the pairs for which all products are the same,

.. math::

   z_j\, w_j = \mu \quad \text{for all } j = 1 \ldots n, \qquad n = SA + m,

are the *central path*: there x maximises :math:`\langle r, x\rangle + \mu \sum_j \log z_j`, and for
:math:`\mu \to 0` it leads to the optimum. A step aims at :math:`\mu_{t+1} = (1 - \delta/\sqrt n)\,\mu_t` with one step
of Newton's method, from the analytic centre and a large :math:`\mu_0`; what little it is off the path by never grows.
Three things are surprising. Every policy on the way meets every budget, with slack: it is the *last* policy that
counts, and it can be used at any time. The gap to the multipliers' bound is *exactly* :math:`n\mu_t`, and
:math:`\mu_t` is known beforehand. And all of this holds for any transitions, rewards and costs: no Slater constant
slows it down.

The step is that of the short-step method of chapter 5 of Wright [wright1997primal]. States that the uniform policy does
not come to are left out.

Proof: ``proofs/constrained/interior_point.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.constrained import constrained_two_state
>>> result = run(InteriorPoint(), constrained_two_state(), 100)
>>> result["returns"][0, [0, 20, -1]].round(2).tolist()  # what is earned and spent, with a budget of 2
[[0.98, 1.46], [1.84, 1.92], [2.0, 2.0]]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from mdptk.core.algorithm import Measure, Positive, Range, Solver
from mdptk.core.central_path import Program, centre, inside, occupancy_program
from mdptk.core.errors import NotConverged
from mdptk.core.models import CMDP, Array
from mdptk.theory import Cite, Theorem
from mdptk.theory.stock_constrained import MEASURES, gap, optimum, slater, slater_condition
from mdptk.theory.stock_interior import bound_gap, excess, falls, mu, n, off

THETA = 0.4  # how far from the path, as a share of mu


class State(NamedTuple):
    """Occupancies over those of the uniform policy, slacks, prices, the mean product, the bound, and the policy.

    A linear solve meets the equations up to rounding; what they are missed by, at their prices, is `missed`.
    """

    u: Array  # (S, A): x(s, a) / d(s), with d the occupancy of mass 1/(1 - gamma) of the uniform policy
    y: Array  # (m,)
    nu: Array  # (S,): v(s) d(s)
    lam: Array  # (m,)
    mu: float
    off: float  # how far the products are from mu, in norm, as a share of it
    bound: float  # rho . v + lam . b
    missed: float
    pi: Array  # (S, A)


KEY = "wright1997primal"
NOT_READ = "the book was not at hand: rederived in proofs, with the constants remembered from it"
MEASURE = Theorem(
    name="the mean product falls as planned",
    cite=Cite(KEY, "chapter 5, one step of Newton's method"),
    reason=NOT_READ,
    since=0,
    lhs=mu,
    rhs=falls,
    relation="=",
    proof="constrained/interior_point",
    iterate="last",
)
DUALITY = Theorem(
    name="duality gap",
    cite=Cite(KEY, "the duality gap is the sum of the products"),
    reason=NOT_READ,
    since=0,
    lhs=bound_gap,
    rhs=n * mu,
    relation="=",
    proof="constrained/interior_point",
    iterate="last",
)
GAP = Theorem(
    name="gap of the last policy",
    cite=Cite(KEY, "chapter 5, with weak duality"),
    reason=NOT_READ,
    assumes=(slater_condition,),
    lhs=gap,
    rhs=n * falls,
    proof="constrained/interior_point",
    iterate="last",
)
FEASIBLE = Theorem(
    name="every policy meets the budgets",
    cite=Cite(KEY, "chapter 5, the neighbourhood has no boundary points"),
    reason=NOT_READ + "; so does the first: that the *last* does as well is what other methods lack",
    silent="the first policy is inside, too",
    since=0,
    lhs=excess,
    rhs=0,
    proof="constrained/interior_point",
    iterate="last",
)
NEAR = Theorem(
    name="near the path",
    cite=Cite(KEY, "chapter 5, the neighbourhood of the 2-norm"),
    reason=NOT_READ,
    silent="it begins there: that it stays is why one step of Newton's method is enough",
    since=0,
    lhs=off,
    rhs=THETA,
    proof="constrained/interior_point",
    iterate="last",
)


@dataclass(frozen=True)
class InteriorPoint(Solver[CMDP, State]):
    r"""Newton steps to :math:`1 - \delta/\sqrt n` of the mean product of slacks and prices, until that is `tol`."""

    delta: Annotated[float, Range(0, 0.4, "high")] = 0.4
    tol: Positive = 1e-8

    sees: ClassVar[type] = CMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (MEASURE, DUALITY, GAP, FEASIBLE, NEAR)
    measures: ClassVar[tuple[Measure, ...]] = MEASURES

    def init(self, problem: CMDP) -> State:
        """The analytic centre, with the least mean product for which it is half as far from the path as may be.

        Raises
        ------
        Infeasible
            If no policy meets the budgets.
        NotConverged
            If none is proved to meet them with slack: there is no inside.
        """
        if not slater(problem) > 0:
            raise NotConverged("no policy is proved to meet the budgets with slack, so there is no inside", 0.0)
        lp = occupancy_program(problem)
        z, prices = centre(lp, inside(problem, lp, optimum(problem).safest))
        products = z * lp.r
        spread = np.linalg.norm(products - products.mean())
        mu = max(spread / (THETA / 2), self.tol)
        return _state(problem, lp, z, (mu + products.mean()) * prices)

    def step(self, problem: CMDP, state: State) -> State:
        lp = occupancy_program(problem)
        z, prices = np.append(state.u[lp.here], state.y), np.append(state.nu[lp.here], state.lam)
        w = prices @ lp.B - lp.r
        target = max((1 - self.delta / np.sqrt(len(z))) * state.mu, self.tol)
        normal = (lp.B * (z / w)) @ lp.B.T
        move = np.linalg.solve(normal, lp.B @ (target / w) - lp.right)  # what z is off the equations by is put right
        dw = move @ lp.B
        return _state(problem, lp, target / w - z * dw / w, prices + move)


def _state(problem: CMDP, lp: Program, z: Array, prices: Array) -> State:
    S, A, m = problem.S, problem.A, problem.m
    w = prices @ lp.B - lp.r
    if z.min() <= 0 or w.min() <= 0:
        raise NotConverged(f"a step left the inside: least slack {z.min():.3g}, least price {w.min():.3g}", None)
    u, nu = np.full((S, A), 1 / A), np.zeros(S)
    u[lp.here], nu[lp.here] = z[:-m].reshape(-1, A), prices[:-m]
    mu = float(z @ w) / len(z)
    off = float(np.linalg.norm(z * w / mu - 1))
    missed = float(abs(prices) @ abs(lp.B @ z - lp.right))
    pi = u / u.sum(-1, keepdims=True)
    return State(u, z[-m:], nu, prices[-m:], mu, off, float(prices @ lp.right), missed, pi)
