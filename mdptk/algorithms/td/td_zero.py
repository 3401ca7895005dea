r"""TD(0) with linear features and a constant step size, from independent transitions.

.. math::

   \theta_{t+1} = \theta_t + \alpha \big( r_t + \gamma\, \phi(s_t')^\top \theta_t - \phi(s_t)^\top \theta_t \big)\,
   \phi(s_t), \qquad s_t \sim D,\; a_t \sim \pi(s_t),\; s_t' \sim P(s_t, a_t), \qquad \theta_0 = 0.

On average a step is one of the mean path, so the start is forgotten exponentially fast, down to a floor of alpha times
the noise at the fixed point, :math:`\sigma^2 = \mathbb{E} \|g_t(\theta^*)\|_2^2`. Away from the fixed point the noise
grows with the error, and yet alpha = 1/2 is short enough for every problem: where the noise is large, the mean path
points well.

The bounds are loose once noise has taken over. The mean square error itself obeys a linear recursion; it is solved
exactly, and the average over runs is held against it.

Proof: ``proofs/td/td_zero.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.evaluation import random_walk
>>> run(TDZero(), random_walk(), 8, repeats=2)["distance"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sympy import exp

from mdptk.core.algorithm import Learner, Measure, Positive
from mdptk.core.models import Array, PolicyEvaluation
from mdptk.core.oracles import Transitions
from mdptk.core.run import Run
from mdptk.theory import Assumption, Cite, InExpectation, Quantity, Start, Theorem, initial
from mdptk.theory.quantity import EPS
from mdptk.theory.stock import (
    LINEAR_MEASURES,
    average_distance,
    distance,
    full_rank,
    omega,
    on_policy,
    unit_features,
)
from mdptk.theory.symbols import alpha, gamma, t


class State(NamedTuple):
    """The parameters and their running mean."""

    theta: Any  # (n,)
    average: Any  # (n,): mean of theta_0 .. theta_{t-1}; theta_0 at t = 0
    t: Any  # (): updates made


def _transitions(problem: PolicyEvaluation, theta: Array) -> tuple[Array, Array]:
    """Probability and TD error of every transition, each (S, A, S)."""
    mdp, v = problem.mdp, problem.Phi @ theta
    p = problem.D[:, None, None] * problem.pi[..., None] * mdp.P
    return p, mdp.r[..., None] + mdp.gamma * v - v[:, None, None]


def _noise(run: Run) -> float:
    p, error = _transitions(run.problem, run.truth.optimum.theta)
    return (p * error**2 * (run.problem.Phi**2).sum(-1)[:, None, None]).sum()


def _mean_square(run: Run) -> Array:
    r"""Trace of the second moment of ``theta_t - theta*``, by its recursion.

    A transition adds alpha f c^T y to y = (theta - theta*, 1), with f = (phi(s), 0) and
    c = (gamma phi(s') - phi(s), TD error at theta*).
    """
    Phi, theta = run.problem.Phi, run.truth.optimum.theta
    p, error = _transitions(run.problem, theta)
    c = (run.problem.gamma * Phi - Phi[:, None])[:, None]
    c = np.concatenate([np.broadcast_to(c, (*p.shape, len(theta))), error[..., None]], -1)  # (S, A, S, n + 1)
    f, y = np.pad(Phi, [(0, 0), (0, 1)]), np.append(-theta, 1.0)
    G = f.T @ (p[..., None] * c).sum((1, 2))  # E f c^T
    C = np.einsum("sat,satk,satl->skl", p, c, c)  # E c c^T from each state
    M, trace = np.outer(y, y), []
    for _ in range(run.steps + 1):
        trace.append(M[:-1, :-1].trace())
        M = M + run.alg.alpha * (G @ M + M @ G.T) + run.alg.alpha**2 * (f.T * (C * M).sum((1, 2))) @ f
    return np.array(trace)[run.t.astype(int)]


def _mean_square_rounding(run: Run) -> Array:
    size = noise.values(run) + np.maximum.accumulate(mean_square.values(run), axis=1)
    return 8 * EPS * (run.problem.n + run.t) * size


noise = Quantity("noise", _noise, latex=r"\sigma^2")
mean_square = Quantity(
    "mean_square",
    _mean_square,
    latex=r"\mathrm{tr}\, \mathbb{E} (\theta_{%t} - \theta^*)(\theta_{%t} - \theta^*)^\top",
    rounding=_mean_square_rounding,
)
short_step = Assumption(
    "alpha at most 1/2", lambda alg, problem: None if alg.alpha <= 1 / 2 else f"alpha = {alg.alpha:g}"
)

ANYWHERE = Start(r"any $\theta_0$", lambda state: state.theta, lambda alg, problem, theta: State(theta, theta, 0.0))

BHANDARI, PROOF = "bhandari2018finite", "td/td_zero"
MEAN_SQUARE = Theorem(
    name="mean square error",
    cite=Cite(BHANDARI, "the second moment of the update, unrolled"),
    lhs=distance,
    rhs=mean_square,
    holds=InExpectation(),
    reason="an equality, of which only a mean that is too large can be refuted by a sample",
)
AVERAGE = Theorem(
    name="average iterate",
    cite=Cite(BHANDARI, "Theorem 2(a), for every alpha up to 1/2 by proofs/"),
    assumes=(on_policy, unit_features, short_step),
    lhs=average_distance,
    rhs=initial(distance) / (alpha * (1 - gamma) * t) + 2 * alpha * noise / (1 - gamma),
    holds=InExpectation(),
    reason="the paper has alpha = 1/sqrt(T) and T >= 64 / (1 - gamma)^2; the rest is derived in proofs/",
    proof=PROOF,
    starts=ANYWHERE,
)
LAST = Theorem(
    name="last iterate",
    cite=Cite(BHANDARI, "Theorem 2(b), for every alpha up to 1/2 by proofs/"),
    assumes=(on_policy, unit_features, full_rank, short_step),
    lhs=distance,
    rhs=exp(-alpha * (1 - gamma) * omega * t) * initial(distance) + 2 * alpha * noise / ((1 - gamma) * omega),
    holds=InExpectation(),
    reason="the paper has alpha <= omega (1 - gamma) / 8; the rest is derived in proofs/",
    proof=PROOF,
    starts=ANYWHERE,
)


@dataclass(frozen=True)
class TDZero(Learner[Transitions, State]):
    """TD(0) with the constant step size `alpha`, from zero."""

    alpha: Positive = 0.1

    sees: ClassVar[type] = Transitions
    theorems: ClassVar[tuple[Theorem, ...]] = (MEAN_SQUARE, AVERAGE, LAST)
    measures: ClassVar[tuple[Measure, ...]] = LINEAR_MEASURES

    def init(self, oracle: Transitions, key: Any) -> State:
        return State(jnp.zeros(oracle.n), jnp.zeros(oracle.n), jnp.zeros(()))

    def draw(self, oracle: Transitions, key: Any) -> Any:
        return jax.random.uniform(key, (3,))

    def step(self, oracle: Transitions, state: State, xi: Any) -> State:
        theta, average, t = state
        s, r, s2 = oracle.sample(xi)
        phi = oracle.Phi[s]
        error = r + oracle.gamma * (oracle.Phi[s2] @ theta) - phi @ theta
        return State(theta + self.alpha * error * phi, average + (theta - average) / (t + 1), t + 1)
