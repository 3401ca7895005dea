r"""Value iteration with the expectile of the whole target: a contraction (derived).

Named lemmas. (B) For tau >= 1/2 the expectile of a random number X is the largest mean E[w X] / E[w] with weights w in
[1 - tau, tau] (Bellini et al. 2014): a maximum of means, hence monotone, and 1-Lipschitz in the maximum norm.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol, diff, solve

from mdptk.algorithms.planning.joint_expectile_iteration import change, tau
from mdptk.theory import previous
from mdptk.theory.symbols import gamma
from proofs.vocabulary import same


def contraction() -> Expr:
    """Targets change by gamma times what Q changed, and by (B) their expectile by no more."""
    return gamma * previous(change)


def loss() -> Expr:
    """Of two values x > e > y with chances p and 1 - p: the derivative of the loss vanishes at the weighted mean."""
    x, y, e, p = Symbol("x"), Symbol("y"), Symbol("e"), Symbol("p", positive=True)
    mean_loss = tau * p * (x - e) ** 2 + (1 - tau) * (1 - p) * (y - e) ** 2
    (best,) = solve(diff(mean_loss, e), e)
    assert same(best, (tau * p * x + (1 - tau) * (1 - p) * y) / (tau * p + (1 - tau) * (1 - p)))
    return Integer(0)


def above_mean() -> Expr:
    """(B): weights that are all the same are allowed."""
    return Integer(0)


PROVES = {"contraction": contraction, "minimiser of the loss": loss, "above the mean": above_mean}
