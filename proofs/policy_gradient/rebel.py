r"""REBEL: regret of a run, from the smoothness of log-linear policies (Agarwal et al. 2021, Lemma 34).

Notation. w_k = (theta_{k+1} - theta_k) / eta, D the largest distance of two features of one state, KL_k = E_{d*}
KL(pi* | pi_k). Named lemmas. (B) The Hessian of log pi(a|s) in theta is minus the covariance of the features under
pi(s), which is at most D^2 / 4 in norm, by Popoviciu. (PDL) (1 - gamma) (V* - V^k)(rho) = E_{d*, pi*} A^k. (U) KL_0 <=
log A from the uniform policy, KL_t >= 0.
"""

from __future__ import annotations

from sympy import Expr, Function, Symbol, log

from mdptk.algorithms.policy_gradient.rebel import spent
from mdptk.theory.symbols import A, eta, gamma, t
from proofs.vocabulary import same, telescope


def regret() -> Expr:
    """(B): KL_k - KL_{k+1} >= eta E* <w, grad log pi> - eta^2 beta/2 |w|^2; then (PDL), and the sum telescopes."""
    said, square, missed = (Symbol(name, real=True) for name in ("E* <w, grad log pi>", "|w|^2", "missed"))
    beta, kl = Symbol("beta", nonnegative=True), Function("KL")
    fall = eta * said - eta**2 * beta / 2 * square  # at most KL_k - KL_{k+1}
    gap = said + missed  # of (PDL), times 1 - gamma, by the definition of what is missed
    each = fall / eta + eta * beta / 2 * square + missed
    assert same(gap, each)
    fallen = telescope(lambda k: kl(k), t).subs({kl(0): log(A), kl(t): 0})
    return (fallen / eta + spent) / (1 - gamma)  # spent is the sum of eta beta/2 |w|^2 + missed, beta = D^2 / 4


PROVES = {"regret of each run": regret}
