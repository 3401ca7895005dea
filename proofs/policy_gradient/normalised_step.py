r"""What a step of fixed length gains along a direction d that is off the gradient g by e = d - g.

Named lemmas. (DL) J(y) >= J(x) + <g, y - x> - L/2 |y - x|^2, with L = H/2 (proofs/policy_gradient/reinforce.py).
(CS) <e, u> <= |e| for a unit vector u. (T) |d| >= |g| - |e|.
"""

from __future__ import annotations

from sympy import Expr, Symbol

from mdptk.theory import previous
from mdptk.theory.stock_sampled import direction_error, gap, gradient_before
from mdptk.theory.symbols import eta, t
from proofs.policy_gradient.reinforce import smoothness
from proofs.vocabulary import same


def ascent_of_a_normalised_step() -> Expr:
    """With u = d / |d|: <g, u> = |d| - <e, u>, at least |g| - 2 |e|. With d = 0 nothing moves, and |g| = |e|."""
    g, e, d = gradient_before, direction_error, Symbol("|d|", nonnegative=True)
    along = (d - e).subs(d, g - e)
    assert same(along, g - 2 * e)
    assert same((g - 2 * e).subs(g, e), -e)  # the case d = 0: no gain is asked for
    length = eta / ((t - 1) + 2)  # the step from t - 1
    return previous(gap) - length * along + smoothness() / 2 * length**2


PROVES = {"ascent of a normalised step": ascent_of_a_normalised_step}
