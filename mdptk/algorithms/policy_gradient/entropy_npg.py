r"""Natural policy gradient with entropy regularisation, exact; soft policy iteration is its longest step.

.. math::

   \pi_{t+1}(a|s) \propto \pi_t(a|s)^{1 - \frac{\eta\tau}{1-\gamma}}
   \exp\!\Big(\frac{\eta}{1-\gamma} Q_\tau^{\pi_t}(s, a)\Big), \qquad
   Q_\tau^\pi = r + \gamma P V_\tau^\pi, \quad V_\tau^\pi = \langle \pi, Q_\tau^\pi - \tau \log \pi \rangle .

The entropy makes the method forget: in every step the logits lose a part of their past. So it converges linearly, at
the rate 1 - eta tau that has neither S nor A nor gamma in it, to the optimum of the regularised problem (off by at most
tau log A / (1 - gamma) from the other). At eta = (1 - gamma) / tau everything is forgotten: policy iteration with a
softmax in place of the maximum, rate gamma. What a step gains is known exactly, as two relative entropies.

Proof: ``proofs/policy_gradient/entropy_npg.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(EntropyNPG(eta=0.2, tau=0.1), riverswim(), 3)["pi"].shape
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
from mdptk.theory import Assumption, Cite, Start, Theorem, initial, previous
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
from mdptk.theory.symbols import eta, gamma, t


class State(NamedTuple):
    """Log-probabilities and the policy."""

    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)


def _log_rounding(run: Run) -> Array:
    """How far rounding may put log pi_t, given the policy before, or what both sides make of it."""
    largest = abs(run["log_pi"]).max((-2, -1))
    return 16 * EPS * largest + 2 * run.alg.eta / (1 - run.problem.gamma) * soft_value_rounding(run)


forward_kl = soft_kl(forward=True, error=_log_rounding)
backward_kl = soft_kl(forward=False, error=_log_rounding)


def _too_long(alg: EntropyNPG, problem: MDP) -> str | None:
    longest = (1 - problem.gamma) / alg.tau
    return None if alg.eta <= longest * (1 + 4 * EPS) else f"eta = {alg.eta:.6g}, (1 - gamma) / tau = {longest:.6g}"


ANYWHERE = Start("any positive policy", lambda state: state.log_pi, lambda alg, problem, x: _state(x))

CEN = "cen2022fast"
RECALLED = "recalled and rederived with the same constants"
step_fits = Assumption("a step size eta <= (1 - gamma) / tau", _too_long)
kept = 1 - eta * tau / (1 - gamma)
constant = initial(q_error) + 2 * tau * kept * initial(log_error)
VALUES = Theorem(
    name="linear convergence",
    cite=Cite(CEN, "Theorem 1, values"),
    reason=RECALLED,
    assumes=(step_fits,),
    lhs=q_error,
    rhs=constant * gamma * (1 - eta * tau) ** (t - 1),
    proof="policy_gradient/entropy_npg",
    starts=ANYWHERE,
)
POLICIES = Theorem(
    name="linear convergence of policies",
    cite=Cite(CEN, "Theorem 1, policies"),
    reason=RECALLED,
    assumes=(step_fits,),
    lhs=log_error,
    rhs=2 * constant / tau * (1 - eta * tau) ** (t - 1),
    proof="policy_gradient/entropy_npg",
    starts=ANYWHERE,
)
IMPROVEMENT = Theorem(
    name="improvement",
    cite=Cite(CEN, "Lemma 1"),
    reason=RECALLED,
    consecutive=True,
    lhs=soft_return,
    rhs=previous(soft_return) + (kept * forward_kl + backward_kl) / eta,
    relation="=",
    proof="policy_gradient/entropy_npg",
    starts=ANYWHERE,
)
MONOTONE = Theorem(
    name="monotone improvement",
    cite=Cite(CEN, "the consequence of Lemma 1"),
    reason=RECALLED,
    assumes=(step_fits,),
    consecutive=True,
    lhs=soft_least_gain,
    rhs=0,
    relation=">=",
    silent="it says that no state and action ever loses: a wrong step does lose somewhere",
    proof="policy_gradient/entropy_npg",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class EntropyNPG(Solver[MDP, State]):
    """Natural policy gradient with step size `eta` and entropy of weight `tau`, from the uniform policy."""

    eta: Positive = 0.2
    tau: Positive = 0.1

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (VALUES, POLICIES, IMPROVEMENT, MONOTONE)

    def init(self, problem: MDP) -> State:
        return _state(np.zeros_like(problem.r))

    def step(self, problem: MDP, state: State) -> State:
        scale = self.eta / (1 - problem.gamma)
        q = problem.q(exact.soft_evaluate(problem, state.log_pi, self.tau))
        return _state((1 - scale * self.tau) * state.log_pi + scale * q)


def _state(logits: Array) -> State:
    log_pi = exact.log_softmax(logits)
    return State(log_pi, np.exp(log_pi))
