r"""OptAug-CMDP: the augmented Lagrangian as a proximal step, and what a run loses without cancellation.

Named lemmas: (FO) a point x of a convex set maximises a concave function with a continuous gradient exactly if it
maximises the linear function with the gradient at x; what policies earn and spend in a fixed model is linear in their
occupancies, a convex set. (OPT) as in proofs/constrained/opt_cmdp.py. With m constraints C, b and the prices have a
coordinate for each; the letters below are those of one of them, the penalty is their sum.
"""

from __future__ import annotations

import sympy
from sympy import Expr, Piecewise, Symbol

from mdptk.algorithms.constrained.opt_aug import PLAN, climb, fall
from mdptk.theory.stock_online import cost_error, reward_error
from mdptk.theory.symbols import eta
from proofs.vocabulary import same

lam = Symbol("lambda", nonnegative=True)
after = Symbol("lambda_next", positive=True)
R, C, b = sympy.symbols("R C b", real=True)  # what the plan earns and spends, and the budget


def proximal() -> Expr:
    """(FO): the gradient of R - [lam + eta (C - b)]_+^2 / (2 eta) is (1, -lam_next)."""
    inside = lam + eta * (C - b)
    augmented = R - inside**2 / (2 * eta)  # where the bracket is positive; else R alone, and lam_next = 0
    assert same(sympy.diff(augmented, R), 1)
    assert same(-sympy.diff(augmented, C), inside)
    return PLAN.top


def _excess() -> Expr:
    """C - b, from lam_next = lam + eta (C - b) > 0."""
    excess = sympy.solve(sympy.Eq(after, lam + eta * (C - b)), C)[0] - b
    assert same(excess, (after - lam) / eta)
    return excess


def regret() -> Expr:
    """V* <= V^_r(pi*) - lam_next . (V^_c(pi*) - b) <= V^_r,k - lam_next . (V^_c,k - b), by (OPT) and `proximal`.

    So V* - V^_r,k <= lam_next . (lam - lam_next) / eta; nothing from a constraint with lam_next = 0. V^_r,k >= V_r,k.
    """
    step = -after * _excess()
    one = Piecewise((after * (lam - after), lam > after), (0, True))  # of `fall`
    assert same(step.subs({lam: 3, after: 2}), (one / eta).subs({lam: 3, after: 2}))
    assert same(step, after * (lam - after) / eta)
    return fall / eta + reward_error


def violation() -> Expr:
    """[V_c - b]_+ <= [V^_c - b]_+ + (V_c - V^_c) by (OPT); V^_c - b <= (lam_next - lam) / eta, cut off or not.

    Both terms are of one constraint; the largest sum is at most the sum of the largest.
    """
    assert same(_excess(), (after - lam) / eta)
    return climb / eta + cost_error


PROVES = {
    "the plan is best at the next price": proximal,
    "strong regret of the run": regret,
    "strong violation of the run": violation,
}
