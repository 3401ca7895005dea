r"""Value iteration: convergence, the stopping rule and the loss of the greedy policy.

Named lemmas. (C) T and every T_pi are gamma-contractions in the maximum norm. (M) T and T_pi are monotone and
T(v + c 1) = T v + gamma c 1. (G) T_pi v = T v for pi greedy in v.
"""

from __future__ import annotations

from sympy import Expr, Symbol

from mdptk.algorithms.planning.value_iteration import last_change, residual
from mdptk.theory import initial, previous
from mdptk.theory.stock import value_error
from mdptk.theory.symbols import dt, gamma, t
from proofs.vocabulary import geometric, induction, same


def contraction() -> Expr:
    """(C) with V* = T V*, in each of the steps between two records."""
    return induction(previous(value_error), gamma, dt)


def residual_falls() -> Expr:
    """(C) for T v_t - v_t = T v_t - T v_{t-1}, the residual before, in every step."""
    return induction(initial(residual), gamma, t)


def convergence() -> Expr:
    """(C) with V* = T V* in every step."""
    return induction(initial(value_error), gamma, t)


def stopping_rule() -> Expr:
    r"""V* - v_t = sum_{k >= 1} (T^k v_t - T^{k-1} v_t), and (M) bounds term k by gamma^k max(v_t - v_{t-1}).

    Here v_t = T v_{t-1}, so T^k v_t - T^{k-1} v_t = T^k v_t - T^k v_{t-1} <= gamma^k max(v_t - v_{t-1}).
    """
    return gamma * geometric(gamma) * last_change


def greedy_loss() -> Expr:
    r"""x = ||V* - V^pi|| <= ||T V* - T_pi v|| + ||T_pi v - T_pi V^pi|| with T_pi v = T v by (G).

    (C) gives x <= gamma e + gamma (e + x) with e = ||v - V*||, which is solved for x.
    """
    e = value_error
    x = Symbol("x", nonnegative=True)
    loss = 2 * gamma / (1 - gamma) * e
    assert same((gamma * e + gamma * (e + x)).subs(x, loss), loss)  # the fixed point; x - gamma x increases in x
    return loss


PROVES = {
    "contraction": contraction,
    "convergence": convergence,
    "residual": residual_falls,
    "stopping rule": stopping_rule,
    "greedy loss": greedy_loss,
}
