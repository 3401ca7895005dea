r"""Homotopic policy mirror descent: the recursion and the rate gamma (after Li, Lan and Zhao 2022, rederived).

Named lemmas. (3P) If p+ maximises F(p) = eta [<q, p> - tau KL(p, u)] - KL(p, x), then F(p) = F(p+) - (1 + eta tau)
KL(p, p+) for every p. (V) V^p - V^pi = (I - gamma P_p)^{-1} <Q^pi, p - pi>, so under a stationary distribution of pi*
E <Q_t, pi* - pi_t> = (1 - gamma) gap_t. (U) 0 <= KL(p, uniform) <= log A.
"""

from __future__ import annotations

from sympy import Expr, Symbol, log, symbols

from mdptk.algorithms.mirror_descent.homotopic_pmd import divergence, eta_0, gap
from mdptk.theory import initial, previous
from mdptk.theory.symbols import A, gamma, t
from proofs.vocabulary import geometric, same


def one_step() -> Expr:
    """(3P) at pi*, and (3P) at pi_t to turn the first-order gain into a difference of values, state by state."""
    tau, eta, gap_t, new, kl, kl_new = symbols("tau eta gap gap_new KL KL_new", nonnegative=True)
    # (3P) at pi_t: g = <q, p+ - pi_t> >= - tau log A everywhere; so by (V) V_{t+1} - V_t >= - tau log A / (1 - gamma),
    # and g = V_{t+1} - V_t - gamma P_+ (V_{t+1} - V_t) <= V_{t+1} - V_t + gamma tau log A / (1 - gamma)
    gain = gap_t - new + gamma * tau * log(A) * geometric(gamma)
    # (3P) at pi*: <q, pi* - pi_t> <= g + tau log A + [KL - (1 + eta tau) KL_new] / eta, by (U)
    right = gain + tau * log(A) + (kl - (1 + eta * tau) * kl_new) / eta  # of (1 - gamma) gap_t <= right
    used = right.subs(tau, (1 / gamma - 1) / eta)
    bound = gamma * gap_t + kl / eta + log(A) / (gamma * eta) - kl_new / (gamma * eta) - new  # >= 0
    assert same(used - (1 - gamma) * gap_t, bound)
    step = eta_0 / gamma ** (2 * (t - 1))  # eta_{t-1}, and KL_t / eta_{t-1} = divergence / gamma^2
    left = gap + divergence / gamma**2 / gamma
    right = gamma * previous(gap) + previous(divergence) + log(A) / (gamma * step)
    assert same((gap + divergence / gamma**3) - left, 0)
    return right


def linear() -> Expr:
    """Phi_t = gap_t + KL_t / (gamma eta_{t-1}) <= gamma Phi_{t-1} + gamma^(2t-3) log A / eta_0, as steps grow."""
    k, j = Symbol("k", integer=True, nonnegative=True), Symbol("j", integer=True, positive=True)
    first = initial(gap) + log(A) / (gamma * eta_0)  # Phi_0 with KL_0 / eta_0 <= gamma times log A / (gamma eta_0)
    passed_on = gamma ** (k - j) * gamma ** (2 * j - 3)  # what was added in step j = 1 .. k
    assert same((passed_on / gamma**k).simplify(), gamma ** (j - 3))
    total = gamma ** (-2) * geometric(gamma)  # sum of gamma^(j-3) over j >= 1
    return gamma**t * (first + total * log(A) / eta_0)


PROVES = {"one step": one_step, "linear convergence": linear}
