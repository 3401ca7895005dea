r"""Policy gradient of the polychromic objective: sets of samples are worth their mean reward times their diversity.

.. math::

   \theta_{t+1} = \theta_t + \eta\, n\, \pi_t(y)\, A^\#_{\pi_t}(y), \qquad
   A^\#_\pi(y) = \mathbb{E}_{y_2 \ldots y_n \sim \pi} f(y, y_2, \ldots, y_n) - J_n(\pi), \qquad
   f = \tfrac1n {\textstyle\sum_i} R(y_i) \cdot \tfrac1n |\{y_1, \ldots, y_n\}|, \qquad \theta_0 = 0,

on the arms of a bandit, each a kind of its own, with exact gradients. The gradient of the usual objective goes to one
of the best arms; here a set that repeats itself is worth less, so arms that are nearly as good are kept, and an arm
that never pays can still have a positive advantage, for the sets that it completes. The objective is n/2-smooth in the
logits whatever the set function is, as long as it lies in [0, 1].

Proof: ``proofs/utility/polychromic_pg.py``.

>>> from mdptk.core.run import run
>>> from mdptk.core.bandits import BernoulliBandit
>>> run(PolychromicPG(eta=0.5), BernoulliBandit([0.9, 0.9, 0.1]), 1000)["pi"][0, -1].round(2)
array([0.5, 0.5, 0. ])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from sympy import Symbol

from mdptk.core import exact
from mdptk.core.algorithm import Positive, Range, Solver
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.core.sets import polychromic, set_gradient, set_value
from mdptk.theory import Assumption, Cite, Quantity, Theorem, initial, previous
from mdptk.theory.quantity import EPS
from mdptk.theory.symbols import eta, t

n = Symbol("n", integer=True, positive=True)


class State(NamedTuple):
    """Logits, their policy, what sets of it are worth, and the squared norm of the gradient there."""

    theta: Array  # (A,)
    pi: Array  # (A,)
    J: Array  # ()
    square: Array  # ()


def _short(alg: PolychromicPG, problem: BernoulliBandit) -> str | None:
    return None if alg.eta <= 2 / alg.n else f"eta = {alg.eta:g}, n = {alg.n}"


def _rounding(run: Run) -> float:
    return 16 * EPS * run.problem.A * run.alg.n


J = Quantity("J", lambda run: run["J"], latex=r"J_n(\pi_{%t})", rounding=_rounding)
square = Quantity(
    "square",
    lambda run: run["square"],
    latex=r"\|\nabla_\theta J_n(\pi_{%t})\|_2^2",
    rounding=lambda run: 2 * run.alg.n * _rounding(run) * np.sqrt(run["square"]) + (run.alg.n * _rounding(run)) ** 2,
)
average_square = Quantity(
    "average_square",
    lambda run: (np.cumsum(run["square"], 1) - run["square"]) / np.maximum(run.t, 1),
    latex=r"\tfrac{1}{%t} {\textstyle\sum_{k<%t}} \|\nabla_\theta J_n(\pi_k)\|_2^2",
    trivial=n,  # of a function with values in [0, 1] that is n/2-smooth: |grad|^2 <= 2 (n/2) (1 - J)
    rounding=lambda run: 4 * run.alg.n**2 * _rounding(run),
)

KEY = "hamid2025polychromic"
SMOOTH = "derived in proofs/: the Hessian lies between -n F and n F, with the Fisher information F at most 1/2"
ASCENT = Theorem(
    name="ascent",
    cite=Cite(KEY, "gradient ascent on its objective; constants of proofs/"),
    reason=SMOOTH,
    consecutive=True,
    lhs=J,
    rhs=previous(J) + (eta - n * eta**2 / 4) * previous(square),
    relation=">=",
    proof="utility/polychromic_pg",
)
STATIONARITY = Theorem(
    name="average gradient",
    cite=Cite(KEY, "gradient ascent on its objective; constants of proofs/"),
    reason=SMOOTH,
    assumes=(Assumption("eta at most 2/n, one over the smoothness", _short),),
    consecutive=True,
    lhs=average_square,
    rhs=2 * (1 - initial(J)) / (eta * t),
    proof="utility/polychromic_pg",
)


@dataclass(frozen=True)
class PolychromicPG(Solver[BernoulliBandit, State]):
    """Gradient ascent with step size `eta` on the worth of sets of `n` arms, from the uniform policy."""

    eta: Positive = 0.5
    n: Annotated[int, Range(1, 6, "both")] = 2

    sees: ClassVar[type] = BernoulliBandit
    theorems: ClassVar[tuple[Theorem, ...]] = (ASCENT, STATIONARITY)

    def init(self, problem: BernoulliBandit) -> State:
        return self._state(problem, np.zeros(problem.A))

    def step(self, problem: BernoulliBandit, state: State) -> State:
        return self._state(problem, state.theta + self.eta * set_gradient(state.pi, self._f(problem)))

    def _f(self, problem: BernoulliBandit) -> Array:
        return polychromic(problem.means, np.arange(problem.A), self.n)

    def _state(self, problem: BernoulliBandit, theta: Array) -> State:
        pi, f = exact.softmax(theta), self._f(problem)
        return State(theta, pi, set_value(pi, f), (set_gradient(pi, f) ** 2).sum())
