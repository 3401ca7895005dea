r"""Policy mirror descent with adaptive steps: greedy enough, one step, and the rate gamma (Johnson et al. 2023).

Named lemmas. (3P) If p+ maximises eta <q, p> - KL(p, x), then for every p
eta <q, p> - KL(p, x) <= eta <q, p+> - KL(p+, x) - KL(p, p+). (M) T_pi is monotone with fixed point V^pi, and
T V >= T_pi V for every pi; T is a gamma-contraction with fixed point V*.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol

from mdptk.algorithms.mirror_descent.adaptive_pmd import allowed, c_0
from mdptk.theory import initial, previous
from mdptk.theory.stock import policy_error
from mdptk.theory.symbols import gamma, t
from proofs.vocabulary import geometric, same


def greedy() -> Expr:
    """(3P) at the greedy policy that is nearest to pi_t: <q, p - p+> <= KL(p, x) / eta, by the choice of eta."""
    kl, c = Symbol("KL", positive=True), Symbol("c", positive=True)
    eta = kl / c  # at least, in every state
    assert same(kl / eta, c)
    return previous(allowed)


def one_step() -> Expr:
    """V_{t+1} = T_+ V_{t+1} >= T_+ V_t >= T V_t - c, where the first is `monotone`; and V* - T V_t <= gamma error."""
    return gamma * previous(policy_error) + greedy()


def linear() -> Expr:
    """The recursion summed: c_j = gamma^(2j+1) c_0 is passed on t - 1 - j times."""
    j, T = Symbol("j", integer=True, nonnegative=True), Symbol("T", integer=True, positive=True)
    passed_on = gamma ** (T - 1 - j) * gamma ** (2 * j + 1) * c_0
    assert same((passed_on / (gamma**T * gamma**j)).simplify(), c_0)
    return gamma**t * (initial(policy_error) + c_0 * geometric(gamma))


def monotone() -> Expr:
    """(3P) at p = x: <q, p+ - x> >= 0 in every state, so T_+ V_t >= V_t, and (M)."""
    return Integer(0)


PROVES = {
    "linear convergence": linear,
    "one step": one_step,
    "greedy enough": greedy,
    "monotone improvement": monotone,
}
