r"""ReMax: the second moment of the estimate; smoothness and ascent are those of REINFORCE.

The baseline is independent of the actions given the first state, so the estimate is unbiased. Both returns lie in
[0, H], hence (R - baseline)^2 <= H^2, and the scores of the H stages are orthogonal.
"""

from __future__ import annotations

from sympy import Expr

from mdptk.theory.symbols import A, H, N
from proofs.policy_gradient.reinforce import ascent, smoothness


def average_gradient() -> Expr:
    """E |(R - b) sum_h u_h|^2 <= H^2 sum_h E |u_h|^2."""
    score = 1 - 1 / A
    return ascent(smoothness(), H**2 * H * score / N)


PROVES = {"average gradient": average_gradient}
