r"""Poly-PPO: what an objective of sets gains beyond the first order.

Notation. f(x_1, ..., x_n) is the multilinear extension of a symmetric set function with values in [0, 1]; d = p - pi,
tau = |d|_1 / 2. Named lemma. (S) d = tau (mu - nu) for two distributions; so f(d, .., d, pi, .., pi), with k times d,
is tau^k times a sum of 2^k expectations in [0, 1] of which half have a minus: at most tau^k 2^(k-1) in size.
"""

from __future__ import annotations

from sympy import Expr, Symbol, binomial, expand, symbols

from mdptk.algorithms.utility.poly_ppo import J as worth
from mdptk.algorithms.utility.poly_ppo import first_order, n, tau
from mdptk.theory import previous
from proofs.policy_gradient.ppo import ascent
from proofs.vocabulary import same


def gain() -> Expr:
    """J(p) = sum_k C(n, k) f(d^k, pi^(n-k)); k = 0 is J(pi), k = 1 is n <d, A#> = n <p, A#>; (S) for the others."""
    x, k = Symbol("x"), symbols("k", integer=True)
    for size in (1, 2, 5):  # the binomial theorem at x = 2 tau
        rest = sum(binomial(size, j) * x**j / 2 for j in range(2, size + 1))
        assert same(rest, expand(((1 + x) ** size - 1 - size * x) / 2))
    assert same(x**k / 2, 2 ** (k - 1) * (x / 2) ** k)
    return previous(worth) + first_order - ((1 + 2 * tau) ** n - 1 - 2 * n * tau) / 2


PROVES = {"gain of a set objective": gain, "surrogate ascent": ascent}
