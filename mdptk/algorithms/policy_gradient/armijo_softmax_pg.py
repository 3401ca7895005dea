r"""Softmax policy gradient with a line search, exact: steps as long as the value allows, found by backtracking.

.. math::

   \theta_{t+1} = \theta_t + \eta_t \nabla_\theta V^{\pi_t}(\rho), \qquad
   \eta_t = \text{the first of } \eta_{\max}, \beta\eta_{\max}, \beta^2\eta_{\max}, \ldots \text{ with }
   V^{\pi_{t+1}}(\rho) \geq V^{\pi_t}(\rho) + h\, \eta_t \|\nabla_\theta V^{\pi_t}(\rho)\|_2^2, \qquad \theta_0 = 0.

The smoothness constant 8 span(r) / (1 - gamma)^3 is a worst case, and a step that is made for it is tiny. The search
needs to know none of it and is never worse than a factor: it accepts every step below 2 (1 - h) over that constant.
In practice it accepts far longer ones, since gradients of softmax policies are flat where they are small.

Figure: ``mdptk reproduce policy_gradient_family``. Proof: ``proofs/policy_gradient/armijo_softmax_pg.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(ArmijoSoftmaxPG(), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from sympy import Min, Symbol, sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Fraction, Measure, Positive, Range, Solver
from mdptk.core.models import MDP, Array
from mdptk.theory import Cite, Quantity, Start, Theorem, initial, previous
from mdptk.theory.stock import mismatch, per_model, positive_start, reward_span, suboptimality
from mdptk.theory.stock_policy import (
    LEAST,
    chance,
    coverage,
    gradient_norm,
    least,
    softmax_gain,
    span_smoothness,
)
from mdptk.theory.symbols import S, gamma, t

eta_max, h, beta = (Symbol(x, positive=True) for x in ("eta_max", "h", "beta"))


class State(NamedTuple):
    """Logits, the largest in each state kept at 0, the policy that they stand for, and the step that led to it."""

    theta: Array  # (..., S, A)
    pi: Array  # (..., S, A)
    eta: Array  # (...): eta_max at the start


accepted = Quantity("accepted", lambda run: run["eta"], latex=r"\eta_{%t-1}")
shortest = Quantity(
    "shortest",
    lambda run: per_model(_shortest(run.alg, run.problem)),
    latex=r"\eta_{\min}",
)


def _shortest(alg: ArmijoSoftmaxPG, problem: MDP) -> Any:
    """The shortest step that the search can end with; eta_max where all rewards are the same."""
    with np.errstate(divide="ignore"):
        return np.minimum(alg.eta_max, 2 * alg.beta * (1 - alg.h) / span_smoothness(problem))


LU = "lu2024principled"
DERIVED = "the paper was not at hand: constants are those of the derivation in proofs"
ANYWHERE = Start(
    r"any $\theta_0$",
    lambda state: state.theta,
    lambda alg, problem, theta: State(
        theta - theta.max(-1, keepdims=True), exact.softmax(theta), np.full(problem.batch, alg.eta_max)
    ),
)
CONVERGENCE = Theorem(
    name="global convergence",
    cite=Cite(LU, "softmax policy gradient with Armijo line search, tabular MDPs"),
    reason=DERIVED,
    assumes=(positive_start,),
    lhs=suboptimality,
    rhs=initial(suboptimality)
    / (1 + h * shortest * ((1 - gamma) * least / mismatch) ** 2 / S * initial(suboptimality) * t),
    proof="policy_gradient/armijo_softmax_pg",
    starts=ANYWHERE,
)
INCREASE = Theorem(
    name="sufficient increase",
    cite=Cite(LU, "the Armijo condition"),
    consecutive=True,
    lhs=softmax_gain,
    rhs=h * accepted * previous(gradient_norm) ** 2,
    relation=">=",
    proof="policy_gradient/armijo_softmax_pg",
    starts=ANYWHERE,
)
STEP = Theorem(
    name="accepted steps",
    cite=Cite(LU, "lower bound on the step size of the line search"),
    reason=DERIVED,
    lhs=accepted,
    rhs=Min(eta_max, beta * (1 - h) * (1 - gamma) ** 3 / (4 * reward_span)),
    relation=">=",
    silent="it bounds the effort of the search; a run that never moves has never shortened a step",
    proof="policy_gradient/armijo_softmax_pg",
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
    proof="policy_gradient/armijo_softmax_pg",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class ArmijoSoftmaxPG(Solver[MDP, State]):
    """Softmax policy gradient with Armijo line search, from the uniform policy.

    `eta_max` is tried first in every step, `beta` shortens, `h` is the part of the promised gain that must be there.
    """

    eta_max: Positive = 10.0
    h: Fraction = 0.5
    beta: Annotated[float, Range(0, 0.9, "high")] = 0.5

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, INCREASE, STEP, LOJASIEWICZ)
    measures: ClassVar[tuple[Measure, ...]] = (LEAST,)

    def init(self, problem: MDP) -> State:
        theta = np.zeros_like(problem.r)
        return State(theta, exact.softmax(theta), np.full(problem.batch, self.eta_max))

    def step(self, problem: MDP, state: State) -> State:
        g = exact.softmax_gradient(problem, state.pi)
        advantage, promised = exact.advantage(problem, state.pi), (g**2).sum((-2, -1))
        smooth = 2 * (1 - self.h)  # over the smoothness: shorter steps are accepted, float64 might not see why
        eta = np.full(problem.batch, self.eta_max)
        while True:
            theta = state.theta + eta[..., None, None] * g
            pi = exact.softmax(theta)
            d = exact.occupancy(problem, pi)[..., None] / (1 - problem.gamma)
            gain = (d * (pi - state.pi) * advantage).sum((-2, -1))  # nothing cancels, as it would in values
            enough = (gain >= self.h * eta * promised) | (eta * span_smoothness(problem) <= smooth)
            if enough.all():
                return State(theta - theta.max(-1, keepdims=True), pi, eta)
            eta = np.where(enough, eta, self.beta * eta)
