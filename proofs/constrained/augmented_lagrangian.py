r"""The augmented Lagrangian as the proximal point method on the dual (Rockafellar 1976, Güler 1991).

g_t = <c, x_t> - b, l' = l_{t+1} = [l_t + eta g_t]_+, D(l) = max_x <r, x> - l.(<c, x> - b). Named lemmas.
(O) the gradient in x of the augmented Lagrangian at x_t is r - c.l': so x_t maximises L(., l') over the occupancies.
(P) so D(l') = L(x_t, l'), -g_t is a subgradient of D there, and l' minimises F(l) = D(l) + |l - l_t|^2/(2 eta) over
l >= 0: with (l' - l_t)/eta - g_t >= 0, and = 0 where l' > 0. F is strongly convex: F(l) >= F(l') + |l - l'|^2/(2 eta).
(E) the step l_t -> l' is nonexpansive. (W) D(l) >= V* for l >= 0, with equality at l*. (C) Cauchy and Schwarz.
"""

from __future__ import annotations

from sympy import Expr, Function, Symbol, summation

from mdptk.theory import previous
from mdptk.theory.stock_augmented import best, distance, dual_gap, highest, move, size
from mdptk.theory.stock_constrained import lam_star
from mdptk.theory.symbols import eta, t
from proofs.vocabulary import same, telescope

k = Symbol("k", integer=True, nonnegative=True)


def optimal_at_the_next_price() -> Expr:
    """(O)."""
    return best


def closer() -> Expr:
    """(P) at l = l*: D(l*) + |l* - l_t|^2/(2 eta) >= D(l') + |l' - l_t|^2/(2 eta) + |l* - l'|^2/(2 eta), and (W)."""
    after = previous(distance) ** 2 - move**2 - 2 * eta * dual_gap
    left, right = previous(distance) ** 2 / (2 * eta), dual_gap + move**2 / (2 * eta)
    assert same(left - right - after / (2 * eta), 0)
    return after


def dual_convergence() -> Expr:
    """`closer` telescopes; D(l_t) never rises, since F(l') <= F(l_t), so the last gap is at most the mean."""
    d = Function("d")  # |l_k - l*|^2
    total = telescope(d, t).subs({d(0): lam_star**2, d(t): 0})  # at least 2 eta times the sum of t gaps
    return total / (2 * eta) / t


def _residual(n: Expr) -> Expr:
    """|l_n - l_{n-1}|, as Güler has it, with the gaps g_k = D(l_k) - V* and the squares s_k = |l_k - l_{k-1}|^2.

    `closer` sums to 2 eta sum_{k<=n} g_k + sum_{k<=n} s_k <= |l*|^2. And g_{k-1} - g_k >= s_k / eta, from F(l_{k-1}) >=
    F(l_k) + s_k/(2 eta); k - 1 times that sums to sum_{k<=n} g_k - n g_n >= sum_{k<=n} (k - 1) s_k / eta. Together
    sum_{k<=n} (2 (k - 1) + 1) s_k <= |l*|^2, where g_n >= 0 is left out; and no s_k is less than s_n, by (E).
    """
    g, k = Function("g"), Symbol("k", integer=True, positive=True)
    part = (k - 1) * (g(k - 1) - g(k)) - g(k)  # k - 1 times the fall, without g_k
    assert same(part, -(k * g(k) - (k - 1) * g(k - 1)))  # telescopes to -n g_n
    weight = summation(2 * (k - 1) + 1, (k, 1, n))
    assert same((lam_star / n) ** 2 * weight, lam_star**2)
    return lam_star / n  # a norm: not negative


def last_violation() -> Expr:
    """l' >= l_t + eta g_t, in every constraint: an excess is at most the step of its multiplier, over eta."""
    return _residual(t + 1) / eta


def last_gap() -> Expr:
    """V* - V_r <= -l'.g_t = -l'.(l' - l_t)/eta by (W), (P); |l'| <= |l*| + |l' - l*| <= 2 |l*| by `closer`, and (C)."""
    return 2 * lam_star * _residual(t + 1) / eta


def average_gap() -> Expr:
    """The same terms, summed: l'.(l' - l) = (|l'|^2 - |l|^2 + |l' - l|^2)/2, and the last part is not negative."""
    n, step = Function("n"), Symbol("step", nonnegative=True)  # |l_k|^2, |l' - l|^2
    a, b = Symbol("a", real=True), Symbol("b", real=True)
    assert same(a * (a - b), (a**2 - b**2 + (a - b) ** 2) / 2)
    one = (n(k + 1) - n(k) + step) / (2 * eta)  # l'.g_k
    assert same(one.subs(step, 0), -(n(k) - n(k + 1)) / (2 * eta))
    total = -telescope(n, t).subs({n(0): 0, n(t): size**2}) / (2 * eta)
    return total / t


def carried() -> Expr:
    """l' >= l_t + eta g_t: so the sum of the g_k is at most l_t/eta, in every constraint."""
    lam = Function("lam")
    return -telescope(lam, t).subs({lam(0): 0, lam(t): highest}) / eta / t


def average_violation() -> Expr:
    """`carried`, and no multiplier is above |l_t| <= 2 |l*|."""
    return carried().subs(highest, 2 * lam_star)


PROVES = {
    "the last policy is optimal at the next price": optimal_at_the_next_price,
    "distance to the multipliers": closer,
    "dual convergence": dual_convergence,
    "violation of the last policy": last_violation,
    "gap of the last policy": last_gap,
    "the average earns more than the optimum": average_gap,
    "average violation": average_violation,
    "violation is carried by the multiplier": carried,
}
