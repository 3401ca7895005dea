r"""N-VR-PG: policy gradient for general utilities from one trajectory a step, with variance reduction.

.. math::

   x_t &= \eta_t \hat x(\tau_t) + (1-\eta_t)\big(x_{t-1} + (1 - w_t)\, \hat x(\tau_t)\big), \quad r_t = \nabla F(x_t),\\
   d_t &= \eta_t\, \hat g(\tau_t, \theta_t, r_{t-1}) + (1-\eta_t)\big(d_{t-1} + \hat g(\tau_t, \theta_t, r_{t-1})
   - w_t\, \hat g(\tau_t, \theta_{t-1}, r_{t-2})\big), \qquad
   \theta_{t+1} = \theta_t + \alpha_t\, d_t / \|d_t\|_2,

with a trajectory :math:`\tau_t` of T steps under :math:`\pi_{\theta_t}`, its discounted visits
:math:`\hat x(\tau) = (1-\gamma) \sum_k \gamma^k 1\{(s_k, a_k)\}`, its policy gradient :math:`\hat g` for a reward, and
the importance weight :math:`w_t = \prod_k \pi_{\theta_{t-1}}(a_k|s_k) / \pi_{\theta_t}(a_k|s_k)`. Two things have to be
estimated, how often everything is visited and the gradient, and both are corrected by what the same trajectory says
about the policy before. Weights are the danger of that; here steps have length :math:`\alpha_t`, so they are bounded by
a number that is known beforehand and tends to one. That replaces the truncation of earlier methods. Nothing keeps the
estimate of the visits in the simplex: entries become negative, so F has to be smooth beyond it.

>>> from mdptk.core.run import run
>>> from mdptk.problems.utilities import explore_two_state
>>> run(NormalisedVRPG(), explore_two_state(), 8, repeats=2)["w"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, Symbol, exp, sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Count, Learner, Measure, Positive
from mdptk.core.estimators import returns_to_go
from mdptk.core.oracles import UtilityTrajectories
from mdptk.core.utilities import softmax_gradient, visits, worth
from mdptk.theory import Asymptotic, Cite, Quantity, Theorem
from mdptk.theory.quantity import EPS
from mdptk.theory.stock_sampled import direction
from mdptk.theory.stock_utility import worth_rounding
from mdptk.theory.symbols import alpha, t

T = Symbol("T", integer=True, positive=True)


class State(NamedTuple):
    """Steps made, logits now and before, estimates of visits and gradient, the last two rewards, the last weight."""

    t: Any
    theta: Any  # (S, A)
    old: Any
    x: Any  # (S, A)
    d: Any
    r: Any  # r_{t-1}
    r_old: Any  # r_{t-2}
    w: Any  # ()


def _norm(x: Any) -> Any:
    return jnp.sqrt((x**2).sum())


gap = Quantity(
    "gap",
    lambda run: run["gap"],
    latex=r"F(x^*) - F(x^{\pi_{%t}})",
    rounding=lambda run: 2 * worth_rounding(run.problem),
)
average_norm = Quantity(
    "average_norm",
    lambda run: run["norm"] / np.maximum(run.t, 1),
    latex=r"\tfrac{1}{%t} {\textstyle\sum_{k<%t}} \|\nabla_\theta F(x^{\pi_k})\|_2",
)
moved = Quantity(
    "moved",
    lambda run: run["moved"],
    latex=r"\|\theta_{%t} - \theta_{%t-1}\|_2",
    rounding=lambda run: 4 * EPS * np.sqrt(run.problem.S * run.problem.A) * (1 + run["size"]),
)
goes = Quantity("goes", lambda run: run["goes"], latex=r"1\{d_{%t-1} \neq 0\}")
w = Quantity("w", lambda run: run["w"], latex=r"w_{%t-1}", rounding=lambda run: 16 * EPS * run.alg.T * run["w"])

BARAKAT = "barakat2023reinforcement"
LENGTH = Theorem(
    name="normalised step",
    cite=Cite(BARAKAT, "the update of Algorithm 1"),
    reason="the length of a step is the step size: the update itself; where there is no direction no step is taken",
    lhs=moved,
    rhs=alpha / t ** Rational(2, 3) * goes,
    relation="=",
)
WEIGHTS = Theorem(
    name="bounded importance weights",
    cite=Cite(BARAKAT, "its lemma on normalised steps, for tables"),
    reason="derived: a logarithm of softmax moves by at most sqrt(2) times the 2-norm of the step in that state",
    since=2,
    lhs=w,
    rhs=exp(sqrt(2) * T * alpha / (t - 1) ** Rational(2, 3)),
    silent="a run that never moves has the weight 1",
)
STATIONARITY = Theorem(
    name="first-order stationarity",
    cite=Cite(BARAKAT, "abstract: eps-stationary with eps^-3 samples"),
    status="order-only",
    reason="the constants were not at hand; trajectories are cut off after T steps, which leaves a bias of gamma^T",
    holds=Asymptotic(-1 / 3),
    lhs=average_norm,
    rhs=0,
)


@dataclass(frozen=True)
class NormalisedVRPG(Learner[UtilityTrajectories, State]):
    """N-VR-PG with steps `alpha` t^(-2/3) and momentum (2/(t+1))^(2/3) on one trajectory of `T` steps, t from 1."""

    alpha: Positive = 0.5
    T: Count = 16

    sees: ClassVar[type] = UtilityTrajectories
    theorems: ClassVar[tuple[Theorem, ...]] = (LENGTH, WEIGHTS, STATIONARITY)
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("gap", lambda truth, x: truth.optimum.value - worth(truth.problem, exact.softmax(x.theta))),
        Measure("norm", lambda truth, x: _norm(softmax_gradient(truth.problem, exact.softmax(x.theta))), "sum"),
        Measure("visits_error", lambda truth, x: _norm(x.x - visits(truth.problem.mdp, exact.softmax(x.old)))),
        Measure("moved", lambda truth, x: _norm(x.theta - x.old)),
        Measure("goes", lambda truth, x: 1.0 * (x.d != 0).any()),
        Measure("size", lambda truth, x: abs(x.theta).max()),
    )
    keep: ClassVar[tuple[str, ...]] = ("w",)

    def init(self, oracle: UtilityTrajectories, key: Any) -> State:
        zero = jnp.zeros((oracle.S, oracle.A))
        return State(jnp.zeros(()), zero, zero, zero, zero, zero, zero, jnp.ones(()))

    def draw(self, oracle: UtilityTrajectories, key: Any) -> Any:
        return jax.random.uniform(key, (1, self.T + 1, 2))

    def step(self, oracle: UtilityTrajectories, state: State, xi: Any) -> State:
        t, theta, old, x, d, r, r_old, _ = state
        log_pi, log_old = exact.log_softmax(theta), exact.log_softmax(old)
        s, a = oracle.follow(jnp.exp(log_pi), xi)
        s, a = s[0, :-1], a[0]
        w = jnp.exp((log_old - log_pi)[s, a].sum())
        eta = (2 / (t + 2)) ** (2 / 3)
        seen = self.visits(oracle, s, a)
        r = jnp.where(t == 0, oracle.utility.gradient(seen), r)  # there is no reward before the first trajectory
        now = self.estimate(oracle, jnp.exp(log_pi), s, a, r)
        before = self.estimate(oracle, jnp.exp(log_old), s, a, r_old)
        x = eta * seen + (1 - eta) * (x + (1 - w) * seen)
        d = eta * now + (1 - eta) * (d + now - w * before)
        ahead = theta + self.alpha * (t + 1) ** (-2 / 3) * direction(d)
        return State(t + 1, ahead, theta, x, d, oracle.utility.gradient(x), r, w)

    def visits(self, oracle: UtilityTrajectories, s: Any, a: Any) -> Any:
        """Discounted visits of one trajectory, (S, A); their expectation is the occupancy up to gamma^T."""
        weight = (1 - oracle.gamma) * oracle.gamma ** jnp.arange(self.T)
        return jnp.zeros((oracle.S, oracle.A)).at[s, a].add(weight)

    def estimate(self, oracle: UtilityTrajectories, pi: Any, s: Any, a: Any, r: Any) -> Any:
        """The policy gradient of one trajectory for the reward `r`, in the logits, (S, A)."""
        weight = (1 - oracle.gamma) * oracle.gamma ** jnp.arange(self.T) * returns_to_go(r[s, a], oracle.gamma)
        score = jax.nn.one_hot(a, oracle.A, dtype=pi.dtype) - pi[s]
        return jnp.zeros(pi.shape).at[s].add(weight[:, None] * score)
