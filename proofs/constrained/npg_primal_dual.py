r"""NPG primal-dual with lambda_0 = 0 and the uniform policy (after Ding et al. 2020, rederived for m costs).

Rewards and costs in [0, 1], g_k = V_c^{pi_k}(rho) - b with |g_k,i| <= 1/(1-gamma). Named lemmas: (PDL), (D), (KL), (J)
as in proofs/policy_gradient/npg.py, whose improvement holds for the reward r - l_k.c as for any other, from any start.
(W) V* - V_r(pi) >= -l*.(V_c(pi) - b) for every pi, by strong duality. (P) projections do not increase distances.
(L) the returns of the average of the policies are the averages of their returns.
"""

from __future__ import annotations

from sympy import Expr, Function, Symbol, log

from mdptk.algorithms.constrained.npg_primal_dual import drift, mean_log_normaliser
from mdptk.theory import previous
from mdptk.theory.stock_constrained import lagrangian, lam_star_sum, multiplier_bound
from mdptk.theory.symbols import A, eta, eta_dual, gamma, m, t
from proofs.vocabulary import same, telescope

k = Symbol("k", integer=True, nonnegative=True)


def improvement() -> Expr:
    """NPG's lemma at the price l_{t-1}: (PDL), then (KL), (J) and (D); the budgets cancel."""
    kl, log_Z = Symbol("KL", nonnegative=True), Symbol("log Z", nonnegative=True)
    gain = ((1 - gamma) / eta * (kl + log_Z)) / (1 - gamma)
    assert same(gain - log_Z / eta, kl / eta)
    return previous(lagrangian) + (1 - gamma) * previous(mean_log_normaliser) / eta


def primal_regret() -> Expr:
    """Weights in every state under d*; rewards telescope, costs are summed by parts, since the price moves."""
    kl, V = Function("KL_star"), Function("V_r_dstar")
    # gap_k = L(pi*, l_k) - L(pi_k, l_k) = E_{d*}(KL_k - KL_{k+1} + log Z_k) / eta, by (PDL) and the update;
    # E_{d*} log Z_k <= eta/(1-gamma) (V_{k+1} - V_k)(d*) for V = V_r - l_k.V_c, by `improvement` from d*
    potential = lambda j: kl(j) / eta - V(j) / (1 - gamma)  # noqa: E731
    rewards = telescope(potential, t).subs({kl(0): log(A), kl(t): 0, V(0): 0, V(t): 1 / (1 - gamma)})
    # sum_k l_k.(C_k - C_{k+1}) = sum_{0<k<t} (l_k - l_{k-1}).C_k - l_{t-1}.C_t, with l_0 = 0 and C = V_c(d*) >= 0
    l, C, n = Function("l"), Function("C"), Symbol("n", integer=True, positive=True)
    by_parts = lambda T: l(T - 1) * C(T)  # noqa: E731  # what is left over at the end
    one = l(n) * (C(n) - C(n + 1))  # the next term of the sum
    assert same(one, (l(n) - l(n - 1)) * C(n) + by_parts(n) - by_parts(n + 1))
    moves = eta_dual / (1 - gamma)  # |l_k,i - l_{k-1},i|, by (P)
    costs = t * m * moves * 1 / (1 - gamma)  # C_k,i <= 1/(1-gamma)
    total = rewards + costs / (1 - gamma)
    return (total / t).expand()  # and L(pi*, l_k) >= V*, as pi* meets the budgets


def _dual_regret(comparator: Expr) -> Expr:
    """(1/t) sum_k (l - l_k).g_k for l in [0, Lambda]^m with |l|^2 = comparator, by (P) and the square opened."""
    d = Function("d")  # |l_k - l|^2
    one = (d(k) - d(k + 1)) / (2 * eta_dual) + eta_dual * m / (2 * (1 - gamma) ** 2)
    assert same(2 * eta_dual * one, d(k) - d(k + 1) + eta_dual**2 * m / (1 - gamma) ** 2)
    total = telescope(d, t) / (2 * eta_dual) + t * eta_dual * m / (2 * (1 - gamma) ** 2)
    return (total.subs({d(0): comparator, d(t): 0}) / t).expand()


def average_gap() -> Expr:
    """The regret is the average gap plus the mean of l_k.g_k; the dual regret against l = 0 bounds minus that."""
    return primal_regret() + _dual_regret(0)


def average_violation() -> Expr:
    """Against l = Lambda where most is violated, by v: gap + Lambda v <= both regrets; (W): gap >= -|l*|_1 v."""
    both = primal_regret() + _dual_regret(multiplier_bound**2)
    v = Symbol("v", nonnegative=True)
    least_gap = -lam_star_sum * v
    assert same(least_gap + multiplier_bound * v, (multiplier_bound - lam_star_sum) * v)
    assert same(both - _dual_regret(multiplier_bound**2), drift)
    return both / (multiplier_bound - lam_star_sum)


PROVES = {
    "improvement at a fixed price": improvement,
    "primal regret": primal_regret,
    "average gap": average_gap,
    "average violation": average_violation,
}
