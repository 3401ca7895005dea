r"""Short-step path following (after chapter 5 of Wright 1997, rederived): B z = q, w = B'p - r, n products z w.

Step: B dz = 0, dw = B'dp, w dz + z dw = s mu - z w, with s = max(1 - delta/sqrt n, tol/mu). Named lemmas.
(O) dz.dw = (B dz).dp = 0. (F) |dz dw|_2 <= 2^(-3/2) |a + b|^2 for a = D^-1 dz, b = D dw, a.b = 0, D^2 = z/w.
(W) weak duality: V* <= p.q.
"""

from __future__ import annotations

from sympy import Expr, Rational, Symbol, nsimplify, simplify, sqrt

from mdptk.algorithms.constrained.interior_point import THETA
from mdptk.theory.stock_interior import falls, mu, n
from mdptk.theory.symbols import delta
from proofs.vocabulary import same


def measure() -> Expr:
    """z'.w' = z.w + w.dz + z.dw + dz.dw = n s mu, by the step and (O); then s mu = max((1 - delta/sqrt n) mu, tol)."""
    N, m, s, zw = (Symbol(x, positive=True) for x in ("N", "mu", "s", "zw"))
    moved = zw + (N * s * m - zw) + 0
    assert same(moved / N, s * m)
    return falls  # by induction: max(q max(q^t mu_0, tol), tol) = max(q^(t+1) mu_0, tol) for q < 1


def duality() -> Expr:
    """p.q - r.z = p.B z - r.z = w.z."""
    return n * mu


def gap() -> Expr:
    """(W)."""
    return duality().subs(mu, falls)


def near() -> Expr:
    """The new products are s mu + dz dw; by (F) what they are off is below theta s mu."""
    theta, N = nsimplify(THETA), Symbol("N", integer=True, positive=True)
    # |(z w)^(-1/2) (s mu - z w)|^2 <= (theta^2 + n (1 - s)^2) mu / (1 - theta): the products sum to n mu, so the mixed
    # term of s mu - z w = (mu - z w) - (1 - s) mu vanishes, and each is above (1 - theta) mu
    off = (theta**2 + N * (delta / sqrt(N)) ** 2) / (1 - theta) / (2 * sqrt(2))
    worst = simplify(off.subs(delta, Rational(2, 5)))
    least = theta * (1 - Rational(2, 5))  # s is least for n = 1, and for the longest step
    assert worst < least
    assert off.diff(delta).is_positive  # shorter steps are off by less
    return theta


def feasible() -> Expr:
    """All products stay above (1 - theta) mu > 0 for all step lengths up to the whole, so no slack comes to zero."""
    assert THETA < 1
    return nsimplify(0)


PROVES = {
    "the mean product falls as planned": measure,
    "duality gap": duality,
    "gap of the last policy": gap,
    "near the path": near,
    "every policy meets the budgets": feasible,
}
