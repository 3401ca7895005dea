r"""What a step along a direction d gains that is off the gradient g by e = d - g.

Named lemma. (DL) J(y) >= J(x) + <g, y - x> - L/2 |y - x|^2, with L = H/2 (proofs/policy_gradient/reinforce.py).
"""

from __future__ import annotations

from sympy import Expr, Symbol

from mdptk.algorithms.policy_gradient.harpg import length
from mdptk.theory import previous
from mdptk.theory.stock_sampled import direction_error, gap, gradient_before
from mdptk.theory.symbols import eta, t
from proofs.policy_gradient.reinforce import smoothness
from proofs.vocabulary import same


def ascent() -> Expr:
    """(DL) with <g, d> = (|g|^2 + |d|^2 - |e|^2) / 2."""
    g, d = Symbol("g"), Symbol("d")  # the identity in one coordinate
    assert same(g * d, (g**2 + d**2 - (d - g) ** 2) / 2)
    along = (gradient_before**2 + length**2 - direction_error**2) / 2
    step = eta / ((t - 1) + 2)  # from t - 1
    return previous(gap) - step * along + smoothness() / 2 * (step * length) ** 2


PROVES = {"ascent of a step": ascent}
