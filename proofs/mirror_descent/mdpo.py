r"""MDPO with m inner steps: every inner step ascends, so every state improves; how fast the residual shrinks.

Notation, in one state with d visits, of which d <= 1 is all that is used. F(theta) = <p, A> - KL(p || pi) / eta with
p = softmax(theta), G = A - log(p / pi) / eta the residual, c_a = alpha d p_a / eta. The gradient of d F is
d p (G - <p, G>), and log(p / pi) is theta up to a constant.
Named lemmas. (M) |p''|_1 <= |u|^2, Var_p(u) <= |u|^2 / 2 along a direction u of logits; (H) <x, f> <= |x|_1 span(f) / 2
if the sum of x is zero. (R) span(A) <= 1 / (1 - gamma), d <= 1, p <= 1. (PDL) V^p - V^pi is
E_{d^p} <p, A^pi> / (1 - gamma).
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol

from mdptk.theory.stock_mdpo import moved, rate, spread
from mdptk.theory.symbols import eta, gamma, m
from proofs.policy_gradient.q_npg import identity as log_linear_identity
from proofs.vocabulary import induction, same

ALPHA = 1 / (1 / (1 - gamma) + 1 / eta)


def identity() -> Expr:
    """The update is pi_t proportional to pi_{t-1} exp(eta f), f = log(pi_t / pi_{t-1}) / eta: as for any fit f."""
    return log_linear_identity()


def inner_step() -> None:
    """G_a moves to G_a - c_a (G_a - <p, G>), with 0 <= c_a <= 1: no value leaves the interval of the others."""
    assert same(ALPHA / eta, (1 - gamma) / (1 - gamma + eta))  # at most one; d p at most one, (R)
    # so span(G) <= span(A) <= 1 / (1 - gamma) on the way and between. F'' = <p'', G> - Var(u) / eta:
    L = 1 / (2 * (1 - gamma)) + 1 / (2 * eta)  # of d F, by (M), (H), (R)
    assert same(1 / ALPHA, 2 * L)  # alpha is half of 1 / L, less than the 2 / L up to which gradient steps ascend


def improvement() -> Expr:
    """F rises from 0, so <p, A> >= KL(p || pi) / eta in every state; then (PDL)."""
    inner_step()
    return moved / (eta * (1 - gamma))


def monotone() -> Expr:
    """The same from every state; a divergence is not negative."""
    assert improvement().subs(moved, 0) == 0
    return Integer(0)


def inner_convergence() -> Expr:
    """In an inner step the largest and the smallest G move towards <p, G> by min c_a at least: a factor of the span."""
    inner_step()
    c, g, mean = Symbol("c_min", nonnegative=True), Symbol("G_max"), Symbol("<p, G>")
    low = Symbol("G_min")
    after = (g - c * (g - mean)) - (low - c * (low - mean))
    assert same(after, (1 - c) * (g - low))
    return induction(spread, rate, m)


PROVES = {
    "regret identity": identity,
    "improvement": improvement,
    "monotone improvement": monotone,
    "inner convergence": inner_convergence,
}
