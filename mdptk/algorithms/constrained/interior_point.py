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
from functools import lru_cache
from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Positive, Range, Solver
from mdptk.core.errors import NotConverged
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.quantity import EPS
from mdptk.theory.stock_constrained import (
    MEASURES,
    gap,
    last,
    optimum,
    returns_rounding,
    slater,
    slater_condition,
)

THETA = 0.4  # how far from the path, as a share of mu
NEVER = 1e-100  # below this an occupancy counts as zero, as in `stationary_distribution`


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


class _Program(NamedTuple):
    """The linear program: maximise ``r . z`` subject to ``B z = right`` and ``z >= 0``."""

    here: Array  # (S,): the states that are kept
    d: Array  # of these
    B: Array
    right: Array
    r: Array


@lru_cache(maxsize=64)
def _program(problem: CMDP) -> _Program:
    mdp = problem.mdp.dense()
    uniform = np.full(mdp.r.shape, 1 / mdp.A)
    P, _ = exact.chain(mdp, uniform)
    d = total = np.array(mdp.rho)
    while (d > 1e-17 * total).any():  # a sum of what is not negative: small occupancies have all their digits
        d = mdp.gamma * d @ P
        total = total + d
    here = total > NEVER
    d, S, A, m = total[here], int(here.sum()), mdp.A, problem.m
    B = np.zeros((S + m, S * A + m))
    into = (mdp.P[here][:, :, here] * d[:, None, None] / d).reshape(S * A, S)
    B[:S, : S * A] = (np.repeat(np.eye(S), A, axis=0) - mdp.gamma * into).T
    B[S:, : S * A] = (problem.c[:, here] * d[:, None]).reshape(m, -1)
    B[S:, S * A :] = np.eye(m)
    right = np.concatenate([mdp.rho[here] / d, problem.b])
    return _Program(here, d, B, right, np.append((mdp.r[here] * d[:, None]).ravel(), np.zeros(m)))


def _sum_rounding(run: Run) -> Array:
    """Of the sum of all products, of n terms: that of the equations, at their prices, and what they are missed by."""
    lp, lead = _program(run.problem), run["mu"].shape
    z = np.concatenate([run["u"][..., lp.here, :].reshape(*lead, -1), run["y"]], axis=-1)
    prices = np.concatenate([run["nu"][..., lp.here], run["lam"]], axis=-1)
    sums = EPS * len(lp.r) * (abs(prices) * (z @ abs(lp.B).T + abs(lp.right))).sum(-1)
    return sums + 2 * run["missed"] + 2 * returns_rounding(run.problem)


def _measure_rounding(run: Run) -> Array:
    """Of their mean, in as many steps as are remembered: each forgets a share of what was before."""
    once = np.maximum.accumulate(_sum_rounding(run), axis=1) / _size(run)
    return once * np.sqrt(_size(run)) / run.alg.delta


def _size(run: Run) -> int:
    return len(_program(run.problem).r)


def _falls(run: Run) -> Array:
    """max((1 - delta / sqrt n)^t mu_0, tol)."""
    return np.maximum((1 - run.alg.delta / np.sqrt(_size(run))) ** run.t * run["mu"][:, :1], run.alg.tol)


n = Quantity("n", _size, latex="n")
mu = Quantity("mu", lambda run: run["mu"], latex=r"\mu_{%t}", rounding=_measure_rounding)
falls = Quantity(
    "falls",
    _falls,
    latex=r"\max\{(1 - \tfrac{\delta}{\sqrt n})^{%t} \mu_0,\; \mathrm{tol}\}",
    rounding=_measure_rounding,
)
bound_gap = Quantity(
    "bound_gap",
    lambda run: run["bound"] - last(run)[..., 0],
    latex=r"\rho \cdot v_{%t} + \lambda_{%t} \cdot b - V_r^{\pi_{%t}}(\rho)",
    rounding=_sum_rounding,
)
excess = Quantity(
    "excess",
    lambda run: (last(run)[..., 1:] - run.problem.b).max(-1),
    latex=r"\max_i\,(V_{c_i}^{\pi_{%t}}(\rho) - b_i)",
    rounding=lambda run: 2 * returns_rounding(run.problem),
)
off = Quantity(
    "off",
    lambda run: run["off"],
    latex=r"\|z_{%t} w_{%t} / \mu_{%t} - 1\|_2",
    rounding=lambda run: _measure_rounding(run) * _size(run) / run["mu"],
)

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
        lp = _program(problem)
        z, prices = _centre(lp, _inside(problem, lp))
        products = z * lp.r
        spread = np.linalg.norm(products - products.mean())
        mu = max(spread / (THETA / 2), self.tol)
        return _state(problem, lp, z, (mu + products.mean()) * prices)

    def step(self, problem: CMDP, state: State) -> State:
        lp = _program(problem)
        z, prices = np.append(state.u[lp.here], state.y), np.append(state.nu[lp.here], state.lam)
        w = prices @ lp.B - lp.r
        target = max((1 - self.delta / np.sqrt(len(z))) * state.mu, self.tol)
        normal = (lp.B * (z / w)) @ lp.B.T
        move = np.linalg.solve(normal, lp.B @ (target / w) - lp.right)  # what z is off the equations by is put right
        dw = move @ lp.B
        return _state(problem, lp, target / w - z * dw / w, prices + move)


def _state(problem: CMDP, lp: _Program, z: Array, prices: Array) -> State:
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


def _inside(problem: CMDP, lp: _Program) -> Array:
    """The policy with most slack, mixed with as much of the uniform one as leaves half of it."""
    share, spend, A = 1.0, lp.B[-problem.m :, : -problem.m], problem.A
    u = np.full(len(lp.d) * A, 1 / A)
    pi = optimum(problem).safest
    x = exact.occupancy(problem.mdp, pi)[:, None] * pi / (1 - problem.gamma)
    safe = (x[lp.here] / lp.d[:, None]).ravel()
    room, uniform = lp.right[-problem.m :] - spend @ safe, lp.right[-problem.m :] - spend @ u
    short = uniform < room / 2
    if short.any():
        share = (room[short] / 2 / (room - uniform)[short]).min()
    z = (1 - share) * safe + share * u
    return np.append(z, lp.right[-problem.m :] - spend @ z)


def _centre(lp: _Program, z: Array) -> tuple[Array, Array]:
    r"""The z that maximises :math:`\sum_j \log z_j`, and prices with :math:`1/z = B^\top p`.

    Newton's directions from an inner point, with the best step along each until whole steps square what is missing.

    Raises
    ------
    NotConverged
        If 200 steps are not enough.
    """
    size = np.inf
    for _ in range(200):
        prices = np.linalg.solve((lp.B * z**2) @ lp.B.T, 2 * lp.B @ z - lp.right)
        change = 1 - z * (prices @ lp.B)
        size = float(np.linalg.norm(change))
        z = z * (1 + (_best_step(change) if size > 0.25 else 1.0) * change)
        if size <= 1e-6:
            return z, prices
    raise NotConverged("Newton's method did not come to the analytic centre in 200 steps", size)


def _best_step(change: Array) -> float:
    r"""Where the derivative of :math:`\sum_j \log(1 + s\,\mathrm{change}_j)` is zero, by bisection."""
    low, high = 0.0, float(min(1e3, 1 / max((-change).max(), 1e-3)))
    for _ in range(60):
        s = (low + high) / 2
        low, high = (s, high) if (change / (1 + s * change)).sum() > 0 else (low, s)
    return low
