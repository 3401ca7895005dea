r"""Multiplicative weights against itself: regrets, averages, and the divergence of the last iterates.

Named lemmas. (H) Hoeffding: log E e^{eta X} <= eta E X + eta^2 span(X)^2 / 8. (J) Jensen: log E e^{eta X} >= eta E X.
(N) For an equilibrium that plays everything, (R y*)_a = v = (x*' R)_b for all a and b, so x*' R y = v = x' R y*.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol, log

from mdptk.algorithms.games.multiplicative_weights import divergence, payoff_span, regret_x, regret_y
from mdptk.theory import previous
from mdptk.theory.symbols import A, B, eta, t
from proofs.vocabulary import same


def regret(n: Expr) -> Expr:
    r"""With W_k the sum of the weights e^{eta G_k(a)} of the gains G_k up to k: W_0 = n and W_t >= e^{eta max G_t}.

    log W_{k+1}/W_k = log E_{x_k} e^{eta g_k} <= eta x_k g_k + eta^2 span^2 / 8 by (H), so
    eta max G_t - log n <= eta sum_k x_k g_k + t eta^2 span^2 / 8. Divide by eta.
    """
    best, earned = Symbol("best"), Symbol("earned")
    above = log(n) + eta * earned + t * eta**2 * payoff_span**2 / 8
    bound = (above / eta - earned).expand()
    assert same(eta * (bound + earned), above)  # eta best <= above
    del best
    return log(n) / eta + eta * t * payoff_span**2 / 8


def identity() -> Expr:
    """t gap = max sum R y - min sum x R, and the sum of payoffs played is added and taken away."""
    high, low, played = Symbol("high"), Symbol("low"), Symbol("played")
    assert same((high - played) + (played - low), high - low)
    return (regret_x + regret_y) / t


def average() -> Expr:
    """The identity, with a bound on each regret."""
    return identity().subs({regret_x: regret(A), regret_y: regret(B)}).expand()


def outward() -> Expr:
    r"""The divergence changes by log Z_x - eta x*' R y + log Z_y + eta x' R y*.

    log Z_x = log E_x e^{eta (R y)} >= eta x' R y and log Z_y >= -eta x' R y by (J), and (N) cancels the rest.
    """
    played, v = Symbol("played"), Symbol("v")
    change = (eta * played - eta * v) + (-eta * played + eta * v)
    assert same(change, 0)
    return previous(divergence) + Integer(0)


PROVES = {
    "regret of the first player": lambda: regret(A),
    "regret of the second player": lambda: regret(B),
    "average gap is mean regret": identity,
    "average strategies": average,
    "last iterates move outward": outward,
}
