r"""S2PG: REINFORCE on the product with a memory, with logits that are shared by states that look the same.

Notation of proofs/policy_gradient/reinforce.py. Actions of the product are pairs (a, z'), A Z of them. Logits belong to
(h, o, z): the score u_h of a stage lies in the block of the observation and memory that are visited, so scores of
different stages are orthogonal as before; B is block diagonal with blocks diag(pi) - pi pi^T at the visited (h, o, z),
and a block of D has weight Pr(o_h = o, z_h = z) <= 1. Nothing else of that proof looks at states.
"""

from __future__ import annotations

from sympy import Expr

from mdptk.algorithms.policy_gradient.s2pg import Z
from mdptk.theory.symbols import A, N
from proofs.policy_gradient.reinforce import ascent, second_moment, smoothness


def average_gradient() -> Expr:
    """With A Z actions; values end at most at the optimum of the model, which sees the state."""
    return ascent(smoothness(), second_moment().subs(A, A * Z) / N)


PROVES = {"average gradient": average_gradient}
