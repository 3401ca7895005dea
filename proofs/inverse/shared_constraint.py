r"""Inverse constraint learning: best responses against gradient ascent (after Kim et al. 2023, rederived).

g_u = sum_k (d_{k,u} - d_Ek). Named lemma (OGA): projected gradient ascent from zero has, against any c in the set,
sum_u <c - c_u, g_u> <= |c|^2 / (2 eta) + (eta / 2) sum_u |g_u|^2.
"""

from __future__ import annotations

import sympy
from sympy import Expr, Function, Integer, Symbol

from mdptk.algorithms.inverse.shared_constraint import cells, size, squares
from mdptk.theory.symbols import eta, t
from proofs.vocabulary import same, telescope


def rewarding() -> Expr:
    """The expert is allowed whatever the cost, so each best response earns at least what it does; so do averages."""
    return Integer(0)


def _ascent(square: Expr) -> Expr:
    """(OGA), by |c - c_{u+1}|^2 <= |c - c_u|^2 - 2 eta <c - c_u, g_u> + eta^2 |g_u|^2; and <c_u, g_u> <= 0."""
    D = Function("D")
    g2 = Symbol("g2", nonnegative=True)
    one = sympy.solve(sympy.Eq(D(1), D(0) - 2 * eta * Symbol("p") + eta**2 * g2), Symbol("p"))[0]
    assert same(one, (D(0) - D(1)) / (2 * eta) + eta * g2 / 2)
    total = telescope(lambda u: D(u) / (2 * eta), t).subs({D(0): square, D(t): 0}) + eta * squares / 2
    return total / t


def safe() -> Expr:
    """Against the hidden cost."""
    return sympy.expand(_ascent(cells))


def any_cost() -> Expr:
    """Against the worst cost in [0, 1], of square norm at most S A: it is 1 where the average does more."""
    return sympy.expand(_ascent(size))


PROVES = {
    "as rewarding as the experts": rewarding,
    "as safe as the experts": safe,
    "safe for any cost": any_cost,
}
