r"""Robust on-policy sampling: how far frequencies are from probabilities, in mean square (derived).

In one state with the policy pi, after m actions with counts n, let x = n - m pi; the next action a has the distribution
q, the softmax of phi = theta - (alpha / m) x, and x' = x + e_a - pi.
Named lemma. (CC) log-sum-exp has the gradient softmax, which moves by at most half of what the logits move by in the
2-norm; so <q - pi, phi - theta> >= 2 |q - pi|^2 (co-coercivity of the gradient of a convex function).
"""

from __future__ import annotations

from sympy import Expr, Rational, Symbol, diff, solve, symbols

from mdptk.theory.symbols import A, H, N
from proofs.vocabulary import same

alpha = Symbol("alpha", positive=True)
m = Symbol("m", positive=True)
delta = Symbol("|q - pi|", nonnegative=True)
v = Symbol("|pi|^2", positive=True)


def _one_draw() -> Expr:
    """E |x'|^2 - |x|^2 = 2 <x, q - pi> + E |e_a - pi|^2, the last 1 - 2 <q, pi> + |pi|^2."""
    x, move, of_q, of_pi = symbols("x move of_q of_pi")  # move = <x, q - pi>, of_q = <q, pi>, of_pi = |pi|^2
    whole = 2 * move + 1 - 2 * of_q + of_pi
    assert same(whole, (1 - of_pi) + 2 * move - 2 * (of_q - of_pi))  # what independent draws have, and corrections
    back = -2 * (m / alpha) * 2 * delta**2  # 2 <x, q - pi> with x = -(m / alpha) (phi - theta), by (CC)
    aside = Symbol("|pi - 1/A|", nonnegative=True)  # -<pi, q - pi> is at most aside * delta, since q - pi sums to zero
    both = back + 2 * aside * delta
    (at,) = solve(diff(both, delta), delta)
    most = both.subs(delta, at)
    assert same(most, alpha / (4 * m) * aside**2)
    assert x not in whole.free_symbols
    return 1 - v + most.subs(aside**2, v - 1 / A).subs(aside, (v - 1 / A) ** Rational(1, 2))


def frequencies() -> Expr:
    """With alpha <= 4 <= 4 m the weight of |pi|^2 is not positive, and |pi|^2 >= 1/A; the first action has none."""
    draw = _one_draw()
    weight = diff(draw, v)
    assert same(weight, alpha / (4 * m) - 1)
    largest = draw.subs(v, 1 / A)
    assert same(largest, 1 - 1 / A)
    assert same((1 - v).subs(v, 1 / A), largest)  # m = 0: q = pi
    return H * N * largest  # N visits at every stage, whatever the states are


PROVES = {"frequencies as of a uniform policy": frequencies}
