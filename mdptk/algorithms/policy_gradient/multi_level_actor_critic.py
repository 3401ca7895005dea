r"""MAC: an actor-critic for the average reward whose gradients are multi-level means, so no mixing time is asked for.

.. math::

   g_{t+1} = g_t + \beta\, \hat m(r - g_t), \qquad
   w_{t+1} = \Pi_R\big(w_t + \beta\, \hat m(\delta\, e_s)\big), \qquad
   \theta_{t+1} = \theta_t + \frac{\alpha}{\sqrt{n_{t+1}}}\, \hat h_t, \qquad
   \hat h_t = \hat m(\delta\, \nabla_\theta \log \pi_{\theta_t}(a|s)), \quad n_{t+1} = n_t + \|\hat h_t\|_2^2,

with :math:`\delta = r - g_t + w_t(s') - w_t(s)` and :math:`n_0 = 1`, on one stream that nobody resets. One geometric
level J a step: :math:`\hat m` is the multi-level mean of the next :math:`2^J` samples. On average it is the mean of the
next :math:`2^L` (for L levels) and takes about L of them, so a long average, which forgets where the stream was, costs
no more than its logarithm; a slowly mixing chain shows in the variance, and the steps of Adagrad shrink by themselves.
That its steps can't go far is a fact about Adagrad, whatever the estimates are.

Proof: ``proofs/policy_gradient/multi_level_actor_critic.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.jao import jao
>>> run(MultiLevelActorCritic(), jao(), 8, repeats=2)["samples"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Symbol, log

from mdptk.core import exact
from mdptk.core.algorithm import Count, Learner, Measure, Positive, Range
from mdptk.core.estimators import multilevel
from mdptk.core.exact import one_hot, softmax
from mdptk.core.oracles import Stream, choose
from mdptk.core.run import Run
from mdptk.theory import Asymptotic, Cite, InExpectation, Quantity, Theorem
from mdptk.theory.symbols import alpha, t


class State(NamedTuple):
    """The actor, its estimate of the gain, the critic, where the stream is, and what was spent and travelled."""

    theta: Any  # (S, A)
    g: Any  # ()
    w: Any  # (S,)
    s: Any  # ()
    n: Any  # (): one and all squared estimates
    samples: Any  # ()
    travelled: Any  # (): the sum of squared steps


def _square(truth: exact.Truth, x: State) -> Any:
    """The squared gradient of the gain, for a chain with one recurrent class."""
    pi, P = softmax(x.theta), truth.problem.P
    P, r = jnp.einsum("sa,sat->st", pi, P / P.sum(-1, keepdims=True)), (pi * truth.problem.r).sum(-1)
    M = jnp.eye(len(r)) - P + 1.0  # d M = 1 for the stationary distribution d; M h = r - g gives a bias
    d = jnp.linalg.solve(M.T, jnp.ones(len(r)))
    q = truth.problem.r + truth.problem.P @ jnp.linalg.solve(M, r - d @ r)
    return ((d[:, None] * pi * (q - (pi * q).sum(-1, keepdims=True))) ** 2).sum()


samples = Quantity("samples", lambda run: run["samples"], latex=r"\text{samples}_{%t}")
travelled = Quantity(
    "travelled",
    lambda run: run["travelled"],
    latex=r"{\textstyle\sum_{k<%t}} \|\theta_{k+1} - \theta_k\|_2^2",
    rounding=lambda run: 16 * np.finfo(float).eps * run.t * run["travelled"],
)
collected = Quantity("collected", lambda run: run["n"], latex=r"n_{%t}")


def _average_square(run: Run) -> Any:
    return run["square"] / np.maximum(run.t, 1)


average_square = Quantity(
    "average_square", _average_square, latex=r"\tfrac{1}{%t} {\textstyle\sum_{k<%t}} \|\nabla_\theta g^{\pi_k}\|_2^2"
)

levels, SUTTLE, PROOF = Symbol("levels"), "suttle2023beyond", "policy_gradient/multi_level_actor_critic"
COST = Theorem(
    name="expected cost",
    cite=Cite(SUTTLE, "the cost of multi-level means, with its constant"),
    lhs=samples,
    rhs=(levels + 2 ** (-levels)) * t,
    holds=InExpectation(),
    reason="derived in proofs/; an equality, of which only a mean that is too large can be refuted by a sample",
    silent="who samples nothing spends nothing",
    proof=PROOF,
)
TRAVEL = Theorem(
    name="squared steps of Adagrad",
    cite=Cite(SUTTLE, "the sum behind Adagrad, with n_0 = 1"),
    lhs=travelled,
    rhs=alpha**2 * log(collected),
    reason="derived in proofs/; it holds for any estimates",
    silent="who goes nowhere travels nothing; it is broken by steps that do not shrink",
    proof=PROOF,
)
RATE = Theorem(
    name="rate of the gradient",
    cite=Cite(SUTTLE, "the rate of the abstract, up to the error of the critic"),
    lhs=average_square,
    rhs=t ** (-1 / 2),
    holds=Asymptotic(-1 / 2),
    status="order-only",
    reason="constants and logarithms unknown; the paper was read at second hand",
)


@dataclass(frozen=True)
class MultiLevelActorCritic(Learner[Stream, State]):
    """MAC with Adagrad's `alpha`, `beta` for gain and critic, and `levels` levels; the critic has norm `R` at most."""

    alpha: Positive = 0.5
    beta: Annotated[float, Range(0, 1)] = 0.05
    levels: Count = 3
    R: Positive = 20.0

    sees: ClassVar[type] = Stream
    theorems: ClassVar[tuple[Theorem, ...]] = (COST, TRAVEL, RATE)
    keep: ClassVar[tuple[str, ...]] = ("n", "samples", "travelled")
    measures: ClassVar[tuple[Measure, ...]] = (Measure("square", _square, "sum"),)

    def init(self, oracle: Stream, key: Any) -> State:
        zero = jnp.zeros(())
        start = oracle.start(jax.random.uniform(key))
        return State(jnp.zeros(oracle.r.shape), zero, jnp.zeros(oracle.S), start, zero + 1, zero, zero)

    def draw(self, oracle: Stream, key: Any) -> Any:
        return jax.random.uniform(key, (2**self.levels + 1, 2))

    def step(self, oracle: Stream, state: State, xi: Any) -> State:
        theta, g, w, s, n, spent, travelled = state
        J = 1 + jnp.floor(-jnp.log2(1 - xi[0, 0])).astype(int)
        pi = softmax(theta)
        s, a, s2 = self.follow(oracle, pi, s, xi[1:])
        r = oracle.r[s, a]
        delta = r - g + w[s2] - w[s]
        scores = one_hot(s, oracle.S)[..., None] * (one_hot(a, oracle.A) - pi[s])[:, None]
        h = multilevel(delta[:, None, None] * scores, J)
        ahead = w + self.beta * multilevel(delta[:, None] * one_hot(s, oracle.S), J)
        n, used = n + (h**2).sum(), jnp.where(self.levels >= J, 2.0**J, 1.0)
        move = self.alpha / jnp.sqrt(n) * h
        return State(
            theta + move,
            g + self.beta * multilevel(r - g, J),
            ahead * jnp.minimum(1.0, self.R / jnp.maximum(jnp.linalg.norm(ahead), self.R)),
            s2[used.astype(int) - 1],
            n,
            spent + used,
            travelled + (move**2).sum(),
        )

    def follow(self, oracle: Stream, pi: Any, s: Any, u: Any) -> tuple[Any, Any, Any]:
        """States, actions and next states of as many steps as there are rows in u; those not used never happened."""

        def move(s: Any, u: Any) -> Any:
            a = choose(pi[s], u[0])
            s2 = oracle.move(s, a, u[1])
            return s2, (s, a, s2)

        return jax.lax.scan(move, s, u)[1]
