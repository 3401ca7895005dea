r"""Natural policy gradient in the softmax parameterisation, with exact gradients.

.. math::

   \theta_{t+1} = \theta_t + \frac{\eta}{1-\gamma} A^{\pi_t}, \qquad
   \pi_{t+1}(a|s) \propto \pi_t(a|s) \exp\!\Big(\frac{\eta}{1-\gamma} A^{\pi_t}(s, a)\Big), \qquad \theta_0 = 0.

Preconditioning with the pseudo-inverse of the Fisher information cancels the state distribution: in every state runs
one copy of multiplicative weights. So the rate has no S, no mismatch coefficient and no condition on the step size:
a larger eta only improves the bound. The 1/t is not the end: once the gap Delta between the best and the next best
action shows in the sum of what was seen, every other action is forgotten at the rate exp(-eta Delta / (1 - gamma)).

Figure: ``mdptk reproduce npg_rate``. Proof: ``proofs/policy_gradient/npg.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(NPG(eta=1.0), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from sympy import exp, log

from mdptk.core import exact
from mdptk.core.algorithm import Positive, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem, initial, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import (
    batch_first,
    expected_return,
    policy,
    policy_error,
    suboptimality,
    unit_rewards,
    value_rounding,
)
from mdptk.theory.stock_policy import action_gap, largest_loss
from mdptk.theory.symbols import A, eta, gamma, t


class State(NamedTuple):
    """Logits and the policy that they stand for."""

    theta: Array  # (..., S, A)
    pi: Array  # (..., S, A)


def _log_normaliser(run: Run) -> Array:
    """``log Z_t(s)`` of the multiplicative-weights update, (repeats, records, S), from logits: pi may underflow."""
    theta = run["theta"]
    moved = theta + run.alg.eta / (1 - run.problem.gamma) * exact.advantage(batch_first(run), policy(run))
    top = moved.max(-1, keepdims=True)
    return top[..., 0] + np.log(np.exp(moved - top).sum(-1)) - np.log(np.exp(theta).sum(-1))


mean_log_normaliser = Quantity(
    "mean_log_normaliser",
    lambda run: (batch_first(run).rho * _log_normaliser(run)).sum(-1),
    latex=r"\mathbb{E}_{s\sim\rho}[\log Z_{%t}(s)]",
    rounding=lambda run: 2 * run.alg.eta / (1 - run.problem.gamma) * value_rounding(run) + 16 * EPS * run.problem.A,
)

ANYWHERE = Start(r"any $\theta_0$", lambda state: state.theta, lambda alg, problem, theta: _state(theta))
CONVERGENCE = Theorem(
    name="global convergence",
    cite=Cite("agarwal2021theory", "Theorem 16"),
    assumes=(unit_rewards,),
    lhs=suboptimality,
    rhs=log(A) / (eta * t) + 1 / ((1 - gamma) ** 2 * t),
    proof="policy_gradient/npg",
)
LINEAR = Theorem(
    name="global linear convergence",
    cite=Cite("liu2024elementary", "global linear convergence of softmax NPG for any constant step size"),
    reason="the paper was not at hand: the statement, with a constant of the run's own first policy, is derived in "
    "proofs; the local rate is that of Khodadadian et al. 2022",
    lhs=suboptimality,
    rhs=(A - 1)
    * A ** (gamma / (1 - gamma))
    * largest_loss
    / (1 - gamma)
    * exp(eta / (1 - gamma) * (gamma / (1 - gamma) * initial(policy_error) - action_gap * t)),
    proof="policy_gradient/npg",
)
IMPROVEMENT = Theorem(
    name="improvement",
    cite=Cite("agarwal2021theory", "Lemma 17"),
    consecutive=True,
    lhs=expected_return,
    rhs=previous(expected_return) + (1 - gamma) / eta * previous(mean_log_normaliser),
    relation=">=",
    proof="policy_gradient/npg",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class NPG(Solver[MDP, State]):
    """Natural policy gradient with step size `eta`, from the uniform policy."""

    eta: Positive = 1.0

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (CONVERGENCE, LINEAR, IMPROVEMENT)

    def init(self, problem: MDP) -> State:
        return _state(np.zeros_like(problem.r))

    def step(self, problem: MDP, state: State) -> State:
        return _state(state.theta + self.eta / (1 - problem.gamma) * exact.advantage(problem, state.pi))


def _state(theta: Array) -> State:
    return State(theta - theta.max(-1, keepdims=True), exact.softmax(theta))  # the largest logit is kept at 0
