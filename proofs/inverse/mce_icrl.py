r"""Inverse constrained RL by maximum causal entropy: the dual is the likelihood, and how fast it is descended.

Named lemmas. (SPD) soft performance difference: V*_tau - V^pi_tau = tau / (1 - gamma) E_{d^pi} KL(pi | pi*), for the
soft optimal pi*, log pi* = (Q* - V*) / tau. (SOFT) the soft optimal Q is 1/(1 - gamma)-Lipschitz in the reward, maximum
norms. (SM) the softmax is 1-Lipschitz from the maximum norm to the L1 norm. (PDL) performance difference. (GD)
projected gradient descent with steps eta <= 1/L_2 on a convex L_2-smooth f: f(x_t) - f(x) <= |x - x_0|^2 / (2 eta t),
and f does not rise. (CO) for f convex and L-smooth in a norm, |grad f|_*^2 <= 2 L (f - min f).
"""

from __future__ import annotations

import sympy
from sympy import Expr, Symbol

from mdptk.algorithms.inverse.mce_icrl import L, hidden
from mdptk.theory import previous
from mdptk.theory.stock import step_size
from mdptk.theory.stock_inverse import divergence
from mdptk.theory.symbols import gamma, t
from proofs.vocabulary import same

phi, span, tau = sympy.symbols("phi span tau", positive=True)


def likelihood() -> Expr:
    """(SPD) for the reward r - lambda phi and the expert: V* - V^E = D - (V_r^E + tau H)."""
    D, R, lam, F = sympy.symbols("D R lambda F", real=True)  # R: the expert's return with entropy, F: its features
    best = D - lam * F  # V*_tau(r - lambda phi) = D(lambda) - lambda V_phi^E
    expert = R - lam * F
    assert same(best - expert, D - R)
    return divergence


def smoothness() -> Expr:
    """Of the gradient, in the maximum norm, for a change of lambda of L1 norm one."""
    change_of_Q = phi / (1 - gamma)  # (SOFT)
    change_of_pi = change_of_Q / tau  # (SM), L1 in each state
    change_of_V = change_of_pi * span / (1 - gamma) / 2 / (1 - gamma)  # (PDL): half the span of Q_phi, summed
    assert same(change_of_V, phi * span / (2 * tau * (1 - gamma) ** 3))
    return change_of_V


def rate() -> Expr:
    """(GD) from zero, against the expert's own prices, where D is the expert's return by `likelihood`.

    The Euclidean constant: |x|_2 <= sqrt(n) |x|_inf and |x|_1 <= sqrt(n) |x|_2, so it is n times `smoothness`.
    """
    n = Symbol("n", positive=True)
    assert same(sympy.sqrt(n) * smoothness() * sympy.sqrt(n), n * smoothness())
    return hidden**2 / (2 * step_size * t)


def descent() -> Expr:
    """(GD)."""
    return previous(divergence)


def match() -> Expr:
    """(CO): the gradient is V_phi^E - V_phi, L1 and maximum norm are dual, and the least value of D is the expert's."""
    return 2 * L * divergence


PROVES = {
    "the dual is the likelihood": likelihood,
    "the expert is found": rate,
    "descent": descent,
    "features match": match,
}
