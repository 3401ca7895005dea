r"""OptPrimalDual-CMDP: the regret and the violation of a run (after Efroni, Mannor and Pirotta 2020, rederived).

Named lemmas, on the event of proofs/constrained/opt_cmdp.py. (VD) value difference, Shani et al. 2020: V^pi_g -
V^_k = E^pi sum_h <pi - pi_k, Q^_k>_h - E^pi sum_h (Q^_k - g - P V^_k)_h. (OPT) Q^_r >= r + P V^_r and Q^_c <= c +
P V^_c, cut off or not, as |(P^ - P) V^| <= beta for V^ in [0, H - h]. (H) Hoeffding, as in proofs/constrained/crpo.py.
"""

from __future__ import annotations

import sympy
from sympy import Expr, Function, Symbol, log

from mdptk.algorithms.constrained.opt_primal_dual import price_square
from mdptk.theory.stock_online import cost_error, reward_error
from mdptk.theory.stock_prices import largest_price, miss_square
from mdptk.theory.symbols import A, H, K, eta, eta_dual
from proofs.vocabulary import same, telescope

h = Symbol("h", integer=True, positive=True)


def _mirror() -> Expr:
    """Sum over k of E^{pi*} sum_h <pi* - pi_k, Q_k>, Q_k = Q^_r - lambda_k Q^_c in (H - h + 1)(1 + |lambda_k|)."""
    kl = Function("KL_star")
    start = telescope(lambda k: kl(k) / eta, K).subs({kl(0): log(A), kl(K): 0})
    squares = sympy.summation((H - h + 1) ** 2, (h, 1, H))
    assert same(squares, H * (H + 1) * (2 * H + 1) / 6)
    step = (eta**2 / 8) / eta  # (H): the logarithm of the normaliser, over eta
    return H * start + step * squares * price_square


def _dual() -> Expr:
    """lambda_{k+1}^2 <= lambda_k^2 + 2 eta_d lambda_k (V^_c - b) + eta_d^2 (V^_c - b)^2, summed from lambda_0 = 0."""
    square = Function("square")
    left = telescope(lambda k: square(k), K).subs(square(0), 0)  # -square(K) <= 0
    assert same(left, -square(K))
    return eta_dual**2 * miss_square / (2 * eta_dual)


def regret() -> Expr:
    """(VD), (OPT): V* - lambda_k b - (V^_r - lambda_k V^_c) <= <pi* - pi_k, Q_k>, as pi* meets the budgets.

    Summed: V* - V^_r is at most the mirror term and the sum of lambda_k (b - V^_c), the dual one; V^_r - V_r is an
    error.
    """
    return _mirror() + _dual() + reward_error


def violation() -> Expr:
    """lambda_{k+1} >= lambda_k + eta_d (V^_c - b): summed, V^_c - b is at most lambda_K / eta_d; then the error."""
    return largest_price / eta_dual + cost_error


PROVES = {"regret of the run": regret, "violation of the run": violation}
