r"""Policy mirror descent with the hyperbolic entropy: the divergence at the start; the rest is that of any mirror map.

Notation. h(p) = sum_a p_a arsinh(p_a / b) - sqrt(p_a^2 + b^2), D its Bregman divergence.
Named lemmas. (3P) The maximiser p of eta <Q, p> - D(p, pi) over a convex set has, for every u in it,
eta <Q, u - p> <= D(u, pi) - D(u, p) - D(p, pi). (PDL), (D) d^pi_mu >= (1 - gamma) mu as in npg.
"""

from __future__ import annotations

from sympy import Expr, Function, Integer, Symbol, asinh, diff, simplify, sqrt

from mdptk.algorithms.mirror_descent.hyperbolic_pmd import advance, b, divergence, symmetric, travelled
from mdptk.theory import previous
from mdptk.theory.symbols import A, eta, gamma, t
from proofs.vocabulary import same, telescope


def at_the_start() -> Expr:
    """D(e_1, uniform) = h(e_1) - h(uniform): the gradient is constant at uniform, so its product with e_1 - u is 0."""
    p = Symbol("p", positive=True)
    h = p * asinh(p / b) - sqrt(p**2 + b**2)
    assert simplify(diff(h, p) - asinh(p / b)) == 0  # the inverse of b sinh: the update is that of this map
    one = h.subs(p, 1) + (A - 1) * (-b)  # h(0) = -b
    return one - (asinh(1 / (A * b)) - sqrt(1 + A**2 * b**2))  # A h(1 / A)


def three_points() -> Expr:
    """(3P) at u = pi*, averaged over d*, and (PDL)."""
    return (previous(divergence) - divergence - travelled) / eta + advance


def improvement() -> Expr:
    """(3P) at u = pi: eta <Q, p - pi> >= D(pi, p) + D(p, pi) in every state, then (PDL) over d^p."""
    return symmetric / (eta * (1 - gamma))


def monotone() -> Expr:
    """The same from every state; divergences are not negative."""
    return Integer(0)


def global_convergence() -> Expr:
    """The lemma summed; advance = E_{d*} <Q, p - pi> <= (1 - gamma)(V_{k+1} - V_k)(d*) / (1 - gamma), by (PDL), (D)."""
    D, V, k = Function("D"), Function("V"), Symbol("k", integer=True, nonnegative=True)
    # gaps decrease by the improvement: (t + 1) gap_t <= sum over k <= t
    gap = (D(k) - D(k + 1)) / (eta * (1 - gamma)) + (V(k + 1) - V(k)) / (1 - gamma)
    potential = lambda j: D(j) / (eta * (1 - gamma)) - V(j) / (1 - gamma)  # noqa: E731
    assert same(gap, potential(k) - potential(k + 1))
    total = telescope(potential, t + 1)
    worst = total.subs({D(0): at_the_start(), D(t + 1): 0, V(0): 0, V(t + 1): 1 / (1 - gamma)})
    return worst / (t + 1)


PROVES = {
    "global convergence": global_convergence,
    "three-point lemma": three_points,
    "improvement": improvement,
    "monotone improvement": monotone,
}
