r"""Leave-one-out: the variance of a U-statistic of order two; smoothness and ascent are those of REINFORCE.

Named lemma. (U) Hoeffding 1948: a U-statistic of order m from N samples has at most m / N times the variance of its
kernel.
"""

from __future__ import annotations

from sympy import Expr, symbols

from mdptk.theory.symbols import A, H, N
from proofs.policy_gradient.reinforce import ascent, smoothness
from proofs.vocabulary import same


def _symmetric() -> None:
    """N = 3: the estimate is the mean over pairs of (R_i - R_j)(u_i - u_j) / 2."""
    R, u = symbols("R:3"), symbols("u:3")
    estimate = sum((R[i] - (sum(R) - R[i]) / 2) * u[i] for i in range(3)) / 3
    pairs = [(R[i] - R[j]) * (u[i] - u[j]) / 2 for i in range(3) for j in range(i)]
    assert same(estimate, sum(pairs) / 3)


def average_gradient() -> Expr:
    """E |kernel|^2 <= H^2 / 4 E |u_i - u_j|^2 = H^2 / 2 E |u|^2, since scores have mean zero; then (U)."""
    _symmetric()
    u2 = H * (1 - 1 / A)
    kernel = H**2 / 4 * (2 * u2)
    return ascent(smoothness(), 2 / N * kernel)


PROVES = {"average gradient": average_gradient}
