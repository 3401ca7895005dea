r"""UCRL2 with known rewards: confidence set, optimism, span, the two facts about doubling, and the regret.

Named lemmas. (W) Weissman et al. 2003: |p^ - p|_1 >= e with probability at most 2^S exp(-n e^2 / 2). (A)
Azuma-Hoeffding: a sum of n martingale differences of size at most c exceeds c sqrt(2 n log(1/p)) with probability at
most p. (J) Jensen, for powers of two. (V) Extended value iteration: its gain lies between the least and the largest
increment, at every iteration (Theorem 7). (D) Where the true model is plausible, iterates differ by at most D: from the
lower state go to the higher one, and lose at most 1 per step (equation (11)).
"""

from __future__ import annotations

import sympy
from sympy import Expr, Rational, Symbol, log, sqrt, zeta

from mdptk.algorithms.exploration.ucrl2 import FAILURE
from mdptk.theory.stock_stream import diameters, roots
from mdptk.theory.symbols import A, S, delta, t
from proofs.vocabulary import same

j = Symbol("j", integer=True, nonnegative=True)
n = Symbol("n", integer=True, positive=True)
D = diameters


def confidence_set() -> Expr:
    """(W) at n e^2 = 14 S log(2 A t / delta), for n < t and S A pairs: delta / (20 t^6), with zeta(6) / 20 for all t.

    What is to be shown is 2^S (2 A t / delta)^(-7 S) <= delta / (20 S A t^7). The quotient of both sides falls with A,
    with t and with 1/delta, all at least 1, and with S: 20 S / 64^S.
    """
    x = 7 * S * log(2 * A * t / delta)  # n e^2 / 2
    tail = 2**S * (2 * A * t / delta) ** (-7 * S)
    assert same(sympy.expand_log(log(tail) - S * log(2) + x, force=True), 0)
    worst = (tail * 20 * S * A * t**7 / delta).subs({A: 1, t: 1, delta: 1})
    assert same(worst, 20 * S / 64**S)
    assert worst.subs(S, 1) < 1  # and from S to S + 1 it is multiplied by (1 + 1/S) / 64 < 1
    assert same(zeta(6) / 20 * delta, FAILURE)
    assert same(sympy.expand_log(2 * x / (14 * S) - log(t) - log(2 * A / delta), force=True), 0)
    return log(2 * A / delta)


def optimism() -> Expr:
    """On that event the true model is plausible; its gain is at most that of the best one; (V)."""
    return sympy.Integer(0)


def span_of_the_plan() -> Expr:
    """(D) on the same event."""
    return D


def _count() -> Expr:
    """Each episode that has ended was ended by a pair: for the first time of it, at most S A, or it doubled its visits.

    With j doublings a pair has 2^j visits or more, so 2^j - 1 whatever j is; (J): t >= S A (2^(sum j / S A) - 1).
    """
    assert same(sympy.Add(1, sympy.summation(2**n, (n, 0, j - 1))), 2**j)  # the first visit, then as many as before
    m = Symbol("m", positive=True)
    doublings = m - 1 - S * A
    most = 1 + S * A * (1 + log(1 + t / (S * A)) / log(2))
    left = S * A * (sympy.exp(log(2) * doublings / (S * A)) - 1)
    assert same(left.subs(m, most), t)
    paper = S * A * log(8 * t / (S * A)) / log(2)  # Proposition 18: 1 <= S A <= t
    assert same((paper - most).subs(t, S * A), S * A - 1)
    x = Symbol("x", positive=True)  # t / (S A)
    assert same(sympy.diff(log(8 * x) - log(1 + x), x), 1 / (x * (1 + x)))  # positive: and so on for larger t
    return most


def number_of_episodes() -> Expr:
    """The current episode and those that have ended."""
    return _count()


def _widths() -> Expr:
    """Lemma 19 by induction: z <= Z visits more, c = sqrt(2) + 1. (c sqrt(Z) + z / sqrt(Z))^2 <= c^2 (Z + z)."""
    z, Z, c = Symbol("z", positive=True), Symbol("Z", positive=True), sqrt(2) + 1
    step = sympy.expand((c * sqrt(Z) + z / sqrt(Z)) ** 2 - c**2 * (Z + z))
    assert same(step, z * (z / Z - 1))  # not positive
    return c


def sum_of_widths() -> Expr:
    """For each pair from its first visit, which costs 1 <= c, on."""
    return _widths() * roots


def _time() -> tuple[Expr, Expr, Expr, Expr]:
    """The four terms: failures, widths, noise, ends of episodes; each chance event fails with at most delta/(12 t^5/4).

    For all t >= 2 at once, since the sum of 2/(12 t^(5/4)) is below 1.
    """
    p = (delta / (8 * t)) ** Rational(5, 4)
    assert 8 ** Rational(5, 4) > 12
    assert (2 * (zeta(Rational(5, 4)) - 1) / 12).evalf() < 1
    # failures before t^(1/4) cost at most sqrt(t); later ones happen with 1/(20 t^(6/4)) + 1/(100 t^(5/4)) at most
    assert Rational(1, 20) + Rational(1, 100) < Rational(1, 12)
    radius = sqrt(14 * S * log(2 * A * t / delta))  # times 1 / sqrt(max(1, N)), and twice that apart, times span / 2
    width = 2 * radius * D / 2 + 1  # and 1/sqrt(t_k) where extended value iteration stops
    visits = _widths() * sqrt(S * A * t)  # sum of roots <= sqrt(S A t), Cauchy-Schwarz
    noise = D * sqrt(2 * t * log(1 / p))
    assert same(sympy.expand_log(log(1 / p) - 5 * log(8 * t / delta) / 4, force=True), 0)
    noise = D * sqrt(5 * t * log(8 * t / delta) / 2)
    return sqrt(t), width * visits, noise, D * _count()


def regret_by_terms() -> Expr:
    """(V) with optimism: g* - r <= max increment - r <= p~ u - u + 1/sqrt(t_k); then p~ - p, p u - u', and u' - u."""
    return sum(_time(), sympy.Integer(0))


def regret() -> Expr:
    """Where 34 D S sqrt(A t L) < t, with L = log(t / delta): t > 34^2 D^2 S^2 A L, so L > 9. With S = 1 no regret.

    There 8 t / delta <= (t / delta)^2 and 2 A t / delta <= (t / delta)^2. In units of D S sqrt(A t L), D >= 1, S >= 2:
    """
    assert log(34**2 * 4 * 9) > 9
    failures, ends = Rational(1, 3), Rational(1, 2)  # 1/sqrt(L); and below
    widths = (sqrt(28) + Rational(1, 3)) * (sqrt(2) + 1)
    noise = sqrt(5)
    y = 34**2 * 2 * 9  # t / (S A) is larger, and (2 + log2(1 + y)) / sqrt(18 y) falls with y
    assert ((2 + log(1 + y, 2)) / sqrt(18 * y)).evalf() < ends
    assert (failures + widths + noise + ends).evalf() < 34
    return 34 * D * S * sqrt(A * t * log(t / delta))


PROVES = {
    "confidence set": confidence_set,
    "optimism": optimism,
    "span of the plan": span_of_the_plan,
    "number of episodes": number_of_episodes,
    "sum of widths": sum_of_widths,
    "regret by terms": regret_by_terms,
    "regret": regret,
}
