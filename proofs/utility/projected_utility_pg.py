r"""Projected gradients for utilities: smoothness in the policy, ascent, and the rate by hidden concavity.

Notation. f(pi) = F(x^pi), g its gradient, G the largest span of grad F on the simplex, M = max_s d*(s) / ((1 - gamma)
rho(s)), at least 1. Named lemmas. (V) A value with rewards in [0, 1] is smooth in pi with 2 gamma A / (1 - gamma)^3
(Agarwal et al. 2021), and adding a constant to rewards changes no difference of values. (X) |x^p - x^q|_1 is at most
max_s |p(s) - q(s)|_1 / (1 - gamma): one for the action, gamma / (1 - gamma) for the states after it. (S) F(y) >= F(x) +
<grad F(x), y - x> - L_F |y - x|_1^2 / 2, and <= without the last term. (P) <g, x> >= |x|^2 / eta for a projected
step x. (D) d^pi >= (1 - gamma) rho.
"""

from __future__ import annotations

from sympy import Expr, Symbol, sqrt

from mdptk.algorithms.utility.projected_utility_pg import length
from mdptk.theory import previous
from mdptk.theory.stock import step_size
from mdptk.theory.stock_utility import mismatch, smoothness, span
from mdptk.theory.symbols import A, S, gamma, t
from proofs.vocabulary import harmonic, same


def smooth_in_policy() -> Expr:
    """(V) for the linear part, rewards of span G, times 1 - gamma; (X), |u|_1 <= sqrt(A) |u|_2 and (S) for the rest."""
    linear = (1 - gamma) * span * 2 * gamma * A / (1 - gamma) ** 3
    curved = smoothness * (sqrt(A) / (1 - gamma)) ** 2
    L = A * (2 * gamma * span + smoothness) / (1 - gamma) ** 2
    assert same(linear + curved, L)
    return L


def ascent() -> Expr:
    """(P), then the smoothness from below."""
    x = previous(length)
    return (1 / step_size - smooth_in_policy() / 2) * x**2


def convergence() -> Expr:
    """Between x^pi and x* lie occupancies of policies near pi; a step of size 1/L is not worse than going there."""
    L, a, gap = Symbol("L", positive=True), Symbol("a", positive=True), Symbol("gap", positive=True)
    M, n = Symbol("M", positive=True), Symbol("S", positive=True)
    # the policy of (1 - a) x^pi + a x* is pi + w (pi* - pi) with w = a d* / ((1 - a) d + a d*) <= a max(1, d*/d) <= a M
    apart = (a * M) ** 2 * 2 * n  # squared 2-norm: simplices have diameter sqrt(2)
    # f(pi_{t+1}) >= max_p f + <g, p - pi> - L/2 |p - pi|^2 >= f(p) - L |p - pi|^2, and f(p) >= (1 - a) f + a F*, (S)
    after = (1 - a) * gap + L * apart
    K = 1 / (8 * L * n * M**2)
    best = gap / (4 * L * n * M**2)  # the best a, if it is at most one
    assert same(after.subs(a, best), gap - K * gap**2)
    # otherwise gap > 4 L S M^2, and a = 1 leaves 2 L S M^2, which is below 1 / K, as is every smaller gap after it
    assert same(after.subs(a, 1), 1 / K / 4)
    rate = harmonic(K, t - 1)  # from the first step on
    return rate.subs(L, smooth_in_policy()).subs(M, mismatch / (1 - gamma)).subs(n, S)


PROVES = {"convergence by hidden concavity": convergence, "ascent": ascent}
