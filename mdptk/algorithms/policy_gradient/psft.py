r"""Proximal supervised fine-tuning: imitation with the clipped surrogate of PPO, all advantages being one.

.. math::

   \theta \leftarrow \theta + \eta \nabla_\theta\, \mathbb{E}_{s \sim d^{\pi^*}_\rho}\big[
   \min(\rho_\theta(s),\; \mathrm{clip}(\rho_\theta(s), 1-\epsilon, 1+\epsilon))\big]
   \quad (K \text{ times}), \qquad \rho_\theta(s) = \frac{\pi_\theta(a^*(s)|s)}{\pi_t(a^*(s)|s)}, \qquad \theta_0 = 0,

for demonstrations of an optimal policy, exact, in tables of logits. At the start of a round the gradient is that of the
likelihood; in a state whose ratio has passed :math:`1+\epsilon` it is zero until the next round. Clipping does not
bound a ratio where samples share parameters, but in a table nothing else moves it: it passes the limit by one gradient
step at most, and that is bounded by the step size.

Proof: ``proofs/policy_gradient/psft.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import riverswim
>>> run(PSFT(), riverswim(), 3)["pi"].shape
(1, 4, 6, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from sympy import Integer, Symbol, exp

from mdptk.core import exact
from mdptk.core.algorithm import Count, Fraction, Positive, Solver
from mdptk.core.models import MDP, Array
from mdptk.core.run import Run
from mdptk.theory import Cite, Quantity, Start, Theorem
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import before, optimum
from mdptk.theory.symbols import eta

epsilon = Symbol("epsilon", positive=True)


class State(NamedTuple):
    """Log-probabilities and the policy."""

    log_pi: Array  # (..., S, A)
    pi: Array  # (..., S, A)


def _log_ratio(run: Run) -> Array:
    """``log pi_t(a*|s) - log pi_{t-1}(a*|s)``, (repeats, records, S)."""
    shown = (optimum(run).pi * run["log_pi"]).sum(-1)
    return shown - before(shown)


def _rounding(run: Run) -> Array:
    return 8 * EPS * run.alg.K * run.problem.A * (1 + abs(run["log_pi"]).max((-2, -1)))


largest_ratio = Quantity(
    "largest_ratio",
    lambda run: np.exp(_log_ratio(run).max(-1)),
    latex=r"\max_s \frac{\pi_{%t}(a^*(s)|s)}{\pi_{%t-1}(a^*(s)|s)}",
    rounding=lambda run: _rounding(run) * np.exp(_log_ratio(run).max(-1)),
)
least_growth = Quantity(
    "least_growth",
    lambda run: _log_ratio(run).min(-1),
    latex=r"\min_s \log\frac{\pi_{%t}(a^*(s)|s)}{\pi_{%t-1}(a^*(s)|s)}",
    rounding=_rounding,
)

ANYWHERE = Start("any positive policy", lambda state: state.log_pi, lambda alg, problem, x: _state(x))
KEY = "zhu2025proximal"
RATIO = Theorem(
    name="ratio of a round",
    cite=Cite(KEY, "the clipped objective; for tables and exact gradients"),
    reason="derived in proofs/: the gradient vanishes beyond the range, and a step is short",
    consecutive=True,
    lhs=largest_ratio,
    rhs=(1 + epsilon) * exp(2 * eta * (1 + epsilon)),
    silent="a run that never moves has the ratio 1",
    proof="policy_gradient/psft",
    starts=ANYWHERE,
)
GROWTH = Theorem(
    name="what was shown becomes likelier",
    cite=Cite(KEY, "the clipped objective; for tables and exact gradients"),
    reason="derived in proofs/",
    consecutive=True,
    lhs=least_growth,
    rhs=Integer(0),
    relation=">=",
    silent="a run that never moves forgets nothing",
    proof="policy_gradient/psft",
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class PSFT(Solver[MDP, State]):
    """PSFT with clip range `epsilon`, rounds of `K` gradient steps of size `eta`, from the uniform policy."""

    eta: Positive = 0.5
    epsilon: Fraction = 0.2
    K: Count = 8

    sees: ClassVar[type] = MDP
    theorems: ClassVar[tuple[Theorem, ...]] = (RATIO, GROWTH)

    def init(self, problem: MDP) -> State:
        return _state(np.zeros_like(problem.r))

    def step(self, problem: MDP, state: State) -> State:
        shown = exact.optimal(problem).pi
        d, old, now = exact.occupancy(problem, shown)[..., None], state.log_pi, state
        for _ in range(self.K):
            ratio = np.exp((shown * (now.log_pi - old)).sum(-1, keepdims=True))
            weight = np.maximum(d, 0) * ratio * (ratio <= 1 + self.epsilon)
            now = _state(now.log_pi + self.eta * weight * (shown - now.pi))
        return now


def _state(x: Array) -> State:
    log_pi = exact.log_softmax(x)
    return State(log_pi, np.exp(log_pi))
