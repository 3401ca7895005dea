r"""Soft policy iteration: the rate gamma, the quadratic phase, what a step gains (Cen et al. 2022; Liu et al. 2024).

Notation. T v = tau log sum exp((r + gamma P v) / tau), T_p v = <p, r + gamma P v - tau log p>, x = max |Q* - Q_t|.
Named lemmas. (LSE) T is monotone and T_p v = T v - tau KL(p || softmax((r + gamma P v) / tau)). (H) Hoeffding:
log E exp(h - E h) <= range(h)^2 / 8. (PDL) V^p - V^pi from rho is 1/(1-gamma) E_{d^p} [<p, Q^pi - tau log p> - V^pi].
(M) T_p is monotone and a contraction with fixed point V^p.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol

from mdptk.algorithms.policy_gradient.soft_policy_iteration import backward_kl
from mdptk.theory import initial, previous
from mdptk.theory.stock_policy import q_error, soft_return, tau
from mdptk.theory.symbols import gamma, t
from proofs.vocabulary import geometric, induction, same


def linear() -> Expr:
    """V_{t+1} >= T V_t, by (M) from T_p V_t = T V_t >= V_t for the new p; Q* - gamma P T V_t - r is at most gamma x."""
    return induction(initial(q_error), gamma, t)


def policies() -> Expr:
    """log pi* - log pi_{t+1} is h - log E exp h with h = (Q* - Q_t)/tau in [0, x/tau]: in [-x, x]/tau."""
    low, high = Integer(0), previous(q_error) / tau  # of h, and so of log E exp h
    assert same(high - low, -(low - high))
    return high - low


def quadratic() -> Expr:
    """Newton: V* - V_{t+1} = tau KL(p || pi*) + gamma P_p (V* - V_{t+1}) for the new p, and (H) for the KL."""
    h = previous(q_error) / tau  # the range of (Q* - Q_t) / tau
    kl = h**2 / 8  # KL(p || pi*) = log E_p exp(h - E_p h), as pi* is p times exp h, normalised
    v = tau * kl * geometric(gamma)
    return gamma * v  # Q* - Q_{t+1} = gamma P (V* - V_{t+1})


def improvement() -> Expr:
    """(PDL) where Q_t = tau (log p + log Z) for the new p: <p, Q_t - tau log p> = tau log Z; V_t = that - tau KL."""
    log_Z, kl = Symbol("log Z"), Symbol("KL(pi_t || p)")
    V = tau * log_Z - tau * kl  # by (LSE)
    return previous(soft_return) + ((tau * log_Z - V) / (1 - gamma)).simplify().subs(kl, backward_kl)


def monotone() -> Expr:
    """A relative entropy is not negative, from every start."""
    return Integer(0)


PROVES = {
    "linear convergence": linear,
    "quadratic convergence": quadratic,
    "policies follow values": policies,
    "improvement": improvement,
    "monotone improvement": monotone,
}
