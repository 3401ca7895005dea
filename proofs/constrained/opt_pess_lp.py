r"""OptPess-LP: pessimistic costs are safe, and a raised bonus keeps the reward optimistic (after Liu et al. 2021).

Named lemmas, on the event of proofs/constrained/opt_cmdp.py: (SIM) V^pi_{g + beta}(P^) lies between V^pi_g(P) and
V^pi_g(P) + 2 B(pi), with B(pi) = V^pi_beta(P^). (MIX) what policies earn and spend in P^ is linear in
their occupancies.
"""

from __future__ import annotations

import sympy
from sympy import Expr, Integer, Symbol

from mdptk.algorithms.constrained.opt_pess_lp import free_error
from mdptk.theory.symbols import H
from proofs.vocabulary import same

xi = Symbol("xi", positive=True)  # the least slack of the safe policy
Bs = Symbol("B_s", nonnegative=True)  # B of the safe policy
Bo = Symbol("B_o", nonnegative=True)  # B of the optimal policy


def no_violation() -> Expr:
    """(SIM): the true cost is at most the pessimistic one, which is at most b; the safe policy is safe by itself."""
    return Integer(0)


def promise() -> Expr:
    """A mixture of the optimal with the safe policy is allowed and promised V*; the best allowed one is promised more.

    With the share a of the optimal policy, each pessimistic cost is at most (1 - a)(b - xi + 2 B_s) + a (b + 2 B_o).
    """
    b, V = sympy.symbols("b V", nonnegative=True)
    a = (xi - 2 * Bs) / (xi - 2 * Bs + 2 * Bo)
    cost = (1 - a) * (b - xi + 2 * Bs) + a * (b + 2 * Bo)
    assert same(cost, b)  # and 0 < a <= 1, as 2 B_s < xi when the program is solved
    factor = 1 + 2 * H / xi
    # (SIM): V^_{r + factor beta} >= V_r + (factor - 1) B, for both; V_r(pi_s) >= 0
    promised = a * (V + (factor - 1) * Bo) + (1 - a) * (factor - 1) * Bs
    least = sympy.simplify((promised - V) * (xi - 2 * Bs + 2 * Bo))
    assert same(least, 2 * Bo * (H - V))  # V* <= H: not negative
    return free_error


PROVES = {"no violation": no_violation, "regret by errors": promise}
