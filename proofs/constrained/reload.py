r"""ReLOAD: its steps, summed. What is the same for all actions of a state is left out: it cancels in softmax."""

from __future__ import annotations

from sympy import Expr, Function, Integer, Symbol

from mdptk.theory.symbols import eta
from proofs.vocabulary import same


def summed() -> Expr:
    """By induction: x_t = eta (sum_{k<t} Q_k + Q_{t-1} - Q_{-1}) satisfies x_{t+1} = x_t + eta (2 Q_t - Q_{t-1})."""
    n = Symbol("n", integer=True, nonnegative=True)
    Q, T = Function("Q"), Function("T")  # T(n) = sum_{k<n} Q_k, T(n + 1) = T(n) + Q(n)
    x = lambda k, total: eta * (total + Q(k - 1) - Q(-1))  # noqa: E731
    assert same(x(n + 1, T(n) + Q(n)), x(n, T(n)) + eta * (2 * Q(n) - Q(n - 1)))
    assert same(x(0, Integer(0)), 0)
    return Integer(0)  # log pi_t is x_t, and Q_{-1} = Q_0


PROVES = {"all gradients, and the last one twice": summed}
