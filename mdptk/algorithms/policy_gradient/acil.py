r"""ACIL, actor-critic improper learning: the weights of base controllers from transitions, with a critic of the states.

.. math::

   \theta_{t+1} = \theta_t + \frac\alpha N \sum_{i=1}^N \delta_i\, \psi_t(m_i), \qquad
   \psi_t(m) = \nabla_\theta \log w_t(m) = e_m - w_t, \qquad
   \delta_i = r_i + \gamma v_{t+1}(s_i') - v_{t+1}(s_i),

.. math::

   m_i \sim w_t = \mathrm{softmax}(\theta_t), \quad a_i \sim K_{m_i}(\cdot|s_i), \quad s_i' \sim P(\cdot|s_i, a_i),
   \qquad \theta_0 = 0,

after m rounds of TD(0), :math:`v(s) \leftarrow v(s) + \frac\beta N \sum_{i: s_i = s} \delta_i`, on N transitions each.
The walk goes on from step to step and is cut off with probability :math:`1-\gamma` after each transition, so that its
stationary distribution is the occupancy d that a policy gradient asks for. The gradient has as many entries as there
are controllers, however many states there are. The critic is only asked how good next states are: a critic that is
wrong by the same in all states does no harm at all, and one that is wrong by e turns the mean direction by
:math:`\gamma\, \mathrm{span}(e) / \sqrt 8` at most. This is `ImproperMixture` without its model, and what stops that
stops this: no claim on the best mixture is made here.

The paper's critic is linear; here it is a table. Next states in the temporal differences are those of the model, and
not those after a cut: our reading. The base controllers are the constant actions; override `controllers` for others.

Proof: ``proofs/policy_gradient/acil.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.teaching import two_state
>>> run(ACIL(), two_state(), 8, repeats=2)["critic"].shape
(2, 9, 3)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from sympy import sqrt

from mdptk.core import exact
from mdptk.core.algorithm import Count, Learner, Measure, Positive, Range
from mdptk.core.improper import Improper, mixture, mixture_gradient, td_errors_at, td_rounds, walk
from mdptk.core.oracles import Trajectories
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.symbols import gamma


class State(NamedTuple):
    """The logits of the weights, the critic, where the walk is, and the controllers, which never change."""

    theta: Any  # (M,)
    v: Any  # (S,)
    s: Any  # ()
    K: Any  # (M, S, A)


def _critic(truth: exact.Truth, x: State) -> Any:
    """How far the mean direction is from (1 - gamma) times the gradient, the formula for it, and the critic's span."""
    problem, w = truth.problem, exact.softmax(x.theta)
    pi = mixture(x.K, w)
    e = x.v - exact.evaluate(problem, pi)
    d = exact.occupancy(problem, pi)

    def direction(values: Any) -> Any:
        """The mean of a number ``values[s, a]`` times the score, with s from the occupancy."""
        mean = ((x.K * values).sum(-1) * d).sum(-1)
        return w * (mean - w @ mean)

    delta = problem.r + problem.gamma * problem.P @ x.v - x.v[:, None]
    off = direction(delta) - (1 - problem.gamma) * mixture_gradient(problem, x.K, x.theta, pi)
    formula = direction(problem.gamma * problem.P @ e)
    return exact.namespace(e).stack([(off**2).sum() ** 0.5, (formula**2).sum() ** 0.5, e.max() - e.min()])


def _rounding(run: Any) -> Any:
    return 4 * exact.rounding(run.problem) * run.problem.A**0.5


bias = Quantity(
    "bias",
    lambda run: run["critic"][..., 0],
    latex=r"\|\mathbb{E}_d[\delta \psi_{%t}] - (1-\gamma) \nabla_\theta V^{\pi_{%t}}(\rho)\|_2",
    rounding=_rounding,
)
bootstrapped = Quantity(
    "bootstrapped",
    lambda run: run["critic"][..., 1],
    latex=r"\big\| w_{%t} (x - \langle w_{%t}, x \rangle) \big\|_2,\;"
    r" x_m = \gamma\, \mathbb{E}_{s \sim d, a \sim K_m, s'}[v_{%t}(s') - V^{\pi_{%t}}(s')]",
    rounding=_rounding,
)
critic_span = Quantity(
    "critic_span",
    lambda run: run["critic"][..., 2],
    latex=r"\mathrm{span}(v_{%t} - V^{\pi_{%t}})",
    rounding=lambda run: 2 * exact.rounding(run.problem),
)

ZAKI = "zaki2022actor"
BIAS_FORMULA = Theorem(
    name="bias of the direction",
    cite=Cite(ZAKI, "the direction of ACIL; what it is on average, worked out"),
    lhs=bias,
    rhs=bootstrapped,
    relation="=",
    since=0,
    reason="derived: the part of the critic's error at the state itself has no mean under the scores",
)
BIAS_BOUND = Theorem(
    name="bias of a wrong critic",
    cite=Cite(ZAKI, "the direction of ACIL, with a constant of proofs/"),
    lhs=bias,
    rhs=gamma * critic_span / sqrt(8),
    since=0,
    reason="derived in proofs/",
    silent="it holds for every mixture and every critic, learned or not",
    proof="policy_gradient/acil",
)


@dataclass(frozen=True)
class ACIL(Improper, Learner[Trajectories, State]):
    """Actor-critic improper learning with steps `alpha` of the actor and `beta` of the critic, from uniform weights.

    Each step looks at `m` + 1 times `N` transitions: `m` rounds for the critic, and then those of the actor.
    """

    alpha: Positive = 0.1
    beta: Annotated[float, Range(0, 1, "high")] = 0.5
    N: Count = 8
    m: Count = 2

    sees: ClassVar[type] = Trajectories
    theorems: ClassVar[tuple[Theorem, ...]] = (BIAS_FORMULA, BIAS_BOUND)
    keep: ClassVar[tuple[str, ...]] = ("theta",)
    measures: ClassVar[tuple[Measure, ...]] = (Measure("critic", _critic),)

    def init(self, oracle: Trajectories, key: Any) -> State:
        K = jnp.asarray(self.controllers(oracle))
        return State(jnp.zeros(len(K)), jnp.zeros(oracle.S), oracle.start(jax.random.uniform(key)), K)

    def draw(self, oracle: Trajectories, key: Any) -> Any:
        return jax.random.uniform(key, ((self.m + 1) * self.N, 5))

    def step(self, oracle: Trajectories, state: State, xi: Any) -> State:
        theta, v, s, K = state
        w, train = exact.softmax(theta), self.m * self.N
        m, *seen, last = walk(oracle, K, w, s, xi)
        v = td_rounds(v, [x[:train] for x in seen], oracle.gamma, self.beta, self.m)
        delta = td_errors_at(v, [x[train:] for x in seen], oracle.gamma)
        scores = exact.one_hot(m[train:], len(K)) - w
        return State(theta + self.alpha / self.N * (delta @ scores), v, last, K)
