r"""What a wrong critic does to a policy gradient from generalised advantage estimates.

With e = v - V^pi, of which the last row is zero, the mean of the estimate at (h, s, a) is A^pi - e_h(s) + b_h(s, a)
with b = (1 - lambda) sum_{l >= 1} lambda^(l-1) E e_{h+l}: the sum of the temporal differences of V^pi alone is A^pi,
and that of e telescopes. So the bias is d_h(s) pi(a|s) (b - <pi, b>).
Named lemma. (Z) numbers pi(a) (b(a) - <pi, b>) sum to zero, and their absolute values to at most half the span of b;
so their squares sum to at most span^2 / 8.
"""

from __future__ import annotations

from sympy import Expr, Rational, Symbol, sqrt, summation

from mdptk.theory.stock_sampled import critic_error, lam
from mdptk.theory.symbols import H
from proofs.vocabulary import same


def _weights() -> Expr:
    """The weights of the k errors that are still to come sum to 1 - lambda^k (by induction on k)."""
    k = Symbol("k", integer=True, nonnegative=True)
    total = 1 - lam**k
    assert same(total.subs(k, 0), 0)
    assert same(total + (1 - lam) * lam**k, total.subs(k, k + 1))
    return total.subs(k, H - 1)  # the largest, of the first stage


def bias_of_a_wrong_critic() -> Expr:
    """(Z) at each of the H - 1 stages that have a later one; the weights d_h(s)^2 sum to at most 1."""
    span = 2 * critic_error * _weights()
    half = Symbol("half the positive part")  # (Z): positive and negative parts are span / 4 each at most
    assert same(2 * half**2, ((2 * half) ** 2 / 2))
    at_a_stage = 2 * (span / 4) ** 2
    assert same(at_a_stage, span**2 * Rational(1, 8))
    j = Symbol("j", integer=True)
    size = summation(critic_error**2 / 2, (j, 1, H - 1))  # of the squares, without the weights
    assert same(at_a_stage / _weights() ** 2, critic_error**2 / 2)
    return _weights() * critic_error * sqrt(size / critic_error**2)


PROVES = {"bias of a wrong critic": bias_of_a_wrong_critic}
