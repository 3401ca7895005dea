r"""Optimistic primal-dual (OPG-PD): projected Q-ascent on the Lagrangian, each gradient used twice.

.. math::

   \hat\pi_{t+1} = \mathrm{Proj}\big(\hat\pi_t + \eta\, Q_{\lambda_t}^{\pi_t}\big), \quad
   \hat\lambda_{t+1} = \mathrm{Proj}_{[0,\Lambda]}\big(\hat\lambda_t + \eta\, g_t\big), \qquad
   \pi_{t+1} = \mathrm{Proj}\big(\hat\pi_{t+1} + \eta\, Q_{\lambda_t}^{\pi_t}\big), \quad
   \lambda_{t+1} = \mathrm{Proj}_{[0,\Lambda]}\big(\hat\lambda_{t+1} + \eta\, g_t\big),

in every state, with :math:`g_t = V_c^{\pi_t}(\rho) - b`, from the uniform policy and the price 0. It is optimistic
gradient descent-ascent as in occupancy space, and yet no instance of it: the gradient in policies is not monotone. The
proof weighs the states by the occupancy of an optimal policy, *not* normalised, and then the performance difference
makes the weighted game a saddle again. The distance to any optimum shrinks in each step but for a term of how much the
gradient changed. That the last iterate converges linearly holds for small steps, with constants of the instance.

Figure: ``mdptk reproduce constrained_oscillation``. Proof: ``proofs/constrained/optimistic_primal_dual.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.constrained import paradoxical
>>> run(OptimisticPrimalDual(eta=0.2), paradoxical(), 500)["pi"][0, -1].round(3)
array([[0.75, 0.25]])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Positive, Range, Solver
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Geometric, Quantity, Start, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import before
from mdptk.theory.stock_constrained import (
    MEASURES,
    known_bound,
    optimum,
    priced_action_values,
    returns_rounding,
    slater,
    slater_condition,
    wide_bound,
)
from mdptk.theory.symbols import eta


class State(NamedTuple):
    """The points of the two projections."""

    pi_hat: Array  # (S, A)
    lam_hat: Array  # (m,)
    pi: Array  # (S, A)
    lam: Array  # (m,)


def _weights(run: Run) -> Array:
    """The occupancy of the certified policy, of mass 1/(1 - gamma), (S,)."""
    return optimum(run.problem).occupancy.sum(1) / (1 - run.problem.gamma)


def _square(run: Run, pi: Array, lam: Array) -> Array:
    """Half the squared length of a difference of policies, weighted, and one of prices."""
    return ((pi**2).sum(-1) @ _weights(run) + (lam**2).sum(-1)) / 2


def _distance(run: Run) -> Array:
    star = optimum(run.problem)
    return _square(run, run["pi_hat"] - star.policy, run["lam_hat"] - star.multipliers)


def _travel(run: Run) -> Array:
    pi, lam = before(run["pi"]), before(run["lam"])
    from_old = _square(run, pi - before(run["pi_hat"]), lam - before(run["lam_hat"]))
    return from_old + _square(run, run["pi_hat"] - pi, run["lam_hat"] - lam)


def _gradient(run: Run, pi: Array, lam: Array) -> tuple[Array, Array]:
    q = priced_action_values(run.problem, pi, lam)
    return q, exact.returns(run.problem, pi)[..., 1:] - run.problem.b


def _surprise(run: Run) -> Array:
    """What the change of the gradient is worth: of the one of the step, from the one that was used to look ahead."""
    new = _gradient(run, run["pi"], run["lam"])
    first = _gradient(run, run["pi_hat"][:, :1], run["lam_hat"][:, :1])
    dq, dg = (x - np.concatenate([y, x[:, :-1]], axis=1) for x, y in zip(new, first, strict=True))
    dq, dg = before(dq), before(dg)
    moved = (dq * (run["pi_hat"] - before(run["pi"]))).sum(-1) @ _weights(run)
    return moved + (dg * (run["lam_hat"] - before(run["lam"]))).sum(-1)


def _rounding(run: Run) -> Array:
    """Of squares of distances at most 2 in a state, of projections, and of a saddle that is one up to its own gap."""
    problem, alg, found = run.problem, run.alg, optimum(run.problem)
    prices = 1 + run["lam"].sum(-1) + run["lam_hat"].sum(-1)
    point = 16 * EPS * (problem.A + prices) + 2 * alg.eta * returns_rounding(problem) * prices
    saddle = alg.eta * (found.width + found.violation * prices)
    return point * (4 / (1 - problem.gamma) + prices) + saddle


distance = Quantity("Theta", _distance, latex=r"\Theta_{%t}", rounding=_rounding)
travel = Quantity("zeta", _travel, latex=r"\zeta_{%t}", rounding=_rounding)
surprise = Quantity("surprise", _surprise, latex=r"\delta_{%t}", rounding=_rounding)


def _from(alg: OptimisticPrimalDual, problem: CMDP, x: Array) -> State:
    pi, lam = x[: problem.mdp.r.size].reshape(problem.mdp.r.shape), x[problem.mdp.r.size :]
    start = exact.project_simplex(pi), np.clip(lam, 0, alg.multiplier_bound(problem))
    return State(*start, *alg.moved(problem, *start, *start))


ANYWHERE = Start("any policy and prices up to the bound", lambda x: np.append(x.pi_hat.ravel(), x.lam_hat), _from)

KEY = "ding2023last"
STEP = Theorem(
    name="one step",
    cite=Cite(KEY, "the proof of the convergence of OPG-PD, before the change of the gradient is bounded"),
    reason=r"derived: $\Theta_t = \tfrac12\mathbb{E}\|\hat\pi_t - \pi^*\|_2^2 + "
    r"\tfrac12\|\hat\lambda_t - \lambda^*\|_2^2$ with the occupancy of $\pi^*$ of mass $1/(1-\gamma)$; $\zeta_t$ is "
    r"that of $\pi_{t-1} - \hat\pi_{t-1}$ plus that of $\hat\pi_t - \pi_{t-1}$; $\delta_t$ is the change from the last "
    r"gradient but one to the last, times $\hat\pi_t - \pi_{t-1}$ and $\hat\lambda_t - \lambda_{t-1}$",
    assumes=(slater_condition, wide_bound),
    consecutive=True,
    lhs=distance,
    rhs=previous(distance) - travel + eta * surprise,
    proof="constrained/optimistic_primal_dual",
    iterate="last",
    starts=ANYWHERE,
)
LINEAR = Theorem(
    name="linear convergence of the last iterate",
    cite=Cite(KEY, "the convergence of OPG-PD"),
    reason="for steps below a constant of the instance, with a factor of the instance; the distance is to the saddle "
    "point that `solve` certifies, where the paper has the nearest",
    assumes=(slater_condition, known_bound),
    lhs=distance,
    rhs=0,
    holds=Geometric(),
    status="order-only",
    iterate="last",
)


@dataclass(frozen=True)
class OptimisticPrimalDual(Solver[CMDP, State]):
    r"""Steps of size `eta`; multipliers stay in [0, `bound`], :math:`2/((1-\gamma)\xi)` if None."""

    eta: Positive = 0.1
    bound: Annotated[float | None, Range(0, np.inf)] = None

    sees: ClassVar[type] = CMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (STEP, LINEAR)
    measures: ClassVar[tuple[Measure, ...]] = MEASURES

    def multiplier_bound(self, problem: CMDP) -> float:
        r"""What the multipliers are kept below, :math:`\Lambda`."""
        return 2 / ((1 - problem.gamma) * slater(problem)) if self.bound is None else self.bound

    def init(self, problem: CMDP) -> State:
        start = np.full(problem.mdp.r.shape, 1 / problem.A), np.zeros(problem.m)
        return State(*start, *self.moved(problem, *start, *start))

    def step(self, problem: CMDP, state: State) -> State:
        hat = self.moved(problem, state.pi_hat, state.lam_hat, state.pi, state.lam)
        return State(*hat, *self.moved(problem, *hat, state.pi, state.lam))

    def moved(self, problem: CMDP, pi0: Array, lam0: Array, pi: Array, lam: Array) -> tuple[Array, Array]:
        """From (pi0, lam0), a step along the gradient at (pi, lam), projected."""
        q = exact.action_values(problem.penalised(lam), pi)
        over = exact.returns(problem, pi)[1:] - problem.b
        up = np.clip(lam0 + self.eta * over, 0, self.multiplier_bound(problem))
        return exact.project_simplex(pi0 + self.eta * q), up
