r"""NPG: the improvement lemma, the global rate (Agarwal et al. 2021, Lemma 17 and Theorem 16), and a linear one.

Named lemmas. (PDL) V^pi(mu) - V^pi'(mu) = 1/(1-gamma) E_{s ~ d^pi_mu} E_{a ~ pi} A^pi'(s, a), d normalised to one.
(D) d^pi_mu >= (1 - gamma) mu componentwise. (KL) relative entropy is non-negative, and at most log A against uniform.
(J) log Z_t(s) >= 0, by Jensen, since A^pi_t has mean zero under pi_t.
The update says eta/(1-gamma) A_t(s, a) = log(pi_{t+1}/pi_t)(a|s) + log Z_t(s).
"""

from __future__ import annotations

from sympy import Expr, Function, Symbol, exp, expand, expand_log, log

from mdptk.algorithms.policy_gradient.npg import mean_log_normaliser
from mdptk.theory import initial, previous
from mdptk.theory.stock import expected_return, policy_error
from mdptk.theory.stock_policy import action_gap, largest_loss
from mdptk.theory.symbols import A, eta, gamma, t
from proofs.vocabulary import same, telescope


def improvement() -> Expr:
    """(PDL) between consecutive policies, then (KL), (J) and (D)."""
    kl, log_Z = Symbol("KL(pi_{t+1}||pi_t)", nonnegative=True), Symbol("log Z_t", nonnegative=True)
    advantage = (1 - gamma) / eta * (kl + log_Z)  # E_{a ~ pi_{t+1}} A_t(s, a) by the update
    gain = advantage / (1 - gamma)  # (PDL), in expectation over d^{t+1}_rho
    assert same(gain - log_Z / eta, kl / eta)  # so gain >= log Z / eta by (KL)
    under_start = (1 - gamma) * previous(mean_log_normaliser) / eta  # (D), allowed by (J)
    return previous(expected_return) + under_start


def global_convergence() -> Expr:
    """Regret of multiplicative weights in every state, weighted by d^*; values telescope; improvement ends it."""
    T = t
    kl, V = Function("KL_star"), Function("V_dstar")  # E_{d*} KL(pi* || pi_k) and V^{pi_k}(d*)
    k = Symbol("k", integer=True, nonnegative=True)
    # (PDL) with pi*, then the update: gap_k = (E_{d*} KL_k - KL_{k+1} + log Z_k) / eta
    # improvement with mu = d*: E_{d*} log Z_k <= eta / (1 - gamma) (V_{k+1} - V_k)
    log_Z = eta / (1 - gamma) * (V(k + 1) - V(k))
    gap = (kl(k) - kl(k + 1) + log_Z) / eta
    potential = lambda j: kl(j) / eta - V(j) / (1 - gamma)  # noqa: E731
    assert same(gap, potential(k) - potential(k + 1))
    total = telescope(potential, T)
    # (KL): KL_0 <= log A, KL_T >= 0; values lie in [0, 1/(1-gamma)]; the gaps decrease, so T gap_T <= sum
    worst = total.subs({kl(0): log(A), kl(T): 0, V(0): 0, V(T): 1 / (1 - gamma)})
    return (worst / T).expand()


def linear() -> Expr:
    """Logits of a and a* differ by a sum of Q_k(s, a*) - Q_k(s, a) >= Delta - gamma E[V* - V_k](s'), s' after a*."""
    T, k = t, Symbol("k", integer=True, nonnegative=True)
    kl, V, V_star = Function("KL_star"), Function("V_dstar"), Symbol("V_star")
    # the sum of E[V* - V_k] over k < T, started at s': as above, before gaps are compared
    potential = lambda j: kl(j) / eta - V(j) / (1 - gamma)  # noqa: E731
    total = telescope(potential, T).subs({kl(0): log(A), kl(T): 0, V(T): V_star})
    gaps = total.subs(V(0), V_star - initial(policy_error))
    assert same(gaps, log(A) / eta + initial(policy_error) / (1 - gamma))
    exponent = -eta / (1 - gamma) * (action_gap * T - gamma * gaps)  # log pi_T(a|s) - log pi_T(a*|s), pi_0 uniform
    assert not exponent.has(k)
    # A - 1 actions at most, each costs at most the largest loss, (PDL): the gap is E_d sum_a pi(a) loss / (1 - gamma)
    bound = (A - 1) * largest_loss / (1 - gamma) * exp(expand(exponent))
    ours = A ** (gamma / (1 - gamma)) * exp(eta / (1 - gamma) * (gamma / (1 - gamma) * initial(policy_error)))
    shipped = (A - 1) * largest_loss / (1 - gamma) * ours * exp(-eta * action_gap * T / (1 - gamma))
    assert same(expand_log(log(bound / shipped), force=True), 0)
    return (
        (A - 1)
        * A ** (gamma / (1 - gamma))
        * largest_loss
        / (1 - gamma)
        * exp(eta / (1 - gamma) * (gamma / (1 - gamma) * initial(policy_error) - action_gap * T))
    )


PROVES = {
    "improvement": improvement,
    "global convergence": global_convergence,
    "global linear convergence": linear,
}
