r"""Policy mirror descent with the relative entropy and steps that grow by 1 / gamma: a linear rate.

.. math::

   \pi_{t+1}(a|s) \propto \pi_t(a|s) \exp\big(\eta_t Q^{\pi_t}(s, a)\big), \qquad
   \eta_{t+1} = \eta_t / \gamma, \qquad \pi_0 \text{ uniform}.

This is natural policy gradient with steps that grow. With x the logits over the last step, and tau the inverse step,

.. math::

   x_{t+1} = \gamma x_t + Q^{\pi_t}, \qquad \pi_{t+1} = \mathrm{softmax}(x_{t+1} / \tau_t), \qquad
   \tau_{t+1} = \gamma \tau_t, \qquad x_0 = 0, \quad \tau_0 = 1/\eta_0,

a discounted sum of action values and a temperature that falls: policy iteration, with a memory, reached by cooling.
Numbers stay of the size of a value where logits would reach 1e10. The rate 1 - 1/theta has the mismatch between d* and
the start in it, theta = ||d*/rho|| / (1 - gamma), which is at least 1 / (1 - gamma): at best it is gamma, the rate of
policy iteration. A variant of the additive constant that is easily remembered is false; it is here, refuted.

Proof: ``proofs/mirror_descent/geometric_pmd.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(GeometricPMD(eta_0=1.0), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from sympy import Symbol, log

from mdptk.core import exact
from mdptk.core.algorithm import Positive, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run, run
from mdptk.theory import Cite, Quantity, Start, Theorem, initial, previous
from mdptk.theory.stock import (
    batch_first,
    discounted,
    mismatch,
    occupancy,
    optimum,
    optimum_rounding,
    policy,
    positive_start,
    suboptimality,
    value_rounding,
)
from mdptk.theory.symbols import A, gamma, t

eta_0 = Symbol("eta_0", positive=True)


class State(NamedTuple):
    """Logits over the last step size, inverse of the next step size, and the policy."""

    x: Array  # (..., S, A)
    tau: Array  # (...)
    pi: Array  # (..., S, A)


def _divergence(run: Run) -> Array:
    """``KL(pi* || pi_t) / eta_t`` from d*: log pi_t(a) = (x(a) - max x) / (tau / gamma) + log max pi_t."""
    best, x = optimum(run), run["x"]
    behind = x.max(-1) - (best.pi * x).sum(-1)
    kl = run.problem.gamma * behind - run["tau"][..., None] * np.log(policy(run).max(-1))
    return (occupancy(run, best.pi) * kl).sum(-1)


def _least_gain(run: Run) -> Array:
    q = exact.action_values(batch_first(run), policy(run))
    rise = np.full_like(q, np.nan)
    rise[:, 1:] = q[:, 1:] - q[:, :-1]
    return rise.min((-2, -1))


divergence = Quantity(
    "D",
    _divergence,
    latex=r"\frac{1}{\eta_{%t}}\mathbb{E}_{s\sim d^{\pi^*}_\rho}\mathrm{KL}(\pi^* \| \pi_{%t})(s)",
    rounding=lambda run: 2 * optimum_rounding(run),
)
least_gain = Quantity(
    "least_gain",
    _least_gain,
    latex=r"\min_{s,a}\,[Q^{\pi_{%t}}(s, a) - Q^{\pi_{%t-1}}(s, a)]",
    rounding=lambda run: 2 * value_rounding(run),
)
theta = mismatch / (1 - gamma)
start = initial(suboptimality)

ANYWHERE = Start(
    "any positive policy",
    lambda state: state.x,
    lambda alg, problem, x: _state(alg, problem, x),
)

XIAO = "xiao2022convergence"
READ = "read in a copy without its formulas: the constants are those of the derivation in proofs"
ONE_STEP = Theorem(
    name="one step",
    cite=Cite(XIAO, "Proposition 9, with theta for its bound on theta_{k+1}"),
    reason=READ,
    assumes=(positive_start, discounted),
    consecutive=True,
    lhs=theta * suboptimality + divergence / (gamma * (1 - gamma)),
    rhs=(theta - 1) * previous(suboptimality) + previous(divergence) / (1 - gamma),
    proof="mirror_descent/geometric_pmd",
    starts=ANYWHERE,
)
SHARP = Theorem(
    name="linear convergence",
    cite=Cite(XIAO, "the proof of Theorem 10, before theta - 1 is bounded below by gamma / (1 - gamma)"),
    reason=READ + "; sharper than the published form below",
    assumes=(positive_start, discounted),
    lhs=suboptimality,
    rhs=(1 - 1 / theta) ** t * (start + log(A) / (eta_0 * (1 - gamma) * (theta - 1))),
    proof="mirror_descent/geometric_pmd",
)
LINEAR = Theorem(
    name="linear convergence, published form",
    cite=Cite(XIAO, "Theorem 10"),
    reason=READ,
    assumes=(positive_start, discounted),
    lhs=suboptimality,
    rhs=(1 - 1 / theta) ** t * (start + log(A) / (eta_0 * gamma)),
    proof="mirror_descent/geometric_pmd",
)
MONOTONE = Theorem(
    name="monotone improvement",
    cite=Cite(XIAO, "Lemma 7, for actions, too"),
    reason=READ,
    consecutive=True,
    lhs=least_gain,
    rhs=0,
    relation=">=",
    silent="it says that no state and action ever loses: a wrong step does lose somewhere",
    proof="mirror_descent/geometric_pmd",
    starts=ANYWHERE,
)


def _one_state() -> Run:
    return run(GeometricPMD(eta_0=0.01), MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.9), 20)


MISREMEMBERED = Theorem(
    name="linear convergence, factor forgotten",
    cite=Cite(XIAO, "Theorem 10, as remembered without the factor 1 / (1 - gamma)"),
    status="refuted",
    reason="three points bound (1 - gamma) times the gap, so D_0 / eta_0 is to be divided by 1 - gamma",
    assumes=(positive_start, discounted),
    lhs=suboptimality,
    rhs=(1 - 1 / theta) ** t * (start + log(A) / (eta_0 * (theta - 1))),
    counterexample=_one_state,
)


@dataclass(frozen=True)
class GeometricPMD(Solver[MDP, State]):
    """Policy mirror descent with steps ``eta_0 / gamma^t``, from the uniform policy."""

    eta_0: Positive = 1.0

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (SHARP, LINEAR, ONE_STEP, MONOTONE, MISREMEMBERED)

    def init(self, problem: MDP) -> State:
        x = np.zeros_like(problem.r)
        return _state(self, problem, x)

    def step(self, problem: MDP, state: State) -> State:
        x = problem.gamma * state.x + exact.action_values(problem, state.pi)
        return State(x, problem.gamma * state.tau, exact.cooled_softmax(x, state.tau))


def _state(alg: GeometricPMD, problem: MDP, x: Array) -> State:
    tau = np.full(problem.batch, 1 / alg.eta_0)
    return State(x, tau, exact.cooled_softmax(problem.gamma * x, tau))
