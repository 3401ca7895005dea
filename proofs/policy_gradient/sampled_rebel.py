r"""REBEL from pairs: the regret of Hedge, and what the regression misses (derived).

Named lemma. (H) Hedge: for numbers w_k in an interval of length c_k, from the uniform distribution and with steps eta,
sum_{k<t} <p - p_k, w_k> <= log(A) / eta + eta / 8 sum_{k<t} c_k^2 (Hoeffding's lemma), for p at one arm.
"""

from __future__ import annotations

from sympy import Expr, Symbol, log

from mdptk.algorithms.policy_gradient.sampled_rebel import average_missed, average_span
from mdptk.theory.symbols import A, eta, t
from proofs.vocabulary import same


def regret() -> Expr:
    """(H) at the best arm, with r = w + (r - w); over t."""
    r, w = Symbol("r"), Symbol("w")
    assert same(r, w + (r - w))
    hedge = log(A) / eta + eta / 8 * t * average_span
    return (hedge / t).expand() + average_missed


PROVES = {"regret of each run": regret}
