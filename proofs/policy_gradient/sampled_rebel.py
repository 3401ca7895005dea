r"""REBEL from pairs: the regret of Hedge, and what the regression misses (derived).

Named lemmas. (CS) <p - q, x> <= sqrt(chi^2(p || q) Var_q x), Cauchy-Schwarz with weights q; chi^2 = 1/q(a) - 1 for p at
one arm a. (H) Hedge: for numbers w_k in an interval of length c_k, from the uniform distribution and with steps eta,
sum_{k<t} <p - p_k, w_k> <= log(A) / eta + eta / 8 sum_{k<t} c_k^2 (Hoeffding's lemma), for p at one arm.
"""

from __future__ import annotations

from sympy import Expr, Symbol, log, sqrt, symbols

from mdptk.algorithms.policy_gradient.sampled_rebel import average_missed, average_root, average_span
from mdptk.theory.symbols import A, eta, t
from proofs.vocabulary import same


def regret() -> Expr:
    """(H) at the best arm, with r = w + (r - w); over t."""
    r, w = Symbol("r"), Symbol("w")
    assert same(r, w + (r - w))
    hedge = log(A) / eta + eta / 8 * t * average_span
    return (hedge / t).expand() + average_missed


def agnostic() -> Expr:
    """What is missed is <pi* - pi, r - w>; (CS), and a square of a difference of two draws is two variances."""
    x, y, mean, square = symbols("x y mean square")  # independent, with E x = E y = mean and E x^2 = E y^2 = square
    pair = ((x - y) ** 2).expand().subs({x * y: mean**2}).subs({x**2: square, y**2: square})
    assert same(pair, 2 * (square - mean**2))
    chi, error = symbols("chi error", positive=True)
    assert same(sqrt(chi * (error / 2)), sqrt(chi) * sqrt(error / 2))
    return regret() - average_missed + average_root


PROVES = {"regret of each run": regret, "regret by the error of the regression": agnostic}
