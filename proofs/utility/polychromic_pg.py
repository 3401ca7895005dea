r"""Objectives of sets: smoothness in the logits, ascent, and the average gradient.

Notation. u = sum_i grad log pi(y_i) over a set of n, F the Fisher information of one sample, 0 <= f <= 1. Named lemmas.
(LR) grad J = E[f u] and Hess J = E[f (u u^T - n F)], as minus the Hessian of log pi(y) is F for every y. (M) E[u u^T] =
n F. (P) The largest eigenvalue of diag(pi) - pi pi^T is at most 1/2. (DL) J(y) >= J(x) + <g, y - x> - L/2 |y - x|^2.
"""

from __future__ import annotations

from sympy import Expr, Rational, Symbol

from mdptk.algorithms.utility.polychromic_pg import J, n, square
from mdptk.theory import initial, previous
from mdptk.theory.symbols import eta, t
from proofs.vocabulary import same


def smoothness() -> Expr:
    """Both E[f u u^T] and n F E[f] lie between 0 and n F, by (M) and 0 <= f <= 1; then (P)."""
    return n * Rational(1, 2)


def ascent() -> Expr:
    """(DL) for a step eta g."""
    return previous(J) + (eta - smoothness() * eta**2 / 2) * previous(square)


def average_gradient() -> Expr:
    """Where eta <= 1/L a step gains at least eta/2 |g|^2; t of them gain at most 1 - J_0."""
    g2 = Symbol("g2", nonnegative=True)
    gain = (eta - smoothness() * eta**2 / 2) * g2
    assert same(gain - eta / 2 * g2, eta / 2 * (1 - smoothness() * eta) * g2)
    return (1 - initial(J)) / (eta / 2 * t)


PROVES = {"ascent": ascent, "average gradient": average_gradient}
