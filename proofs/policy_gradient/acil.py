r"""What a wrong critic does to the mean direction of ACIL (derived).

With s from the occupancy d, m from w, a from K_m and s' from P the mean of delta (e_m - w) is w_m (y_m - <w, y>) for
y_m = E_d E_m [r + gamma v(s') - v(s)]. With v = V^pi it is (1-gamma) times the gradient. So with e = v - V^pi the
bias is w_m (x_m - <w, x>) for x_m = gamma E_d E_m e(s'), since E_d e(s) is the same for all m.
Named lemma. (Z) numbers w_m (x_m - <w, x>) sum to zero, and their absolute values to at most half the span of x;
so their squares sum to at most span^2 / 8.
"""

from __future__ import annotations

from sympy import Expr, Symbol, sqrt

from mdptk.algorithms.policy_gradient.acil import critic_span
from mdptk.theory.symbols import gamma
from proofs.vocabulary import same


def bias_of_a_wrong_critic() -> Expr:
    """x is gamma times averages of e over next states: its span is at most gamma times that of e. Then (Z)."""
    y, at_s, w1, w2 = (Symbol(x) for x in ("y", "e(s)", "w1", "w2"))
    with_s, without = (w1 * (y - z - (w1 * (y - z) + w2 * (-z))) for z in (at_s, 0))  # two controllers, x = (y, 0)
    assert same((with_s - without).subs(w2, 1 - w1), 0)  # what the critic says of s itself has no mean
    span = gamma * critic_span
    half = span / 4  # (Z): positive and negative parts
    squares = 2 * half**2
    assert same(squares, span**2 / 8)
    return gamma * critic_span * sqrt(squares / span**2)


PROVES = {"bias of a wrong critic": bias_of_a_wrong_critic}
