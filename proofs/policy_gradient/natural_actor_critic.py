r"""The regret lemma with stages: Hedge at every (h, s), on whatever the critic says.

Named lemmas. (H) Hedge: for numbers q_k in an interval of length c, from the uniform distribution and with steps eta,
sum_{k<t} <p - p_k, q_k> <= log(A) / eta + eta t c^2 / 8 (Hoeffding's lemma). (PD) Performance difference:
V* - V^pi = sum_h E_{d*_h} <pi*_h - pi_h, Q^pi_h>.
With beta at most 1 the critic stays in [0, k] where k stages are left, as in gae_actor_critic.py.
"""

from __future__ import annotations

from sympy import Expr, Symbol, log, summation

from mdptk.algorithms.policy_gradient.natural_actor_critic import average_span, critic_bias
from mdptk.theory.symbols import A, H, eta, t
from proofs.vocabulary import same


def regret_lemma() -> Expr:
    """(PD), with Q^pi = q + (Q^pi - q); (H) at every state of every stage, of which d*_h is an average."""
    Q, q = Symbol("Q"), Symbol("q")
    assert same(Q, q + (Q - q))
    k = Symbol("k", integer=True, positive=True)
    hedge = log(A) / eta + eta * t * k**2 / 8
    return (summation(hedge, (k, 1, H)) / t).expand().factor(deep=False).expand() + critic_bias


def with_features() -> Expr:
    """The same with the ranges as they are: (H) for numbers in intervals of lengths c_k has sum_k c_k^2 for t c^2."""
    return H * log(A) / (eta * t) + eta / 8 * average_span + critic_bias


PROVES = {"regret lemma": regret_lemma, "regret lemma with features": with_features}
