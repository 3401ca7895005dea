r"""Optimistic gradient descent-ascent over a closed convex set (after Wei et al. 2021, Lemma 1, rederived).

F is monotone and L-Lipschitz, z* a saddle point, so F(z).(z - z*) >= 0; kappa = (2 eta L)^2 < 1; z_{-1} = z^_0.
Named lemmas.
(3P) z' = Proj(z^ - eta g): 2 eta g.(z' - u) <= |z^ - u|^2 - |z' - u|^2 - |z' - z^|^2 for every u of the set.
(N) two projections from one point, along g and h, are at most eta |g - h| apart. (Q) |a + b|^2 <= 2 |a|^2 + 2 |b|^2.
"""

from __future__ import annotations

from sympy import Expr, Function, sqrt, symbols

from mdptk.algorithms.constrained.reload_occupancy import kappa, potential, travel
from mdptk.theory import initial, previous
from mdptk.theory.symbols import t
from proofs.vocabulary import same, telescope


def falls() -> Expr:
    """(3P) for z^_{t+1} at z*, and for z_t at z^_{t+1}; what is left over is the change of the gradient."""
    names = "d |z^_{t+1}-z_t|^2 |z_t-z^_t|^2 |z^_t-z_{t-1}|^2"  # d = |z^_t - z*|^2
    d, hat_z, z_hat, old = symbols(names, nonnegative=True)
    # 2 eta F_t.(z^_{t+1} - z*) <= d - d' - |z^_{t+1} - z^_t|^2
    # 2 eta F_{t-1}.(z_t - z^_{t+1}) <= |z^_t - z^_{t+1}|^2 - |z_t - z^_{t+1}|^2 - |z_t - z^_t|^2
    # added, with F_t.(z_t - z*) >= 0:  d' <= d - hat_z - z_hat + 2 eta (F_t - F_{t-1}).(z_t - z^_{t+1})
    eta_L = sqrt(kappa) / 2
    change = 2 * z_hat + 2 * old  # |z_t - z_{t-1}|^2, by (Q)
    left = 2 * eta_L**2 * change  # by (N) and Lipschitz: |z_t - z^_{t+1}| <= eta L |z_t - z_{t-1}|
    assert same(left, kappa * (z_hat + old))
    new_distance = d - hat_z - z_hat + left
    new = new_distance + kappa * hat_z  # Theta_{t+1}
    assert same(new, d + kappa * old - (1 - kappa) * (hat_z + z_hat))
    return previous(potential) - (1 - kappa) * travel


def best() -> Expr:
    """`falls`, summed over t steps: the least of them is at most the mean."""
    Theta = Function("Theta")
    total = telescope(Theta, t)
    worst = total.subs({Theta(0): initial(potential), Theta(t): 0})
    return worst / (1 - kappa) / t


PROVES = {"the potential falls": falls, "best step": best}
