r"""All empirical means of a bandit at once, whatever the rule that picks the arms.

Named lemma. (H) Hoeffding: the mean of n rewards in [0, 1] is off by c or more, to either side, with probability at
most 2 exp(-2 n c^2). The n-th pull of an arm pays afresh, whenever it happens.
"""

from __future__ import annotations

import sympy
from sympy import Expr, Symbol, exp, log

from mdptk.theory.stock_bandits import CONFIDENCE
from mdptk.theory.symbols import A, delta
from proofs.vocabulary import same, telescope

n = Symbol("n", integer=True, positive=True)
c = Symbol("c", positive=True)


def means() -> Expr:
    """Each arm has a share 1/A, each n of it a share 1/(n (n + 1)): solve 2 exp(-2 n c^2) = share delta for 2 n c^2."""
    assert sympy.limit(telescope(lambda k: 1 / (k + 1), n), n, sympy.oo) == 1
    x = log(2 * A * n * (n + 1) / delta)
    assert same((2 * exp(-2 * n * c**2)).subs(c, sympy.sqrt(x / (2 * n))), delta / (A * n * (n + 1)))
    left = x - log(2 * A * n * (n + 1))
    assert same(sympy.expand_log(left, force=True), sympy.expand_log(log(1 / delta), force=True))
    return log(1 / delta).subs(delta, CONFIDENCE)


PROVES = {"means": means}
