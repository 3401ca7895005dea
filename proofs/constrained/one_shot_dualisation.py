r"""The dual of a problem of one step with a penalty on the relative entropy to u: smooth, with a closed form.

D(l) = beta E log E_u exp((r - l.c)/beta) + l.b, pi_l the tilt. Named lemmas. (V) Donsker and Varadhan: the maximum of
E_pi[f] - beta KL(pi|u) is beta log E_u e^(f/beta), at the tilt by f. (P) a variance is at most a quarter of the range
squared. (G) gradient descent with a projection and eta L <= 1: D(l') <= D(l) - |l' - l|^2/(2 eta); D(l_s) - D(w) <=
|w|^2/(2 eta s) for w >= 0; and the map l -> l' is nonexpansive.
"""

from __future__ import annotations

from sympy import Expr, Symbol, diff, exp, log, simplify, sqrt, symbols

from mdptk.algorithms.constrained.one_shot_dualisation import beta
from mdptk.theory.stock_tilted import D, divergence, lam_beta, slope, step
from mdptk.theory.symbols import t
from proofs.vocabulary import same


def closed_form() -> Expr:
    """(V) with f = r - l.c, in every state."""
    return D


def gradient() -> Expr:
    """log pi_l - log pi_l' = ((l' - l).c + log-normaliser' - log-normaliser)/beta: its mean under pi_l, times beta."""
    move, spent, change, b = symbols("l'-l V_c dlogZ b", real=True)  # one cost; change of beta times the log-normaliser
    kl = (move * spent + change) / beta
    assert same(change + move * b, move * (b - spent) + beta * kl)
    # the derivatives of beta log E_u exp((r - l c)/beta), on two actions: minus the mean, and the variance over beta
    lam, p, c0, c1, r0, r1 = symbols("l p c0 c1 r0 r1", real=True)
    w0, w1 = (1 - p) * exp((r0 - lam * c0) / beta), p * exp((r1 - lam * c1) / beta)
    mean, square = (w0 * c0 + w1 * c1) / (w0 + w1), (w0 * c0**2 + w1 * c1**2) / (w0 + w1)
    value = beta * log(w0 + w1)
    assert simplify(diff(value, lam) + mean) == 0
    assert simplify(diff(value, lam, 2) - (square - mean**2) / beta) == 0
    return slope + beta * divergence


def convergence() -> Expr:
    """(P): L <= the sum of the largest variances over beta; (G) at the least point of D."""
    return lam_beta**2 / (2 * step * t)


def last_violation() -> Expr:
    """(G): sum_{s <= k <= t} |step|^2 <= 2 eta (D(l_s) - min D) <= |l*|^2/s, of t + 1 - s terms that never rise."""
    s, n = symbols("s n", positive=True)
    best = s * (n + 1 - s)
    assert same(best.subs(s, (n + 1) / 2), (n + 1) ** 2 / 4)
    assert same(best.subs(s, n / 2), n * (n + 2) / 4)  # the nearest whole number, if n is even: the lesser of the two
    square = lam_beta**2 / (t * (t + 2) / 4)
    eta = Symbol("eta", positive=True)
    assert same(square * eta / eta, 4 * lam_beta**2 / (t * (t + 2)))
    return 2 * lam_beta / (step * sqrt(t * (t + 2)))  # an excess is at most the step of its multiplier over eta


PROVES = {
    "the tilted policy attains the dual function": closed_form,
    "gradient of the dual function": gradient,
    "dual convergence": convergence,
    "violation of the last policy": last_violation,
}
