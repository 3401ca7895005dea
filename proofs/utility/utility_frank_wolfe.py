r"""Frank-Wolfe: the gap of step sizes 2/(t + 2) (Jaggi 2013, Theorem 1), for an F that is smooth in the 1-norm.

Notation. h_t = F(x*) - F(x_t), e = 2/(t + 2). Named lemmas. (S) F(x + e (s - x)) >= F(x) + e <grad F(x), s - x> -
L e^2 |s - x|_1^2 / 2. (C) F(x*) - F(x) <= <grad F(x), x* - x> <= <grad F(x), s - x>, by concavity and the choice of s.
(D) Two probability vectors are at most 2 apart in the 1-norm.
"""

from __future__ import annotations

from sympy import Expr, Symbol, expand

from mdptk.theory.stock_utility import smoothness
from mdptk.theory.symbols import t
from proofs.vocabulary import same


def convergence() -> Expr:
    """(S), (C), (D): h_{t+1} <= (1 - e) h_t + c e^2 with c = 2 L; then induction, the first step has e = 1."""
    h, e = Symbol("h", nonnegative=True), 2 / (t + 2)
    c = smoothness / 2 * 2**2
    step = lambda h, e: (1 - e) * h + c * e**2  # noqa: E731
    bound = lambda k: 4 * c / (k + 2)  # noqa: E731
    first = step(h, e).subs(t, 0)
    assert same(bound(1) - first, c / 3)  # whatever h_0 is
    k = Symbol("k", positive=True)
    left = expand(step(bound(k), e.subs(t, k)))
    assert same(bound(k + 1) - left, 4 * c / ((k + 2) ** 2 * (k + 3)))  # not negative
    return bound(t)


PROVES = {"convergence": convergence}
