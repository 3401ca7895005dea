r"""FixPO: what holds after the fixup phase, and when it ends.

Notation. f(theta) = KL(pi || softmax(theta)) in one state; its gradient is p - pi, its Hessian diag(p) - p p'.
Named lemmas. (C) The Hessian is between 0 and 1/2: f is convex and 1/2-smooth; its minimum is 0, at the old logits.
(GD) Gradient descent with a step of at most 1/L on a convex L-smooth f: f_n - f* <= |theta_0 - theta*|^2 / (2 step n).
Logits that differ by a number are the same policy, so the distance is that of logits of mean zero.
"""

from __future__ import annotations

from sympy import Expr, Rational, Symbol, solve

from mdptk.algorithms.policy_gradient.fixpo import far, radius
from proofs.policy_gradient.trpo import by_total_variation
from proofs.vocabulary import same


def trust() -> Expr:
    """The second phase stops when no state is outside."""
    return radius


def ends() -> Expr:
    """By (GD) with step 1 <= 2 = 1/L no state is outside after n steps with far / (2 n) <= radius: the next integer."""
    L, step, n = Rational(1, 2), 1, Symbol("n", positive=True)
    assert step <= 1 / L
    (enough,) = solve(far / (2 * step * n) - radius, n)
    assert same(enough, far / (2 * radius))
    return 1 + enough


PROVES = {
    "trust region": trust,
    "the fixup phase ends": ends,
    "bound by total variation": by_total_variation,
}
