r"""CRPO with exact values (after Xu, Liang and Lan 2021, rederived).

f_k is the reward or minus a cost, |f_k| <= 1; the update is NPG's for f_k. Named lemmas: (PDL), (KL) as in
proofs/policy_gradient/npg.py. (H) Hoeffding: log E exp(X) <= R^2 / 8 for E X = 0 and a range R.
(W) V_r(pi) <= V* + |l*|_1 v where pi violates by at most v.
"""

from __future__ import annotations

from sympy import Expr, Function, Symbol, log, symbols

from mdptk.algorithms.constrained.crpo import allowed, kappa
from mdptk.theory.stock_constrained import lam_star_sum
from mdptk.theory.symbols import A, eta, gamma, t
from proofs.vocabulary import same, telescope


def regret() -> Expr:
    """V_f(pi*) - V_f(pi_k) = E_{d*}(KL_k - KL_{k+1} + log Z_k)/eta, (PDL); each log Z_k by (H), as f changes."""
    kl = Function("KL_star")
    spread = eta / (1 - gamma) * 1 / (1 - gamma)  # of eta/(1-gamma) A over the actions of a state
    log_Z = spread**2 / 8
    total = telescope(lambda k: kl(k) / eta, t) + t * log_Z / eta
    # on cost steps V_f(pi*) - V_f(pi_k) = V_c(pi_k) - V_c(pi*) >= V_c(pi_k) - b, as pi* meets the budget
    worst = total.subs({kl(0): log(A), kl(t): 0})
    assert same(worst / t, allowed)
    return worst / t


def share() -> Expr:
    """Cost steps cost more than kappa each, reward steps earn at most |l*|_1 kappa more than V*, by (W)."""
    N = Symbol("N", nonnegative=True)  # reward steps
    left = kappa * (t - N) - lam_star_sum * kappa * N  # at most t * allowed, by `regret`
    R = symbols("R", nonnegative=True)
    least = (t - t * R / kappa) / (1 + lam_star_sum)
    assert same(left.subs(N, least), t * R)  # and it falls in N
    return least.subs(R, allowed) / t


def kept() -> Expr:
    """Each of these policies exceeds no budget by more than kappa, and so does the mean of what they spend."""
    return kappa


PROVES = {
    "regret of the switches": regret,
    "how often the reward is followed": share,
    "violation of the average over reward steps": kept,
}
