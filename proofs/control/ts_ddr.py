r"""TS-DDR with an affine rule: the envelope theorem and the rate (after Rosemberg et al. 2024, rederived).

Named lemmas. (LP) the value of a linear program is convex in its right side, and the multipliers are a subgradient:
Q(y) >= Q(x) + lambda (y - x), by weak duality, for lambda is feasible in the dual whatever the right side. (SUB)
subgradient method: min_{k < t} f(theta_k) - f* <= (|theta* - theta_0|^2 + eta^2 sum |g_k|^2) / (2 eta t).
"""

from __future__ import annotations

import sympy
from sympy import Expr, Function

from mdptk.algorithms.control.ts_ddr import far, optimum, squares
from mdptk.theory.symbols import eta, t
from proofs.vocabulary import same, telescope


def envelope() -> Expr:
    """(LP) in each scenario, with y - x = features (theta* - theta), averaged: the rule is linear in theta."""
    return optimum


def rate() -> Expr:
    """(SUB), by |theta* - theta_{k+1}|^2 = |theta* - theta_k|^2 + 2 eta <g_k, theta* - theta_k> + eta^2 |g_k|^2."""
    D = Function("D")
    p, g2 = sympy.symbols("p g2")
    one = sympy.solve(sympy.Eq(D(1), D(0) - 2 * eta * p + eta**2 * g2), p)[0]  # p = <g, theta - theta*> >= f - f*
    assert same(one, (D(0) - D(1)) / (2 * eta) + eta * g2 / 2)
    total = telescope(lambda k: D(k) / (2 * eta), t).subs({D(0): far, D(t): 0}) + eta * squares / 2
    return sympy.expand(total / t)


PROVES = {"multipliers are a subgradient": envelope, "best rule so far": rate}
