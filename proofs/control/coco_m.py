r"""COCO-M: regret and violation of a run (after Liu, Yang and Ying 2023, rederived).

Named lemma (OGD): projected steps M - eta G_k satisfy sum <G_k, M_k - M> <= |M - M_0|^2 / (2 eta) + (eta/2) sum
|G_k|^2, for every M in the convex set that is projected on. f_k and g_k^+ are convex, so <G_k, M_k - M> is at least
f_k(M_k) - f_k(M) + Q_k g_k^+(M_k) where g_k(M) <= 0.
"""

from __future__ import annotations

import sympy
from sympy import Expr, Function, Symbol

from mdptk.algorithms.control.coco_m import epsilon, eta_q
from mdptk.theory.stock_control import drift, far, hard, hard_square, memory, slope_square
from mdptk.theory.symbols import eta, t
from proofs.vocabulary import same, telescope


def queue() -> Expr:
    """Q_{k+1} = Q_k + eta_q g_k^+, from zero."""
    Q = Function("Q")
    total = -telescope(lambda k: Q(k), t)
    assert same(total.subs(Q(0), 0), Q(t))
    return eta_q * hard


def regret() -> Expr:
    """(OGD), and sum Q_k g_k = (eta_q V^2 - eta_q sum g_k^2) / 2 from Q_{k+1}^2 - Q_k^2, with V the sum of g_k."""
    Q, g = Symbol("Q", nonnegative=True), Symbol("g", nonnegative=True)
    one = ((Q + eta_q * g) ** 2 - Q**2 - eta_q**2 * g**2) / (2 * eta_q)
    assert same(one, Q * g)
    queued = (queue() ** 2 - eta_q**2 * hard_square) / (2 * eta_q)
    assert same(queued, eta_q * hard**2 / 2 - eta_q * hard_square / 2)
    descent = far / (2 * eta) + eta * slope_square / 2
    # sum (f_k(M_k) - f_k(M*)) + queued <= descent; true costs add `memory` on both sides
    return sympy.expand(descent - (queued - eta_q * hard**2 / 2) + memory)


def allowed() -> Expr:
    """Each M_k is projected on the parameters that leave epsilon at worst: a convex set, as z is affine in M."""
    return epsilon


def static() -> Expr:
    """Under M_k all along, b - D z_k >= allowed(). What really happened had other parameters at k - 1 .. k - n.

    x_k is sum_i C^i (w + G v)_{k-1-i}, C = F - G K, and the input -K x_k + v_k(M_k), with v_s(M) = sum_i M_i w_{s-i}.
    So D (z_k - z_k(M_k)) = sum_i D (1, -K) C^i G v_{k-1-i}(M_{k-1-i} - M_k), and |v_s(M)| <= |M| W sqrt(h n) by
    Cauchy-Schwarz: L_{j,i} is W sqrt(h n) |D_j (1, -K) C^{i-1} G|, and the sum over i at most the drift.
    """
    W, h, n = sympy.symbols("W h n", positive=True)
    squares = sympy.summation(W**2, (Symbol("i"), 1, h * n))  # h disturbances of n coordinates in [-W, W]
    assert same(sympy.sqrt(squares), W * sympy.sqrt(h * n))
    return allowed() - drift


PROVES = {
    "regret and violation of the run": regret,
    "the queue is the violation": queue,
    "parameters keep to the static constraints": allowed,
    "static constraints up to the drift": static,
}
