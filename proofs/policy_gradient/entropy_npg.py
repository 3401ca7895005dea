r"""NPG with entropy: what a step gains, and linear convergence (Cen et al. 2022, Lemma 1 and Theorem 1, rederived).

Notation. alpha = 1 - eta tau / (1 - gamma), so the update is pi_{t+1} = pi_t^alpha exp((1 - alpha) Q_t / tau) / Z_t.
Named lemmas. (PDL) V_tau^p(rho) - V_tau^pi(rho) = 1/(1-gamma) E_{d^p_rho} [<p, Q_tau^pi - tau log p> - V_tau^pi].
(LSE) tau log sum exp(. / tau) is 1-Lipschitz in the maximum norm. (O) log pi* = (Q* - V*) / tau, V* = tau LSE(Q*/tau).
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol, symbols

from mdptk.algorithms.policy_gradient.entropy_npg import backward_kl, constant, forward_kl, kept
from mdptk.theory import initial, previous
from mdptk.theory.stock_policy import log_error, q_error, soft_return, tau
from mdptk.theory.symbols import eta, gamma, t
from proofs.vocabulary import induction, same


def improvement() -> Expr:
    """(PDL) between consecutive policies, with Q_t and V_t written by the update."""
    # inner products: pp = <p, log p>, px = <p, log x>, xp = <x, log p>, xx = <x, log x> for p = pi_{t+1}, x = pi_t
    pp, px, xp, xx, log_Z = symbols("pp px xp xx log_Z", real=True)
    c = tau / (1 - kept)
    assert same(c, (1 - gamma) / eta)
    V = c * (xp - kept * xx + log_Z) - tau * xx  # <x, Q - tau log x>, where Q = c (log p - alpha log x + log Z)
    new = c * (pp - kept * px + log_Z) - tau * pp  # <p, Q - tau log p>
    kl_forward, kl_backward = pp - px, xx - xp  # KL(p || x), KL(x || p)
    assert same((new - V) / (1 - gamma), (kept * kl_forward + kl_backward) / eta)
    return previous(soft_return) + (kept * forward_kl + backward_kl) / eta


def monotone() -> Expr:
    """Both relative entropies and alpha are non-negative, from every start: values rise, so action values do."""
    return Integer(0)


def _error() -> Expr:
    """Bound on W_t = E_t + alpha^t G, where xi_t is pi_t without normalisation, xi_0 = exp(V*/tau) pi_0.

    E_t = ||Q* - tau log xi_t||, F_t = ||Q* - Q_t||, G = ||Q_0 - tau log xi_0||, and by (O)
    E_0 = tau ||log pi* - log pi_0||.
    """
    E, F, G, power = symbols("E F G alpha^t", nonnegative=True)
    E_next = kept * E + (1 - kept) * F  # from Q* - tau log xi_{t+1} = alpha (Q* - tau log xi_t) + (1 - alpha)(Q* - Q_t)
    # F_t <= gamma W_t for t >= 1: V* - V_t <= E_t by (LSE), plus alpha^t G, since Q_{t+1} >= Q_t gives
    # Q_{t+1} - tau log xi_{t+1} >= alpha (Q_t - tau log xi_t) >= - alpha^{t+1} G
    W = E + power * G
    rate = 1 - eta * tau
    W_next = E_next.subs(F, gamma * W) + kept * power * G
    assert same(W_next, rate * W)
    F0, E0 = initial(q_error), tau * initial(log_error)
    first = E_next.subs({E: E0, F: F0}) + kept * (F0 + E0)  # W_1, where G <= F_0 + E_0
    assert same(first, constant)
    k = Symbol("k", integer=True, nonnegative=True)
    return induction(first, rate, k).subs(k, t - 1)


def values() -> Expr:
    """F_t <= gamma W_t."""
    return gamma * _error()


def policies() -> Expr:
    """tau |log pi* - log pi_t| <= 2 E_t by (LSE), and E_t <= W_t."""
    return 2 / tau * _error()


PROVES = {
    "improvement": improvement,
    "monotone improvement": monotone,
    "linear convergence": values,
    "linear convergence of policies": policies,
}
