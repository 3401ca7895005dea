r"""The energy of natural policy gradient at effective prices, and the sum of what is feared.

f = e + kappa is the excess over budgets lower by kappa, pi* and l* their solution. Named lemmas.
(K) KL' = KL - eta (L(pi*, mu) - L(pi, mu)) + E*[log Z], of a step at the prices mu, as in mdptk.theory.stock_energy.
(S) saddle: L(pi*, mu) - L(pi, mu) >= (mu - l*).f for mu >= 0. (P) |[x]_+ - y| <= |x - y| for y >= 0, and [x]_+ >= x.
"""

from __future__ import annotations

from sympy import Expr, Function, Symbol

from mdptk.algorithms.constrained.conservative_augmented_lagrangian import (
    W,
    friction,
    highest,
    kappa,
    log_normaliser,
    square,
)
from mdptk.theory import previous
from mdptk.theory.symbols import eta, eta_dual, t
from proofs.vocabulary import same, telescope


def energy() -> Expr:
    """(K), (S), and eta/(2 eta_dual) times (P) for y = l*: the terms in (l - l*).f cancel, and the friction is left."""
    f, lam, mu, star = (Symbol(x, real=True) for x in ("f", "l", "mu", "l*"))  # one constraint; sums of such terms
    policy = -eta * (mu - star) * f
    price = eta / (2 * eta_dual) * ((lam + eta_dual * f - star) ** 2 - (lam - star) ** 2)
    assert same(policy + price, -eta * (mu - lam) * f + eta * eta_dual / 2 * f**2)
    c = Symbol("c", nonnegative=True)  # while nothing is cut off
    assert same((policy + price).subs(mu, lam + c * f), eta * (eta_dual / 2 - c) * f**2)
    return previous(W) - eta * previous(friction) + eta * eta_dual / 2 * previous(square) + previous(log_normaliser)


def caution() -> Expr:
    """l_{k+1} >= l_k + eta_dual (e_k + kappa): so the e_k sum to at most l_t/eta_dual - t kappa."""
    lam = Function("lam")
    total = -telescope(lam, t).subs({lam(0): 0, lam(t): highest}) / eta_dual - t * kappa
    return (total / t).expand()


PROVES = {"friction": energy, "what caution buys": caution}
