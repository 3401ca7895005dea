r"""UCB1: regret by gaps, and without them.

Named lemmas. (H) Hoeffding: the mean of s rewards in [0, 1] is off to one side by c or more with probability at most
exp(-2 s c^2). (D) The regret is sum_a Delta_a E n_a. (B) sum_{k >= 1} 1/k^2 = pi^2/6.
"""

from __future__ import annotations

import sympy
from sympy import Expr, Symbol, exp, log, sqrt

from mdptk.theory.stock_bandits import inverse_gaps, total_gap
from mdptk.theory.symbols import A, t
from proofs.vocabulary import same

gap = Symbol("Delta", positive=True)
k = Symbol("k", integer=True, positive=True)
s = Symbol("s", integer=True, positive=True)


def _rest() -> Expr:
    """What is not paid by the logarithm: one pull for rounding up, and pulls when a bonus fails.

    At time k the bonus sqrt(2 log k / s) fails with probability at most k^-4 by (H); the union over the sample sizes of
    the arm and of the best one, at most k each, and over both sides, leaves 2 k^-2. (B) sums them.
    """
    c = sqrt(2 * log(k) / s)
    fails = exp(-2 * s * c**2)
    assert same(fails, k**-4)
    total = sympy.summation(2 * k**2 * fails, (k, 1, sympy.oo))
    assert total == sympy.pi**2 / 3
    return 1 + total


def _pulls() -> tuple[Expr, Expr]:
    """E n_a <= x + rest: from x = 8 log t / Delta^2 pulls on, twice the bonus is at most the gap."""
    x = 8 * log(t) / gap**2
    assert same(2 * sqrt(2 * log(t) / x), gap)
    return x, _rest()


def regret_by_gaps() -> Expr:
    """(D): a factor Delta for each pull."""
    x, rest = _pulls()
    assert same(x * gap, 8 * log(t) / gap)
    return 8 * log(t) * inverse_gaps + rest * total_gap


def regret_without_gaps() -> Expr:
    """Arms of gap below e cost e t together, the others at most A 8 log t / e; the best e makes both the same."""
    e = Symbol("e", positive=True)
    x, rest = _pulls()
    split = e * t + A * (x * gap).subs(gap, e)
    best = sqrt(8 * A * log(t) / t)
    assert same(sympy.diff(split, e).subs(e, best), 0)
    main = 4 * sqrt(2 * A * t * log(t))
    assert same(sympy.powdenest(split.subs(e, best), force=True), main)
    return main + rest * total_gap


PROVES = {"regret by gaps": regret_by_gaps, "regret without gaps": regret_without_gaps}
