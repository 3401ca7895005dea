r"""Quantities of control under constraints that change: regret, violation, and what the memory adds.

A state has the true state `x`, parameters `M`, and sums over the steps before: `paid`, the true costs; `surrogate`,
what each step would have cost had its parameters been there all along, :math:`f_k(M_k)`; `hard`, the excess in that
sense, :math:`g_k^+(M_k)`, and its square; `slope_square`, of the steps' directions. Of static constraints
it has `room`, the least that the steps before left of one, and `drift`, the most by which changing parameters can have
moved one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from mdptk.core.control import OnlineControl
from mdptk.core.errors import MdptkError
from mdptk.core.models import Array
from mdptk.core.run import Run
from mdptk.theory.quantity import EPS, Quantity
from mdptk.theory.theorem import Assumption

PROJECTED = 1e-9  # how far a solver's projection may be off, in norm


@lru_cache(maxsize=16)
def best_parameters(problem: OnlineControl, epsilon: float = 0.0) -> Array:
    """The cheapest constant parameters that never touch the limit, (h * d * n,); within 1e-9 of it by a solver.

    They keep `epsilon` from static constraints, under the worst disturbances.
    """
    import cvxpy as cp

    there, move = problem.response
    n, w = problem.S, np.sqrt(problem.q / 2)[:, None]
    M = cp.Variable(move.shape[-1])
    cost = cp.sum_squares((w * there).ravel() + (w[..., None] * move).reshape(-1, move.shape[-1]) @ M)
    position, shift = there[:, :n] @ problem.e, np.einsum("tim,i->tm", move[:, :n], problem.e)
    rules = [position + shift @ M <= problem.limit, cp.norm(M) <= problem.radius]
    rules += [left + epsilon <= 0 for left in problem.worst_of(M)]
    cp.Problem(cp.Minimize(cost / problem.T), rules).solve(solver="CLARABEL")
    if M.value is None:
        raise MdptkError(f"no constant parameters of norm {problem.radius} keep to the limits of {problem!r}")
    return np.asarray(M.value)


def _best(run: Run) -> Array:
    return best_parameters(run.problem, run.alg.epsilon if len(run.problem.b) else 0.0)


def _of_best(run: Run, part: Any) -> Array:
    """A sum over the steps before each record, for the best parameters."""
    there, move = run.problem.response
    values = part(there + move @ _best(run))
    return np.concatenate([[0.0], np.cumsum(values)])[run.t.astype(int)]


def _costs(run: Run) -> Array:
    return _of_best(run, lambda z: run.problem.q / 2 * (z**2).sum(1))


def _touch(run: Run) -> Array:
    """What the best parameters touch the limit by, as a solver leaves it."""
    return _of_best(run, lambda z: np.maximum(z[:, : run.problem.S] @ run.problem.e - run.problem.limit, 0))


def _rounding(run: Run) -> Array:
    """Of sums of costs; the touch of the comparator, which the queue prices; and projections, which a solver makes."""
    projected = 2 * PROJECTED * run.problem.radius / run.alg.eta * run.t * bool(len(run.problem.b))
    return 64 * EPS * (1 + run.t) * (1 + run["paid"]) + run["Q"] * _touch(run) + projected


def _projected(run: Run) -> Any:
    """A solver's projection moves a constraint by its slope times what it is off by, and is off relative to sizes."""
    problem = run.problem
    slope = problem.W * abs(problem.pulses[1]).sum((-2, -1)).max(initial=0.0)
    return PROJECTED * (1 + slope * (1 + problem.radius) + abs(problem.b).max(initial=0.0))


regret = Quantity(
    "regret",
    lambda run: run["paid"] - _costs(run),
    latex=r"\textstyle\sum_{k<%t} (c_k - f_k(M^*))",
    rounding=_rounding,
)
memory = Quantity(
    "memory",
    lambda run: run["paid"] - run["surrogate"],
    latex=r"\textstyle\sum_{k<%t} (c_k - f_k(M_k))",
    rounding=_rounding,
)
hard = Quantity("hard", lambda run: run["hard"], latex=r"\textstyle\sum_{k<%t} g_k^+(M_k)")
hard_square = Quantity("hard_square", lambda run: run["hard_square"], latex=r"\textstyle\sum_{k<%t} g_k^+(M_k)^2")
slope_square = Quantity(
    "slope_square",
    lambda run: run["slope_square"],
    latex=r"\textstyle\sum_{k<%t} \|\nabla f_k + Q_k \nabla g_k^+\|^2",
)
far = Quantity("far", lambda run: ((_best(run) - run["M"][:, :1]) ** 2).sum(-1), latex=r"\|M^* - M_0\|^2")
queue = Quantity("queue", lambda run: run["Q"], latex=r"Q_{%t}")
spare = Quantity(
    "spare",
    lambda run: -np.maximum.accumulate([[run.problem.worst(M).max() for M in Ms] for Ms in run["M"]], axis=1),
    latex=r"\min_{k \leq %t} \min_j \min_{\|w\|_\infty \leq W} (b - D z_k(M_k))_j",
    rounding=_projected,
)
room = Quantity("room", lambda run: run["room"], latex=r"\min_{k<%t} \min_j (b - D z_k)_j", rounding=_projected)
drift = Quantity(
    "drift",
    lambda run: run["drift"],
    latex=r"\max_{k<%t} \max_j \textstyle\sum_{i \leq n} L_{j,i} \|M_{k-i} - M_k\|",
)
static = Assumption(
    "static constraints", lambda alg, problem: None if len(problem.b) else f"{problem!r} has no rows in D"
)
