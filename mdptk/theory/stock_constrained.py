r"""Quantities and assumptions of constrained problems: of the last iterate, and of the average.

What an algorithm's policies earn and spend, :math:`(V_r, V_{c_1}, \ldots, V_{c_m})(\rho)`, is measured at every step,
with its sum over the steps before. The average is that of occupancies: the policy whose occupancy is the mean of those
of :math:`\pi_0 \ldots \pi_{t-1}`. It earns and spends the mean of what they do, which the policy with the mean of the
probabilities does not. A theorem says in its field `iterate` which of the two it is about.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Measure
from mdptk.core.errors import Infeasible, NotConverged
from mdptk.core.models import CMDP, Array, expect
from mdptk.core.run import Run
from mdptk.solve import solve
from mdptk.solve.solution import ConstrainedSolution
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.theorem import Assumption


def lagrangian_of(problem: CMDP, pi: Array, lam: Array) -> float:
    r""":math:`L(\pi, \lambda) = V_r^\pi(\rho) - \lambda \cdot (V_c^\pi(\rho) - b)`."""
    earned, *spent = exact.returns(problem, pi)
    return earned - lam @ (spent - problem.b)


def _played(truth: exact.Truth, state: Any) -> float:
    return lagrangian_of(truth.problem, state.pi, state.lam)


MEASURES = (
    Measure("returns", lambda truth, state: exact.returns(truth.problem, state.pi)),
    Measure("returns_sum", lambda truth, state: exact.returns(truth.problem, state.pi), "sum"),
)
PLAYED = Measure("played_sum", _played, "sum")  # of the Lagrangian at (pi_k, lambda_k)
BEST_PLAYED = Measure("best_played", _played, "min")

# of problems ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def optimum(problem: CMDP) -> ConstrainedSolution:
    """The certified optimum, as sharp as the solver gets it.

    Raises
    ------
    Infeasible
        If no policy meets the budgets, with the proof.
    NotConverged
        If the bounds do not come close, as for budgets that can be met only exactly.
    """
    scale = max(1.0, _largest(problem) / (1 - problem.gamma))
    for tol in (1e-11, 1e-9):
        try:
            return solve(problem, tol=tol * scale)  # type: ignore[return-value]
        except NotConverged:
            continue
    return solve(problem, tol=1e-6 * scale)  # type: ignore[return-value]


def _largest(problem: CMDP) -> float:
    return float(max(abs(problem.mdp.r).max(), abs(problem.c).max()))


def returns_rounding(problem: CMDP) -> float:
    """Rounding error of what a policy earns and spends."""
    g = problem.gamma
    return 8 * EPS * (1 + g) / (1 - g) ** 2 * _largest(problem)


def optimum_error(problem: CMDP) -> float:
    """How far the middle of the certified bounds can be from the optimal return."""
    return optimum(problem).width / 2


def slack_range(problem: CMDP) -> Array:
    r"""The largest :math:`|V_{c_i}^\pi(\rho) - b_i|` that costs between their extremes allow, (m,)."""
    g = problem.gamma
    high, low = problem.c.max((1, 2)) / (1 - g) - problem.b, problem.b - problem.c.min((1, 2)) / (1 - g)
    return np.maximum(abs(high), abs(low))


def slater(problem: CMDP) -> float:
    """The Slater constant: the largest slack that one policy has in all constraints at once, as proved by `solve`."""
    return optimum(problem).slater


xi = Quantity("xi", lambda run: slater(run.problem), latex=r"\xi")
G = Quantity(
    "G",
    lambda run: np.linalg.norm(slack_range(run.problem)),
    latex=r"G",
)  # ||V_c - b||_2 is at most that
spread = Quantity(
    "spread",
    lambda run: np.ptp(run.problem.mdp.r) / (1 - run.problem.gamma),
    latex=r"\tfrac{\mathrm{span}(r)}{1-\gamma}",
)  # no two policies earn more apart
lam_star = Quantity(
    "lam_star",
    lambda run: np.linalg.norm(optimum(run.problem).multipliers),
    latex=r"\|\lambda^*\|_2",
    rounding=lambda run: 1e-9 * np.linalg.norm(optimum(run.problem).multipliers),
)
lam_star_sum = Quantity(
    "lam_star_sum",
    lambda run: optimum(run.problem).multipliers.sum(),
    latex=r"\|\lambda^*\|_1",
    rounding=lambda run: 1e-9 * optimum(run.problem).multipliers.sum(),
)

# of runs --------------------------------------------------------------------------------------------------------


def last(run: Run) -> Array:
    """What the recorded policies earn and spend, (repeats, records, 1 + m)."""
    return run["returns"]


def average(run: Run) -> Array:
    """What the average of the policies before each record earns and spends, (repeats, records, 1 + m); nan at t = 0."""
    with np.errstate(invalid="ignore"):
        return run["returns_sum"] / run.t[:, None]


def excess(run: Run, of: Array) -> Array:
    """``V_c(rho) - b``, (repeats, records, m), of `last` or `average`."""
    return of[..., 1:] - run.problem.b


def _gap(run: Run, of: Array) -> Array:
    return optimum(run.problem).value - of[..., 0]


def _violation(run: Run, of: Array) -> Array:
    return np.maximum(excess(run, of), 0).max(-1)


def _returns_rounding(run: Run) -> float:
    return 2 * returns_rounding(run.problem)


def _gap_rounding(run: Run) -> float:
    return _returns_rounding(run) + optimum_error(run.problem)


cost_range = Quantity(
    "cost_range",
    lambda run: np.maximum(run.problem.c.max((1, 2)) / (1 - run.problem.gamma) - run.problem.b, 0).max(),
    latex=r"\max_i [\|c_i\|_\infty/(1-\gamma) - b_i]_+",
)
gap = Quantity(
    "gap",
    lambda run: _gap(run, last(run)),
    latex=r"V^*(\rho) - V_r^{\pi_{%t}}(\rho)",
    trivial=spread,
    rounding=_gap_rounding,
)
violation = Quantity(
    "violation",
    lambda run: _violation(run, last(run)),
    latex=r"\max_i\,[V_{c_i}^{\pi_{%t}}(\rho) - b_i]_+",
    trivial=cost_range,
    rounding=_returns_rounding,
)
average_gap = Quantity(
    "average_gap",
    lambda run: _gap(run, average(run)),
    latex=r"V^*(\rho) - V_r^{\bar\pi_{%t}}(\rho)",
    trivial=spread,
    rounding=_gap_rounding,
)
average_violation = Quantity(
    "average_violation",
    lambda run: _violation(run, average(run)),
    latex=r"\max_i\,[V_{c_i}^{\bar\pi_{%t}}(\rho) - b_i]_+",
    trivial=cost_range,
    rounding=_returns_rounding,
)


last_error = Quantity(
    "last_error",
    lambda run: abs(_gap(run, last(run))) + _violation(run, last(run)),
    latex=r"|V^*(\rho) - V_r^{\pi_{%t}}(\rho)| + \max_i\,[V_{c_i}^{\pi_{%t}}(\rho) - b_i]_+",
    rounding=lambda run: _gap_rounding(run) + _returns_rounding(run),
)
regret = Quantity(
    "regret",
    lambda run: optimum(run.problem).value - _mean(run, "played_sum"),
    latex=r"V^*(\rho) - \frac{1}{%t} \sum_{k<%t} L(\pi_k, \lambda_k)",
    rounding=lambda run: _returns_rounding(run) * (1 + highest_price(run)) + optimum_error(run.problem),
)


def _mean(run: Run, name: str) -> Array:
    with np.errstate(invalid="ignore"):
        return run[name] / run.t


def highest_price(run: Run) -> Array:
    """The largest sum of multipliers up to each record, (repeats, records)."""
    return np.maximum.accumulate(run["lam"].sum(-1), axis=1)


def lagrangian_values(run: Run) -> Array:
    r"""The Lagrangian :math:`L(\pi_t, \lambda_t)` at each record, (repeats, records)."""
    return last(run)[..., 0] - (run["lam"] * excess(run, last(run))).sum(-1)


def lagrangian_rounding(run: Run) -> Array:
    """Rounding error of `lagrangian_values`."""
    return _returns_rounding(run) * (1 + run["lam"].sum(-1))


def priced_action_values(problem: CMDP, pi: Array, lam: Array, bonus: Any = 0.0) -> Array:
    """Action values of ``pi[..., s, a]`` for the reward at the prices ``lam[..., i]``, and a bonus, (..., S, A)."""
    mdp = problem.mdp
    rewards = mdp.r - np.einsum("...i,isa->...sa", lam, problem.c) + bonus
    P, _ = exact.chain(mdp, pi)
    v = np.linalg.solve(np.eye(mdp.S) - mdp.gamma * P, (pi * rewards).sum(-1)[..., None])[..., 0]
    return rewards + mdp.gamma * expect(mdp.P, v, mdp.A)


def lagrangian_advantage(run: Run) -> Array:
    """The advantage of each recorded policy for the reward at its price, (repeats, records, S, A)."""
    q = priced_action_values(run.problem, run["pi"], run["lam"])
    return q - (run["pi"] * q).sum(-1, keepdims=True)


lagrangian = Quantity("lagrangian", lagrangian_values, latex=r"L(\pi_{%t}, \lambda_{%t})", rounding=lagrangian_rounding)
dual_gap = Quantity(
    "dual_gap",
    lambda run: lagrangian_values(run) - optimum(run.problem).value,
    latex=r"L(\pi_{%t}, \lambda_{%t}) - V^*(\rho)",
    rounding=lambda run: lagrangian_rounding(run) + optimum_error(run.problem),
)
excess_square = Quantity(
    "excess_square",
    lambda run: (excess(run, last(run)) ** 2).sum(-1),
    latex=r"\|V_c^{\pi_{%t}}(\rho) - b\|_2^2",
    rounding=lambda run: 2 * _returns_rounding(run) * abs(excess(run, last(run))).sum(-1),
)
multiplier_distance = Quantity(
    "multiplier_distance",
    lambda run: np.linalg.norm(run["lam"] - optimum(run.problem).multipliers, axis=-1),
    latex=r"\|\lambda_{%t} - \lambda^*\|_2",
)

# assumptions ----------------------------------------------------------------------------------------------------


def _no_slater(problem: CMDP) -> str | None:
    try:
        found = slater(problem)
    except (Infeasible, NotConverged) as error:
        return str(error)
    return None if found > 0 else "no policy is proved to have slack in every constraint"


slater_condition = Assumption("a policy with slack in every constraint (Slater)", lambda alg, cmdp: _no_slater(cmdp))


def _low_bound(alg: Any, problem: CMDP) -> str | None:
    if (wrong := _no_slater(problem)) is not None:
        return wrong
    bound, needed = alg.multiplier_bound(problem), optimum(problem).multipliers.sum()
    return None if bound > needed * (1 + 1e-9) else f"bound {bound:.6g}, multipliers of sum {needed:.6g}"


wide_bound = Assumption(r"a bound on the multipliers above $\|\lambda^*\|_1$ (Slater)", _low_bound)


def _unknown_bound(alg: Any, problem: CMDP) -> str | None:
    return None if alg.bound is not None else _no_slater(problem)


known_bound = Assumption("a bound on the multipliers, or Slater's condition to take one from", _unknown_bound)
multiplier_bound = Quantity("multiplier_bound", lambda run: run.alg.multiplier_bound(run.problem), latex=r"\Lambda")


def _outside(name: str, x: Array, low: float, high: float) -> str | None:
    bad = (x < low) | (x > high)
    if not bad.any():
        return None
    where = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"{name}{list(where)} = {x[where]:.6g}"


unit_rewards = Assumption("rewards in [0, 1]", lambda alg, cmdp: _outside("r", cmdp.mdp.r, 0, 1))
unit_costs = Assumption("costs in [0, 1]", lambda alg, cmdp: _outside("c", cmdp.c, 0, 1))
budgets_in_range = Assumption(
    r"budgets in $[0, 1/(1-\gamma)]$", lambda alg, cmdp: _outside("b", cmdp.b, 0, 1 / (1 - cmdp.gamma))
)
