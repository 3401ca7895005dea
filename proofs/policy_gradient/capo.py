r"""CAPO: the third-order rest of the gain and of the relative entropy, for a softmax over arms.

Notation. pi_e is proportional to pi exp(e z), c = span(z), J = E r with r in [0, 1], mu = E z under pi_e. Named lemmas.
(E) d/de E[f] = Cov(f, z) + E[df/de]. (T) Taylor with the third derivative at some e. (P) Var(z) <= c^2 / 4, and
|Cov(r, z)| <= c / 4. (A) |z - mu| <= c and |r - J| <= 1.
"""

from __future__ import annotations

from sympy import Expr, Rational, Symbol, diff, exp, log, simplify, symbols

from mdptk.algorithms.policy_gradient.capo import span
from proofs.vocabulary import same


def derivatives() -> None:
    """J' = Cov(r, z), J'' = E[(r - J)(z - mu)^2], J''' = E[(r - J)(z - mu)^3] - 3 Var(z) Cov(r, z), at three arms."""
    e = Symbol("e", real=True)
    x, z, r = (0, log(2), log(5)), (1, -3, Rational(1, 2)), symbols("r1:4", real=True)
    weights = [exp(a + e * b) for a, b in zip(x, z, strict=True)]
    mean = lambda f: sum(w * y for w, y in zip(weights, f, strict=True)) / sum(weights)  # noqa: E731
    J, mu = mean(r), mean(z)
    off = lambda k: mean([(a - J) * (b - mu) ** k for a, b in zip(r, z, strict=True)])  # noqa: E731
    spread = mean([(b - mu) ** 2 for b in z])
    for k, want in ((1, off(1)), (2, off(2)), (3, off(3) - 3 * spread * off(1))):
        assert simplify((diff(J, e, k) - want).subs(e, 0)) == 0


def gain() -> Expr:
    """|J'''| <= c Var(z) + 3 Var(z) c / 4, by (A) and (P); a sixth of it is left, (T)."""
    derivatives()
    c = span
    third = c * c**2 / 4 + 3 * c**2 / 4 * c / 4
    assert same(third, Rational(7, 16) * c**3)
    return third / 6


def shift() -> Expr:
    """KL(pi_0 | pi_1) = log E exp(z) - E z has the cumulants of z for derivatives, and |E (z - mu)^3| <= c Var(z)."""
    return span * span**2 / 4 / 6


PROVES = {"model of the gain": gain, "model of the shift": shift}
