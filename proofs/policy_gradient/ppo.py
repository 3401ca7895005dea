r"""PPO, tabular: what a positive surrogate says (mirror learning, Kuba et al. 2022, without its maximum).

Named lemmas. (D) The drift f of clipping is (rho - clip(rho)) A where that is positive, else zero: not negative, and
zero at rho = 1; E_pi [rho A] = <p, A^pi>, E_pi A^pi = 0. (PDL) V^p(s) - V^pi(s) = sum_s' d^p_s(s') <p, A^pi>(s') /
(1 - gamma). (H) A step of the ascent is taken only where the surrogate of its state does not fall.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol, symbols

from mdptk.theory import initial
from mdptk.theory.stock import policy_error
from mdptk.theory.stock_surrogates import paid_drift, shrunk, surrogate_gain
from mdptk.theory.symbols import gamma
from proofs.vocabulary import same


def ascent() -> Expr:
    """At p = pi the surrogate is <pi, A^pi> - f(1, A) = 0 by (D); by (H) it is not less at the end."""
    return Integer(0)


def monotone() -> Expr:
    """<p, A>(s) = surrogate + drift >= 0 in every state, by the line above and (D); then (PDL) from every state."""
    surrogate, drift = Symbol("surrogate", nonnegative=True), Symbol("drift", nonnegative=True)
    first_order = surrogate + drift
    assert first_order.is_nonnegative
    return Integer(0)


def gain() -> Expr:
    """(PDL): the gain is <p, A> = surrogate + drift over d^p / (1 - gamma), and no surrogate is negative."""
    surrogate, drift = Symbol("surrogate", nonnegative=True), Symbol("drift", nonnegative=True)
    assert (surrogate + drift - drift).is_nonnegative
    return paid_drift + 0


def contraction() -> Expr:
    """T V^pi - V^pi = max_a A^pi >= 0, and V^p >= V^pi + <p, A^pi> by (PDL), all states having <p, A^pi> >= 0.

    So V* - V^p <= V* - V^pi - c (T V^pi - V^pi) = (1 - c) (V* - V^pi) + c (T V* - T V^pi), and T contracts by gamma.
    """
    v, tv, star, c = symbols("V TV star c")
    assert same(star - v - c * (tv - v), (1 - c) * (star - v) + c * (star - tv))
    error = Symbol("error", nonnegative=True)
    assert same((1 - c) * error + c * gamma * error, (1 - (1 - gamma) * c) * error)  # one step; then by induction
    return shrunk * initial(policy_error)


def pessimism() -> Expr:
    """The surrogate, the first-order gain less the drift, is not negative where pi goes."""
    drift = surrogate_gain - Symbol("surrogate", nonnegative=True)  # at most what it is at surrogate = 0
    bound = drift.subs(Symbol("surrogate", nonnegative=True), 0)
    assert same(bound, surrogate_gain)
    return bound


PROVES = {
    "monotone improvement": monotone,
    "improvement by the drift": gain,
    "contraction by shares": contraction,
    "surrogate ascent": ascent,
    "pessimistic surrogate": pessimism,
}
