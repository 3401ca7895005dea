r"""Normalised softmax policy gradient: curvature below the gradient, ascent, linear rate (after Mei et al. 2021).

Notation. y a direction in the logits, |y| = 1; a prime is a derivative along it, g(s, .) the gradient in state s,
M = (I - gamma P_pi)^{-1}, so rho' M = d / (1 - gamma).
Named lemmas. (V'') V'' = M [sum_a pi'' Q + 2 gamma sum_a pi' P V'] and V' = M sum_a pi' Q, from V = sum_a pi (r +
gamma P V). (PG) g(s, a) = d(s) pi(a|s) A(s, a) / (1 - gamma). (D) d >= (1 - gamma) rho. (C) The occupancy of every
policy, of one that changes after a step too, is at most C rho. (NL) is Lemma 8 of Mei et al. 2020, see
``proofs/policy_gradient/softmax_pg.py``. (G) Gronwall: |f'| <= x f gives f(z) <= exp(x z) f(0).
"""

from __future__ import annotations

from sympy import Expr, Rational, Symbol, exp, integrate, log, simplify, solve, sqrt, symbols

from mdptk.algorithms.policy_gradient.normalised_softmax_pg import L, length
from mdptk.theory import initial, previous
from mdptk.theory.stock import mismatch, suboptimality
from mdptk.theory.stock_policy import gradient_norm, least
from mdptk.theory.symbols import S, gamma, t
from proofs.policy_gradient.softmax_pg import lojasiewicz
from proofs.vocabulary import induction, same


def curvature(C: Expr) -> Expr:
    """|V''(rho)| <= L |g|: two terms of (V''), the first of one state, the second from state to state."""
    # first: sum_a pi'' Q = sum_a pi A (y_a - ybar)^2, of which sum_a g (y_a^2 - 2 y_a ybar) is left, |ybar| <= |y|
    first = 1 + 2
    # second: 2 gamma E_d sum |pi'| P |V'|, where sum_a |pi'| <= sd(y) <= range(y) / 2 <= |y| / sqrt(2), and
    # |sum_a pi' Q| = |<pi A, y>| <= (1 - gamma) |g(s)| |y(s)| / d(s) by (PG): in sum the largest nu / d times |g| |y|
    # where nu = gamma d' P_q M for a policy q
    spread = 1 / sqrt(2)
    first_step = C / (1 - gamma) - 1  # gamma rho' P_q M: visits later than the start, by (C), over rho
    nu_over_d = C * first_step / (1 - gamma)  # d <= C rho in front, (D) below
    return first + 2 * spread * nu_over_d


def ascent() -> Expr:
    """A step of length eta along the unit gradient; on its way the gradient is at most exp(x z) as large, x = eta L."""
    x, z = symbols("x z", positive=True)
    lost = integrate((1 - z) * x**2 * exp(x * z), (z, 0, 1))  # Taylor with curvature L |g| eta^2, in units of |g| / L
    assert simplify(lost - (exp(x) - 1 - x)) == 0
    gain = x - (exp(x) - 1 - x)
    return gain.subs(x, length * L) / L * previous(gradient_norm)


def longest() -> Expr:
    """The best x: log 2."""
    x = Symbol("x", positive=True)
    (best,) = solve((1 + 2 * x - exp(x)).diff(x), x)
    assert best == log(2)
    return best


def convergence() -> Expr:
    """Ascent with that step, then (NL): the gap loses a fraction in every step."""
    C = Symbol("C", positive=True)
    assert same(curvature(C), 3 + sqrt(2) * C * (C - 1 + gamma) / (1 - gamma) ** 2)
    gain = ascent().subs(length, longest() / L) / previous(gradient_norm)
    assert same(gain, (2 * log(2) - 1) / L)
    factor = (1 - gamma) / mismatch * least / sqrt(S)  # (NL) with (D); the chances so far are at least `least`
    fraction = gain * factor
    assert (2 * log(2) - 1) / 3 < Rational(1, 2)  # below 1 as L >= 3 and mismatch >= 1
    return induction(initial(suboptimality), 1 - fraction, t)


PROVES = {
    "linear convergence": convergence,
    "ascent": ascent,
    "non-uniform Lojasiewicz inequality": lojasiewicz,
}
