r"""Natural policy gradient with log-linear policies: compatible functions, the regret identity and the regret lemma.

Named lemmas. (N) The normal equations: E (A - psi . w) psi = 0 for every minimiser w. (PG) E A psi = (1 - gamma) grad
V, expectations over d^pi_rho and pi. So F w = (1 - gamma) grad V, with F of any rank: the gradient is an expectation of
scores, and these are in the range of F. The rest is as for Q-NPG, with f = psi . w, whose mean under pi is zero, and A
in place of Q, which differ by a number in each state; the variance of psi . w = (phi - E phi) . w is that of phi . w.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol

from proofs.policy_gradient.q_npg import identity, regret_lemma
from proofs.vocabulary import same


def compatible() -> Expr:
    """(N), then (PG)."""
    gradient, fisher_w = Symbol("E A psi"), Symbol("F w")
    normal = gradient - fisher_w  # zero by (N)
    assert same(normal.subs(fisher_w, gradient), 0)
    return Integer(0)


PROVES = {
    "compatible function approximation": compatible,
    "regret identity": identity,
    "regret lemma": regret_lemma,
}
