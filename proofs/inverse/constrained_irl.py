r"""Constrained inverse RL: the game as divergence and slack, and how fast it is descended.

Named lemmas (SPD) and (GD), and the smoothness, as in proofs/inverse/mce_icrl.py, for the features phi and -c together.
"""

from __future__ import annotations

import sympy
from sympy import Expr

from mdptk.algorithms.inverse.constrained_irl import game, hidden_square, slack
from mdptk.theory import previous
from mdptk.theory.stock import step_size
from mdptk.theory.stock_inverse import divergence
from mdptk.theory.symbols import t
from proofs.vocabulary import same


def certificate() -> Expr:
    """(SPD) for the reward w phi - xi c: what its optimum exceeds the expert's return by; the budgets are left over."""
    V, F, C, b, xi, H = sympy.symbols("V F C b xi H", real=True)  # of the expert: w phi, c, and tau times entropy
    G = V + xi * b - (F + H)  # V: the soft optimal value of w phi - xi c
    kl = V - (F + H - xi * C)
    assert same(G, kl + xi * (b - C))
    return divergence + slack


def rate() -> Expr:
    """(GD) from zero against the expert's own weights and multipliers, where both terms are zero."""
    return hidden_square / (2 * step_size * t)


def descent() -> Expr:
    """(GD)."""
    return previous(game)


PROVES = {
    "game value as divergence and slack": certificate,
    "the expert is explained": rate,
    "descent": descent,
}
