r"""Softmax policy gradient on all stages: smoothness, the Lojasiewicz inequality and the rate, with every factor H.

Notation. n = H - h stages are left at stage h; rewards in [0, 1]; u is a direction of logits, c_n the largest norm of
its part in a state with n stages left, so that the sum of c_n^2 is at most |u|^2; primes are derivatives along u.
Named lemmas. (M) for a softmax policy and logits that move along u_s: |pi'(s)|_1 <= sqrt(Var u) <= |u_s| / sqrt 2 and
|pi''(s)|_1 <= 2 Var u <= |u_s|^2, since a variance is at most a quarter of the squared span, and that at most
2 |u_s|^2. (H) <x, Q> <= |x|_1 span(Q) / 2 if the sum of x is zero. (R) values lie in [0, n]. (G) the largest eigenvalue
of a symmetric matrix without negative entries is at most its largest row sum. (PG), (PDL) with stages: the gradient is
d_h(s) pi_h(a|s) A_h(s, a), and the gap is sum_h sum_s d*_h(s) A^pi_h(s, a*). (CS) sum |x_i| <= sqrt(N) |x|, N = S H.
"""

from __future__ import annotations

from sympy import Expr, Rational, Sum, Symbol, simplify, sqrt, symbols

from mdptk.algorithms.policy_gradient.simultaneous_pg import least_reach, reach
from mdptk.theory import previous
from mdptk.theory.stock_stages import gradient_norm, suboptimality
from mdptk.theory.symbols import H, S, eta, t
from proofs.vocabulary import harmonic, same


def smoothness() -> Expr:
    """V_n'' = <pi'', Q> + 2 <pi', P V_{n-1}'> + <pi, P V_{n-1}''>, unrolled: a quadratic form in the c_n."""
    n, k = symbols("n k", integer=True, positive=True)
    first = n / (2 * sqrt(2))  # |<pi', Q_n>| / c_n by (M), (H), (R); so |V_n'| <= sum_{k <= n} c_k k / (2 sqrt 2)
    diagonal = n / 2  # of c_n^2, by (M), (H), (R)
    cross = 2 * (1 / sqrt(2)) * first.subs(n, k)  # of c_n c_k for k < n
    assert same(cross, k / 2)
    # symmetric: the entry at (n, k) is min(n, k) / 4
    row = diagonal + Sum(k / 4, (k, 1, n - 1)).doit() + (H - n) * n / 4
    x = Symbol("x", nonnegative=True)  # H - n
    rise = simplify(row.subs(n, n + 1) - row)
    assert same(rise.subs(H, n + 1 + x), Rational(1, 2) + x / 4)  # positive: the row of n = H is the largest
    return simplify(row.subs(n, H))


def ascent() -> Expr:
    """V(theta + x) >= V(theta) + <g, x> - L/2 |x|^2 at x = eta g / L."""
    L, g = smoothness(), previous(gradient_norm)
    assert same(L, H * (H + 3) / 8)
    gain = eta / L * g**2 - L / 2 * (eta / L * g) ** 2
    assert same(gain, eta * (2 - eta) / (2 * L) * g**2)
    return gain


def lojasiewicz() -> Expr:
    """Only the coordinates (h, s, a*) are kept: by (CS), then (PG), then d_h >= coverage d*_h, pi >= chance, (PDL)."""
    return reach / sqrt(S * H) * suboptimality


def global_convergence() -> Expr:
    """Ascent, the inequality above, and the recursion e' <= e - K e^2."""
    L = smoothness()
    K = eta * (2 - eta) / (2 * L) * least_reach**2 / (S * H)
    best = K.subs({eta: 1, least_reach: 1, S: 1})  # the largest K: reach is at most one, S at least
    assert same(1 / best - H, H * (H**2 + 3 * H - 4) / 4)  # not negative for H >= 1: so e_0 <= H <= 1/K
    bound = harmonic(K, t)
    mismatch = Symbol("mismatch")  # in the paper, d_h >= start / H on the states of all stages: two more factors H
    assert same(bound.subs(least_reach, 1 / (H * mismatch)) / bound.subs(least_reach, 1 / mismatch), H**2)
    return bound


PROVES = {
    "ascent": ascent,
    "non-uniform Lojasiewicz inequality": lojasiewicz,
    "global convergence": global_convergence,
}
