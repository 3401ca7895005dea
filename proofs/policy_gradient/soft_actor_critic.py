r"""Soft actor-critic with m backups of the critic: it rises to Q*, at the rate gamma (derived).

Notation. T_p Q = r + gamma P <p, Q - tau log p>, T Q = r + gamma P tau log sum exp(Q / tau), x = max |Q* - Q_t|.
Named lemmas. (LSE) T_p Q <= T Q, with equality for p = softmax(Q / tau). (M) T and T_p are monotone and contract by
gamma in the maximum norm; Q* = T Q*. (PDL) with entropy: V* - V^p from rho is
1/(1-gamma) E_{d^p} [V* - <p, Q* - tau log p>]. (H) for p = softmax(Q / tau) and p* = softmax(Q* / tau),
h = (Q* - Q) / tau: log p* - log p = h - log E_p exp h.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol

from mdptk.algorithms.policy_gradient.soft_actor_critic import critic_error
from mdptk.theory import initial
from mdptk.theory.stock_policy import tau
from mdptk.theory.symbols import gamma, t
from proofs.vocabulary import induction, same


def monotone() -> Expr:
    """T Q_0 = r + gamma tau log A >= 0 = Q_0. If T Q_t = T_p Q_t >= Q_t then T_p^m Q_t >= T_p Q_t >= Q_t, by (M).

    And T Q_{t+1} >= T_p Q_{t+1} = T_p^m (T_p Q_t) >= T_p^m Q_t = Q_{t+1}, by (LSE) and (M): so it goes on.
    """
    return Integer(0)


def below() -> Expr:
    """Q_t <= T Q_t <= T T Q_t ... goes up to Q*, by (M)."""
    return Integer(0)


def linear() -> Expr:
    """0 <= Q* - Q_{t+1} <= T Q* - T_p Q_t = T Q* - T Q_t <= gamma x, since T_p^m Q_t >= T_p Q_t."""
    return induction(initial(critic_error), gamma, t)


def policies() -> Expr:
    """(H): h lies between -x / tau and x / tau, but also both terms of it move together under a constant."""
    low, high = Symbol("low", real=True), Symbol("high", real=True)  # of Q* - Q over all pairs
    # as Q <= Q* or Q >= Q* in all pairs h has one sign: h and log E_p exp h lie in [0, x / tau] or [-x / tau, 0]
    spread = (high - low) / tau
    assert same(spread.subs({low: 0, high: critic_error}), critic_error / tau)
    return critic_error / tau


def gap() -> Expr:
    """V* - <p, Q* - tau log p> = tau KL(p || p*) = tau (log E_p exp h - E_p h), at most x, as h is in [0, x/tau]."""
    per_state = linear()
    return per_state / (1 - gamma)


PROVES = {
    "linear convergence": linear,
    "gap of the actor": gap,
    "the actor follows the critic": policies,
    "the critic never overestimates": below,
    "the critic never falls": monotone,
}
