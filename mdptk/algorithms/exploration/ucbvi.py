r"""UCBVI: optimistic value iteration on the empirical model, for episodes with the same transitions at every stage.

.. math::

   Q_{k,h}(s,a) = \min\big\{ Q_{k-1,h}(s,a),\; H-h+1,\; r_h(s,a) + \hat P_k V_{k,h+1}(s,a) + b_{k,h}(s,a) \big\}, \qquad
   b_{k,h} = (H-h) \sqrt{\frac{\log(SAH\, n(n+1) / \delta)}{2n}},

with :math:`V_{k,h} = \max_a Q_{k,h}`, n the visits of (s, a) before episode k at any stage, and Q = H - h + 1 where
n = 0. Episode k is played greedily.

This is the Hoeffding version of Azar et al. with their 7 H L / sqrt(N) replaced by the bonus that the proof needs when
nothing is wasted: the union over n is paid by 1/(n(n+1)), so it holds for all K at once. The regret theorem still says
nothing below about a thousand episodes of the smallest problem. What can fail on a laptop are the lemmas: optimism,
the surplus bound, and the identity that turns surpluses into regret.

Figure: ``mdptk reproduce ucbvi_regret``. Proof: ``proofs/exploration/ucbvi.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.riverswim import episodic_riverswim
>>> run(UCBVI(), episodic_riverswim(S=3, H=4), 8, repeats=2)["regret"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from sympy import log, sqrt

from mdptk.core.algorithm import Fraction, Learner, Measure
from mdptk.core.oracles import Episodic
from mdptk.theory import Cite, Theorem, WithProbability
from mdptk.theory.stock import stationary, unit_rewards
from mdptk.theory.stock_surplus import (
    MEASURES,
    deviation,
    optimistic_gap,
    pessimism,
    regret,
    surplus_excess,
    total_surplus,
)
from mdptk.theory.symbols import A, H, K, S, delta


class State(NamedTuple):
    """What is remembered between episodes."""

    N: Any  # (S, A, S): transitions seen
    Q: Any  # (H, S, A): optimistic action values, H - h + 1 at first
    b: Any  # (H, S, A): the bonus in Q


AZAR = "azar2017minimax"
OPTIMISM = Theorem(
    name="optimism",
    cite=Cite(AZAR, "Lemma 18"),
    assumes=(stationary, unit_rewards),
    lhs=pessimism,
    rhs=0,
    holds=WithProbability(delta),
    reason="constants of this bonus derived in proofs/",
    silent="a learner that never updates stays optimistic; a bonus too small does not",
    proof="exploration/ucbvi",
)
MODEL_ERROR = Theorem(
    name="model error",
    cite=Cite("weissman2003inequalities", "Theorem 2.1"),
    assumes=(stationary,),
    lhs=deviation,
    rhs=log(1 / delta),
    holds=WithProbability(delta),
    reason="union over (s, a) and n in proofs/",
    silent="without data there is no error; counts that drift from the data break it",
    proof="exploration/ucbvi",
)
SURPLUS = Theorem(
    name="surplus bound",
    cite=Cite("simchowitz2019non", "Section 3"),
    assumes=(stationary, unit_rewards),
    lhs=surplus_excess,
    rhs=0,
    reason="derived in proofs/",
    silent="holds before any data too; a Q that is too large in one entry breaks it",
    proof="exploration/ucbvi",
)
SURPLUS_IDENTITY = Theorem(
    name="surpluses make the gap",
    cite=Cite("simchowitz2019non", "Section 3, the regret decomposition"),
    lhs=optimistic_gap,
    rhs=total_surplus,
    relation="=",
)
REGRET_BY_SURPLUS = Theorem(
    name="regret by surpluses",
    cite=Cite("simchowitz2019non", "Section 3"),
    assumes=(stationary, unit_rewards),
    lhs=regret,
    rhs=total_surplus,
    holds=WithProbability(delta),
    silent="compares the regret with what the learner itself promised, at every K",
    proof="exploration/ucbvi",
)
KH = K * H
WIDTH = sqrt(log(S * A * H * KH * (KH + 1) / delta) / 2) + sqrt((S * log(2) + log(S * A * KH * (KH + 1) / delta)) / 2)
REGRET = Theorem(
    name="regret",
    cite=Cite(AZAR, "Theorem 1, with the constants of proofs/"),
    assumes=(stationary, unit_rewards),
    lhs=regret,
    rhs=2 * sqrt(2) * (H - 1) * WIDTH * sqrt(S * A * H * K)
    + S * A * H * (2 * H - 1)
    + sqrt(K * H * (H + 1) * (2 * H + 1) * log(K * (K + 1) / delta) / 12),
    holds=WithProbability(3 * delta),
    reason="rate of the simple analysis (S in place of its root), constants derived in proofs/",
    silent="above H K until about K = 1000 at S = A = H = 2: vacuous in short runs",
    proof="exploration/ucbvi",
)


@dataclass(frozen=True)
class UCBVI(Learner[Episodic, State]):
    """UCBVI with the Hoeffding bonus that holds with probability 1 - `delta`; one step is one episode."""

    delta: Fraction = 0.1

    sees: ClassVar[type] = Episodic
    theorems: ClassVar[tuple[Theorem, ...]] = (
        OPTIMISM,
        MODEL_ERROR,
        SURPLUS,
        SURPLUS_IDENTITY,
        REGRET_BY_SURPLUS,
        REGRET,
    )
    measures: ClassVar[tuple[Measure, ...]] = MEASURES

    def init(self, oracle: Episodic, key: Any) -> State:
        H, S, A = oracle.r.shape
        left = jnp.arange(H, 0, -1.0)[:, None, None]  # H - h + 1 rewards are still to come
        return State(N=jnp.zeros((S, A, S)), Q=jnp.broadcast_to(left, (H, S, A)), b=jnp.zeros((H, S, A)))

    def draw(self, oracle: Episodic, key: Any) -> Any:
        return jax.random.uniform(key, (oracle.H + 1,))

    def step(self, oracle: Episodic, state: State, xi: Any) -> State:
        s, a = oracle.play(state.Q.argmax(-1), xi)
        N = state.N.at[s[:-1], a, s[1:]].add(1.0)
        return self._plan(oracle.r, N, state.Q)

    def _plan(self, r: Any, N: Any, Q: Any) -> State:
        H, S, A = r.shape
        n = N.sum(-1)
        m = jnp.maximum(n, 1)
        P = N / m[..., None]
        left = jnp.arange(H, 0, -1.0)[:, None, None]
        b = (left - 1) * jnp.sqrt(jnp.log(S * A * H * m * (m + 1) / self.delta) / (2 * m))
        V, rows = jnp.zeros(S), []
        for h in reversed(range(H)):
            optimistic = r[h] + (P * V).sum(-1) + b[h]
            rows.append(jnp.where(n > 0, jnp.minimum(Q[h], optimistic), Q[h]))
            V = rows[-1].max(-1)
        return State(N, jnp.stack(rows[::-1]), b)
