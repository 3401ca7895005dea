r"""Policy dual averaging: the potential of exponential weights with a step size that decreases.

Notation. S_t = sum_{k < t} A_k in a state, Phi_t(x) = E_{d*} log mean_a exp(x (S_t(a) - S_t(a*))) / x, eta_k = eta /
sqrt(k + 1); pi_k is proportional to exp(eta_k S_k).
Named lemmas. (PDL) (1 - gamma) gap_k = E_{d*} A_k(s, a*). (I) x -> log mean exp(x y) / x increases: a power mean.
(Ho) log E exp(x A) <= x^2 b^2 / 8 for A of mean zero and span b <= 1 / (1 - gamma) (Hoeffding). (S) sum_{k < T}
1 / sqrt(k + 1) <= 2 sqrt(T).
"""

from __future__ import annotations

from sympy import Expr, Symbol, log, sqrt

from mdptk.algorithms.mirror_descent.dual_averaging import curvature, late_potential, potential
from mdptk.theory import previous
from mdptk.theory.symbols import A, eta, gamma, t
from proofs.vocabulary import same


def identity() -> Expr:
    """Phi_t(eta_{t-1}) - Phi_{t-1}(eta_{t-1}) = curvature - E_{d*} A_{t-1}(s, a*): pi_{t-1} has that step size."""
    gap = Symbol("(1 - gamma) gap")
    rise = curvature - gap
    bound = previous(potential) - late_potential + curvature
    assert same(rise - (late_potential - previous(potential)), bound - gap)  # zero on both sides
    return bound


def shrinking() -> Expr:
    """(I), and eta_t < eta_{t-1}."""
    return late_potential


def mean_gap() -> Expr:
    """The identity summed: Phi_0 = 0, and -Phi_T(eta_{T-1}) <= log A / eta_{T-1}, for the mean holds a* with exp 0."""
    T = t
    at_the_end = log(A) / (eta / sqrt(T))
    k = Symbol("k", integer=True, nonnegative=True)
    one = (eta / sqrt(k + 1)) / (8 * (1 - gamma) ** 2)  # (Ho) over the step size
    curvatures = one * sqrt(k + 1) * 2 * sqrt(T)  # (S)
    x = Symbol("x", positive=True)  # (S) by induction: 2 (sqrt(T + 1) - sqrt(T)) >= 1 / sqrt(T + 1)
    assert same(2 * (sqrt(x + 1) - sqrt(x)) * (sqrt(x + 1) + sqrt(x)), 2)  # and that sum is at most 2 sqrt(x + 1)
    return (at_the_end + curvatures) / (T * (1 - gamma))


PROVES = {
    "mean gap": mean_gap,
    "regret identity": identity,
    "shrinking steps cost nothing": shrinking,
}
