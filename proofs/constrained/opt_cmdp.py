r"""OptCMDP with the L1 bonus: optimism for all policies at once, the surplus of a plan, regret and violation.

Named lemmas. (W) Weissman et al. 2003: |P^ - P|_1 >= e with probability at most 2^S exp(-n e^2 / 2). (SIM) simulation:
V^pi_{g'}(P^) - V^pi_g(P) = E^pi_{P^} sum_h (g'_h - g_h + (P^ - P) V^pi_{h+1}), and the same with P and P^ exchanged.
(A) Azuma-Hoeffding. On the event of (W) at all (s, a) and n, |(P^ - P) V| <= e span(V) / 2 for every V.
"""

from __future__ import annotations

import sympy
from sympy import Expr, Integer, Symbol, exp, log, sqrt

from mdptk.theory.stock_online import cost_error, reward_error
from mdptk.theory.stock_optimistic import BOUND, RADIUS, WORST
from mdptk.theory.symbols import A, H, K, S, delta
from proofs.vocabulary import same, telescope

n = Symbol("n", integer=True, positive=True)
h = Symbol("h", integer=True, positive=True)
e = Symbol("e", nonnegative=True)  # the radius, at most 2


def _radius() -> Expr:
    """(W) at each (s, a) with the share 1 / (n (n + 1)) for each n; the shares sum to one."""
    assert sympy.limit(telescope(lambda k: 1 / (k + 1), n), n, sympy.oo) == 1
    p = delta / (S * A * n * (n + 1))
    square = 2 * (S * log(2) + log(1 / p)) / n
    assert same(2**S * exp(-n * square / 2), p)
    return sqrt(square)


def optimism() -> Expr:
    """(SIM): V^_r - V_r = E^ sum (beta + (P^ - P) V) >= 0, as V_{h+1} is in [0, H - h]; and pi* is allowed."""
    beta = (H - h) * e / 2
    assert same(beta, e * (H - h) / 2)
    return Integer(0)


def allowed() -> Expr:
    """(SIM): the planned cost of pi* is below its true cost, which is below b: the program is feasible."""
    return Integer(0)


def _span() -> Expr:
    """Of planned values at stage h + 1: rewards r + beta_j in [0, 1 + H - j], or costs c - beta_j in [-(H - j), 1]."""
    j = Symbol("j", integer=True, positive=True)
    reward = sympy.summation(1 + H - j, (j, h + 1, H))
    cost = sympy.summation(H - j, (j, h + 1, H)) + (H - h)
    assert same(reward, cost)
    assert same(reward, (H - h) * (H - h + 1) / 2)
    return reward


def surplus() -> Expr:
    """|Q^ - g - P V^| <= beta + e span / 2 = beta (H - h + 3) / 2."""
    beta = e * (H - h) / 2
    assert same(beta + e * _span() / 2, beta * (H - h + 3) / 2)
    return Integer(0)


def regret_by_errors() -> Expr:
    """V* <= V^_k, and V^_k >= V_k for the policy that is played: [V* - V_k]_+ <= V^_k - V_k in each episode."""
    return reward_error


def violation_by_errors() -> Expr:
    """V^_c <= b and V^_c <= V_c: [V_c - b]_+ <= V_c - V^_c in each episode."""
    return cost_error


def _sum() -> Expr:
    """The surpluses along the path: at most w e at each step, with w the factor at the first stage.

    Pigeonhole as for UCBVI: at most 2 H - 1 visits of each (s, a) count fewer than H before the episode, with e <= 2;
    the others have n_k >= j / 2 for the j-th, and sum_j 1/sqrt(j) <= 2 sqrt(N), sum_{s,a} sqrt(N) <= sqrt(S A H K).
    The expected sum exceeds the realised one, in [0, 2 H w], by (A) at K with p = delta / (K (K + 1)).
    """
    w = ((H - h) * (H - h + 3) / 4).subs(h, 1)
    assert same(w, WORST)
    radius = (_radius() * sqrt(n)).subs(n, K * H)
    assert same(radius, RADIUS)
    early = S * A * (2 * H - 1) * 2 * w
    late = w * radius * sqrt(2) * 2 * sqrt(S * A * H * K)
    noise = sqrt(K * (2 * H * w) ** 2 * log(K * (K + 1) / delta) / 2)
    assert same((noise / sqrt(K * log(K * (K + 1) / delta))) ** 2, (2 * H * w) ** 2 / 2)
    total = early + late + 2 * H * w * sqrt(K * log(K * (K + 1) / delta) / 2)
    assert same(total, BOUND)
    return total


PROVES = {
    "optimism": optimism,
    "the plan meets the budget": allowed,
    "surplus bound": surplus,
    "regret by errors": regret_by_errors,
    "violation by errors": violation_by_errors,
    "strong regret": _sum,
    "strong violation": _sum,
}
