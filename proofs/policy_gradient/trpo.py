r"""TRPO: how far the value of a policy is from its surrogate (Schulman et al. 2015, Theorem 1).

Notation. alpha = max_s TV(pi(s), p(s)), epsilon = max |A^pi|, g(s) = <p(s), A^pi(s)> = <p(s) - pi(s), A^pi(s)>.
Named lemmas. (PDL) V^p(rho) - V^pi(rho) = 1/(1-gamma) E_{s ~ d^p_rho} g(s), d normalised to one; with d^pi in place of
d^p it is L(p) - L(pi). (H) |<p - q, f>| <= 2 TV(p, q) max |f|. (O) d^p - d^pi = gamma d^p (P_p - P_pi) (I - gamma
P_pi)^{-1}, and a row of P_p - P_pi sums to 2 alpha at most, in absolute values. (P) TV^2 <= KL (Pinsker has KL / 2).
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol

from mdptk.algorithms.policy_gradient.trpo import epsilon, largest_kl, largest_tv, radius, surrogate_gain
from mdptk.theory import previous
from mdptk.theory.symbols import gamma
from proofs.vocabulary import geometric


def by_total_variation() -> Expr:
    """(PDL) twice, the difference of visits by (O), the gain in a state by (H)."""
    alpha, eps = Symbol("alpha", nonnegative=True), Symbol("epsilon", nonnegative=True)
    visits = gamma * 2 * alpha * geometric(gamma)  # of |d^p - d^pi|, summed
    in_a_state = 2 * alpha * eps
    lost = visits * in_a_state / (1 - gamma)
    return surrogate_gain - lost.subs({alpha: largest_tv, eps: previous(epsilon)})


def by_relative_entropy() -> Expr:
    """(P) in the line above."""
    return by_total_variation().subs(largest_tv**2, largest_kl)


def trust() -> Expr:
    """The constraint."""
    return radius


def surrogate() -> Expr:
    """pi_t itself is allowed, and L is there what it was."""
    return Integer(0)


PROVES = {
    "monotonic improvement bound": by_relative_entropy,
    "bound by total variation": by_total_variation,
    "trust region": trust,
    "surrogate improvement": surrogate,
}
