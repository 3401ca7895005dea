r"""EpsMix: toss a coin before each episode, and play the optimistic policy or the baseline.

.. math::

   \pi_k = \begin{cases} \bar\pi_k & \text{with probability } \epsilon_k, \\ \pi_b & \text{otherwise,} \end{cases}
   \qquad
   \epsilon_k \check V_k^{\bar\pi_k}(\rho_0) + (1 - \epsilon_k) \check V_k^{\pi_b}(\rho_0) = v_0,

with the lower bounds and the optimistic policy of StepMix; :math:`\epsilon_k = 1` if the optimistic policy keeps the
floor :math:`v_0` by its lower bound, and 0 if the baseline does not. The floor is kept in expectation over the coin:
what is linear here is not the value of one policy but the choice between two.

After Li, Huang, Shen and Yang [li2023conservative]. Proof: ``proofs/exploration/conservative.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.learning_constrained import steady_income
>>> result = run(EpsMix(), steady_income(), 256, repeats=2)
>>> bool((result["shortfall"] <= 0).all()), float(result["eps"][0, 0])
(True, 0.0)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from mdptk.core import exact
from mdptk.core.algorithm import Fraction, Learner, Measure
from mdptk.core.counted import bonus, empirical, greedy_values, start_values, values
from mdptk.core.exact import Truth
from mdptk.core.oracles import EpisodicBaseline
from mdptk.theory import Theorem
from mdptk.theory.stock_conservative import THEOREMS, measures


class State(NamedTuple):
    """What is remembered between episodes."""

    N: Any  # (S, A, S): transitions seen
    pi: Any  # (H, S, A): the optimistic policy
    eps: Any  # (): the probability that it is played
    promise: Any  # (): its optimistic value
    low: Any  # (): a lower bound on what is earned
    mixed: Any  # (): 1 if the coin is tossed


def _played(truth: Truth, state: State) -> Any:
    problem = truth.problem
    new, old = (exact.expected_return(problem.mdp, pi) for pi in (state.pi, problem.baseline))
    return state.eps * new + (1 - state.eps) * old


@dataclass(frozen=True)
class EpsMix(Learner[EpisodicBaseline, State]):
    """Coins that keep the floor with probability 1 - `delta`."""

    delta: Fraction = 0.1

    sees: ClassVar[type] = EpisodicBaseline
    keep: ClassVar[tuple[str, ...]] = ("eps",)
    theorems: ClassVar[tuple[Theorem, ...]] = THEOREMS
    measures: ClassVar[tuple[Measure, ...]] = measures(_played)

    def init(self, oracle: EpisodicBaseline, key: Any) -> State:
        _, S, A = oracle.r.shape
        return self._plan(oracle, jnp.zeros((S, A, S)))

    def draw(self, oracle: EpisodicBaseline, key: Any) -> Any:
        return jax.random.uniform(key, (oracle.episodes.H + 2, 2))  # the last is the coin

    def step(self, oracle: EpisodicBaseline, state: State, xi: Any) -> State:
        pi = jnp.where(xi[-1, 0] < state.eps, state.pi, oracle.baseline)
        s, a = oracle.episodes.follow(pi, xi[:-1])
        return self._plan(oracle, state.N.at[s[:-1], a, s[1:]].add(1.0))

    def _plan(self, oracle: EpisodicBaseline, N: Any) -> State:
        P, n = empirical(N)
        H = len(oracle.r)
        beta, left = bonus(n, H, self.delta), jnp.arange(H, 0, -1.0)[:, None, None]
        Q = greedy_values(P, oracle.r + beta, left)
        two = jnp.stack([exact.greedy(Q), oracle.baseline])
        new, old = jax.vmap(lambda p: start_values(values(P, (oracle.r - beta)[None], p), p, oracle.rho)[0])(two)
        mixed = (new < oracle.floor) & (old >= oracle.floor)
        share = (old - oracle.floor) / jnp.where(mixed, old - new, 1.0)
        eps = jnp.where(new >= oracle.floor, 1.0, jnp.where(mixed, share, 0.0))
        return State(N, two[0], eps, (oracle.rho * Q[0].max(-1)).sum(), eps * new + (1 - eps) * old, mixed * 1.0)
