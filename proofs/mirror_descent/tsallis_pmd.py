r"""Policy mirror descent with a Tsallis entropy: three points, improvement and the rate (after Xiao 2022, rederived).

Named lemmas. (3P) If p+ maximises eta <g, p> - D(p, x) inside the simplex, then for every p
eta <g, p> - D(p, x) = eta <g, p+> - D(p+, x) - D(p, p+). (PDL) V^pi(mu) - V^pi'(mu) = 1/(1-gamma) E_{s ~ d^pi_mu}
<Q^pi'(s), pi(s) - pi'(s)>, d normalised to one. (D) d^pi_mu >= (1 - gamma) mu. (U) Values lie in [0, 1/(1-gamma)].
"""

from __future__ import annotations

from sympy import Expr, Function, Integer, Symbol, simplify

from mdptk.algorithms.mirror_descent.tsallis_pmd import advance, divergence, q, symmetric, travelled
from mdptk.theory import previous
from mdptk.theory.symbols import A, eta, gamma, t
from proofs.vocabulary import same, telescope


def three_points() -> Expr:
    """(3P) at p = pi*, averaged over d*; the left side is (1 - gamma) times the gap by (PDL)."""
    return (previous(divergence) - travelled - divergence) / eta + advance


def improvement() -> Expr:
    """(3P) at p = pi_{t-1}: eta times the inner product is both divergences; then (PDL)."""
    return symmetric / eta / (1 - gamma)


def monotone() -> Expr:
    """The same from a point start: every term of (PDL) is non-negative."""
    return Integer(0)


def _start() -> Expr:
    """D(vertex, uniform) = h(vertex) - h(uniform), as the gradient of h is the same for all actions there."""
    h_vertex, h_uniform = (1 - 1) / (1 - q), (1 - A * (1 / A) ** q) / (1 - q)
    # the formula that is measured: D(e_a, x) over the actions, for the one played (p = 1) and for another (p = 0)
    x = Symbol("x", positive=True)
    h = (1 - x**q) / (1 - q)  # one action's part of h, up to a constant
    part = lambda p: (1 - p**q) / (1 - q) - h - h.diff(x) * (p - x)  # noqa: E731
    assert simplify(part(Integer(1)) - (x**q + q / (1 - q) * x ** (q - 1) - 1 / (1 - q))) == 0
    assert simplify(1 / (1 - q) - h + h.diff(x) * x - x**q) == 0
    return h_vertex - h_uniform


def global_convergence() -> Expr:
    """Drop `travelled`; the advance is at most the gain from d*, by (PDL), improvement and (D); sum over t steps."""
    D, V = Function("D"), Function("V_dstar")
    k = Symbol("k", integer=True, nonnegative=True)
    one_step = (D(k) - D(k + 1)) / eta + V(k + 1) - V(k)
    potential = lambda j: D(j) / eta - V(j)  # noqa: E731
    assert same(one_step, potential(k) - potential(k + 1))
    total = telescope(potential, t + 1)  # over the steps 0 .. t, so that gap_0 .. gap_t are summed
    worst = total.subs({D(0): _start(), D(t + 1): 0, V(0): 0, V(t + 1): 1 / (1 - gamma)})  # (U)
    return worst / (1 - gamma) / (t + 1)  # gaps decrease, so (t + 1) gap_t <= their sum


PROVES = {
    "three points": three_points,
    "improvement": improvement,
    "monotone improvement": monotone,
    "global convergence": global_convergence,
}
