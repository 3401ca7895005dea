r"""Improper learning: policy gradient over the weights of base controllers that are given.

.. math::

   \theta_{t+1} = \theta_t + \eta\, \nabla_\theta V^{\pi_{\theta_t}}(\rho), \qquad
   \frac{\partial V}{\partial \theta_m} = \frac{w_m}{1-\gamma} \sum_s d(s) \sum_a K_m(a|s)\, A^{\pi_\theta}(s, a),

.. math::

   \pi_\theta = \sum_m w_m K_m, \quad w = \mathrm{softmax}(\theta), \quad \theta_0 = 0.

At every step a controller :math:`K_m` is drawn afresh, and a mixture can be better than all of them. The base
controllers here are the constant actions; override `controllers` for others. Moving weights moves the policy in all
states at once, and so the return is :math:`1/(1-\gamma)^3`-smooth. What does not carry over is global convergence: the
mixtures are no class that a local improvement can lead through. There are two controllers and three states in which
uniform weights are stationary, exactly, while the first controller alone is best, so no bound on the gap that only
asks for weights that stay away from zero can hold.

Proof: ``proofs/policy_gradient/improper_mixture.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import two_state
>>> run(ImproperMixture(), two_state(), 3)["theta"].shape
(1, 4, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from sympy import Symbol

from mdptk.core import exact
from mdptk.core.algorithm import Range, Solver
from mdptk.core.improper import Improper, mixture_gradient
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Assumption, Cite, Quantity, Theorem, initial, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import (
    batch_first,
    expected_return,
    gain,
    mismatch,
    optimum_rounding,
    policy,
    positive_start,
    step_size,
    unit_rewards,
)
from mdptk.theory.stock_policy import rarest
from mdptk.theory.symbols import A, gamma, t

GRID = 513  # mixtures of two controllers among which the best is sought


class State(NamedTuple):
    """The logits of the weights, and the mixture."""

    theta: Array  # (..., M)
    pi: Array  # (..., S, A)


def _gradient(run: Run) -> Array:
    return run.alg.gradient(batch_first(run), run["theta"], policy(run))


def _squares(run: Run) -> Array:
    return (_gradient(run) ** 2).sum(-1)


def _best_of_two(run: Run) -> tuple[float, Array]:
    """The largest return on a grid of mixtures of the two controllers, and the weights that have it."""
    if "best of two" not in run.cache:
        w = np.linspace(0, 1, GRID)
        w, problem = np.stack([w, 1 - w], -1), run.problem
        returns = exact.expected_return(problem, run.alg.mixture(problem, w))
        run.cache["best of two"] = float(returns.max()), w[returns.argmax()]
    return run.cache["best of two"]


def _least_weight(run: Run) -> Array:
    w, best = exact.softmax(run["theta"]), _best_of_two(run)[1]
    return np.minimum.accumulate(np.where(best > 0, w, 1.0).min(-1), axis=1)


mixture_gain = gain(lambda run: 16 * EPS * run.problem.A)
square = Quantity(
    "square",
    _squares,
    latex=r"\|\nabla_\theta V^{\pi_{%t}}(\rho)\|_2^2",
    rounding=lambda run: 4 * np.sqrt(_squares(run)) * optimum_rounding(run) + optimum_rounding(run) ** 2,
)
total_square = Quantity(
    "total_square",
    lambda run: np.cumsum(_squares(run), 1) - _squares(run),
    latex=r"{\textstyle\sum_{k<%t}} \|\nabla_\theta V^{\pi_k}(\rho)\|_2^2",
    rounding=lambda run: np.cumsum(square.error(run), 1),
)
mixture_gap = Quantity(
    "mixture_gap",
    lambda run: _best_of_two(run)[0] - exact.expected_return(run.problem, policy(run)),
    latex=r"\max_w V^{\pi_w}(\rho) - V^{\pi_{%t}}(\rho)",
    rounding=lambda run: 2 * optimum_rounding(run),
)
least_weight = Quantity("least_weight", _least_weight, latex=r"\min_{k \leq %t} \min_{m: w^*_m > 0} w_{k,m}")
M = Symbol("M", integer=True, positive=True)

short_step = Assumption(
    "eta at most (1 - gamma)^3",
    lambda alg, problem: (
        None
        if alg.step_size(problem) <= (1 - problem.gamma) ** 3 * (1 + 4 * EPS)
        else f"eta = {alg.step_size(problem):g}"
    ),
)
one_of_two = Assumption(
    "one model, two controllers",
    lambda alg, problem: None if problem.A == 2 and not problem.batch else f"A = {problem.A}, batch {problem.batch}",
)


def stuck() -> MDP:
    """Action 0 three times in a row pays 1/2, action 1 at once pays 27/32; uniform weights are stationary, exactly.

    From states 0, 1, 2 action 0 moves on, and pays when it leaves state 2; action 1 ends, and pays in state 0 only.
    All numbers are dyadic, so float64 makes no error at uniform weights.
    """
    P, r = np.zeros((4, 2, 4)), np.zeros((4, 2))
    P[[0, 1, 2, 3], 0, [1, 2, 3, 3]] = P[:, 1, 3] = 1.0
    r[2, 0], r[0, 1] = 1 / 2, 27 / 32
    return MDP(P, r, 0.5)


ZAKI, PROOF = "zaki2022actor", "policy_gradient/improper_mixture"
ASCENT = Theorem(
    name="ascent",
    cite=Cite(ZAKI, "smoothness of the return, with a constant of proofs/"),
    assumes=(unit_rewards, short_step),
    lhs=mixture_gain,
    rhs=step_size * previous(square) / 2,
    relation=">=",
    consecutive=True,
    reason="derived in proofs/",
    proof=PROOF,
)
STATIONARY = Theorem(
    name="sum of squared gradients",
    cite=Cite(ZAKI, "stationarity, with a constant of proofs/"),
    assumes=(unit_rewards, short_step),
    lhs=total_square,
    rhs=2 * (expected_return - initial(expected_return)) / step_size,
    consecutive=True,
    reason="derived in proofs/: the ascent, summed",
    proof=PROOF,
)
GLOBAL = Theorem(
    name="global convergence",
    cite=Cite(ZAKI, "the O(1/t) theorem, as remembered"),
    assumes=(unit_rewards, positive_start, one_of_two),
    lhs=mixture_gap,
    rhs=A * (7 * gamma**2 + 4 * gamma + 5) * mismatch**2 * rarest / (t * least_weight**2 * (1 - gamma) ** 3),
    status="disputed",
    reason="the paper was not at hand: its theorem from memory, which a million steps on `stuck` break as it stands",
    silent="far above what is seen, other than on the counterexample",
)


@dataclass(frozen=True)
class ImproperMixture(Improper, Solver[MDP, State]):
    """Policy gradient over mixtures with step size `eta`, from uniform weights; None is (1 - gamma)^3."""

    eta: Annotated[float | None, Range(0, np.inf)] = None

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (ASCENT, STATIONARY, GLOBAL)

    def step_size(self, problem: MDP) -> Any:
        """The step size on a problem."""
        return (1 - problem.gamma) ** 3 if self.eta is None else self.eta

    def gradient(self, problem: MDP, theta: Array, pi: Array) -> Array:
        """The gradient of the return in the logits of the weights, (..., M)."""
        return mixture_gradient(problem, self.controllers(problem), theta, pi)

    def init(self, problem: MDP) -> State:
        theta = np.zeros((*problem.batch, len(self.controllers(problem))))
        return State(theta, self.mixture(problem, exact.softmax(theta)))

    def step(self, problem: MDP, state: State) -> State:
        theta = state.theta + self.step_size(problem) * self.gradient(problem, state.theta, state.pi)
        return State(theta, self.mixture(problem, exact.softmax(theta)))
