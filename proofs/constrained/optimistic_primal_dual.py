r"""Optimistic primal-dual: one step (after Ding et al. 2023, rederived).

E sums over s with the occupancy of pi*, of mass 1/(1-gamma); (pi*, l*) is a saddle point of L over policies and
[0, Lambda]^m. Named lemmas. (3P) z' = Proj(z + eta g): eta g.(u - z') <= (|z - u|^2 - |z' - u|^2 - |z' - z|^2)/2.
(PDL) E<Q_t, pi* - pi_t> = L(pi*, l_t) - L(pi_t, l_t), Q_t for the reward at l_t; and g_t.(l* - l_t) is
L(pi_t, l_t) - L(pi_t, l*), as L is linear in the prices.
"""

from __future__ import annotations

from sympy import Expr, Symbol, symbols

from mdptk.algorithms.constrained.optimistic_primal_dual import distance, surprise, travel
from mdptk.theory import previous
from mdptk.theory.symbols import eta
from proofs.vocabulary import same


def one_step() -> Expr:
    """(3P) for z^_{t+1} at z*, and for z_t at z^_{t+1}, both from z^_t; then (PDL), and the saddle."""
    d, d_new, across, forth, back = symbols("d d' |z^_{t+1}-z^_t|^2 |z_t-z^_t|^2 |z^_{t+1}-z_t|^2", nonnegative=True)
    first = (d - d_new - across) / 2  # at least eta G_t.(z* - z^_{t+1})
    second = (across - back - forth) / 2  # at least eta G_{t-1}.(z^_{t+1} - z_t)
    # their left sides add up to eta G_t.(z* - z_t) - eta (G_t - G_{t-1}).(z^_{t+1} - z_t)
    policy, prices = (Symbol(x, real=True) for x in ("L(pi*,l_t) - L(pi_t,l_t)", "L(pi_t,l_t) - L(pi_t,l*)"))
    delta = Symbol("(G_t - G_{t-1}).(z^_{t+1} - z_t)", real=True)
    slack = first + second - eta * (policy + prices) + eta * delta  # not negative
    bound = d / 2 - (forth + back) / 2 - eta * (policy + prices) + eta * delta  # of d'/2
    assert same(slack + d_new / 2, bound)
    # policy + prices = L(pi*, l_t) - L(pi_t, l*) >= 0
    return previous(distance) - travel + eta * surprise


PROVES = {"one step": one_step}
