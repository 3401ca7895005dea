r"""The energy of a policy that turns around the saddle, and what a controller takes out of it.

Step: log pi' = log pi + eta/(1-gamma) A - log Z, with the advantage A of pi at the prices l. Named lemmas.
(D) performance difference: sum d*(s) pi*(a|s) A(s, a) = (1-gamma)(L(pi*, l) - L(pi, l)), with d* of sum one.
(S) saddle: L(pi*, l*) >= L(pi, l*), l*.(V_c* - b) = 0 and V_c* <= b: so L(pi*, l) - L(pi, l) >= (l - l*).e for l >= 0.
(P) for I' = [I + e]_+ and any J >= 0: |I' - J|^2 <= |I - J|^2 - |I' - I|^2 + 2 e.(I' - J).
"""

from __future__ import annotations

from sympy import Expr, Function, Symbol

from mdptk.algorithms.constrained.pid_lagrangian import (
    K_I,
    KL,
    W,
    friction,
    highest,
    lagrangian_gap,
    log_normaliser,
    move,
)
from mdptk.theory import previous
from mdptk.theory.symbols import eta, gamma, t
from proofs.vocabulary import same, telescope

LOG_Z = previous(log_normaliser)


def mirror() -> Expr:
    """KL' - KL = -E*[log pi' - log pi] = -eta/(1-gamma) E*[A] + E*[log Z], by (D)."""
    advantage = (1 - gamma) * previous(lagrangian_gap)
    return previous(KL) - eta / (1 - gamma) * advantage + LOG_Z


def energy() -> Expr:
    """`mirror` with (S), and eta K_I/2 times (P) for J = l*/K_I: the terms in (I - J).e cancel."""
    e, lam, I, J = (Symbol(x, real=True) for x in ("e", "l", "I", "J"))  # one constraint; sums of such terms
    policy = -eta * (lam - K_I * J) * e
    integral = eta * K_I / 2 * (2 * e * (I - J))
    taken = eta * (lam - K_I * I) * e
    assert same(policy + integral, -taken)
    a, i, j = (Symbol(x, real=True) for x in ("a", "i", "j"))  # (P) where nothing is cut off: i = a + e
    assert same(((i - j) ** 2).subs(i, a + e), ((a - j) ** 2 - (i - a) ** 2 + 2 * e * (i - j)).subs(i, a + e))
    # where i = 0 > a + e: the right side less the left is 2 (a + e)(a - j + ...) >= 0, namely 2 (-(a + e)) j
    cut = ((a - j) ** 2 - (i - a) ** 2 + 2 * e * (i - j) - (i - j) ** 2).subs(i, 0)
    assert same(cut, -2 * (a + e) * j)
    return previous(W) - eta * previous(friction) - eta * K_I / 2 * previous(move) ** 2 + LOG_Z


def carried() -> Expr:
    """I_k >= I_{k-1} + e_k, so e_0 + ... + e_{t-1} <= I_{t-1}, and I_{t-1} <= I_t - e_t."""
    total, j = Function("I"), Symbol("j", integer=True)
    one = total(j) - total(j - 1)
    assert same(one + (total(j - 1) - total(j)), 0)
    steps = -telescope(total, t).subs({total(0): 0, total(t): highest})  # index shifted by one: I_{-1} = 0
    return steps / t


PROVES = {
    "distance to the optimal policy": mirror,
    "friction": energy,
    "violation is carried by the integral": carried,
}
