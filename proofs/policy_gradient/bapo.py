r"""BAPO: raising a bound never lowers the share of good samples (derived).

With P the push of good samples that are not clipped and N that of bad ones the share is P / (P + N). Raising c_+ adds
to P, raising c_- takes from N; neither does anything to the other.
"""

from __future__ import annotations

from sympy import Expr, Symbol

from mdptk.algorithms.policy_gradient.bapo import share
from proofs.vocabulary import same

P, N = Symbol("P", positive=True), Symbol("N", positive=True)
more = Symbol("more", nonnegative=True)


def no_interval_before_it_would_do() -> Expr:
    """The intervals are in order, and so are their shares; the loop went on at the last one before."""
    after_high, after_low = (P + more) / (P + more + N), P / (P + N - more)
    assert same(after_high - P / (P + N), N * more / ((P + N) * (P + N + more)))
    assert same(after_low - P / (P + N), P * more / ((P + N) * (P + N - more)))
    assert (N * more / ((P + N) * (P + N + more))).is_nonnegative
    return share


PROVES = {"no interval before it would do": no_interval_before_it_would_do}
