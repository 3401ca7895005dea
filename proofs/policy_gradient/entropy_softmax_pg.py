r"""Softmax policy gradient with entropy: ascent, Lojasiewicz and the linear rate (Mei et al. 2020, Theorem 6).

Notation. zeta(s) = Q_tau^pi(s, .) / tau - log pi(s, .), so that softmax(Q_tau^pi / tau) has logits log pi + zeta.
Named lemmas. (PG) dV_tau(rho)/dtheta(s, .) = d(s) tau H(pi(s)) zeta(s) / (1 - gamma), H(p) = diag(p) - p p'.
(H) |H(p) x| >= min p |x - mean(x)| (Mei et al. 2020, Lemma 23). (KL) KL(softmax(x) || softmax(y)) <= max |x - y - c|^2
/ 2 for every constant c (Lemma 27 there). (PDL) V_tau^p(rho) - V_tau^pi(rho) = 1/(1-gamma) E_{d^p} [<p, Q_tau^pi -
tau log p> - V_tau^pi], where the largest over p is tau KL(pi || softmax(Q_tau^pi / tau)) in each state. (S) V(rho) is
8/(1-gamma)^3-smooth in theta for rewards in [0, 1], the discounted entropy (4 + 8 log A)/(1-gamma)^3 (Lemmas 7, 14).
(D) d^pi_rho >= (1 - gamma) rho.
"""

from __future__ import annotations

from sympy import Expr, Symbol, log, symbols

from mdptk.algorithms.policy_gradient.entropy_softmax_pg import (
    coverage,
    least,
    least_probability,
    rarest_start,
    rarest_visit,
)
from mdptk.theory import initial, previous
from mdptk.theory.stock import step_size as step
from mdptk.theory.stock_policy import (
    divergence_from_optimum,
    soft_gradient_norm,
    soft_mismatch,
    soft_suboptimality,
    tau,
)
from mdptk.theory.symbols import A, gamma, t
from proofs.vocabulary import induction, same

SMOOTHNESS = 8 / (1 - gamma) ** 3 + tau * (4 + 8 * log(A)) / (1 - gamma) ** 3  # (S)


def gap() -> Expr:
    """(PDL) with p = pi, pi = pi*: what it loses in a state is <pi, log pi - log pi*> by log pi* = (Q* - V*) / tau."""
    pl, ps, V = symbols("pi_log_pi pi_log_star V_star", real=True)
    q = tau * ps + V  # <pi, Q*>
    assert same(V - (q - tau * pl), tau * (pl - ps))
    return tau / (1 - gamma) * divergence_from_optimum


def ascent() -> Expr:
    """V(theta + x) >= V(theta) + <g, x> - L/2 |x|^2 by (S), at x = eta g."""
    g = previous(soft_gradient_norm)
    return step * g**2 - SMOOTHNESS / 2 * (step * g) ** 2


def lojasiewicz() -> Expr:
    """Sum over states of squares, of which one factor d is bounded by its least, the other turned into d*."""
    d, star, z = Symbol("d", positive=True), Symbol("d*", positive=True), Symbol("|zeta - mean|", nonnegative=True)
    square = (d * tau * least_probability * z / (1 - gamma)) ** 2  # of a state's gradient at least, by (PG) and (H)
    lower = square / d**2 * rarest_visit * (coverage * star)  # d >= coverage d*
    lost = star * tau * z**2 / 2 / (1 - gamma)  # of the gap at most, by (PDL) and (KL), the maximum norm below |.|
    factor = lower / lost
    assert not factor.has(star, z)  # so it is the same in every state
    return factor * soft_suboptimality


def convergence() -> Expr:
    """Ascent with eta = 1/L, then the inequality above with (D): the gap loses a fraction in every step."""
    e = Symbol("e", positive=True)
    eta = 1 / SMOOTHNESS
    gain = ascent().subs(step, eta) / previous(soft_gradient_norm) ** 2
    assert same(gain, eta / 2)
    square = lojasiewicz().subs({soft_suboptimality: e, least_probability: least})
    square = square.subs({rarest_visit: (1 - gamma) * rarest_start, coverage: (1 - gamma) / soft_mismatch})
    fraction = gain * square / e
    one = {least: 1, soft_mismatch: 1, rarest_start: 1, A: 1}
    assert same(fraction.subs(one), (1 - gamma) ** 4 * tau / (8 + 4 * tau))  # the largest: below 1, as induction needs
    return induction(initial(soft_suboptimality), 1 - fraction, t)


PROVES = {
    "linear convergence": convergence,
    "non-uniform Lojasiewicz inequality": lojasiewicz,
    "ascent": ascent,
    "the gap is a relative entropy": gap,
}
