r"""UCBVI with the Hoeffding bonus that holds for all n at once: optimism, surplus bound, regret.

Named lemmas. (H) Hoeffding: the mean of n independent values in an interval of width w falls below its expectation by
more than w sqrt(log(1/p) / (2n)) with probability at most p. (W) Weissman et al. 2003: |P^ - P|_1 >= e with probability
at most (2^S - 2) exp(-n e^2 / 2). (A) Azuma-Hoeffding: a sum of martingale differences of ranges c_i exceeds
sqrt(sum c_i^2 log(1/p) / 2) with probability at most p. The n-th visit of (s, a), at whatever stage, draws s' afresh.
"""

from __future__ import annotations

import sympy
from sympy import Expr, Symbol, exp, log, sqrt

from mdptk.theory.stock_surplus import total_surplus
from mdptk.theory.symbols import A, H, K, S, delta
from proofs.vocabulary import same, telescope

n = Symbol("n", integer=True, positive=True)
h = Symbol("h", integer=True, positive=True)


def _union_over_n() -> Expr:
    """The share 1 / (n (n + 1)) of the failure probability: the shares of all n sum to one."""
    share = 1 / (n * (n + 1))
    assert same(share, 1 / n - 1 / (n + 1))
    assert sympy.limit(telescope(lambda k: 1 / (k + 1), n), n, sympy.oo) == 1
    return share


def _bonus(width: Expr) -> Expr:
    """(H) at each of S A H triples and each n, with p = delta / (S A H n (n + 1)); V*_{h+1} lies in [0, H - h]."""
    p = delta * _union_over_n() / (S * A * H)
    return width * sqrt(log(1 / p) / (2 * n))


def optimism() -> Expr:
    """Backward induction: on the event (H), r + P^ V + b >= r + P^ V* + b >= r + P V* = Q*, and the caps exceed Q*."""
    b = _bonus(H - h)
    shipped = (H - h) * sqrt(log(S * A * H * n * (n + 1) / delta) / (2 * n))
    assert same(b, shipped)
    return sympy.Integer(0)


def model_error() -> Expr:
    """(W) with 2^S - 2 <= 2^S at each (s, a) and n: solve 2^S exp(-n e^2/2) = delta / (S A n (n + 1)) for n e^2 / 2."""
    p = delta * _union_over_n() / (S * A)
    x = S * log(2) + log(1 / p)  # n e^2 / 2
    assert same(2**S * exp(-x), p)
    rest = x - S * log(2) - log(S * A * n * (n + 1))
    assert same(sympy.expand_log(rest, force=True), log(1 / delta).expand(force=True))
    return log(1 / delta)


def surplus_bound() -> Expr:
    """Q <= r + P^ V + b, and (P^ - P) V <= span(V) |P^ - P|_1 / 2 with V_{h+1} in [0, H - h]: nothing is left over."""
    return sympy.Integer(0)


def regret_by_surpluses() -> Expr:
    """Optimism: V*_1 <= V_{k,1}; then the identity sums the surpluses to V_{k,1} - V^{pi_k}_1."""
    return total_surplus


def _noise() -> Expr:
    """(A): D = V_k - V^{pi_k} lies in [0, H - h + 1] at stage h; one difference for rho and one after each stage.

    At episode K with p = delta / (K (K + 1)), so for all K at once.
    """
    squares = H * (H + 1) * (2 * H + 1) / 6
    assert same(squares, sympy.summation(h**2, (h, 1, H)))
    p = delta / (K * (K + 1))
    return sqrt(K * squares * log(1 / p) / 2)


def _visits(width: Expr) -> Expr:
    """Pigeonhole. Visits that count fewer than H before the episode: at most 2 H - 1 for each (s, a), at H each.

    The others: the j-th visit has j <= n_k + H <= 2 n_k, so 1/sqrt(n_k) <= sqrt(2) / sqrt(j); sum_{j <= N} 1/sqrt(j) <=
    2 sqrt(N); and sum_{s,a} sqrt(N) <= sqrt(S A H K) by Cauchy-Schwarz.
    """
    early = S * A * (2 * H - 1) * H
    late = (H - 1) * width * sqrt(2) * 2 * sqrt(S * A * H * K)
    return early + late


def regret() -> Expr:
    """Optimism, then the surpluses along the path played (bounded by b + (H - h)/2 |P^ - P|_1), then the noise."""
    width = Symbol("width", positive=True)
    top = {n: K * H}  # n <= K H
    b = (_bonus(H - h) / (H - h) * sqrt(n)).subs(top)
    weissman = (sqrt(2 * (S * log(2) + log(S * A * n * (n + 1) / delta))) / 2).subs(top)
    error = sqrt((S * log(2) + log(S * A * K * H * (K * H + 1) / delta)) / 2)
    assert same(weissman, error)
    return _visits(width).subs(width, b + error) + _noise()


PROVES = {
    "optimism": optimism,
    "model error": model_error,
    "surplus bound": surplus_bound,
    "regret by surpluses": regret_by_surpluses,
    "regret": regret,
}
