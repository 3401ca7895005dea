r"""UCB1: pull the arm whose upper confidence bound is highest.

.. math::

   a_t = \arg\max_a \; \hat\mu_a + \sqrt{\frac{2 \log t}{n_a}}, \qquad t = \sum_a n_a,

where :math:`\hat\mu_a` is the mean of the rewards of the :math:`n_a` pulls of a so far; every arm is pulled once first.

The bonus grows with log t for an arm that is left alone, so no arm is given up for good, and each costs at least about
:math:`\log t / \Delta_a` in the long run. The theorem has 8 times that, which is above what any strategy loses until
t is in the hundreds: a union bound over all sample sizes is paid at every step.

Proof: ``proofs/bandits/ucb1.py``.

>>> from mdptk.core.run import run
>>> from mdptk.problems.bandits import two_arms
>>> run(UCB1(), two_arms(), 8, repeats=2)["regret"].shape
(2, 9)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from sympy import log, pi, sqrt

from mdptk.core.algorithm import Learner, Measure
from mdptk.core.oracles import Bandit
from mdptk.theory import Cite, InExpectation, Theorem
from mdptk.theory.stock_bandits import DEVIATION, MEANS, REGRET, inverse_gaps, regret, total_gap
from mdptk.theory.symbols import A, t


class State(NamedTuple):
    """What is remembered of the pulls."""

    n: Any  # (A,): pulls
    x: Any  # (A,): sum of rewards
    a: Any  # (): the arm that is pulled next


AUER, PROOF = "auer2002finite", "bandits/ucb1"
BY_GAPS = Theorem(
    name="regret by gaps",
    cite=Cite(AUER, "Theorem 1"),
    lhs=regret,
    rhs=8 * log(t) * inverse_gaps + (1 + pi**2 / 3) * total_gap,
    holds=InExpectation(),
    proof=PROOF,
)
WORST_CASE = Theorem(
    name="regret without gaps",
    cite=Cite(AUER, "Theorem 1, summed the other way in proofs/"),
    lhs=regret,
    rhs=4 * sqrt(2 * A * t * log(t)) + (1 + pi**2 / 3) * total_gap,
    holds=InExpectation(),
    reason="derived in proofs/ from the bound on the pulls of one arm",
    silent="above the trivial bound until t / log t is 32 A over the square of the largest gap",
    proof=PROOF,
)


@dataclass(frozen=True)
class UCB1(Learner[Bandit, State]):
    """UCB1, which has no hyperparameters; one step is one pull."""

    sees: ClassVar[type] = Bandit
    theorems: ClassVar[tuple[Theorem, ...]] = (MEANS, BY_GAPS, WORST_CASE)
    measures: ClassVar[tuple[Measure, ...]] = (REGRET, DEVIATION)

    def init(self, oracle: Bandit, key: Any) -> State:
        return State(n=jnp.zeros(oracle.A), x=jnp.zeros(oracle.A), a=jnp.zeros((), int))

    def draw(self, oracle: Bandit, key: Any) -> Any:
        return jax.random.uniform(key)

    def step(self, oracle: Bandit, state: State, xi: Any) -> State:
        n = state.n.at[state.a].add(1.0)
        x = state.x.at[state.a].add(oracle.pull(state.a, xi))
        m = jnp.maximum(n, 1)
        index = jnp.where(n > 0, x / m + jnp.sqrt(2 * jnp.log(n.sum()) / m), jnp.inf)
        return State(n, x, index.argmax())
