r"""Taking what is sampled least: how far frequencies can be from probabilities (derived).

In one state, after n actions, let off(a) = n(a) - n pi(a); the sum over actions is zero, as both parts sum to n.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol

from mdptk.theory.symbols import A
from proofs.vocabulary import same


def excess() -> Expr:
    """Only an action with off(a) <= 0 is taken (the least of numbers with sum zero), and then it rises to at most 1."""
    off, p = Symbol("off", nonpositive=True), Symbol("pi", nonnegative=True)
    rise = 1 - p  # n(a) + 1 - (n + 1) pi(a) - (n(a) - n pi(a))
    largest = (off + rise).subs(off, 0).subs(p, 0)
    assert same(largest, 1)  # an action that is not taken falls
    return Integer(largest)


def lack() -> Expr:
    """What one action lacks the others have too much of: at most 1 each, by the line above."""
    return (A - 1) * excess()


PROVES = {"no action is taken too often": excess, "no action is forgotten": lack}
