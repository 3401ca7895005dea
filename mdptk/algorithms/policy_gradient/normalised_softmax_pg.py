r"""Softmax policy gradient with normalised steps, exact: every step has the same length, however flat the ground.

.. math::

   \theta_{t+1} = \theta_t + \eta\, \frac{\nabla_\theta V^{\pi_t}(\rho)}{\|\nabla_\theta V^{\pi_t}(\rho)\|_2}, \qquad
   \pi_t \propto \exp\theta_t, \quad \theta_0 = 0, \qquad \eta = \frac{\log 2}{L}, \quad
   L = 3 + \sqrt2\,\frac{C(C - 1 + \gamma)}{(1-\gamma)^2}, \quad C = \max_\pi \|d^\pi_\rho/\rho\|_\infty .

Where the gradient of a softmax policy is small, so is its curvature: the Hessian is at most L times the gradient, for
any rewards. So steps need not shrink with the gradient, and the rate turns from 1/t into a linear one. What remains in
it is the smallest probability of an optimal action on the way.

Figure: ``mdptk reproduce policy_gradient_family``. Proof: ``proofs/policy_gradient/normalised_softmax_pg.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(NormalisedSoftmaxPG(), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from sympy import exp, log, sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Measure, Range, Solver
from mdptk.core.models import MDP, Array
from mdptk.theory import Assumption, Cite, Quantity, Start, Theorem, initial, previous
from mdptk.theory.stock import mismatch, per_model, positive_start, suboptimality
from mdptk.theory.stock_policy import LEAST, chance, coverage, gradient_norm, least, softmax_gain
from mdptk.theory.symbols import S, gamma, t


class State(NamedTuple):
    """Logits, the largest in each state kept at 0, and the policy that they stand for."""

    theta: Array  # (..., S, A)
    pi: Array  # (..., S, A)


@lru_cache(maxsize=256)
def concentration(problem: MDP) -> Any:
    r""":math:`C = \max_{\pi, s} d^\pi_\rho(s) / \rho(s)`, (...), by S optimal control problems; inf where rho is 0."""
    S, A, batch = problem.S, problem.A, problem.batch
    P = np.broadcast_to(problem.dense().P[..., None, :, :, :], (*batch, S, S, A, S))
    there = np.broadcast_to(np.eye(S)[:, :, None], (*batch, S, S, A))  # task s pays 1 in state s
    most = (1 - problem.gamma) * (problem.rho[..., None, :] * exact.optimal(MDP(P, there, problem.gamma)).v).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(problem.rho > 0, most / problem.rho, np.inf).max(-1)


def curvature(problem: MDP) -> Any:
    """L: the Hessian of the value in the logits is at most L times the norm of its gradient."""
    C = concentration(problem)
    return 3 + np.sqrt(2) * C * (C - 1 + problem.gamma) / (1 - problem.gamma) ** 2


L = Quantity("L", lambda run: per_model(curvature(run.problem)), latex="L")
length = Quantity("length", lambda run: per_model(run.alg.step_size(run.problem)), latex=r"\eta")


def _other_step(alg: NormalisedSoftmaxPG, problem: MDP) -> str | None:
    eta, longest = np.max(alg.step_size(problem)), np.log(2) / np.max(curvature(problem))
    return None if alg.eta is None else f"eta = {eta:.6g}, log(2) / L = {longest:.6g}"


def _too_long(alg: NormalisedSoftmaxPG, problem: MDP) -> str | None:
    x = float(np.max(alg.step_size(problem) * curvature(problem)))
    return None if x < 1.25 else f"eta L = {x:.6g}"  # beyond 1.2564 the right side is negative


MEI = "mei2021leveraging"
DERIVED = "the paper was not at hand: same form, the constant L is derived in proofs, without the paper's sqrt(S)"
ANYWHERE = Start(r"any $\theta_0$", lambda state: state.theta, lambda alg, problem, theta: _state(theta))
CONVERGENCE = Theorem(
    name="linear convergence",
    cite=Cite(MEI, "geometry-aware normalised policy gradient in MDPs, with mu = rho"),
    reason=DERIVED,
    assumes=(positive_start, Assumption("the step length log(2) / L", _other_step)),
    lhs=suboptimality,
    rhs=initial(suboptimality) * (1 - (2 * log(2) - 1) * (1 - gamma) * least / (L * mismatch * sqrt(S))) ** t,
    proof="policy_gradient/normalised_softmax_pg",
    starts=ANYWHERE,
)
ASCENT = Theorem(
    name="ascent",
    cite=Cite(MEI, "non-uniform smoothness of the value"),
    reason=DERIVED,
    assumes=(positive_start, Assumption("steps of length at most 1.25 / L", _too_long)),
    consecutive=True,
    lhs=softmax_gain,
    rhs=(1 + 2 * length * L - exp(length * L)) / L * previous(gradient_norm),
    relation=">=",
    proof="policy_gradient/normalised_softmax_pg",
    starts=ANYWHERE,
)
LOJASIEWICZ = Theorem(
    name="non-uniform Lojasiewicz inequality",
    cite=Cite("mei2020global", "Lemma 8 with mu = rho"),
    assumes=(positive_start,),
    lhs=gradient_norm,
    rhs=coverage * chance / sqrt(S) * suboptimality,
    relation=">=",
    silent="it compares every policy with its own gradient",
    proof="policy_gradient/normalised_softmax_pg",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class NormalisedSoftmaxPG(Solver[MDP, State]):
    """Normalised softmax policy gradient with steps of length `eta`, by default log(2) / L, from the uniform policy.

    Where rho is zero somewhere L is infinite, and the default stands still.
    """

    eta: Annotated[float | None, Range(0, np.inf)] = None

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, ASCENT, LOJASIEWICZ)
    measures: ClassVar[tuple[Measure, ...]] = (LEAST,)

    def step_size(self, problem: MDP) -> Any:
        """`eta`, or log(2) / L, one for each model of a batch."""
        return np.log(2) / curvature(problem) if self.eta is None else self.eta

    def init(self, problem: MDP) -> State:
        return _state(np.zeros_like(problem.r))

    def step(self, problem: MDP, state: State) -> State:
        advantage = exact.advantage(problem, state.pi)
        advantage = np.where(abs(advantage) > exact.rounding(problem), advantage, 0.0)  # noise has no direction
        g = exact.occupancy(problem, state.pi)[..., None] * state.pi * advantage
        norm = np.sqrt((g**2).sum((-2, -1), keepdims=True))
        unit = g / np.where(norm > 0, norm, 1.0)  # where nothing is to be gained it stays
        return _state(state.theta + np.asarray(self.step_size(problem))[..., None, None] * unit)


def _state(theta: Array) -> State:
    return State(theta - theta.max(-1, keepdims=True), exact.softmax(theta))
