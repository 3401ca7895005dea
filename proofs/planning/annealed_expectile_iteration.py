r"""Annealed expectile iteration: tracking a fixed point that moves.

Named lemmas. (C) The operator T_tau is a gamma-contraction in the maximum norm, with fixed point Q_tau. (M) Expectiles
rise with tau, and e_tau is monotone, so Q_tau >= Q_{1/2}, the values of the uniform policy. (B) An expectile is at most
the largest value: |T_tau Q| <= |r| + gamma |Q|.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol

from mdptk.algorithms.planning.annealed_expectile_iteration import bounded, error, moved
from mdptk.theory import previous
from mdptk.theory.symbols import gamma
from proofs.vocabulary import geometric, same


def tracking() -> Expr:
    """|T_t Q_{t-1} - Q_{tau_t}| <= gamma |Q_{t-1} - Q_{tau_t}| by (C), then the triangle inequality."""
    return gamma * (previous(error) + moved)


def optimism() -> Expr:
    """(M)."""
    return Integer(0)


def in_range() -> Expr:
    """From zero, (B) again and again: the sum of gamma^k |r|."""
    r = Symbol("|r|", nonnegative=True)
    total = r * geometric(gamma)
    assert same(r + gamma * total, total)
    return bounded


PROVES = {
    "tracking": tracking,
    "optimistic limits": optimism,
    "values stay in range": in_range,
}
