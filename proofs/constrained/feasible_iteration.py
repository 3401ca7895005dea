r"""The feasibility operator F: Q -> (1-g) h + g max{h, max_{s'} min_{a'} Q}, from Q_0 = h; v = min_a Q.

K is the largest set of states with an action of h <= 0 that surely stays in K. Named lemmas.
(N) max and min are nonexpansive in the maximum norm. (R) The states outside of K have ranks 0, 1, ... without gaps:
in one of rank n every action has h > 0 or may lead to one of rank below n, and at rank 0 all have h > 0.
"""

from __future__ import annotations

from sympy import Expr, Integer, Max, Symbol, symbols

from mdptk.algorithms.constrained.feasible_iteration import error, left
from mdptk.theory import initial, previous
from mdptk.theory.symbols import dt, gamma, t
from proofs.vocabulary import induction, same


def contraction() -> Expr:
    """(N), with the factor gamma in front of all that depends on Q; over dt steps."""
    return induction(previous(error), gamma, t).subs(t, dt)


def convergence() -> Expr:
    """The same from the start on."""
    return induction(initial(error), gamma, t)


def called_safe() -> Expr:
    """At s in K the action that stays has Q_0 = h <= 0, and (1-g) h + g max{h, v} <= 0 where h <= 0 and v <= 0 in K."""
    h, v = symbols("h v", nonpositive=True)
    assert Max(0, Max(h, v)) == 0  # max{h, v} <= 0
    return Integer(0)


def found() -> Expr:
    """At rank n <= t: v_t >= g^n h_+ - (1 - g^n) h_-, which the assumption makes positive, since n <= S - 1."""
    n = Symbol("n", integer=True, positive=True)
    plus, minus = symbols("h_+ h_-", nonnegative=True)
    low = lambda k: gamma**k * plus - (1 - gamma**k) * minus  # noqa: E731
    assert same(low(0), plus)  # rank 0: Q_t(s, a) >= h >= h_+, at t = 0 and after
    assert same(-(1 - gamma) * minus + gamma * low(n - 1), low(n))  # one rank more; an action with h > 0 has Q >= h_+
    # by (R) the ranks 0 .. t hold t + 1 states or all of those outside of K: what is left is at most S - (t + 1)
    return left


PROVES = {
    "contraction": contraction,
    "convergence": convergence,
    "safe states are called safe": called_safe,
    "unsafe states are found": found,
}
