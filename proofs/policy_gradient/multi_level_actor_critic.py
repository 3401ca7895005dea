r"""The cost of a multi-level mean, and how far Adagrad can go.

Named lemma. (L) 1 - x <= -log(x) for 0 < x <= 1.
"""

from __future__ import annotations

from sympy import Expr, Function, Rational, Symbol, log, summation

from mdptk.algorithms.policy_gradient.multi_level_actor_critic import collected, levels
from mdptk.theory.symbols import alpha, t
from proofs.vocabulary import same, telescope


def expected_cost() -> Expr:
    """A level j has probability 2^-j and takes 2^j samples, for j = 1 .. L; the rest has probability 2^-L, and one."""
    j, L = Symbol("j", integer=True), Symbol("L", integer=True, positive=True)
    assert same(summation(Rational(1, 2) ** j * 2**j, (j, 1, L)), L)
    assert same(1 - summation(Rational(1, 2) ** j, (j, 1, L)), 2 ** (-L))
    return (levels + 2 ** (-levels)) * t


def squared_steps_of_adagrad() -> Expr:
    """alpha^2 (n_{k+1} - n_k) / n_{k+1} is at most alpha^2 (log n_{k+1} - log n_k), by (L) at n_k / n_{k+1}; summed."""
    n, log_n = Function("n"), Function("log_n")
    k = Symbol("k", integer=True, nonnegative=True)
    x = n(k) / n(k + 1)
    assert same((n(k + 1) - n(k)) / n(k + 1), 1 - x)
    total = -telescope(log_n, t)
    return alpha**2 * total.subs(log_n(0), log(1)).subs(log_n(t), log(collected))


PROVES = {"expected cost": expected_cost, "squared steps of Adagrad": squared_steps_of_adagrad}
