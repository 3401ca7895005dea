r"""Quantities of learners that play episodes under budgets: regret and violation, strong and weak.

A learner's state has `pi`, the policy that it will play, and ``Q[i, h, s, a]``, what it believes that policy to be
worth: its plan for the reward (i = 0) and for each cost. Weak regret lets one episode make up for another,
:math:`\sum_k (V^* - V_r^{\pi_k})`; the strong one does not, :math:`\sum_k [V^* - V_r^{\pi_k}]_+`, and likewise
:math:`[\sum_k (V_c^{\pi_k} - b)]_+` and :math:`\sum_k [V_c^{\pi_k} - b]_+`. A learner that overspends in every other
episode and saves as much in between has no weak violation, and a strong one that grows like K.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Measure
from mdptk.core.constrained import EpisodicCMDP
from mdptk.core.errors import Infeasible, MdptkError, NotConverged
from mdptk.core.models import Array, expect
from mdptk.core.run import Run
from mdptk.solve import solve
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.symbols import H, K
from mdptk.theory.theorem import Assumption, Cite, Theorem

# measured with the true model -----------------------------------------------------------------------------------


def _returns(truth: exact.Truth, state: Any) -> Any:
    return exact.returns(truth.problem, state.pi)


def _over(truth: exact.Truth, state: Any) -> Any:
    over = _returns(truth, state)[1:] - truth.problem.b
    return over * (over > 0)


def planned(truth: exact.Truth, state: Any) -> Any:
    """What the policy is believed to earn and spend, (1 + m,)."""
    return (truth.problem.mdp.rho[:, None] * state.pi[0] * state.Q[:, 0]).sum((-2, -1))


def surplus(truth: exact.Truth, state: Any) -> Any:
    """How much Q exceeds its own true backup, ``Q - g - P V`` for the reward and the costs g, (1 + m, H, S, A)."""
    problem, Q = truth.problem, state.Q
    xp = exact.namespace(Q)
    V = (state.pi * Q).sum(-1)
    later = xp.concatenate([V[:, 1:], xp.zeros_like(V[:, :1])], 1)
    return Q - xp.concatenate([problem.mdp.r[None], problem.c]) - expect(problem.mdp.P, later, problem.A)


def _expected_surplus(truth: exact.Truth, state: Any) -> Any:
    x = exact.occupancy(truth.problem.mdp, state.pi)[..., None] * state.pi
    return (x * surplus(truth, state)).sum((-3, -2, -1))


MEASURES = (
    Measure("returns", _returns),
    Measure("returns_sum", _returns, "sum"),
    Measure("over_sum", _over, "sum"),
    Measure("planned_sum", planned, "sum"),
    Measure("surplus_sum", _expected_surplus, "sum"),
)
LEAST_PLANNED = Measure("least_planned", lambda truth, state: planned(truth, state)[0], "min")

# of problems ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def optimum(problem: EpisodicCMDP) -> Any:
    """The certified optimum.

    Raises
    ------
    Infeasible
        If no policy meets the budgets.
    """
    scale = problem.H * max(1.0, float(abs(problem.mdp.r).max()), float(abs(problem.c).max()))
    try:
        return solve(problem, tol=1e-11 * scale)
    except NotConverged:
        return solve(problem, tol=1e-7 * scale)


def _size(problem: EpisodicCMDP) -> float:
    return max(1.0, float(abs(problem.mdp.r).max()), float(abs(problem.c).max()))


def plan_rounding(problem: EpisodicCMDP) -> float:
    """Rounding error of a planned or true return: optimistic values are at most of size H (H + 1)."""
    return 16 * EPS * problem.S * problem.A * problem.H**3 * _size(problem)


def _one_rounding(run: Run) -> float:
    return plan_rounding(run.problem) + optimum(run.problem).width


def _sum_rounding(run: Run) -> Any:
    return run.t * _one_rounding(run)


# of runs --------------------------------------------------------------------------------------------------------


def _earned(run: Run) -> Array:
    """Of every episode; nan where a thinned run left some out."""
    if run.every != 1:
        raise MdptkError(f"the strong regret looks at every episode; the run has every = {run.every}")
    return run["returns"][..., 0]


def _strong_regret(run: Run) -> Array:
    lost = np.maximum(optimum(run.problem).value - _earned(run), 0)
    return np.cumsum(lost, axis=1) - lost


def planned_error(run: Run, i: int) -> Array:
    """What the plans promised, above what they kept: of the reward (i = 0) or of the i-th cost."""
    return run["planned_sum"][..., i] - run["returns_sum"][..., i]


regret = Quantity(
    "regret",
    lambda run: run.t * optimum(run.problem).value - run["returns_sum"][..., 0],
    latex=r"\sum_{k<K} (V^* - V_r^{\pi_k})(\rho)",
    trivial=H * K,
    rounding=_sum_rounding,
)
strong_regret = Quantity(
    "strong_regret",
    _strong_regret,
    latex=r"\sum_{k<K} [V^* - V_r^{\pi_k}]_+(\rho)",
    trivial=H * K,
    rounding=_sum_rounding,
)
violation = Quantity(
    "violation",
    lambda run: (run["returns_sum"][..., 1:] - run.t[:, None] * run.problem.b).max(-1),
    latex=r"\max_i \sum_{k<K} (V_{c_i}^{\pi_k}(\rho) - b_i)",
    trivial=H * K,
    rounding=_sum_rounding,
)
strong_violation = Quantity(
    "strong_violation",
    lambda run: run["over_sum"].max(-1),
    latex=r"\max_i \sum_{k<K} [V_{c_i}^{\pi_k}(\rho) - b_i]_+",
    trivial=H * K,
    rounding=_sum_rounding,
)
reward_error = Quantity(
    "reward_error",
    lambda run: planned_error(run, 0),
    latex=r"\sum_{k<K} (\hat V_{r,k} - V_r^{\pi_k})(\rho)",
    rounding=_sum_rounding,
)
cost_error = Quantity(
    "cost_error",
    lambda run: (run["returns_sum"] - run["planned_sum"])[..., 1:].max(-1),
    latex=r"\max_i \sum_{k<K} (V_{c_i}^{\pi_k} - \hat V_{c_i,k})(\rho)",
    rounding=_sum_rounding,
)
reward_surplus = Quantity(
    "reward_surplus",
    lambda run: run["surplus_sum"][..., 0],
    latex=r"\sum_{k<K} \mathbb{E}^{\pi_k} \sum_h (\hat Q_{r,k} - r - P \hat V_{r,k})_h",
    rounding=_sum_rounding,
)
cost_surplus = Quantity(
    "cost_surplus",
    lambda run: (-run["surplus_sum"][..., 1:]).max(-1),
    latex=r"\max_i \sum_{k<K} \mathbb{E}^{\pi_k} \sum_h (c_i + P \hat V_{c_i,k} - \hat Q_{c_i,k})_h",
    rounding=_sum_rounding,
)
pessimism = Quantity(
    "pessimism",
    lambda run: optimum(run.problem).value - run["least_planned"],
    latex=r"\max_{k \leq K} (V^* - \hat V_{r,k})(\rho)",
    rounding=_one_rounding,
)
planned_regret = Quantity(
    "planned_regret",
    lambda run: run.t * optimum(run.problem).value - run["planned_sum"][..., 0],
    latex=r"\sum_{k<K} (V^* - \hat V_{r,k})(\rho)",
    rounding=_sum_rounding,
)

REWARD_IDENTITY = Theorem(
    name="surpluses make the error of the reward",
    cite=Cite("simchowitz2019non", "Section 3, the regret decomposition, for the policy that is played"),
    lhs=reward_error,
    rhs=reward_surplus,
    relation="=",
)
COST_IDENTITY = Theorem(
    name="surpluses make the error of the costs",
    cite=Cite("simchowitz2019non", "Section 3, the regret decomposition, for the policy that is played"),
    lhs=cost_error,
    rhs=cost_surplus,
    relation="=",
)

# assumptions ----------------------------------------------------------------------------------------------------


def _outside(name: str, x: Array) -> str | None:
    bad = (x < 0) | (x > 1)
    if not bad.any():
        return None
    where = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"{name}{list(where)} = {x[where]:.6g}"


def _infeasible(problem: EpisodicCMDP) -> str | None:
    try:
        optimum(problem)
    except (Infeasible, NotConverged) as error:
        return str(error)
    return None


same_transitions = Assumption(
    "the same transitions at every stage",
    lambda alg, problem: None if (problem.mdp.P[:1] == problem.mdp.P).all() else "they differ between stages",
)
unit_rewards = Assumption("rewards in [0, 1]", lambda alg, problem: _outside("r", problem.mdp.r))
unit_costs = Assumption("costs in [0, 1]", lambda alg, problem: _outside("c", problem.c))
feasible = Assumption("a policy that meets the budgets", lambda alg, problem: _infeasible(problem))
LEARNABLE = (same_transitions, unit_rewards, unit_costs, feasible)
