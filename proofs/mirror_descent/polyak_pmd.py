r"""Policy mirror descent with Polyak's step: the distance falls in every step, and what follows for the gap.

Named lemmas. (PDL) E_{d*} <pi*, A^pi> = (1 - gamma) (V* - V^pi)(rho), d* normalised to one. (H) Hoeffding: if
E_pi A = 0 and span A <= C, then log E_pi exp(eta A) <= eta^2 C^2 / 8. (KL) KL(pi* || uniform) = log A for a
deterministic pi*, and no KL is negative. (S) span_a A^pi(s, a) <= span(r) + gamma span(V) <= span(r) / (1 - gamma).
"""

from __future__ import annotations

import numpy as np
from sympy import Expr, Integer, Symbol, diff, log, solve, sqrt

from mdptk.algorithms.mirror_descent.polyak_pmd import c, log_normaliser, share, size, spread
from mdptk.theory import previous, so_far
from mdptk.theory.stock import reward_span
from mdptk.theory.stock_linear_policy import divergence
from mdptk.theory.symbols import A, gamma, t
from proofs.vocabulary import same


def identity() -> Expr:
    """log pi_t = log pi_{t-1} + eta A - log Z in every state; -E_{pi*} of it from d*, and (PDL)."""
    eta_gap, old, log_Z = Symbol("eta_gap"), Symbol("D_old"), Symbol("log_Z")
    new = old - eta_gap + log_Z  # eta_gap is eta (1 - gamma) gap = (eta C) (gap (1 - gamma) / C) = size * share
    assert same(eta_gap, old - new + log_Z)
    return previous(divergence) - divergence + log_normaliser


def descent() -> Expr:
    """The identity with (H) at eta C = size = 4 c u: D falls by 4 c u^2 - (4 c u)^2 / 8."""
    x, u = Symbol("size", positive=True), Symbol("u", positive=True)
    fall = x * u - x**2 / 8
    assert solve(diff(fall, x), x) == [4 * u]  # c = 1 is the best for this bound
    fallen = fall.subs(x, 4 * c * u)
    assert same(fallen, 2 * c * (2 - c) * u**2)
    assert size.free_symbols == {size}
    return previous(divergence) - fallen.subs(u, previous(share))


def _rate(C: Expr) -> Expr:
    """The falls of steps 0 .. t sum to at most log A, by (KL); the gaps do not rise, so the last is the least."""
    gap = Symbol("gap", nonnegative=True)
    total = (t + 1) * 2 * c * (2 - c) * ((1 - gamma) * gap / C) ** 2  # at most, from below
    bound = C / (1 - gamma) * sqrt(log(A) / (2 * (t + 1))) / sqrt(c * (2 - c))
    assert same(total.subs(gap, bound), log(A))
    return bound


def own() -> Expr:
    """C_k is at most the largest so far."""
    return _rate(so_far(spread, np.maximum))


def rate() -> Expr:
    """(S)."""
    return _rate(reward_span / (1 - gamma))


def monotone() -> Expr:
    """<A, pi_t> >= KL(pi_t || pi_{t-1}) / eta >= 0 in every state, as pi_t is the maximiser; then (PDL)."""
    return Integer(0)


PROVES = {
    "global convergence": rate,
    "global convergence, spread of the run": own,
    "the distance falls": descent,
    "regret identity": identity,
    "monotone improvement": monotone,
}
