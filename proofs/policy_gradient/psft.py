r"""PSFT in tables: how far a round takes the ratio, and that it only grows.

Notation. p = pi(a*|s), other probabilities q_b; a step adds z = c (e_{a*} - pi) to the logits, with c = eta d(s) ratio.
Named lemmas. (J) log sum_a pi(a) exp(z(a)) >= <pi, z>. (Q) sum_b q_b^2 <= (sum_b q_b)^2 = (1 - p)^2. (D) d(s) <= 1.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol, exp, symbols

from mdptk.algorithms.policy_gradient.psft import epsilon
from mdptk.theory.symbols import eta
from proofs.vocabulary import same


def ratio() -> Expr:
    """Until the ratio is past 1 + epsilon it is at most that; passing it adds 2 c to log p at most, (J)."""
    p, squares, c = symbols("p q2 c", nonnegative=True)
    added = c * (1 - p) - (p * c * (1 - p) - c * squares)  # z(a*) - <pi, z>
    assert same(added, c * ((1 - p) ** 2 + squares))
    most = added.subs(squares, (1 - p) ** 2).subs(p, 0)  # (Q)
    passing = most.subs(c, eta * (1 + epsilon))  # (D), and before the step the ratio is at most 1 + epsilon
    return (1 + epsilon) * exp(passing)


def growth() -> Expr:
    """z is largest at a*, so log sum pi exp(z) <= z(a*)."""
    p, q, c = Symbol("p", positive=True), Symbol("q", positive=True), Symbol("c", positive=True)
    assert same(c * (1 - p) - (-c * q), c * (1 - p + q))  # not negative, as p <= 1
    return Integer(0)


PROVES = {"ratio of a round": ratio, "what was shown becomes likelier": growth}
