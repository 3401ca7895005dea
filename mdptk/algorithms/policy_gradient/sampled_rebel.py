r"""REBEL from samples, on a bandit: rewards of pairs of arms are regressed on differences of log-ratios.

.. math::

   \theta_{t+1} = \theta_t + \eta\, w_t, \qquad
   w_{t+1} = \arg\min_w \sum_{i=1}^N \big(w(a_i) - w(b_i) - (R(a_i) - R(b_i))\big)^2, \qquad
   a_i, b_i \sim \pi_{\theta_{t+1}},

of all minimisers the one of least norm, from :math:`\theta_0 = w_0 = 0`, with rewards R in {0, 1}. With theta as logits
:math:`\tfrac1\eta\log\pi_{\theta + \eta w}(a)/\pi_\theta(a)` is w up to a number that cancels in pairs: the regression
is linear, and needs neither a baseline nor a model of the mean. An arm that no pair connects with the others has no
reward; it is given none. The regret of every single run is that of Hedge and what the regression has wrong where the
best arm is compared with the policy, on average: a statement without probability, in which all of the chance is in the
second term. That term is at most the root of the error of the regression on pairs of the policy, times how far the best
arm is from the policy in chi-square, which is the statement of the paper, with constants. Contexts that are not tied by
features are bandits of their own. Stages are not: two answers to a later state cannot be had from episodes, and for
whole episodes the normalisers of later states do not cancel in the differences, so the regression is not linear.

Proof: ``proofs/policy_gradient/sampled_rebel.py``.

>>> from mdptk.core.run import run
>>> from mdptk.core.bandits import BernoulliBandit
>>> run(SampledREBEL(), BernoulliBandit([0.9, 0.1]), 8, repeats=2)["total_gap"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sympy import log

from mdptk.core import exact
from mdptk.core.algorithm import Count, Learner, Measure, Positive
from mdptk.core.oracles import Bandit, choose
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.quantity import EPS
from mdptk.theory.symbols import A, eta, t


class State(NamedTuple):
    """The logits, and the direction of the next step."""

    theta: Any  # (A,)
    w: Any  # (A,)


def _gap(truth: exact.Truth, x: State) -> Any:
    return (exact.softmax(x.theta) * (truth.optimum.v - truth.optimum.q)).sum()


def _missed(truth: exact.Truth, x: State) -> Any:
    """``<pi* - pi, r - w>`` for the first best arm."""
    off = truth.optimum.q - x.w
    return off[truth.optimum.q.argmax()] - (exact.softmax(x.theta) * off).sum()


def _root_error(truth: exact.Truth, x: State) -> Any:
    """The root of chi^2(pi* || pi) times half the mean square error of w on pairs of arms of the policy."""
    pi, off = exact.softmax(x.theta), truth.optimum.q - x.w
    mean = (pi * off).sum()
    best = pi[truth.optimum.q.argmax()]
    return ((1 - best) / best * (pi * (off - mean) ** 2).sum()) ** 0.5


average_gap = Quantity(
    "average_gap",
    lambda run: run["total_gap"] / np.maximum(run.t, 1),
    latex=r"\tfrac{1}{%t} {\textstyle\sum_{k<%t}} \max_a r(a) - \langle \pi_k, r \rangle",
    trivial=1,
    rounding=lambda run: 16 * EPS * run.problem.A,
)
average_span = Quantity(
    "average_span",
    lambda run: run["total_span"] / np.maximum(run.t, 1),
    latex=r"\tfrac{1}{%t} {\textstyle\sum_{k<%t}} \mathrm{span}(w_k)^2",
)
average_missed = Quantity(
    "average_missed",
    lambda run: run["total_missed"] / np.maximum(run.t, 1),
    latex=r"\tfrac{1}{%t} {\textstyle\sum_{k<%t}} \langle \pi^* - \pi_k, r - w_k \rangle",
    rounding=lambda run: 64 * EPS * run.problem.A,
)

average_root = Quantity(
    "average_root",
    lambda run: run["total_root"] / np.maximum(run.t, 1),
    latex=r"\tfrac{1}{%t} {\textstyle\sum_{k<%t}} \sqrt{\chi^2(\pi^* \| \pi_k)\, \varepsilon_k / 2},\;"
    r"\varepsilon_k = \mathbb{E}_{a,b \sim \pi_k}[(w_k(a) - w_k(b) - r(a) + r(b))^2]",
    rounding=lambda run: 64 * EPS * run.problem.A,
)

REGRET = Theorem(
    name="regret of each run",
    cite=Cite("gao2024rebel", "the regret that is added by errors of the regression; here of Hedge, with constants"),
    reason="derived in proofs/; the paper's own constants were not at hand",
    lhs=average_gap,
    rhs=log(A) / (eta * t) + eta / 8 * average_span + average_missed,
    silent="a direction of zero misses the gap itself; it is broken by steps that do not follow the regression",
    proof="policy_gradient/sampled_rebel",
)
AGNOSTIC = Theorem(
    name="regret by the error of the regression",
    cite=Cite("gao2024rebel", "Theorem 1 in substance, recalled: concentrability and the mean square error on pairs"),
    reason="derived in proofs/; the paper's own constants were not at hand, and its coefficient is a bound on this one",
    lhs=average_gap,
    rhs=log(A) / (eta * t) + eta / 8 * average_span + average_root,
    silent="a direction of zero has all rewards wrong, and a policy that goes astray no longer covers the best arm: "
    "the statement above is sharper",
    proof="policy_gradient/sampled_rebel",
)


@dataclass(frozen=True)
class SampledREBEL(Learner[Bandit, State]):
    """REBEL with step size `eta` from `N` pairs of pulls a step, from the uniform policy."""

    eta: Positive = 0.5
    N: Count = 16

    sees: ClassVar[type] = Bandit
    theorems: ClassVar[tuple[Theorem, ...]] = (REGRET, AGNOSTIC)
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("gap", _gap),
        Measure("total_gap", _gap, "sum"),
        Measure("total_span", lambda truth, x: (x.w.max() - x.w.min()) ** 2, "sum"),
        Measure("total_missed", _missed, "sum"),
        Measure("total_root", _root_error, "sum"),
    )

    def init(self, oracle: Bandit, key: Any) -> State:
        return State(jnp.zeros(oracle.A), jnp.zeros(oracle.A))

    def draw(self, oracle: Bandit, key: Any) -> Any:
        return jax.random.uniform(key, (self.N, 2, 2))

    def step(self, oracle: Bandit, state: State, xi: Any) -> State:
        theta = state.theta + self.eta * state.w
        arms = choose(exact.softmax(theta), xi[..., 0])
        return State(theta, self.regress(oracle.A, arms, oracle.pull(arms, xi[..., 1])))

    def regress(self, A: int, arms: Any, R: Any) -> Any:
        """The direction from the pairs ``arms[i, 2]`` with rewards ``R[i, 2]``, (A,)."""
        rows = exact.one_hot(arms[:, 0], A) - exact.one_hot(arms[:, 1], A)
        return jnp.linalg.pinv(rows.T @ rows, hermitian=True) @ (rows.T @ (R[:, 0] - R[:, 1]))
