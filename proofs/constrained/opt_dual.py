r"""OptDual-CMDP: the regret and the violation of a run (after Efroni, Mannor and Pirotta 2020, rederived).

Named lemmas, on the event of proofs/constrained/opt_cmdp.py. (SIM) for every policy the plan for the reward is not
below V_r, and that for a cost not above V_c. (B) pi_k is best in the counted model at lambda_k: plans are linear in
rewards.
"""

from __future__ import annotations

from sympy import Expr, Function, Symbol

from mdptk.algorithms.constrained.opt_dual import PLAN
from mdptk.theory.stock_online import cost_error, reward_error
from mdptk.theory.stock_prices import largest_price, miss_square
from mdptk.theory.symbols import K, eta_dual
from proofs.vocabulary import same, telescope


def best() -> Expr:
    """(B)."""
    return PLAN.top


def regret() -> Expr:
    """V^_r - l V^_c >= V* - l b by (B) at pi* and (SIM): V* - V^_r <= l (b - V^_c), and squares telescope.

    lambda_{k+1}^2 <= lambda_k^2 + 2 eta_d lambda_k (V^_c - b) + eta_d^2 (V^_c - b)^2, from lambda_0 = 0.
    """
    square, planned, b = Function("square"), Symbol("V_c", real=True), Symbol("b", real=True)
    lam = Symbol("lambda", nonnegative=True)
    step = (lam + eta_dual * (planned - b)) ** 2
    assert same(step - lam**2, 2 * eta_dual * lam * (planned - b) + eta_dual**2 * (planned - b) ** 2)
    assert same(telescope(square, K).subs(square(0), 0), -square(K))  # not positive
    return eta_dual**2 * miss_square / (2 * eta_dual) + reward_error


def violation() -> Expr:
    """lambda_{k+1} >= lambda_k + eta_d (V^_c - b): summed, V^_c - b is at most lambda_K / eta_d; then the error."""
    return largest_price / eta_dual + cost_error


PROVES = {"the plan is best at its price": best, "regret of the run": regret, "violation of the run": violation}
