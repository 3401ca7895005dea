r"""StepMix: from a baseline to an optimistic policy, one stage at a time, never below the floor.

.. math::

   \pi^{(j)} = (\pi_b, \ldots, \pi_b, \bar\pi_{k,j+1}, \ldots, \bar\pi_{k,H}), \qquad
   \pi_k = \rho\, \pi^{(j)} + (1 - \rho)\, \pi^{(j-1)} \;\text{ with }\; \check V_k^{\pi_k}(\rho_0) = v_0,

with the first j stages of the baseline :math:`\pi_b` and the others of the optimistic policy :math:`\bar\pi_k`, and j
the least for which the lower bound :math:`\check V_k^{\pi^{(j)}}` is not below the floor :math:`v_0`. If it is not for
j = 0, the optimistic policy is played; if it is for the baseline itself, the baseline, which keeps the floor.

Two neighbours in this list differ in one stage only. That is why they can be mixed: the value is linear in what is done
in one stage, so the mixture is worth exactly the floor, while a mixture of two policies in all stages at once may be
worth less than either. The bounds are those of the L1 ball (`mdptk.core.counted`), and the lower one is not cut off at
zero, which would bend the line.

After Li, Huang, Shen and Yang [li2023conservative], whose bonus is Bernstein's. Proof:
``proofs/exploration/conservative.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.learning_constrained import steady_income
>>> bool((run(StepMix(), steady_income(), 256, repeats=2)["shortfall"] <= 0).all())
True
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from mdptk.core import exact
from mdptk.core.algorithm import Fraction, Learner, Measure
from mdptk.core.counted import bonus, empirical, greedy_values, start_values, values
from mdptk.core.oracles import EpisodicBaseline
from mdptk.theory import Theorem
from mdptk.theory.stock_conservative import THEOREMS, measures


class State(NamedTuple):
    """What is remembered between episodes."""

    N: Any  # (S, A, S): transitions seen
    pi: Any  # (H, S, A): the policy of the next episode
    promise: Any  # (): the optimistic value
    low: Any  # (): a lower bound on the value of pi
    mixed: Any  # (): 1 if pi is a mixture of two neighbours


@dataclass(frozen=True)
class StepMix(Learner[EpisodicBaseline, State]):
    """Mixtures that keep the floor with probability 1 - `delta`."""

    delta: Fraction = 0.1

    sees: ClassVar[type] = EpisodicBaseline
    keep: ClassVar[tuple[str, ...]] = ("mixed",)
    theorems: ClassVar[tuple[Theorem, ...]] = THEOREMS
    measures: ClassVar[tuple[Measure, ...]] = measures(
        lambda truth, state: exact.expected_return(truth.problem.mdp, state.pi)
    )

    def init(self, oracle: EpisodicBaseline, key: Any) -> State:
        _, S, A = oracle.r.shape
        return self._plan(oracle, jnp.zeros((S, A, S)))

    def draw(self, oracle: EpisodicBaseline, key: Any) -> Any:
        return jax.random.uniform(key, (oracle.episodes.H + 1, 2))

    def step(self, oracle: EpisodicBaseline, state: State, xi: Any) -> State:
        s, a = oracle.episodes.follow(state.pi, xi)
        return self._plan(oracle, state.N.at[s[:-1], a, s[1:]].add(1.0))

    def _plan(self, oracle: EpisodicBaseline, N: Any) -> State:
        P, n = empirical(N)
        H = len(oracle.r)
        beta, left = bonus(n, H, self.delta), jnp.arange(H, 0, -1.0)[:, None, None]
        Q = greedy_values(P, oracle.r + beta, left)

        def low(pi: Any) -> Any:
            return start_values(values(P, (oracle.r - beta)[None], pi), pi, oracle.rho)[0]

        by_baseline = jnp.arange(H) < jnp.arange(H + 1)[:, None]  # [j, h]
        list_ = jnp.where(by_baseline[..., None, None], oracle.baseline, exact.greedy(Q))
        bounds = jax.vmap(low)(list_)
        keeps = bounds >= oracle.floor
        j = jnp.where(keeps.any(), keeps.argmax(), H)
        mixed = keeps.any() & (j > 0)
        before = jnp.maximum(j - 1, 0)
        gap = jnp.where(mixed, bounds[j] - bounds[before], 1.0)
        share = jnp.where(mixed, (oracle.floor - bounds[before]) / gap, 1.0)
        pi = share * list_[j] + (1 - share) * list_[before]
        return State(N, pi, (oracle.rho * Q[0].max(-1)).sum(), low(pi), mixed * 1.0)
