r"""Policy mirror descent with the relative entropy and steps that adapt: the rate gamma of policy iteration.

.. math::

   \pi_{t+1}(a|s) \propto \pi_t(a|s) \exp\big(\eta_t Q^{\pi_t}(s, a)\big), \qquad
   \eta_t = \frac{1}{c_t} \max_s \min_{p \text{ greedy}} \mathrm{KL}(p \,\|\, \pi_t(s))
   = \frac{1}{c_t} \max_s\, {-\log} \pi_t\big(\arg\max_a Q^{\pi_t}(s, a) \,\big|\, s\big), \qquad
   c_t = \gamma^{2t+1} c_0, \quad \pi_0 \text{ uniform}.

The step is as long as it takes for the new policy to be greedy up to c_t, however far the present one is from that.
So the error falls by gamma in every step, with no mismatch and no start distribution in the rate, and no performance
difference in the proof. No fixed sequence of steps does that on all problems, and no mirror descent is faster than
gamma on a chain along which the reward is found one state a step.

Logits are kept over the last step, with its inverse, as numbers of the size of a value. c_t is not made smaller than
the rounding error of a value: that much greed float64 cannot see.

Figure: ``mdptk reproduce policy_gradient_family``. Proof: ``proofs/mirror_descent/adaptive_pmd.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(AdaptivePMD(c_0=1.0), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sympy import Symbol

from mdptk.core import exact
from mdptk.core.algorithm import Positive, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem, initial, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import batch_first, before, policy, policy_error, value_rounding
from mdptk.theory.stock_policy import least_value_gain
from mdptk.theory.symbols import gamma, t

c_0 = Symbol("c_0", positive=True)


class State(NamedTuple):
    """Logits over the last step size, its inverse, the policy, and how greedy the next one is to be."""

    x: Array  # (..., S, A)
    tau: Array  # (...)
    pi: Array  # (..., S, A)
    c: Array  # (...)


def _shortfall(run: Run) -> Array:
    q = exact.action_values(batch_first(run), policy(run))
    behind = before(q.max(-1, keepdims=True) - q)
    return (behind * policy(run)).sum(-1).max(-1)


allowed = Quantity("c", lambda run: run["c"], latex="c_{%t}")
shortfall = Quantity(
    "shortfall",
    _shortfall,
    latex=r"\max_s\,[\max_a Q^{\pi_{%t-1}}(s, a) - \langle Q^{\pi_{%t-1}}, \pi_{%t}\rangle(s)]",
    rounding=lambda run: 4 * value_rounding(run),
)
least_gain = least_value_gain(lambda run: 16 * EPS * (1 + value_rounding(run)))

ANYWHERE = Start("any positive policy", lambda state: state.x, lambda alg, problem, x: _state(alg, problem, x))

JOHNSON = "johnson2023optimal"
NOT_READ = "the text was not at hand: recalled and rederived with the same constants"
LINEAR = Theorem(
    name="linear convergence",
    cite=Cite(JOHNSON, "Theorem 4.1"),
    reason=NOT_READ,
    lhs=policy_error,
    rhs=gamma**t * (initial(policy_error) + c_0 / (1 - gamma)),
    proof="mirror_descent/adaptive_pmd",
    starts=ANYWHERE,
)
ONE_STEP = Theorem(
    name="one step",
    cite=Cite(JOHNSON, "the recursion behind Theorem 4.1"),
    reason=NOT_READ,
    consecutive=True,
    lhs=policy_error,
    rhs=gamma * previous(policy_error) + previous(allowed),
    proof="mirror_descent/adaptive_pmd",
    starts=ANYWHERE,
)
GREEDY = Theorem(
    name="greedy enough",
    cite=Cite(JOHNSON, "the step size condition"),
    reason=NOT_READ,
    consecutive=True,
    lhs=shortfall,
    rhs=previous(allowed),
    proof="mirror_descent/adaptive_pmd",
    starts=ANYWHERE,
)
MONOTONE = Theorem(
    name="monotone improvement",
    cite=Cite(JOHNSON, "descent property of policy mirror descent"),
    reason=NOT_READ,
    consecutive=True,
    lhs=least_gain,
    rhs=0,
    relation=">=",
    silent="it says that no state ever loses: a wrong step does lose somewhere",
    proof="mirror_descent/adaptive_pmd",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class AdaptivePMD(Solver[MDP, State]):
    """Policy mirror descent with adaptive steps for the tolerances ``c_0 gamma^(2t+1)``, from the uniform policy."""

    c_0: Positive = 1.0

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (LINEAR, ONE_STEP, GREEDY, MONOTONE)

    def init(self, problem: MDP) -> State:
        return _state(self, problem, np.zeros(problem.r.shape))

    def step(self, problem: MDP, state: State) -> State:
        q = exact.action_values(problem, state.pi)
        best = q >= q.max(-1, keepdims=True) - exact.rounding(problem)
        distance = _behind(state.x, state.tau, best).max(-1)  # the divergence over the last step size
        moves = distance > 0
        shrink = np.where(moves, state.c / np.where(moves, distance, 1.0), 1.0)  # the last step over this one
        x = shrink[..., None, None] * state.x + np.where(moves[..., None, None], q, 0.0)
        x, tau = x - x.max(-1, keepdims=True), shrink * state.tau
        c = np.maximum(problem.gamma**2 * state.c, exact.rounding(problem))
        return State(x, tau, exact.cooled_softmax(x, tau), c)


def _state(alg: AdaptivePMD, problem: MDP, logits: Array) -> State:
    x, c = logits - logits.max(-1, keepdims=True), max(problem.gamma * alg.c_0, exact.rounding(problem))
    return State(x, np.ones(problem.batch), exact.softmax(x), np.full(problem.batch, c))


def _behind(x: Array, tau: Any, best: Array) -> Array:
    """``-tau log pi(best)`` for the policy softmax(x / tau), (..., S); x is at most 0, and 0 somewhere."""
    top = np.where(best, x, -np.inf).max(-1)
    temperature = np.asarray(tau)[..., None, None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        weight = lambda y: np.where(y < 0, np.exp(y / temperature), 1.0)  # noqa: E731
        among_best = np.where(best, weight(np.where(best, x - top[..., None], 0.0)), 0.0).sum(-1)
        return -top + np.asarray(tau)[..., None] * (np.log(weight(x).sum(-1)) - np.log(among_best))
