r"""Softmax policy gradient with a line search: the step that is found, and the rate (after Lu et al. 2024).

Named lemmas. (S) V(rho) is L-smooth in theta, L = 8 span(r)/(1-gamma)^3: Mei et al. 2020, Lemma 7, for rewards that are
shifted, which changes no gradient, and scaled. (NL) is Lemma 8 there, see ``proofs/policy_gradient/softmax_pg.py``.
(D) d^pi_rho >= (1 - gamma) rho. (A) The search ends with eta_max, or with a step that was refused divided once by beta.
"""

from __future__ import annotations

from sympy import Expr, Min, Symbol, solve, symbols

from mdptk.algorithms.policy_gradient.armijo_softmax_pg import accepted, beta, eta_max, h, shortest
from mdptk.theory import initial, previous
from mdptk.theory.stock import mismatch, reward_span, suboptimality
from mdptk.theory.stock_policy import chance, coverage, gradient_norm, least
from mdptk.theory.symbols import gamma, t
from proofs.policy_gradient.softmax_pg import lojasiewicz
from proofs.vocabulary import same


def increase() -> Expr:
    """What the search asks for. Where it stops asking, at eta <= 2 (1 - h) / L, it is so by (S)."""
    eta, L = symbols("eta L", positive=True)
    promised = eta - L / 2 * eta**2  # times |g|^2, by (S)
    (limit,) = solve((promised - h * eta) / eta, eta)
    assert same(limit, 2 * (1 - h) / L)
    return h * accepted * previous(gradient_norm) ** 2


def steps() -> Expr:
    """(A): what was refused was longer than 2 (1 - h) / L."""
    L = 8 * reward_span / (1 - gamma) ** 3
    return Min(eta_max, beta * (2 * (1 - h) / L))


def convergence() -> Expr:
    """e' <= e - K e^2 with K from increase and (NL): 1/e grows by K in every step, from 1/e_0."""
    e, K = symbols("e K", positive=True)
    assert same(1 / (e - K * e**2) - 1 / e - K, K**2 * e / (1 - K * e))  # K e < 1, since e' >= 0; at 0 it ends
    gain = increase().subs(accepted, shortest) / previous(gradient_norm) ** 2
    slope = lojasiewicz().subs({chance: least, coverage: (1 - gamma) / mismatch}) / suboptimality
    start, k = initial(suboptimality), Symbol("k", positive=True)
    assert same(1 / (1 / e + k), e / (1 + k * e))
    return start / (1 + gain * slope**2 * start * t)


PROVES = {
    "global convergence": convergence,
    "sufficient increase": increase,
    "accepted steps": steps,
    "non-uniform Lojasiewicz inequality": lojasiewicz,
}
