r"""Poly-PPO, exact: proximal policy optimisation with the advantages of sets.

From :math:`p = \pi_t`, uniform at first, m gradient steps in the logits of p,

.. math::

   \max_p \; \mathbb{E}_{y \sim \pi_t} \min\!\big(\rho\, n A^\sharp, \; \mathrm{clip}(\rho, 1-\epsilon, 1+\epsilon)\,
   n A^\sharp\big)(y), \qquad \rho = \frac{p(y)}{\pi_t(y)}, \qquad
   A^\sharp(y) = \mathbb{E}[f \,|\, y \text{ in the set}] - J_n(\pi_t),

on the arms of a bandit, with the set function f of `PolychromicPG`, whose step is the first of the m. For one sample
this is PPO, and what the surrogate promises is what the policy gains at least. For sets it is only the gain to first
order: all n members of a set change at once. The rest is a polynomial in the total variation of the step that begins
with its square, and with that a surrogate that rises is no promise any more: here is the bound that takes its place.

Proof: ``proofs/utility/poly_ppo.py``.

>>> from mdptk.core.run import run
>>> from mdptk.core.bandits import BernoulliBandit
>>> run(PolyPPO(), BernoulliBandit([0.9, 0.9, 0.1]), 300)["pi"][0, -1].round(2)
array([0.5, 0.5, 0. ])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from sympy import Integer, Symbol

from mdptk.core import exact
from mdptk.core.algorithm import Count, Fraction, Positive, Range, Solver
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.core.sets import polychromic, set_advantage, set_value
from mdptk.core.surrogates import Clipped, ascend, promised
from mdptk.theory import Cite, Quantity, Theorem, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import before

n = Symbol("n", integer=True, positive=True)


class State(NamedTuple):
    """Log-probabilities, their policy, what sets of it are worth, and n times the advantages there."""

    log_pi: Array  # (A,)
    pi: Array  # (A,)
    J: Array  # ()
    advantage: Array  # (A,)


def _rounding(run: Run) -> Array:
    return 32 * EPS * run.problem.A * run.alg.n * (1 + abs(run["log_pi"]).max(-1))


J = Quantity("J", lambda run: run["J"], latex=r"J_n(\pi_{%t})", rounding=_rounding)
first_order = Quantity(
    "first_order",
    lambda run: (before(run["advantage"]) * run["pi"]).sum(-1),
    latex=r"n \langle A^\sharp_{\pi_{%t-1}}, \pi_{%t} \rangle",
    rounding=_rounding,
)
tau = Quantity(
    "tau",
    lambda run: abs(run["pi"] - before(run["pi"])).sum(-1) / 2,
    latex=r"\tfrac12\|\pi_{%t} - \pi_{%t-1}\|_1",
    rounding=_rounding,
)
promise = Quantity(
    "promise",
    lambda run: promised(Clipped(run.alg.epsilon), before(run["log_pi"]), run["log_pi"], before(run["advantage"])),
    latex=r"\mathbb{E}_{\pi_{%t-1}}\min(\rho\, n A^\sharp, \mathrm{clip}(\rho)\, n A^\sharp)",
    rounding=_rounding,
)

KEY = "hamid2025polychromic"
BOUND = Theorem(
    name="gain of a set objective",
    cite=Cite(KEY, "Poly-PPO: the surrogate of its objective; the rest is of proofs/"),
    reason="derived in proofs/",
    consecutive=True,
    lhs=J,
    rhs=previous(J) + first_order - ((1 + 2 * tau) ** n - 1 - 2 * n * tau) / 2,
    relation=">=",
    silent="it compares two policies; if they are the same both sides are",
    proof="utility/poly_ppo",
)
PROMISE = Theorem(
    name="surrogate ascent",
    cite=Cite(KEY, "Poly-PPO: the clipped surrogate"),
    reason="derived: what the halving of steps is there for",
    consecutive=True,
    lhs=promise,
    rhs=Integer(0),
    relation=">=",
    silent="staying is allowed; a step that is too long or downhill breaks it",
    proof="utility/poly_ppo",
)


@dataclass(frozen=True)
class PolyPPO(Solver[BernoulliBandit, State]):
    """Poly-PPO for sets of `n` arms: clipping at `epsilon`, `m` steps of at most `step_size`, from uniform."""

    epsilon: Fraction = 0.2
    step_size: Positive = 1.0
    m: Count = 4
    n: Annotated[int, Range(1, 6, "both")] = 2

    sees: ClassVar[type] = BernoulliBandit
    theorems: ClassVar[tuple[Theorem, ...]] = (BOUND, PROMISE)

    def init(self, problem: BernoulliBandit) -> State:
        return self._state(problem, np.zeros(problem.A))

    def step(self, problem: BernoulliBandit, state: State) -> State:
        drift = Clipped(self.epsilon)
        return self._state(problem, ascend(drift, state.log_pi, state.advantage, m=self.m, step=self.step_size).log_pi)

    def _state(self, problem: BernoulliBandit, x: Array) -> State:
        log_pi = exact.log_softmax(x)
        pi, f = np.exp(log_pi), polychromic(problem.means, np.arange(problem.A), self.n)
        return State(log_pi, pi, set_value(pi, f), self.n * set_advantage(pi, f))
