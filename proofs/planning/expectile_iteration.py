r"""Value iteration with expectiles: a contraction whose limit is the value of a policy (derived).

Named lemmas. (B) For tau >= 1/2 the expectile is the largest mean with weights in [1 - tau, tau], up to a factor
(Bellini et al. 2014), so a maximum of means; hence monotone, and 1-Lipschitz in the maximum norm. (PI) So the fixed
point is the value of a policy, the best whose probabilities in a state differ by a factor of tau / (1 - tau) at most.
(PDL) V* - V^pi = 1/(1-gamma) E_{d^pi} sum_a pi(a) (V* - Q*)(., a), d normalised to one.
"""

from __future__ import annotations

from sympy import Expr, Integer, Rational

from mdptk.algorithms.planning.expectile_iteration import change, error, others, tau
from mdptk.theory import initial, previous
from mdptk.theory.stock_policy import largest_loss
from mdptk.theory.symbols import A, gamma, t
from proofs.vocabulary import induction, same


def contraction() -> Expr:
    """Q changes by gamma P of what v changes, and v by what Q changed, by (B)."""
    return gamma * previous(change)


def convergence() -> Expr:
    """The same against the fixed point."""
    return induction(initial(error), gamma, t)


def nearly_optimal() -> Expr:
    """(B) for v_t - V_tau; and V_tau is at least the value of the policy that weights one optimal action with tau."""
    best = tau / (tau + (1 - tau) * (A - 1))  # its probability, 1 - tau for each of the others
    assert same(1 - best, others)
    assert others.subs(tau, 1) == 0
    return convergence() + (1 - best) * largest_loss / (1 - gamma)  # (PDL); and V_tau <= V*, by (PI)


def stationary() -> Expr:
    """The derivative of sum |tau - 1[x < e]| (x - e)^2 in e, over -2: no rest."""
    return Integer(0)


def above_mean() -> Expr:
    """(B): weights that are all the same are allowed; with tau = 1/2 no others."""
    low, high = (1 - tau).subs(tau, Rational(1, 2)), tau.subs(tau, Rational(1, 2))
    assert low == high
    return Integer(0)


PROVES = {
    "contraction": contraction,
    "linear convergence": convergence,
    "distance from optimal": nearly_optimal,
    "expectile": stationary,
    "above the mean": above_mean,
}
