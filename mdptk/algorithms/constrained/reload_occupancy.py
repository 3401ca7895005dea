r"""ReLOAD in occupancy space: optimistic gradient descent-ascent on the bilinear saddle of a constrained problem.

.. math::

   \hat z_{t+1} = \mathrm{Proj}\big(\hat z_t - \eta F(z_t)\big), \qquad
   z_{t+1} = \mathrm{Proj}\big(\hat z_{t+1} - \eta F(z_t)\big), \qquad
   F(x, \lambda) = \big(\lambda \cdot c - r,\; (1-\gamma) b - \langle c, x\rangle\big),

for :math:`z = (x, \lambda)` with occupancies `x`, normalised to one, and :math:`\lambda \ge 0`. In occupancies the
Lagrangian is bilinear, so it has no curvature, and gradient descent-ascent turns around the saddle for ever. To step
from the old point with the gradient of the new one, and then once more with the same gradient, is enough to make the
*last* iterate converge: a potential that contains its squared distance to any saddle point falls in every step, by what
the step is worth. Linear convergence follows, with a factor that depends on the polytope and has no formula.

The theorems are those of Wei et al. [wei2021linear] for saddles over polytopes; the method for constrained problems is
that of Moskovitz et al. [moskovitz2023reload], who use it in policy space, too: see ReLOAD.

Figure: ``mdptk reproduce constrained_oscillation``. Proof: ``proofs/constrained/reload_occupancy.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.constrained import paradoxical
>>> run(ReLOADOccupancy(), paradoxical(), 500)["pi"][0, -1].round(3)
array([[0.75, 0.25]])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Range, Solver
from mdptk.core.models import CMDP, Array
from mdptk.core.run import Run
from mdptk.theory import Assumption, Cite, Geometric, Quantity, Theorem, initial, previous, so_far
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import before
from mdptk.theory.stock_constrained import MEASURES, optimum, slater_condition
from mdptk.theory.symbols import t


class State(NamedTuple):
    """The points of the two projections, and the policy whose occupancy is x."""

    x_hat: Array  # (S, A)
    lam_hat: Array  # (m,)
    x: Array  # (S, A)
    lam: Array  # (m,)
    pi: Array  # (S, A)


def _points(run: Run) -> tuple[Array, Array]:
    r"""The recorded :math:`\hat z_t` and :math:`z_t`, (repeats, records, S A + m)."""
    flat = lambda x: x.reshape(*x.shape[:2], -1)  # noqa: E731
    return tuple(np.concatenate([flat(run[x]), run[lam]], -1) for x, lam in (("x_hat", "lam_hat"), ("x", "lam")))  # type: ignore[return-value]


def _saddle(run: Run) -> Array:
    found = optimum(run.problem)
    return np.concatenate([found.occupancy.ravel(), found.multipliers])


def _square(x: Array) -> Array:
    return (x**2).sum(-1)


def _kappa(run: Run) -> float:
    return (2 * run.alg.step_size(run.problem) * lipschitz(run.problem)) ** 2


def _potential(run: Run) -> Array:
    hat, z = _points(run)
    lag = np.concatenate([hat[:, :1], z[:, :-1]], axis=1)  # z_{-1} is where it starts
    return _square(hat - _saddle(run)) + _kappa(run) * _square(hat - lag)


def _travel(run: Run) -> Array:
    hat, z = _points(run)
    return _square(hat - before(z)) + _square(before(z - hat))


def _rounding(run: Run) -> Array:
    """Of a squared distance between points that the projections put off by a few hundred units in the last place."""
    size = 1 + np.sqrt(_potential(run))
    return 2**10 * EPS * run.problem.S * np.maximum.accumulate(size, axis=1) ** 2


def _saddle_error(run: Run) -> Array:
    """How far F(z).(z - z*) may be below zero, since the certified point is a saddle only up to rounding."""
    found = optimum(run.problem)
    return (1 - run.problem.gamma) * (found.width + found.violation * run["lam"].sum(-1))


potential = Quantity(
    "Theta",
    _potential,
    latex=r"\Theta_{%t}",
    rounding=lambda run: _rounding(run) + 2 * run.alg.step_size(run.problem) * _saddle_error(run),
)
kappa = Quantity("kappa", _kappa, latex=r"\kappa")
travel = Quantity(
    "zeta",
    _travel,
    latex=r"\zeta_{%t}",
    rounding=_rounding,
)


def _too_fast(alg: Any, problem: CMDP) -> str | None:
    most = 1 / (2 * lipschitz(problem))
    return None if alg.step_size(problem) < most else f"eta = {alg.eta:.6g}, 1/(2 L) = {most:.6g}"


def lipschitz(problem: CMDP) -> float:
    """The Lipschitz constant L of F: the largest singular value of the costs, as a matrix (m, S A)."""
    return float(np.linalg.norm(problem.c.reshape(problem.m, -1), 2)) or 1.0


small_step = Assumption(r"$\eta < 1/(2L)$, with the Lipschitz constant of F", _too_fast)
KEY = "wei2021linear"
NOT_READ = (
    "the paper was not at hand: rederived in proofs, for every saddle point and not only the nearest, and for every "
    r"step below $1/(2L)$; with the largest step of the paper, $1/(8L)$, $\kappa = 1/16$"
)
FALLS = Theorem(
    name="the potential falls",
    cite=Cite(KEY, "Lemma 1"),
    reason=NOT_READ
    + r"; $\Theta_t = \|\hat z_t - z^*\|_2^2 + \kappa \|\hat z_t - z_{t-1}\|_2^2$, $\kappa = (2 \eta L)^2$, "
    r"$\zeta_t = \|\hat z_t - z_{t-1}\|_2^2 + \|z_{t-1} - \hat z_{t-1}\|_2^2$",
    assumes=(slater_condition, small_step),
    consecutive=True,
    lhs=potential,
    rhs=previous(potential) - (1 - kappa) * travel,
    proof="constrained/reload_occupancy",
    iterate="last",
)
BEST = Theorem(
    name="best step",
    cite=Cite(KEY, "Lemma 1, summed"),
    reason=NOT_READ,
    assumes=(slater_condition, small_step),
    consecutive=True,
    lhs=so_far(travel, np.fmin),
    rhs=initial(potential) / ((1 - kappa) * t),
    proof="constrained/reload_occupancy",
    iterate="best",
)
LINEAR = Theorem(
    name="linear convergence of the last iterate",
    cite=Cite(KEY, "Theorem 8, for bilinear games over polytopes"),
    reason="the factor depends on how the polytope lies, through a constant without a formula; the distance is to the "
    "saddle point that `solve` certifies, where the paper has the nearest",
    assumes=(slater_condition, small_step),
    lhs=potential,
    rhs=0,
    holds=Geometric(),
    status="order-only",
    iterate="last",
)


@dataclass(frozen=True)
class ReLOADOccupancy(Solver[CMDP, State]):
    """Optimistic steps of size `eta` on occupancies and multipliers; 1/(4 L) if None."""

    eta: Annotated[float | None, Range(0, np.inf)] = None

    sees: ClassVar[type] = CMDP
    theorems: ClassVar[tuple[Theorem, ...]] = (FALLS, BEST, LINEAR)
    measures: ClassVar[tuple[Measure, ...]] = MEASURES

    def step_size(self, problem: CMDP) -> float:
        """The step, eta."""
        return 1 / (4 * lipschitz(problem)) if self.eta is None else self.eta

    def init(self, problem: CMDP) -> State:
        uniform = np.full(problem.mdp.r.shape, 1 / problem.A)
        x, lam = exact.occupancy(problem.mdp, uniform)[:, None] * uniform, np.zeros(problem.m)
        return _state(x, lam, *self._moved(problem, x, lam, x, lam))

    def step(self, problem: CMDP, state: State) -> State:
        hat = self._moved(problem, state.x_hat, state.lam_hat, state.x, state.lam)
        return _state(*hat, *self._moved(problem, *hat, state.x, state.lam))

    def _moved(self, problem: CMDP, x0: Array, lam0: Array, x: Array, lam: Array) -> tuple[Array, Array]:
        """From (x0, lam0), a step along the gradient at (x, lam), projected."""
        eta, c = self.step_size(problem), problem.c
        prices = problem.mdp.r - np.tensordot(lam, c, 1)
        over = np.tensordot(c, x) - (1 - problem.gamma) * problem.b
        return exact.project_occupancy(problem.mdp, x0 + eta * prices), np.maximum(lam0 + eta * over, 0)


def _state(x_hat: Array, lam_hat: Array, x: Array, lam: Array) -> State:
    return State(x_hat, lam_hat, x, lam, exact.conditional(x))
