r"""Softmax policy gradient: ascent, the non-uniform Lojasiewicz inequality and the rate (Mei et al. 2020).

Named lemmas. (PG) dV(rho)/dtheta(s, a) = d^pi_rho(s) pi(a|s) A^pi(s, a) / (1 - gamma). (PDL) V*(rho) - V^pi(rho) =
1/(1-gamma) sum_s d^*_rho(s) A^pi(s, a*(s)) for a deterministic optimal policy a*. (S) V(rho) is 8/(1-gamma)^3-smooth in
theta if rewards lie in [0, 1]. (D) d^pi_rho >= (1 - gamma) rho. (CS) sum_s |x_s| <= sqrt(S) ||x||. (U) Values lie in
[0, 1/(1-gamma)]; d^*_rho sums to one as rho does, so their ratio is at least one somewhere; S >= 1, chances are <= 1.
"""

from __future__ import annotations

from sympy import Expr, Symbol, sqrt

from mdptk.theory import previous
from mdptk.theory.stock import mismatch, suboptimality
from mdptk.theory.stock import step_size as step
from mdptk.theory.stock_policy import chance, coverage, gradient_norm, least, rarest
from mdptk.theory.symbols import S, gamma, t
from proofs.vocabulary import harmonic, same

SMOOTHNESS = 8 / (1 - gamma) ** 3


def ascent() -> Expr:
    """V(theta + x) >= V(theta) + <g, x> - L/2 ||x||^2 by (S), at x = eta g."""
    g = previous(gradient_norm)
    gain = step * g**2 - SMOOTHNESS / 2 * (step * g) ** 2
    assert same(gain.subs(step, 1 / SMOOTHNESS), g**2 / (2 * SMOOTHNESS))  # the largest, at eta = 1/L
    return gain


def lojasiewicz() -> Expr:
    """Only the coordinates (s, a*(s)) are kept: ||g|| >= 1/sqrt(S) sum_s |g(s, a*(s))|, by (CS), then (PG)."""
    d, star, pi, A = (Symbol(x, positive=True) for x in ("d", "d*", "pi", "|A|"))
    term = d * pi * A / (1 - gamma)
    lower = (coverage * star) * chance * A / (1 - gamma)  # d >= coverage d*, pi >= chance
    assert same(term.subs({d: coverage * star, pi: chance}), lower)
    return coverage * chance / sqrt(S) * suboptimality  # sum_s d*(s) |A(s, a*(s))| / (1 - gamma) >= the gap, by (PDL)


def global_convergence() -> Expr:
    """Ascent at eta = 1/L, the inequality above, and the recursion e' <= e - K e^2."""
    # (D): 1/coverage = ||d*/d|| <= ||d*/rho|| / (1 - gamma); the chances so far are at least `least`
    factor = (1 - gamma) / mismatch * least / sqrt(S)
    K = factor**2 / (2 * SMOOTHNESS)
    one = {mismatch: 1, least: 1, S: 1}
    assert same(K.subs(one), (1 - gamma) ** 5 / 16)  # the largest K, by (U): so e_0 <= 1/(1-gamma) <= 1/K
    at_start = harmonic(K, t)
    assert same(at_start, 16 * S * mismatch**2 / (least**2 * (1 - gamma) ** 5 * (t + 1)))
    # from the gap at mu to that at any rho costs ||1/mu|| / (1 - gamma) >= 1; at mu = rho the paper's bound has it too
    return at_start * rarest / (1 - gamma)


PROVES = {
    "ascent": ascent,
    "non-uniform Lojasiewicz inequality": lojasiewicz,
    "global convergence": global_convergence,
}
