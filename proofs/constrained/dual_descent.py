r"""Dual descent with a constant step and lambda_0 = 0 (after Nedić and Ozdaglar 2009, rederived).

g_k = V_c^{pi_k}(rho) - b, D(l) = max_pi V_r - l.(V_c - b), and pi_k attains D(l_k). Named lemmas.
(W) weak and strong duality: D(l) >= V* for l >= 0, with equality at l*. (P) |[x]_+ - [y]_+| <= |x - y|, [x]_+ >= x.
(S) D(l) >= V_r^s - l.(V_c^s - b) >= V_r^s + xi |l|_1 for the policy s with slack xi. (N) |x|_2 <= |x|_1.
(G) |g_k| <= G.
"""

from __future__ import annotations

from sympy import Expr, Function, Max, Symbol, symbols

from mdptk.algorithms.constrained.dual_descent import largest_multiplier
from mdptk.theory import previous
from mdptk.theory.stock_constrained import (
    G,
    dual_gap,
    excess_square,
    lam_star,
    multiplier_distance,
    spread,
    xi,
)
from mdptk.theory.symbols import eta, t
from proofs.vocabulary import same, telescope

k = Symbol("k", integer=True, nonnegative=True)


def distance() -> Expr:
    """(P) towards l*, the square opened, and convexity: (l_k - l*).(-g_k) >= D(l_k) - D(l*)."""
    inner = Symbol("(l_k - l*).g_k", real=True)
    opened = previous(multiplier_distance) ** 2 + 2 * eta * inner + eta**2 * previous(excess_square)
    # D(l*) >= L(pi_k, l*) = D(l_k) + (l_k - l*).g_k, so the inner product is at most -(D(l_k) - V*), by (W)
    return opened.subs(inner, -previous(dual_gap))


def dual_convergence() -> Expr:
    """The sum of the distances telescopes; the least of t gaps is at most their mean."""
    d = Function("d")  # |l_k - l*|^2
    one = (d(k) - d(k + 1) + eta**2 * G**2) / (2 * eta)  # at least D(l_k) - V*, by `distance` and (G)
    assert same(one, (d(k) - d(k + 1)) / (2 * eta) + eta * G**2 / 2)
    total = telescope(d, t) / (2 * eta) + t * eta * G**2 / 2
    return (total.subs({d(0): lam_star**2, d(t): 0}) / t).expand()


def average_gap() -> Expr:
    """V* <= D(l_k) = V_r^k - l_k.g_k by (W); the sum of -l_k.g_k is bounded by the growth of |l_k|^2 >= 0 from 0."""
    n = Function("n")  # |l_k|^2; by (P) towards 0, n(k+1) <= n(k) + 2 eta l_k.g_k + eta^2 |g_k|^2
    minus_lg = (n(k) - n(k + 1)) / (2 * eta) + eta * G**2 / 2
    assert same(2 * eta * minus_lg, n(k) - n(k + 1) + eta**2 * G**2)
    total = telescope(n, t) / (2 * eta) + t * eta * G**2 / 2
    return (total.subs({n(0): 0, n(t): 0}) / t).expand()


def carried() -> Expr:
    """l_{k+1} >= l_k + eta g_k by (P); so the sum of g_k is at most l_t / eta, in every constraint."""
    lam = Function("lam")
    one = (lam(k + 1) - lam(k)) / eta
    assert same(one, -((lam(k) - lam(k + 1)) / eta))
    total = -telescope(lam, t) / eta
    return total.subs({lam(0): 0, lam(t): largest_multiplier}) / t


def average_violation() -> Expr:
    """Multipliers stay bounded: where the dual gap is above eta G^2/2 they approach l*; where not, (S) holds them."""
    gap = Symbol("gap", nonnegative=True)
    assert same((-2 * eta * gap + eta**2 * G**2).subs(gap, eta * G**2 / 2), 0)  # `distance`: no farther, above it
    held = (spread + eta * G**2 / 2) / xi  # |l_k|_1, by (S) and D(l_k) - V_r^s <= V* - V_r^s + eta G^2/2
    after = held + eta * G + lam_star  # |l_{k+1} - l*|, one step on, by (N) and (G)
    start = lam_star  # |l_0 - l*|
    a, b = symbols("a b", nonnegative=True)
    assert Max(a, a + b) == a + b
    farthest = after  # the larger of the two, since it contains the other
    bound = farthest + lam_star
    assert same(bound - start - lam_star, held + eta * G)
    return (bound / (eta * t)).expand()  # `carried`


PROVES = {
    "distance to the multipliers": distance,
    "dual convergence": dual_convergence,
    "average gap": average_gap,
    "violation is carried by the multiplier": carried,
    "average violation": average_violation,
}
