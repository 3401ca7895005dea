r"""REINFORCE: the average squared gradient, from smoothness and the second moment of the estimate.

Notation. u = sum_h u_h with u_h the score of stage h; R the return, in [0, H]; B = minus the Hessian of the log
probability of an episode, block diagonal with blocks diag(pi) - pi pi^T at the visited (h, s_h); D = E[B].
Named lemmas. (LR) grad J = E[R u] and Hess J = E[R (u u^T - B)]. (M) Scores are martingale differences with
E[u u^T] = D. (P) Popoviciu: the variance of x under pi is at most (max x - min x)^2 / 4, and (max x - min x)^2 is at
most 2 |x|^2. (DL) J(y) >= J(x) + <grad J(x), y - x> - L/2 |y - x|^2 for an L-smooth J.
"""

from __future__ import annotations

from sympy import Expr, Rational, Symbol, summation

from mdptk.theory import initial
from mdptk.theory.stock_sampled import gap
from mdptk.theory.symbols import A, H, N, eta, t
from proofs.vocabulary import same


def smoothness() -> Expr:
    """Hess J = E[R u u^T] - E[R B]: both lie between 0 and H D, since 0 <= R <= H, u u^T >= 0, B >= 0 and (M)."""
    block = Rational(1, 4) * 2  # largest eigenvalue of diag(pi) - pi pi^T, by (P); a block of D has weight d(s) <= 1
    return H * block


def second_moment() -> Expr:
    """E |sum_h G_h u_h|^2: scores of different stages are orthogonal, and G_h is at most the number of stages left."""
    p, q = Symbol("pi(a)"), Symbol("sum_a pi(a)^2")
    score = 1 - 2 * p + q  # |u_h|^2; its expectation over a ~ pi is 1 - q, and q >= 1 / A
    expected = score.subs(p, q)  # sum_a pi(a) pi(a) = q
    assert same(expected, 1 - q)
    k = Symbol("k", integer=True, positive=True)
    return expected.subs(q, 1 / A) * summation(k**2, (k, 1, H))


def ascent(L: Expr, variance: Expr) -> Expr:
    """Average of E |grad J|^2 over t steps of size eta <= 1 / L with an unbiased estimate of that variance."""
    g2, v = Symbol("g2", nonnegative=True), Symbol("v", nonnegative=True)
    gain = eta * g2 - L * eta**2 / 2 * (g2 + v)  # (DL) in expectation: E |g^|^2 = |grad J|^2 + v
    kept = eta / 2 * g2 - L * eta**2 / 2 * v  # since L eta <= 1
    assert same(gain - kept, eta / 2 * (1 - L * eta) * g2)
    total = initial(gap) + t * L * eta**2 / 2 * v  # the sum of eta/2 g2 over t steps; values end at most at the optimum
    return (total / (t * eta / 2)).expand().subs(v, variance)


def average_gradient() -> Expr:
    """The variance is at most the second moment; the mean of N episodes has an N-th of it."""
    return ascent(smoothness(), second_moment() / N)


PROVES = {"average gradient": average_gradient}
