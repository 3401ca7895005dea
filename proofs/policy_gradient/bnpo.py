r"""BNPO: ascent along any direction, and the Beta density that makes the variance least.

Notation. B is the Beta function. For rates of a Beta(a, b), scores that do not depend on success, and advantages that
are divided by the density of a Beta(x, y), the variance is, but for a number that is the same for all densities,
Var(x, y) = B(x, y)^2 B(a + 3 - 2x, b + 3 - 2y) / B(a, b).
Named lemmas. (DL) J(y) >= J(x) + <g, y - x> - L/2 |y - x|^2, with L = H/2 (proofs/policy_gradient/reinforce.py).
(C) log B is convex: B(sum_i w_i z_i) <= prod_i B(z_i)^{w_i} for points z_i and weights w_i that sum to one (Hoelder, in
the integral).
"""

from __future__ import annotations

from sympy import Expr, Integer, Rational, Symbol, beta, pi, symbols

from mdptk.algorithms.policy_gradient.bnpo import average_length, average_progress
from mdptk.theory import initial
from mdptk.theory.stock_sampled import gap
from mdptk.theory.symbols import eta, t
from proofs.policy_gradient.reinforce import smoothness
from proofs.vocabulary import same

a, b, x, y, p = symbols("a b x y p", positive=True)


def ascent() -> Expr:
    """(DL) for each step eta d_k, summed over t steps."""
    gained = initial(gap) - gap  # what the values rise by; at least what (DL) says
    promised = eta * t * average_progress
    curved = smoothness() / 2 * eta**2 * t * average_length
    bound = (gained + curved) / (eta * t)  # promised - curved <= gained
    assert same(promised / (eta * t), average_progress)
    return bound.expand()


def _variance() -> Expr:
    """The integral of p (1 - p) / f(p; x, y)^2 under a Beta(a, b): the exponents of p and 1 - p add up."""
    of_p = (a - 1) + 1 - 2 * (x - 1)
    assert same(of_p, (a + 3 - 2 * x) - 1)
    return beta(x, y) ** 2 * beta(a + 3 - 2 * x, b + 3 - 2 * y) / beta(a, b)


def _least(u: Expr, v: Expr) -> Expr:
    """Var at (1 + a/3, 1 + b/3) over Var at (u, v), at most 1.

    With weights 2/3 at (u, v) and 1/3 at (a + 3 - 2u, b + 3 - 2v) the mean is (1 + a/3, 1 + b/3) whatever u and v are,
    so (C), to the third power, is B(1 + a/3, 1 + b/3)^3 <= B(u, v)^2 B(a + 3 - 2u, b + 3 - 2v).
    """
    third = Rational(1, 3)
    best = 1 + a * third, 1 + b * third
    assert same(2 * third * u + third * (a + 3 - 2 * u), best[0])
    assert same(2 * third * v + third * (b + 3 - 2 * v), best[1])
    at_best = _variance().subs({x: best[0], y: best[1]}, simultaneous=True)
    assert same(at_best, beta(*best) ** 3 / beta(a, b))
    return Integer(1)


def reinforce() -> Expr:
    """The uniform density."""
    assert same(_variance().subs({x: 1, y: 1}) * beta(a, b), beta(1, 1) ** 2 * beta(a + 1, b + 1))
    return _least(Integer(1), Integer(1))


def grpo() -> Expr:
    """A density that is proportional to the root of p (1 - p): the constant is in Var, which is that of densities."""
    half = Rational(3, 2)
    assert same(beta(half, half).rewrite("gamma"), pi / 8)
    assert same(_variance().subs({x: half, y: half}) * beta(a, b), beta(half, half) ** 2 * beta(a, b))
    return _least(half, half)


def any_density() -> Expr:
    """The same for every Beta density, of which the two are examples."""
    return _least(Symbol("u"), Symbol("v"))


PROVES = {"ascent of each run": ascent, "no noisier than REINFORCE": reinforce, "no noisier than GRPO": grpo}
