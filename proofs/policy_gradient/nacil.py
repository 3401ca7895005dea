r"""NACIL: how long its directions are, and the regret of Hedge on controllers (derived).

Named lemmas. (H) Hedge: from uniform weights on M experts and with steps alpha, sum_{k<t} <e_b - w_k, u_k> is at most
log(M) / alpha + alpha / 8 sum_{k<t} span(u_k)^2. (PD) Performance difference, for the controller b:
(1-gamma) (V^b - V^pi) = E_{d^b} <K_b - pi, Q^pi>, which is <e_b - w, x> with x_m = E_{d^b} <K_m, Q^pi>.
"""

from __future__ import annotations

from sympy import Expr, Symbol, diff, log, solve, sqrt

from mdptk.algorithms.policy_gradient.nacil import average_span, controllers, lam, wrong
from mdptk.theory.symbols import alpha, gamma, t
from proofs.vocabulary import same


def no_long_steps() -> Expr:
    """With the scores as the rows of sqrt(N) B and delta = sqrt(N) b: u = (B^T B + lambda I)^-1 B^T b."""
    sigma, c, beta, v = (Symbol(x, positive=True) for x in ("sigma", "c", "beta", "v"))
    gain = sigma / (sigma**2 + lam)  # on a singular vector of B
    (at,) = solve(diff(gain, sigma), sigma)
    assert same(at, sqrt(lam))
    assert same(1 / (2 * sqrt(lam)) - gain, (sigma - sqrt(lam)) ** 2 / (2 * sqrt(lam) * (sigma**2 + lam)))
    top = 1 / (1 - gamma)  # of v: a convex combination of what it was and of r + gamma v(s'), for beta c <= 1
    assert same(1 + gamma * top, top)
    assert same(v + beta * c * (top - v) - top, (1 - beta * c) * (v - top))
    return gain.subs(sigma, at) * top  # |b| is the root mean square of differences in [-top, top]


def regret_to_the_best_controller() -> Expr:
    """(PD), with x = u + (x - u), of which (H) bounds the first part."""
    x, u = Symbol("x"), Symbol("u")
    assert same(x, u + (x - u))
    hedge = log(controllers) / alpha + alpha / 8 * t * average_span
    return ((hedge / t).expand() + wrong) / (1 - gamma)


PROVES = {"no long steps": no_long_steps, "regret to the best controller": regret_to_the_best_controller}
