r"""The actor with lambda = 1: its second moment is at most that of REINFORCE, and so is all the rest.

With rewards in [0, 1] and beta at most 1 the critic stays in [0, k] where k stages are left: a lambda return is a
convex combination of sums of at most k rewards and values, and the update one of the old value and such returns (the
visits of a state are at most N). Hence |G_h - v_h(s_h)| <= k, as |G_h| <= k. The critic is made from earlier episodes,
so it is a baseline.
"""

from __future__ import annotations

from sympy import Expr, Symbol

from mdptk.theory.symbols import N
from proofs.policy_gradient.reinforce import ascent, second_moment, smoothness
from proofs.vocabulary import same


def average_gradient() -> Expr:
    """(G - v)^2 is largest at an end of [0, k] x [0, k], where it is k^2 at most."""
    k = Symbol("k", positive=True)
    assert same(max((g - v) ** 2 for g in (0, k) for v in (0, k)), k**2)
    return ascent(smoothness(), second_moment() / N)


PROVES = {"average gradient": average_gradient}
