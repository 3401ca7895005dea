r"""Improper mixtures: the return is 1/(1-gamma)^3-smooth in the logits of the weights, and ascends.

Named lemmas. (C) Agarwal et al. 2021, Lemma E.2: if along a line sum_a |pi'(a|s)| <= C1 and sum_a |pi''(a|s)| <= C2
then |V''| <= C2 / (1-gamma)^2 + 2 gamma C1^2 / (1-gamma)^3, for rewards in [0, 1]. (P) Popoviciu: the variance of u
under w is at most (max u - min u)^2 / 4, and (max u - min u)^2 is at most 2 |u|^2. (DL) J(y) >= J(x) + <grad J(x),
y - x> - L/2 |y - x|^2 for an L-smooth J.
"""

from __future__ import annotations

from sympy import Expr, Rational, Symbol, sqrt

from mdptk.algorithms.policy_gradient.improper_mixture import square, total_square
from mdptk.theory import initial, previous
from mdptk.theory.stock import expected_return, step_size
from mdptk.theory.symbols import gamma
from proofs.vocabulary import same


def smoothness() -> Expr:
    """Along a unit direction u: w_m' = w_m (u_m - mean), w_m'' = w_m ((u_m - mean)^2 - var); controllers sum to one."""
    variance = Rational(1, 4) * 2  # (P)
    C1 = sqrt(variance)  # mean absolute deviation, by Cauchy-Schwarz
    C2 = 2 * variance
    L = C2 / (1 - gamma) ** 2 + 2 * gamma * C1**2 / (1 - gamma) ** 3  # (C)
    assert same(L, 1 / (1 - gamma) ** 3)
    return L


def ascent() -> Expr:
    """(DL) along the gradient, with L eta <= 1."""
    L, eta, g2 = smoothness(), Symbol("eta", positive=True), Symbol("g2", nonnegative=True)
    kept = eta * g2 / 2
    assert same(eta * g2 - L * eta**2 / 2 * g2 - kept, eta * g2 / 2 * (1 - L * eta))
    return kept.subs({eta: step_size, g2: previous(square)})


def sum_of_squared_gradients() -> Expr:
    """The ascents of t steps sum to the return that was gained."""
    half = ascent() / previous(square)
    assert same(half * total_square * 2 / step_size, total_square)
    return (expected_return - initial(expected_return)) / half


PROVES = {"ascent": ascent, "sum of squared gradients": sum_of_squared_gradients}
