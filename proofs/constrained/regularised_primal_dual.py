r"""Regularised primal-dual, from the uniform policy and lambda_0 = 0 (after Ding et al. 2023, with a repaired bound).

L_t = L_tau with reward r - l.c, entropy of weight tau and tau |l|^2 / 2; (pi', l') its saddle point in [0, Lambda]^m;
E sums over s with the unnormalised occupancy of pi', of mass 1/(1-gamma). Named lemmas.
(PDL) L_tau(pi', l) - L_tau(pi_t, l) = E[<A_t, pi'> - tau KL(pi'||pi_t)], A_t with -tau log pi_t in the reward.
(MW) KL(pi'||pi_{t+1}) = KL(pi'||pi_t) - eta <A_t, pi'> + log sum_a pi_t exp(eta A_t), from the update.
(H) Hoeffding: log E exp(eta X) <= eta^2 R^2 / 8 for E X = 0 and a range R. (P) projections. (Pi) Pinsker. (Je) Jensen.
(W) V_r(pi) <= V* + |l*|_1 v where pi violates by at most v.
"""

from __future__ import annotations

from sympy import Expr, Symbol, log, sqrt, symbols

from mdptk.algorithms.constrained.regularised_primal_dual import B, tau
from mdptk.theory import initial, previous
from mdptk.theory.saddle import potential, remainder
from mdptk.theory.stock_constrained import lam_star_sum, multiplier_bound
from mdptk.theory.symbols import A, eta, gamma, m, t
from proofs.vocabulary import geometric, induction, same


def one_step() -> Expr:
    """(MW) and (PDL) for the policy, (P) and strong convexity for the prices; the saddle ends the sum."""
    kl, half, second, square = symbols("E[KL_t] |l_t-l'|^2/2 E[log] |g_t|^2", nonnegative=True)
    gain, loss = (Symbol(x, real=True) for x in ("L(pi',l_t) - L(pi_t,l_t)", "L(pi_t,l_t) - L(pi_t,l')"))
    policy = kl - eta * (gain + tau * kl) + second  # E<A_t, pi'> = gain + tau E[KL_t]
    prices = half - eta * (loss + tau * half) + eta**2 * square / 2  # (l_t-l').(tau l_t - g_t) >= loss + tau half
    left = policy + prices
    assert same(left, (1 - eta * tau) * (kl + half) - eta * (gain + loss) + second + eta**2 * square / 2)
    # gain + loss = L(pi', l_t) - L(pi_t, l') >= 0, as (pi', l') is the saddle
    return (1 - eta * tau) * previous(potential) + previous(remainder)


def repaired() -> Expr:
    """Probabilities stay above exp(-B/tau)/A, so (H) applies to Q_t; then a geometric sum."""
    floor = log(A) + B / tau  # of -log pi_t: the fixed point of x <- (1 - eta tau) x + eta tau log A + eta B
    assert same((1 - eta * tau) * floor + eta * tau * log(A) + eta * B, floor)
    R = B + tau * floor  # range of Q_t = (what has range B) - tau log pi_t
    assert same(R, 2 * B + tau * log(A))
    policy = eta**2 * R**2 / 8 / (1 - gamma)  # (H), in every state; E has the mass 1/(1-gamma)
    prices = eta**2 * m * (1 / (1 - gamma) + tau * multiplier_bound) ** 2 / 2
    start = induction(initial(potential), 1 - eta * tau, t)
    assert same(geometric(1 - eta * tau) * eta**2, eta / tau)
    return start + eta / tau * (policy + prices) / eta**2


def _near() -> Expr:
    """|V(pi_t) - V(pi')| <= E[|Q - mid| |pi' - pi_t|_1], with |Q - mid| <= 1/(2(1-gamma)), (Pi) and (Je)."""
    Phi = Symbol("Phi", nonnegative=True)  # at least E[KL_t]
    mass = 1 / (1 - gamma)
    bound = sqrt(mass) * sqrt(2 * Phi) / (2 * (1 - gamma))
    shipped = sqrt(potential / (2 * (1 - gamma))) / (1 - gamma)
    assert same((bound**2).subs(Phi, potential), shipped**2)
    return shipped


def gap() -> Expr:
    """L(pi', l') >= L(pi*, l') >= V* + tau |l'|^2/2, and -l'.g + tau |l'|^2/2 <= 0 against l = 0: V* - V' <= tau H."""
    entropy = log(A) / (1 - gamma)
    return tau * entropy + _near()


def violation() -> Expr:
    """V* <= L(pi', l') <= L(pi', Lambda e_i) = V' - Lambda v + tau H + tau Lambda^2/2; V' <= V* + |l*|_1 v by (W)."""
    v, entropy = Symbol("v", nonnegative=True), log(A) / (1 - gamma)
    left = multiplier_bound * v - lam_star_sum * v
    right = tau * entropy + tau * multiplier_bound**2 / 2
    assert same(left / v, multiplier_bound - lam_star_sum)
    return right / (left / v) + _near()


PROVES = {
    "one step": one_step,
    "convergence with repaired constants": repaired,
    "gap of the last policy": gap,
    "violation of the last policy": violation,
}
