r"""Bernoulli bandits: two arms that may be exchanged, and one good arm among A.

Both are statements about the average over a family. With the best :math:`\delta`, of order
:math:`\sqrt{A/t}`, the second becomes :math:`\tfrac1{20} \sqrt{A t}`.

Proof: ``proofs/lower_bounds/bandits.py``.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from sympy import exp, log, sqrt

from mdptk.core.bandits import BernoulliBandit
from mdptk.core.oracles import Bandit
from mdptk.problems.bandits import good_arm, two_arms
from mdptk.theory.lower_bound import LowerBound
from mdptk.theory.stock_bandits import regret
from mdptk.theory.symbols import A, delta, t
from mdptk.theory.theorem import Cite, InExpectation, Theorem


def exchanged(delta: float, **_: float) -> tuple[BernoulliBandit, ...]:
    """Two arms, of which either the second or the first is better by `delta`."""
    return two_arms(delta), two_arms(-delta)


def one_of(A: float, delta: float, **_: float) -> tuple[BernoulliBandit, ...]:
    """A arms, each of them the good one of one bandit."""
    return tuple(good_arm(int(A), delta, best) for best in range(int(A)))


def least_regret(problems: tuple[BernoulliBandit, ...], t: int) -> float:
    """The least regret after t pulls on average over the problems, all equally likely, by dynamic programming.

    What has been seen is, for each arm, how often it paid and how often not; the weight of a problem is the likelihood
    of that. The number of cases grows like t to the power 2 A.
    """
    means, gaps = np.array([p.means for p in problems]), np.array([p.gaps for p in problems])

    @cache
    def loss(won: tuple[int, ...], lost: tuple[int, ...]) -> float:
        left = t - sum(won) - sum(lost)
        if not left:
            return 0.0
        weight = (means ** np.array(won) * (1 - means) ** np.array(lost)).prod(1) / len(problems)
        now = weight @ gaps
        return min(now[a] + loss(_more(won, a), lost) + loss(won, _more(lost, a)) for a in range(len(now)))

    return loss((0,) * means.shape[1], (0,) * means.shape[1])


def _more(counts: tuple[int, ...], a: int) -> tuple[int, ...]:
    return (*counts[:a], counts[a] + 1, *counts[a + 1 :])


INFORMATION = delta * log((1 + delta) / (1 - delta))  # of a pull, between the two orders of the arms
TWO_ARMS = LowerBound(
    claim=Theorem(
        name="two arms exchanged",
        cite=Cite("bretagnolle1979estimation", "Lemma 2.1, at every pull"),
        lhs=regret,
        rhs=delta / 4 * (1 - exp(-t * INFORMATION)) / (1 - exp(-INFORMATION)),
        relation=">=",
        holds=InExpectation(),
        reason="constants derived in proofs/",
        proof="lower_bounds/bandits",
    ),
    sees=Bandit,
    family=exchanged,
    most=delta * t,
    sizes=({"delta": 0.2, "t": 50}, {"delta": 0.5, "t": 20}),
    least=lambda delta, t: least_regret(exchanged(delta), int(t)),
)
ONE_GOOD_ARM = LowerBound(
    claim=Theorem(
        name="one good arm",
        cite=Cite("auer2002nonstochastic", "Theorem A.2"),
        lhs=regret,
        rhs=delta * t * (1 - 1 / A - sqrt(-t / A * log(1 - 4 * delta**2)) / 2),
        relation=">=",
        holds=InExpectation(),
        proof="lower_bounds/bandits",
    ),
    sees=Bandit,
    family=one_of,
    most=delta * t,
    sizes=({"A": 5, "delta": 0.1, "t": 80}, {"A": 2, "delta": 0.1, "t": 20}),
    least=lambda A, delta, t: least_regret(one_of(A, delta), int(t)),
)
