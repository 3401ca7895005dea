r"""Shapley's iteration: convergence, and what its strategies can lose.

Named lemmas. (V) |val(R) - val(Q)| <= max |R - Q| (von Neumann's minimax theorem and monotony). So (C) T is a
gamma-contraction in the maximum norm; and with one strategy fixed, T_x v = min_y of the stage payoffs and
T_y v = max_x of them are gamma-contractions, whose fixed points are min_y V^{x,y} and max_x V^{x,y}. (S) Shapley: the
fixed point of T is the value. (G) If x, y are optimal in the stage games at v, T_x v = T v = T_y v.
"""

from __future__ import annotations

from sympy import Expr, Symbol

from mdptk.algorithms.games.shapley_iteration import change
from mdptk.theory import previous
from mdptk.theory.stock import value_error
from mdptk.theory.symbols import dt, gamma
from proofs.planning.value_iteration import convergence
from proofs.vocabulary import induction, same


def contraction() -> Expr:
    """(C) with V* = T V* by (S), as often as there are steps between two records."""
    return induction(previous(value_error), gamma, dt)


def duality_gap() -> Expr:
    r"""Let v' = T v, x and y optimal at v, d = ||v' - v||, W = min_y V^{x,y} and e = ||W - v'||.

    By (G) v' = T_x v, so e = ||T_x W - T_x v|| <= gamma ||W - v|| <= gamma (e + d), which is solved for e. The same for
    y, and the gap is at most the sum of the two distances from v'.
    """
    e, d = Symbol("e", nonnegative=True), Symbol("d", nonnegative=True)
    distance = gamma / (1 - gamma) * d
    assert same((gamma * (e + d)).subs(e, distance), distance)  # the fixed point; e - gamma e increases in e
    return 2 * distance.subs(d, change)


PROVES = {"contraction": contraction, "convergence": convergence, "duality gap": duality_gap}
