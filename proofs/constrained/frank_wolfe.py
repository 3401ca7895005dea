r"""Frank-Wolfe with steps 2/(t+2) on f(x) = <r, x> - beta/2 |[<c, x> - b]_+|^2 (after Jaggi 2013, rederived).

Named lemmas. (S) f(x + a d) >= f(x) + a f'(x).d - a^2 beta |<c, d>|^2 / 2, as the penalty has the curvature beta at
most along what is spent; |<c, s - x>| <= D. (C) f is concave. (W) V_r <= V* + |l*|_2 v where the excess has norm v.
"""

from __future__ import annotations

from sympy import Expr, Symbol, factor, simplify, sqrt

from mdptk.algorithms.constrained.frank_wolfe import D, beta, climbed
from mdptk.theory.stock_constrained import lam_star
from mdptk.theory.symbols import t
from proofs.vocabulary import same


def convergence() -> Expr:
    """h = f(x*) - f(x_t): h' <= (1 - a) h + a^2 C/2 by (S), (C) and the choice of s; by induction h <= 2C/(t+2)."""
    C, n = beta * D**2, Symbol("n", integer=True, nonnegative=True)
    a, claim = 2 / (n + 2), lambda k: 2 * C / (k + 2)
    first = (1 - a.subs(n, 0)) + C / 2  # the first step has a = 1, wherever it starts
    assert same(claim(1) - first, C / 6)
    step = (1 - a) * claim(n) + a**2 * C / 2
    assert same(factor(simplify(claim(n + 1) - step)), 2 * C / ((n + 2) ** 2 * (n + 3)))  # not negative
    return claim(t)  # x* feasible: f(x*) = V*


def gap() -> Expr:
    """The penalty is not negative."""
    return climbed


def violation() -> Expr:
    """beta/2 v^2 <= climbed + V_r - V* <= climbed + |l*| v, by (W): below the larger root; no excess is above v."""
    v = (lam_star + sqrt(lam_star**2 + 2 * beta * climbed)) / beta
    assert same(beta / 2 * v**2 - climbed - lam_star * v, 0)
    return v


PROVES = {
    "convergence": convergence,
    "gap of the last policy": gap,
    "violation of the last policy": violation,
}
