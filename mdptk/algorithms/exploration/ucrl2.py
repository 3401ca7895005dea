r"""UCRL2: the policy that is best in the best plausible model, kept until some count doubles.

Episode k begins at time t_k with the transitions seen so far, N_k of them from (s, a), and extended value iteration on

.. math::

   \|\tilde p - \hat p_k(\cdot|s, a)\|_1 \le \sqrt{\frac{14\, S \log(2 A t_k / \delta)}{\max\{1, N_k(s, a)\}}}, \qquad
   u_{i+1}(s) = \max_a \big\{ r(s, a) + \max_{\tilde p} \langle \tilde p, u_i \rangle \big\},

until :math:`\max_s (u_{i+1} - u_i) - \min_s (u_{i+1} - u_i) < 1 / \sqrt{t_k}`. Its greedy policy is played until some
:math:`v_k(s, a) = \max\{1, N_k(s, a)\}`: until a pair was visited in the episode as often as before it.

There are no resets and no horizon: one stream, and the average reward. What takes the place of the horizon is the
diameter D, because optimistic values cannot differ by more than it takes to go from one state to the other. Rewards are
known here; in the paper they have a confidence interval of their own. The regret counts the mean rewards of the actions
taken. Its theorem says nothing below some ten thousand steps on the smallest models, and what can fail on a laptop are
the lemmas: the confidence set, optimism, the span, and two facts about doubling that hold on every run.

Proof: ``proofs/exploration/ucrl2.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.jao import jao
>>> run(UCRL2(), jao(), 8, repeats=2)["regret"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from sympy import log, pi, sqrt

from mdptk.core.algorithm import Fraction, Learner, Measure
from mdptk.core.counted import empirical
from mdptk.core.oracles import Stream
from mdptk.core.plausible import extended_value_iteration
from mdptk.theory import Cite, Theorem, WithProbability
from mdptk.theory.stock import unit_rewards
from mdptk.theory.stock_stream import (
    MEASURES,
    before,
    communicating,
    deviation,
    diameters,
    episodes,
    pessimism,
    regret,
    roots,
    span,
    widths,
)
from mdptk.theory.symbols import A, S, delta, t


class State(NamedTuple):
    """What is remembered of the stream, and the episode that is going on."""

    s: Any  # (): where the stream is
    N: Any  # (S, A, S): transitions seen
    v: Any  # (S, A): visits in this episode
    pi: Any  # (S,): actions of this episode
    u: Any  # (S,): the values that they are greedy for
    g: Any  # (): the largest increment of these values: no plausible model earns more per step
    k: Any  # (): episodes begun


JAKSCH, PROOF = "jaksch2010near", "exploration/ucrl2"
FAILURE = pi**6 / 18900 * delta  # zeta(6) / 20
CONFIDENCE = Theorem(
    name="confidence set",
    cite=Cite(JAKSCH, "Lemma 17, transitions only, summed over t in proofs/"),
    lhs=deviation,
    rhs=log(2 * A / delta),
    holds=WithProbability(FAILURE),
    silent="without data there is no error; counts that drift from the data break it",
    proof=PROOF,
)
OPTIMISM = Theorem(
    name="optimism",
    cite=Cite(JAKSCH, "Section 4.3 and Theorem 7"),
    assumes=(unit_rewards,),
    lhs=pessimism,
    rhs=0,
    holds=WithProbability(FAILURE),
    silent="the first plan is optimistic, too; a radius that is too small, or a maximum that is missed, breaks it",
    proof=PROOF,
)
SPAN = Theorem(
    name="span of the plan",
    cite=Cite(JAKSCH, "Section 4.3.1, equation (11)"),
    assumes=(unit_rewards, communicating),
    lhs=span,
    rhs=diameters,
    holds=WithProbability(FAILURE),
    silent="the first plan has no span; values that grow apart break it",
    proof=PROOF,
)
EPISODES = Theorem(
    name="number of episodes",
    cite=Cite(JAKSCH, "Proposition 18, whose last step needs t >= SA and loses at most 2 SA"),
    lhs=episodes,
    rhs=1 + S * A * (1 + log(1 + t / (S * A)) / log(2)),
    silent="a run that never moves is in its first episode; one that stops too early has too many",
    proof=PROOF,
)
WIDTHS = Theorem(
    name="sum of widths",
    cite=Cite(JAKSCH, "Lemma 19, summed over pairs"),
    lhs=widths,
    rhs=(sqrt(2) + 1) * roots,
    proof=PROOF,
)
APART = Theorem(
    name="regret by terms",
    cite=Cite(JAKSCH, "Section 4.4, before the terms are put together"),
    assumes=(unit_rewards, communicating),
    lhs=regret,
    rhs=sqrt(t)
    + (diameters * sqrt(14 * S * log(2 * A * t / delta)) + 1) * (sqrt(2) + 1) * sqrt(S * A * t)
    + diameters * sqrt(5 * t * log(8 * t / delta) / 2)
    + diameters * (1 + S * A * (1 + log(1 + t / (S * A)) / log(2))),
    holds=WithProbability(delta),
    since=2,
    reason="the paper's terms without those of unknown and of random rewards, derived in proofs/",
    silent="above t below some ten thousand steps: vacuous in short runs",
    proof=PROOF,
)
REGRET = Theorem(
    name="regret",
    cite=Cite(JAKSCH, "Theorem 2"),
    assumes=(unit_rewards, communicating),
    lhs=regret,
    rhs=34 * diameters * S * sqrt(A * t * log(t / delta)),
    holds=WithProbability(delta),
    since=2,
    silent="above t below a hundred thousand steps: vacuous in short runs",
    proof=PROOF,
)


@dataclass(frozen=True)
class UCRL2(Learner[Stream, State]):
    """UCRL2 with known rewards and confidence `delta`; one step is one step of the stream."""

    delta: Fraction = 0.1

    sees: ClassVar[type] = Stream
    theorems: ClassVar[tuple[Theorem, ...]] = (CONFIDENCE, OPTIMISM, SPAN, EPISODES, WIDTHS, APART, REGRET)
    measures: ClassVar[tuple[Measure, ...]] = MEASURES

    def init(self, oracle: Stream, key: Any) -> State:
        S, A = oracle.r.shape
        N = jnp.zeros((S, A, S))
        return State(oracle.start(jax.random.uniform(key)), N, N[..., 0], *self._plan(oracle.r, N, True), jnp.ones(()))

    def draw(self, oracle: Stream, key: Any) -> Any:
        return jax.random.uniform(key)

    def step(self, oracle: Stream, state: State, xi: Any) -> State:
        s, a = state.s, state.pi[state.s]
        s2 = oracle.move(s, a, xi)
        now = state._replace(s=s2, N=state.N.at[s, a, s2].add(1.0), v=state.v.at[s, a].add(1.0))
        a2 = state.pi[s2]
        over = now.v[s2, a2] >= before(now)[s2, a2]
        new = State(s2, now.N, jnp.zeros_like(now.v), *self._plan(oracle.r, now.N, over), now.k + 1)
        return jax.tree.map(lambda x, y: jnp.where(over, x, y), new, now)

    def _plan(self, r: Any, N: Any, active: Any) -> tuple[Any, Any, Any]:
        """Actions, the values that they are greedy for, and the largest increment; anything unless `active`."""
        (P, n), (S, A) = empirical(N), r.shape
        time = n.sum() + 1
        radius = jnp.sqrt(14 * S * jnp.log(2 * A * time / self.delta) / jnp.maximum(n, 1))  # above 2 where n is 0
        u, q = extended_value_iteration(r, P, radius, 1 / jnp.sqrt(time), active)
        return q.argmax(-1), u, (q.max(-1) - u).max()
