r"""Robust value iteration: the proofs of value iteration, whose lemmas hold for every rectangular ambiguity set.

Write T_{pi,P} for the operator of one policy and one kernel, T_pi = min_P T_{pi,P} and T = max_pi T_pi.
Named lemmas. (C) |min_P f(P) - min_P g(P)| <= max_P |f(P) - g(P)|, and the same for max; each T_{pi,P} is a
gamma-contraction in the maximum norm, hence so are T_pi and T. (M) Minima and maxima of monotone maps are monotone, and
T(v + c 1) = T v + gamma c 1 as every row of every kernel sums to one. (G) T_pi v = T v for pi greedy in v. (F) The
fixed point of T_pi is the value of pi in its worst kernel, that of T is V*: rectangular sets (Iyengar 2005, Nilim and
El Ghaoui 2005). With these T, T_pi in place of those of one kernel, nothing changes.
"""

from __future__ import annotations

from sympy import Expr

from mdptk.algorithms.robust.robust_value_iteration import last_change
from mdptk.theory import previous
from mdptk.theory.stock import value_error
from mdptk.theory.symbols import dt, gamma
from proofs.planning.value_iteration import convergence, greedy_loss
from proofs.vocabulary import geometric, induction


def contraction() -> Expr:
    """(C) with V* = T V*, as often as there are steps between two records."""
    return induction(previous(value_error), gamma, dt)


def stopping_rule() -> Expr:
    r"""V* - v_t = sum_{k >= 1} (T^k v_t - T^{k-1} v_t), and (M) bounds term k by gamma^k max(v_t - v_{t-1})."""
    return gamma * geometric(gamma) * last_change


PROVES = {
    "contraction": contraction,
    "convergence": convergence,
    "stopping rule": stopping_rule,
    "greedy loss": greedy_loss,
}
