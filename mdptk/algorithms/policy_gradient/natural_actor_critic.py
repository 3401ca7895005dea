r"""The natural actor-critic with a linear critic, a table by default: the critic is the direction.

.. math::

   \theta_{t+1} = \theta_t + \eta\, q_t, \qquad
   q_{t+1,h}(s, a) = q_{t,h}(s, a) + \frac\beta N \sum_{i:\, (s_h^i, a_h^i) = (s, a)}
   \Big(r_h^i + \sum_b \pi_{t+1,h+1}(b|s_{h+1}^i)\, q_{t,h+1}(s_{h+1}^i, b) - q_{t,h}(s, a)\Big),

with N episodes of :math:`\pi_{t+1}`, from uniform policies and a critic of zero. With the scores as features the best
linear fit of the advantage is the natural gradient itself, whatever the distribution of the states (Kakade 2001): with
a table for each stage that is the advantage, and the mean of q over the actions does not change the policy. So no
Fisher matrix is inverted. With n features :math:`\phi(s, a)` in place of a table, the same for all stages, the
temporal differences move the coefficients w of :math:`q = \langle w, \phi\rangle`, and the policy is log-linear in
them: :math:`\theta` is the sum of what the critics said, and stays in the span of the features.

Every state runs Hedge on what its critic says, and the regret of Hedge needs nothing from the critic but its range. So
in every single run the gap is at most that regret and the error of the critic, weighted as the optimal policy visits
the states. What features cannot express is in that error: it is the approximation error of the theorems on actor-critic
methods, as it is and not as its worst case.

Proof: ``proofs/policy_gradient/natural_actor_critic.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import coin
>>> run(NaturalActorCritic(), coin().episodic(2), 8, repeats=2)["total_gap"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sympy import log

from mdptk.core import exact
from mdptk.core.algorithm import Count, Learner, Measure, Positive, Range
from mdptk.core.estimators import visit_means
from mdptk.core.exact import softmax
from mdptk.core.networks import coefficients
from mdptk.core.oracles import Episodic
from mdptk.theory import Assumption, Cite, Quantity, Theorem
from mdptk.theory.stock import unit_rewards
from mdptk.theory.symbols import A, H, eta, t


class State(NamedTuple):
    """The logits and the critic."""

    theta: Any  # (H, S, A)
    q: Any  # (H, S, A)


def _seen_by_the_best(truth: exact.Truth, pi: Any, q: Any) -> Any:
    """The sum over stages of E <pi* - pi, q> where the optimal policy goes."""
    best = truth.optimum.pi
    return (exact.occupancy(truth.problem, best)[..., None] * (best - pi) * q).sum()


def _gap(truth: exact.Truth, x: State) -> Any:
    return exact.performance_gap(truth.problem, truth.optimum, softmax(x.theta))


def _mistaken(truth: exact.Truth, x: State) -> Any:
    pi = softmax(x.theta)
    return _seen_by_the_best(truth, pi, exact.action_values(truth.problem, pi) - x.q)


def _spans(truth: exact.Truth, x: State) -> Any:
    """The sum over stages of the squared range of the critic, where the optimal policy goes."""
    d = exact.occupancy(truth.problem, truth.optimum.pi)
    return (d * (x.q.max(-1) - x.q.min(-1)) ** 2).sum()


average_gap = Quantity(
    "average_gap",
    lambda run: run["total_gap"] / np.maximum(run.t, 1),
    latex=r"\tfrac{1}{%t} {\textstyle\sum_{k<%t}} \big(V^*(\rho) - V^{\pi_k}(\rho)\big)",
    trivial=H,
    rounding=lambda run: exact.rounding(run.problem),
)
critic_bias = Quantity(
    "critic_bias",
    lambda run: run["total_mistaken"] / np.maximum(run.t, 1),
    latex=r"\tfrac{1}{%t} {\textstyle\sum_{k<%t}} \sum_h \mathbb{E}_{d^*_h} \langle \pi^*_h - \pi_{k,h}, "
    r"Q^{\pi_k}_h - q_{k,h} \rangle",
    rounding=lambda run: 4 * exact.rounding(run.problem),
)
average_span = Quantity(
    "average_span",
    lambda run: run["total_span"] / np.maximum(run.t, 1),
    latex=r"\tfrac{1}{%t} {\textstyle\sum_{k<%t}} \sum_h \mathbb{E}_{d^*_h} \mathrm{span}(q_{k,h}(s, \cdot))^2",
)

WRONG = "a critic of zero is wrong by the whole gap; it is broken by steps that do not follow the critic"
table = Assumption("a table", lambda alg, problem: None if alg.n is None else f"n = {alg.n} features")
REGRET = Theorem(
    name="regret lemma",
    cite=Cite("agarwal2021theory", "the regret lemma of NPG, for stages and any critic by proofs/"),
    assumes=(unit_rewards, table),
    lhs=average_gap,
    rhs=H * log(A) / (eta * t) + eta * H * (H + 1) * (2 * H + 1) / 48 + critic_bias,
    reason="with stages, and with the constant 1/8 of Hedge for a critic in [0, H - h + 1], derived in proofs/",
    silent=WRONG,
    proof="policy_gradient/natural_actor_critic",
)
LINEAR = Theorem(
    name="regret lemma with features",
    cite=Cite("agarwal2021theory", "the regret lemma of NPG, for stages and any critic by proofs/"),
    lhs=average_gap,
    rhs=H * log(A) / (eta * t) + eta / 8 * average_span + critic_bias,
    reason="with stages, and with the constant 1/8 of Hedge, derived in proofs/; the range of the critic is measured",
    silent=WRONG,
    proof="policy_gradient/natural_actor_critic",
)


@dataclass(frozen=True)
class NaturalActorCritic(Learner[Episodic, State]):
    """Natural actor-critic with step size `eta`, and `beta` of the critic, from `N` episodes a step.

    The critic has `n` fixed random features of state and action at each stage, or a table if n is None.
    """

    eta: Positive = 0.1
    beta: Annotated[float, Range(0, 1, "high")] = 0.5
    N: Count = 16
    n: Annotated[int | None, Range(1, np.inf, "low")] = None

    sees: ClassVar[type] = Episodic
    theorems: ClassVar[tuple[Theorem, ...]] = (REGRET, LINEAR)
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("gap", _gap),
        Measure("total_gap", _gap, "sum"),
        Measure("total_mistaken", _mistaken, "sum"),
        Measure("total_span", _spans, "sum"),
    )

    def init(self, oracle: Episodic, key: Any) -> State:
        return State(jnp.zeros(oracle.r.shape), jnp.zeros(oracle.r.shape))

    def draw(self, oracle: Episodic, key: Any) -> Any:
        return jax.random.uniform(key, (self.N, oracle.H + 1, 2))

    def step(self, oracle: Episodic, state: State, xi: Any) -> State:
        theta = state.theta + self.eta * state.q
        pi = softmax(theta)
        s, a = oracle.follow(pi, xi)
        v = jnp.append((pi * state.q).sum(-1), jnp.zeros((1, oracle.S)), axis=0)
        h = jnp.arange(oracle.H)
        error = oracle.rewards(s, a) + v[h + 1, s[:, 1:]] - state.q[h, s[:, :-1], a]
        S, A = oracle.S, oracle.A  # a state and its action as one number: the mean over visits is that of pairs
        pairs = coefficients(visit_means(error, s[:, :-1] * A + a, S * A), self.n)
        return State(theta, state.q + self.beta * pairs.reshape(state.q.shape))
