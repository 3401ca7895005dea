r"""Soft policy iteration: the policy that is greedy with entropy, evaluated and made again. Newton's method.

.. math::

   \pi_{t+1}(a|s) \propto \exp\!\big(Q_\tau^{\pi_t}(s, a) / \tau\big), \qquad
   Q_\tau^\pi = r + \gamma P V_\tau^\pi, \quad V_\tau^\pi = \langle \pi, Q_\tau^\pi - \tau \log \pi \rangle,
   \qquad \pi_0 \text{ uniform}.

This is entropy-regularised natural policy gradient with its longest step. It converges at the rate gamma, as policy
iteration does, and then quadratically: with entropy the soft Bellman operator is smooth, and this is Newton's method
for its fixed point. The quadratic statement holds at every step, without conditions; it says something when the error
is below 8 tau (1 - gamma) / gamma. With tau to zero that phase vanishes, and what is left is policy iteration, which
ends by itself.

Figure: ``mdptk reproduce policy_gradient_family``. Proof: ``proofs/policy_gradient/soft_policy_iteration.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(SoftPolicyIteration(tau=0.1), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Positive, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Start, Theorem, initial, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock_policy import (
    log_error,
    q_error,
    soft_kl,
    soft_least_gain,
    soft_return,
    soft_value_rounding,
    tau,
)
from mdptk.theory.symbols import gamma, t


class State(NamedTuple):
    """Log-probabilities and the policy."""

    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)


def _log_rounding(run: Run) -> Array:
    """How far rounding may put log pi_t, given the policy before, or what both sides make of it."""
    return 16 * EPS * abs(run["log_pi"]).max((-2, -1)) + 2 * soft_value_rounding(run) / run.alg.tau


backward_kl = soft_kl(forward=False, error=_log_rounding)

CEN = "cen2022fast"
ANYWHERE = Start("any positive policy", lambda state: state.log_pi, lambda alg, problem, x: _state(x))
LINEAR = Theorem(
    name="linear convergence",
    cite=Cite(CEN, "soft policy iteration: Theorem 1 with eta = (1 - gamma) / tau"),
    reason="recalled and rederived: Q where the theorem has t - 1 in place of t and the same rate",
    lhs=q_error,
    rhs=gamma**t * initial(q_error),
    proof="policy_gradient/soft_policy_iteration",
    starts=ANYWHERE,
)
POLICIES = Theorem(
    name="policies follow values",
    cite=Cite(CEN, "soft policy iteration: Theorem 1, policies"),
    reason="recalled and rederived",
    consecutive=True,
    lhs=log_error,
    rhs=previous(q_error) / tau,
    proof="policy_gradient/soft_policy_iteration",
    starts=ANYWHERE,
)
QUADRATIC = Theorem(
    name="quadratic convergence",
    cite=Cite("liu2024elementary", "local quadratic convergence of soft policy iteration"),
    reason="the paper was not at hand: constants are those of the derivation in proofs, which needs no neighbourhood",
    consecutive=True,
    lhs=q_error,
    rhs=gamma / (8 * tau * (1 - gamma)) * previous(q_error) ** 2,
    proof="policy_gradient/soft_policy_iteration",
    starts=ANYWHERE,
)
IMPROVEMENT = Theorem(
    name="improvement",
    cite=Cite(CEN, "Lemma 1 with eta = (1 - gamma) / tau"),
    reason="recalled and rederived",
    consecutive=True,
    lhs=soft_return,
    rhs=previous(soft_return) + tau / (1 - gamma) * backward_kl,
    relation="=",
    proof="policy_gradient/soft_policy_iteration",
    starts=ANYWHERE,
)
MONOTONE = Theorem(
    name="monotone improvement",
    cite=Cite(CEN, "the consequence of Lemma 1"),
    reason="recalled and rederived",
    consecutive=True,
    lhs=soft_least_gain,
    rhs=0,
    relation=">=",
    silent="it says that no state and action ever loses: a wrong step does lose somewhere",
    proof="policy_gradient/soft_policy_iteration",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class SoftPolicyIteration(Solver[MDP, State]):
    """Soft policy iteration with entropy of weight `tau`, from the uniform policy."""

    tau: Positive = 0.1

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (LINEAR, QUADRATIC, POLICIES, IMPROVEMENT, MONOTONE)

    def init(self, problem: MDP) -> State:
        return _state(np.zeros_like(problem.r))

    def step(self, problem: MDP, state: State) -> State:
        return _state(problem.q(exact.soft_evaluate(problem, state.log_pi, self.tau)) / self.tau)


def _state(theta: Array) -> State:
    log_pi = exact.log_softmax(theta)
    return State(log_pi, np.exp(log_pi))
