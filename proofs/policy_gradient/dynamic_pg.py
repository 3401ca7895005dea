r"""Dynamic policy gradient: each stage is a bandit in every state, and the errors of the stages add up.

Notation. J_h(pi_h) = sum_s rho(s) <pi_h(s), Q_h(s)> with Q_h fixed by the later stages; e = max J_h - J_h; n = H - h.
Named lemmas. (M), (H), (R), (CS) as in simultaneous_pg. (PDL) with stages, for an optimal policy: the gap is
sum_h sum_s d*_h(s) A^pi_h(s, a*_h) <= sum_h sum_s d*_h(s) max_a A^pi_h(s, a).
(L) The best action leads. Let b be best. If pi(b) >= pi(a) then the logit of b moves up by no less than that of a, as
pi(b) A(b) >= pi(a) A(a): for A(a) <= 0 the right side is not positive, otherwise both factors are larger on the left.
"""

from __future__ import annotations

from sympy import Expr, Sum, Symbol, factor, sqrt, symbols

from mdptk.algorithms.policy_gradient.dynamic_pg import budget, stage_gradient, top
from mdptk.theory.symbols import A, H, S, eta
from proofs.vocabulary import harmonic, same

N = Symbol("n_h", integer=True, nonnegative=True)
LEFT = Symbol("H - h", positive=True)


def chance() -> Expr:
    """(L), from the uniform policy: A probabilities sum to one and none is larger."""
    return 1 / A


def stage_smoothness() -> Expr:
    """J_h'' = sum_s rho(s) <pi''(s), Q(s)> <= max rho sum_s |u_s|^2 span(Q) / 2, by (M), (H), (R)."""
    return top * LEFT / 2


def ascent() -> Expr:
    """J(theta + x) >= J(theta) + <g, x> - L/2 |x|^2 at x = eta g / L; stage_gradient is |g|^2 / L."""
    L, g = stage_smoothness(), Symbol("|g|", nonnegative=True)
    gain = eta / L * g**2 - L / 2 * (eta / L * g) ** 2
    return factor(gain * L / g**2) * stage_gradient


def global_convergence() -> Expr:
    """|g| >= 1/sqrt(S) sum_s rho(s) (1/A) max A(s) = e / (A sqrt(S)), (CS) and (L); then ascent; then the sum."""
    K = eta * (2 - eta) / (2 * stage_smoothness()) * (1 / (A * sqrt(S))) ** 2
    stage = harmonic(K, N)  # e_0 <= H - h <= 1/K, as A, S max rho and 1 / (eta (2 - eta)) are at least one
    assert same(stage, LEFT * A**2 * S * top / (eta * (2 - eta) * (N + 1)))
    # (PDL): weights d*_h / rho, whatever the stage is trained from
    total = stage / (LEFT / (N + 1)) * budget
    k, m = symbols("k m", integer=True, positive=True)
    steps = Sum(k, (k, 1, H)).doit() / m  # all stages done, mismatch 1; T = H m steps in all
    assert same(steps.subs(m, Symbol("T") / H), H**2 * (H + 1) / (2 * Symbol("T")))  # the order H^3
    return total


PROVES = {
    "global convergence": global_convergence,
    "the best action leads": chance,
    "stage ascent": ascent,
}
