r"""The combination lock: how many episodes fail, at least.

An episode that fails does so at one digit, the first wrong one. Until the right one was dialled at a place, what was
seen there says only which digits are wrong; so, whatever the learner does, the number of different wrong digits that it
dials there first is uniform on 0 ... A - 1, and independent of the other places. Each costs an episode of its own.
"""

from __future__ import annotations

import sympy
from sympy import Expr, Min, Symbol

from mdptk.theory.symbols import A, H, K
from proofs.vocabulary import same

u = Symbol("u", integer=True, nonnegative=True)


def combination_lock() -> Expr:
    """X, the sum over H - 1 places, lies in [0, m], m = (H - 1)(A - 1), and has mean m / 2; failures: min(K, X).

    Where K >= m that is X. Below, min(K, x) is concave in x, so at least its chord K x / m on [0, m].
    """
    mean = sympy.summation(u / A, (u, 0, A - 1))
    assert same(mean, (A - 1) / 2)
    m = (H - 1) * (A - 1)
    assert same((H - 1) * mean, m / 2)
    x = Symbol("x", positive=True)
    chord = K * x / m
    assert same(chord.subs(x, m), K)  # min(K, m) = K at the right end, 0 at the left one
    assert chord.subs(x, 0) == 0
    assert same(chord.subs(x, m / 2), K / 2)
    return Min(K, m) / 2


PROVES = {"combination lock": combination_lock}
