r"""Average reward: one action among n climbs with probability delta + epsilon, the others with delta.

Named lemmas. (P) Pinsker: Q(B) - P(B) <= sqrt(KL(P, Q) / 2) for every event B. (D) Divergence decomposition: the KL of
what is seen is the expected number of tries of the good pair under P times the KL of a try. (J) Jensen, for the root.
(W) What leaves the non-paying states and what comes back: the two differ by the chance of being in a paying state.
"""

from __future__ import annotations

import sympy
from sympy import Expr, Rational, Symbol, log, sqrt

from mdptk.lower_bounds.average import STEP, D, epsilon
from mdptk.theory.symbols import A, S, delta, t
from proofs.vocabulary import same

good = Symbol("N_a", nonnegative=True)  # expected tries of the good pair, where it is good
last = Symbol("z", nonnegative=True)  # chance of being in a paying state in the end


def _gap() -> tuple[Expr, Expr]:
    """Optimality: g + h0 = u h1 + (1 - u) h0 and g + h1 = 1 + delta h0 + (1 - delta) h1, with u = delta + epsilon."""
    g, h = sympy.symbols("g h")  # h1 - h0
    found = sympy.solve([g - (delta + epsilon) * h, g - 1 + delta * h], [g, h])
    return found[g], sympy.simplify(epsilon * found[h])


def _loss() -> Expr:
    """(W) in two states: delta (n0 - N_a) + (delta + epsilon) N_a - delta (t - n0) = z >= 0; the gap times n0 - N_a.

    In a tree there are moves, too, which do not climb. Then it says that t - n0, what is paid, is at most
    t/2 + epsilon N_a / (2 delta), so that the regret is at least the same.
    """
    g, gap = _gap()
    n0 = Symbol("n0")
    (visits,) = sympy.solve(delta * (n0 - good) + (delta + epsilon) * good - delta * (t - n0) - last, n0)
    loss = gap * t / 2 - epsilon / (2 * delta) * good
    assert same(gap * (visits - good) - gap * last / (2 * delta), loss)
    assert same(t * g - (t / 2 + epsilon * good / (2 * delta)), loss)
    return loss


def _tries(time: Expr) -> Expr:
    """(W) without a good pair: tries = paid + z / delta <= time - tries + z / delta, and z <= 1/2 from below."""
    n = Symbol("n")
    (tries,) = sympy.solve(n - (time - n) - Rational(1, 2) / delta, n)
    assert same(tries, time / 2 + 1 / (4 * delta))
    return tries


def _information() -> Expr:
    return delta * log(delta / (delta + epsilon)) + (1 - delta) * log((1 - delta) / (1 - delta - epsilon))


def _good_tries() -> Expr:
    """(P) and (D) at every step: N_a <= N'_a + sum_k sqrt(KL N'_a(k) / 2); the average over A pairs, with (J).

    All tries of the first k steps together are at most `_tries(k)`, which grows: the sum is at most the integral.
    """
    x = Symbol("x", nonnegative=True)
    integral = Rational(4, 3) * _tries(x) ** Rational(3, 2)
    assert same(sympy.diff(integral, x), sqrt(_tries(x)))
    total = (integral.subs(x, t) - integral.subs(x, 0)) * sqrt(_information() / (2 * A))
    return _tries(t) / A + total


def one_good_action() -> Expr:
    """The loss on average over where the good action is."""
    return _loss().subs(good, _good_tries())


def good_action_in_a_tree() -> Expr:
    """The same with n = floor(S/2) floor((A - 1)/2) pairs, delta = 4/D, epsilon = c sqrt(n delta / t).

    S, A >= 10, t >= D S A, D >= 12. From paying state to paying state it takes 2/delta = D/2 and the way in the tree:
    2 for the root and its children, at most 2 + 2 log S / log(2 A / 5) <= D/2 where there are more.
    """
    c = STEP
    assert all(Rational(s // 2, s) >= Rational(5, 11) for s in (10, 11))  # and closer to 1/2 for larger ones
    assert all(Rational((a - 1) // 2, a) >= Rational(2, 5) for a in (10, 11, 12))
    share, least = Rational(5, 11) * Rational(2, 5), 5 * 4  # n >= share S A, n >= 20; n < S A / 4
    apart = c / 4  # epsilon / delta, since delta t >= 4 S A > 16 n
    derivative = sympy.diff(_information(), epsilon)
    assert same(derivative, epsilon / ((delta + epsilon) * (1 - delta - epsilon)))
    assert (2 + apart) / 3 <= 1  # delta + epsilon <= 1 - delta, so the information is at most
    information = epsilon**2 / (2 * delta * (1 - Rational(1, 3)))
    tries = Rational(1, 2) + Rational(1, 16 * 100)  # over t
    pinsker = sqrt(information * t / (2 * A)).subs(epsilon, c * sqrt(A * delta / t))
    assert same(pinsker, c * sqrt(Rational(3, 8)))
    rest = 1 / (1 + apart / 2) - 2 * tries / least - 2 * Rational(4, 3) * tries ** Rational(3, 2) * pinsker
    unit = epsilon * t / (4 * delta)
    whole = unit / (1 + epsilon / (2 * delta)) - epsilon / (2 * delta) * good
    assert same(_loss(), whole)
    scale = unit.subs(epsilon, c * sqrt(A * delta / t)).subs(delta, 4 / D)
    assert same(scale, c / 8 * sqrt(D * A * t))  # with A for n
    assert (c / 8 * sqrt(share) * rest - Rational(15, 1000)).evalf() > 0
    return Rational(15, 1000) * sqrt(D * S * A * t)


PROVES = {"one good action": one_good_action, "good action in a tree": good_action_in_a_tree}
