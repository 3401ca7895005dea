r"""OptPess-PrimalDual: the regret and the violation of a run (after Liu et al. 2021, rederived).

e_k = eps/sqrt(k+1), h_k = eta sqrt(k+1), p_k = l_k/h_k, m_k = V^_c - b + e_k. Named lemmas, on the event of
proofs/constrained/opt_cmdp.py: (SIM) and (B) as in proofs/constrained/opt_dual.py. (MIX) a mixture of pi* with the
share e_k/xi of a policy with the slack xi >= eps spends at most b - e_k, and earns at least V* - H e_k/xi.
"""

from __future__ import annotations

from sympy import Expr, Symbol, diff, limit, oo, sqrt, symbols

from mdptk.algorithms.constrained.opt_pess_primal_dual import PLAN, eps, scaled_miss, xi
from mdptk.theory.stock_online import cost_error, reward_error
from mdptk.theory.stock_prices import largest_price
from mdptk.theory.symbols import H, K
from proofs.vocabulary import same

x = Symbol("x", positive=True)


def _roots() -> tuple[Expr, Expr]:
    """Bounds on the sum over k < K of 1/sqrt(k+1): its integrals over [1, K + 1] and [0, K], as it falls."""
    above, below = 2 * sqrt(x), 2 * (sqrt(x + 1) - 1)
    assert same(diff(above, x), 1 / sqrt(x))
    assert same(diff(below, x), 1 / sqrt(x + 1))
    assert limit(above, x, 0) == 0
    assert limit(below, x, 0) == 0
    assert limit(above / below, x, oo) == 1
    return below.subs(x, K), above.subs(x, K)


def best() -> Expr:
    """(B)."""
    return PLAN.top


def regret() -> Expr:
    """(B) at the mixture, (SIM), (MIX): V* - V^_r <= H e_k/xi - p_k m_k, and the squares of l_k over 2 h_k.

    l_{k+1}^2 <= l_k^2 + 2 l_k m_k + m_k^2, so -p_k m_k <= (l_k^2 - l_{k+1}^2 + m_k^2)/(2 h_k). By parts the first two
    sum to at most l_0^2/(2 h_0) = 0, as 1/h_k falls.
    """
    lam, miss, scale = symbols("lambda m h", positive=True)
    after = (lam + miss) ** 2
    assert same((lam**2 - after + miss**2) / (2 * scale), -lam / scale * miss)
    _, above = _roots()
    return scaled_miss + H * eps / xi * above + reward_error


def violation() -> Expr:
    """l_{k+1} >= l_k + V^_c - b + e_k: summed, V^_c - b is at most l_K less the sum of the e_k; then the error."""
    below, _ = _roots()
    return largest_price - eps * below + cost_error


PROVES = {"the plan is best at its price": best, "regret of the run": regret, "violation of the run": violation}
