r"""Two lower bounds for Bernoulli bandits, as averages over a family.

Named lemmas. (BH) Bretagnolle and Huber: P(B) + Q(not B) >= exp(-KL(P, Q)) / 2 for every event B. (P) Pinsker:
E_Q f - E_P f <= m sqrt(KL(P, Q) / 2) for 0 <= f <= m. (D) Divergence decomposition: the KL of what is seen under two
bandits is the sum over the arms of the expected pulls under the first times the KL of a pull. (J) Jensen, for the root.
"""

from __future__ import annotations

import sympy
from sympy import Expr, Symbol, exp, log, sqrt

from mdptk.theory.symbols import A, delta, t
from proofs.vocabulary import same

k = Symbol("k", integer=True, nonnegative=True)


def _kl(p: Expr, q: Expr) -> Expr:
    """Of two coins."""
    return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))


def two_arms_exchanged() -> Expr:
    """At pull k the event is that the first arm is pulled; wrong in one order, so its complement is in the other.

    k rewards were seen, and a pull of either arm has the same information; (BH), half of it on average, times the gap.
    """
    high, low = (1 + delta) / 2, (1 - delta) / 2
    x = delta * log((1 + delta) / (1 - delta))
    for p, q in ((high, low), (low, high)):
        assert same(sympy.expand_log(_kl(p, q) - x, force=True), 0)
    wrong = exp(-k * x) / 2 / 2
    z = Symbol("z", positive=True)  # exp(-x), not 1
    total = sympy.summation(z**k, (k, 0, t - 1))
    total = total.args[1][0] if isinstance(total, sympy.Piecewise) else total
    assert same(total, (1 - z**t) / (1 - z))
    assert same(wrong, exp(-x) ** k / 4)
    return delta / 4 * (1 - exp(-t * x)) / (1 - exp(-x))


def one_good_arm() -> Expr:
    """(P) with f the pulls of arm a, m = t, P without a good arm; (D); then the average over a, with (J).

    Under P the pulls of all arms make t together, t/A on average.
    """
    n = Symbol("n", nonnegative=True)  # expected pulls of the arm under P
    per_pull = -log(1 - 4 * delta**2) / 2
    half = sympy.Rational(1, 2)
    assert same(exp(2 * _kl(half, half + delta)), 1 / (1 - 4 * delta**2))  # per_pull, twice, without logarithms
    pulls = n + t * sqrt(n * per_pull / 2)  # of the good arm
    average = pulls.subs(n, t / A)
    shipped = delta * t * (1 - 1 / A - sqrt(-t / A * log(1 - 4 * delta**2)) / 2)
    assert same(delta * (t - average), shipped)
    return shipped


PROVES = {"two arms exchanged": two_arms_exchanged, "one good arm": one_good_arm}
