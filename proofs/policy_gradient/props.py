r"""What an objective that is not lowered says about the behaviour policy of PROPS (derived).

In one state, with frequencies p_a = n_a / n_s and ratios rho = pi_phi / pi_theta, the objective is
L = sum_a p_a min(-rho_a, -clip(rho_a, 1-epsilon, 1+epsilon)) - lambda KL, and L >= -1, its value at rho = 1.
"""

from __future__ import annotations

from sympy import Expr, Integer, Max, Min, Rational, Symbol, solve

from mdptk.algorithms.policy_gradient.props import epsilon, lam
from proofs.vocabulary import same

rho = Symbol("rho", positive=True)
p = Symbol("p", nonnegative=True)
KL = Symbol("KL", nonnegative=True)


def _minimum() -> Expr:
    """min(-rho, -clip(rho)) = -max(rho, 1 - epsilon): below, inside and above the interval, and at its ends."""
    clipped = Min(-rho, -Min(Max(rho, 1 - epsilon), 1 + epsilon))
    for e in (Rational(1, 10), Rational(1, 2)):
        for at in (e / 2, 1 - e, 1, 1 + e, 3):
            assert same(clipped.subs({epsilon: e, rho: at}), -Max(rho, 1 - epsilon).subs({epsilon: e, rho: at}))
    return -Max(rho, 1 - epsilon)


def trust_region() -> Expr:
    """The maximum is at least 1 - epsilon and the p_a sum to one: -1 <= L <= -(1 - epsilon) - lambda KL."""
    most = _minimum().subs(Max(rho, 1 - epsilon), 1 - epsilon) - lam * KL
    (largest,) = solve(most - (-1), KL)
    return largest


def no_likelier_data() -> Expr:
    """The maximum is at least rho: sum_a p_a rho_a <= -L - lambda KL <= 1 - lambda KL, and the p_a sum to one."""
    mean = Symbol("sum of p rho")
    most = -mean - lam * KL
    (largest,) = solve(most - (-1), mean)
    assert same(largest, 1 - lam * KL)
    return Integer(largest.subs(KL, 0) - 1)


PROVES = {"trust region of the behaviour policy": trust_region, "no likelier data": no_likelier_data}
