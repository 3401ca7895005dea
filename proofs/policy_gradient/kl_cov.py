r"""KL-Cov, tabular: as for PPO; of the drift only two things are used, here for what is marked.

It is beta (rho - 1 - log rho), which is not negative, and zero at rho = 1.
"""

from __future__ import annotations

from sympy import Expr, Symbol, diff, log

from proofs.policy_gradient.ppo import ascent as surrogate_ascent
from proofs.policy_gradient.ppo import monotone as all_states


def a_drift() -> None:
    """Convex in rho, with value and slope zero at one."""
    rho = Symbol("rho", positive=True)
    drift = rho - 1 - log(rho)
    assert drift.subs(rho, 1) == 0
    assert diff(drift, rho).subs(rho, 1) == 0
    assert diff(drift, rho, 2).is_positive


def monotone() -> Expr:
    """As for PPO."""
    a_drift()
    return all_states()


def ascent() -> Expr:
    """As for PPO."""
    a_drift()
    return surrogate_ascent()


PROVES = {"monotone improvement": monotone, "surrogate ascent": ascent}
