r"""Average reward: one action among many climbs a little sooner, as in `jao`; in two states, and in a tree of copies.

The first family has two states and A actions, and its bound is about what was lost by actions that are not the best:
:math:`\mathbb{E} \sum_t \Delta(s_t, a_t)`. The stream starts where nothing is paid, so the expected regret is at least
as large. The second is the composite model of Jaksch, Ortner and Auer, with S states and A actions: copies whose
non-paying states form a tree, and the good action is in one of them.

Two remarks on their Theorem 5. It says "for any initial state", and its proof sets the non-paying state first: so does
the family here. And it takes :math:`\delta = 4/D \le \tfrac13`, which :math:`D \ge 20 \log_A S` does not say when A is
much larger than S: here D is at least 12, too.

Proof: ``proofs/lower_bounds/average.py``.
"""

from __future__ import annotations

from functools import cache
from math import log2

import numpy as np
from sympy import Rational, Symbol, log, sqrt

from mdptk.core.errors import InvalidModel
from mdptk.core.models import AverageRewardMDP
from mdptk.core.oracles import Stream
from mdptk.theory import Quantity
from mdptk.theory.lower_bound import LowerBound
from mdptk.theory.symbols import A, S, delta, t
from mdptk.theory.theorem import Cite, InExpectation, Theorem

STEP = Rational(17, 25)  # epsilon is this times sqrt(n delta / t), for n pairs that may be good
D = Symbol("D", positive=True)  # diameter
epsilon = Symbol("epsilon", positive=True)
gaps = Quantity("gaps", lambda run: run["gaps"], latex=r"\sum_{k<%t} \Delta(s_k, a_k)")
regret = Quantity("regret", lambda run: run["regret"], latex=r"\sum_{k<%t} (g^* - r(s_k, a_k))")


def one_of_two_states(A: float, delta: float, epsilon: float, **_: float) -> tuple[AverageRewardMDP, ...]:
    """Two states, the second pays; `delta` is the probability of a change, for one action of the first `epsilon` more.

    Each of the A actions is the good one of one model. The first state is where nothing is paid.
    """
    return tuple(_tree(1, int(A), 0, delta, epsilon, (0, best)) for best in range(int(A)))


def in_a_tree(S: float, A: float, D: float, t: float, **_: float) -> tuple[AverageRewardMDP, ...]:
    """S states and A actions with a diameter of at most D: the good pair is anywhere, and fits a stream of t steps.

    Raises
    ------
    InvalidModel
        Outside S, A >= 10, D >= 12, D >= 20 log_A S and t >= D S A, where nothing is claimed.
    """
    if S < 10 or A < 10 or max(12, 20 * log2(S) / log2(A)) > D or t < D * S * A:
        raise InvalidModel(
            f"S = {S:g}, A = {A:g}, D = {D:g}, t = {t:g}: needs S, A >= 10, D >= 12, D >= 20 log_A S, t >= D S A"
        )
    copies, tries = int(S) // 2, (int(A) - 1) // 2
    more = float(STEP) * np.sqrt(copies * tries * 4 / D / t)
    where = np.ndindex(copies, tries)
    return tuple(_tree(copies, tries, int(A) - tries, 4 / D, more, best, int(S) % 2) for best in where)


def _tree(
    copies: int, tries: int, moves: int, delta: float, epsilon: float, best: tuple[int, int], spare: int = 0
) -> AverageRewardMDP:
    """Copies of two states, 2 c and 2 c + 1. Those that pay nothing are nodes of a tree, `spare` ones only that.

    The first actions try to climb; one of the others leads to each child, as many as there are tries, and the last one
    to the parent. Where there is none the stream stays.
    """
    nodes = copies + spare
    states, actions = 2 * copies + spare, tries + moves
    P, r = np.zeros((states, actions, states)), np.zeros((states, actions))
    at = [2 * c for c in range(nodes)]
    for c in range(nodes):
        P[at[c], :, at[c]] = 1
        if c < copies:
            P[at[c], :tries, at[c]], P[at[c], :tries, at[c] + 1] = 1 - delta, delta
            P[at[c] + 1, :, at[c]], P[at[c] + 1, :, at[c] + 1] = delta, 1 - delta
            r[at[c] + 1] = 1
        ways = dict(enumerate(range(c * tries + 1, min((c + 1) * tries + 1, nodes)), start=tries)) if moves else {}
        ways |= {actions - 1: (c - 1) // tries} if moves and c else {}
        for a, other in ways.items():
            P[at[c], a] = np.eye(states)[at[other]]
    c, a = best
    P[at[c], a, at[c]], P[at[c], a, at[c] + 1] = 1 - delta - epsilon, delta + epsilon
    return AverageRewardMDP(P, r, np.eye(states)[0])


def least_gaps(A: int, delta: float, epsilon: float, t: int) -> float:
    """The least of the first family that any learner loses on average, by dynamic programming over what may be seen.

    That is, for each action, how often it climbed and how often it did not, in any order of the actions.
    """
    gap = epsilon / (2 * delta + epsilon)
    up, stay = (delta + epsilon) / delta, (1 - delta - epsilon) / (1 - delta)

    @cache
    def loss(left: int, pays: bool, seen: tuple[tuple[int, int], ...]) -> float:
        if not left:
            return 0.0
        if pays:
            return delta * loss(left - 1, False, seen) + (1 - delta) * loss(left - 1, True, seen)
        likely = np.array([up**i * stay**j for i, j in seen])
        least = np.inf
        for x in set(seen):
            k = seen.index(x)
            q = likely[k] / likely.sum()
            rest = seen[:k] + seen[k + 1 :]
            climbed, stayed = (tuple(sorted((*rest, (x[0] + i, x[1] + 1 - i)))) for i in (1, 0))
            p = delta + epsilon * q
            later = p * loss(left - 1, True, climbed) + (1 - p) * loss(left - 1, False, stayed)
            least = min(least, gap * (1 - q) + later)
        return least

    return float(loss(t, False, ((0, 0),) * A))


TRIES = t / 2 + 1 / (4 * delta)  # of all actions together, without a good one, at most on average
INFORMATION = delta * log(delta / (delta + epsilon)) + (1 - delta) * log((1 - delta) / (1 - delta - epsilon))
GOOD_TRIES = TRIES / A + Rational(4, 3) * sqrt(INFORMATION / (2 * A)) * (
    TRIES ** Rational(3, 2) - (1 / (4 * delta)) ** Rational(3, 2)
)
ONE_GOOD_ACTION = LowerBound(
    claim=Theorem(
        name="one good action",
        cite=Cite("jaksch2010near", "Section 6, the model of its Figure 3"),
        lhs=gaps,
        rhs=epsilon * t / (2 * (2 * delta + epsilon)) - epsilon / (2 * delta) * GOOD_TRIES,
        relation=">=",
        holds=InExpectation(),
        reason="Pinsker at every step in place of once for all; constants derived in proofs/",
        proof="lower_bounds/average",
    ),
    sees=Stream,
    family=one_of_two_states,
    most=epsilon * t / (2 * delta + epsilon),
    sizes=({"A": 8, "delta": 0.25, "epsilon": 0.12, "t": 64}, {"A": 4, "delta": 0.4, "epsilon": 0.1, "t": 96}),
    least=lambda A, delta, epsilon, t: least_gaps(int(A), delta, epsilon, int(t)),
    loss="gaps",
)
TREE = LowerBound(
    claim=Theorem(
        name="good action in a tree",
        cite=Cite("jaksch2010near", "Theorem 5, from a state that pays nothing"),
        lhs=regret,
        rhs=Rational(15, 1000) * sqrt(D * S * A * t),
        relation=">=",
        holds=InExpectation(),
        reason="derived again in proofs/, where D is at least 12, too",
        proof="lower_bounds/average",
    ),
    sees=Stream,
    family=in_a_tree,
    most=t,
    luck=t,
    sizes=({"S": 10, "A": 10, "D": 20, "t": 2000},),
    repeats=16,
)
