"""The front door: `solve`."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mdptk.core.errors import InvalidHyperparameter, InvalidModel
from mdptk.core.exact import one_hot
from mdptk.core.games import MarkovGame, MatrixGame
from mdptk.core.matrix_free import MatrixFree
from mdptk.core.models import CMDP, MDP, AverageRewardMDP, FiniteHorizonMDP
from mdptk.core.robust import RobustMDP
from mdptk.core.total import TotalRewardMDP
from mdptk.core.utilities import UtilityMDP
from mdptk.solve import _average, _total
from mdptk.solve._anderson import anderson
from mdptk.solve._backward_induction import backward_induction
from mdptk.solve._constrained import solve_constrained
from mdptk.solve._end_components import ELIMINATED
from mdptk.solve._exact_rational import solve_exact
from mdptk.solve._games import solve_game, solve_matrix_exactly
from mdptk.solve._gauss_seidel import RADIUS, gauss_seidel, near
from mdptk.solve._inexact_policy_iteration import bicgstab_policy_iteration, inexact_policy_iteration
from mdptk.solve._linear_program import dual_linear_program, linear_program
from mdptk.solve._matrix_free import anderson_backup, value_iteration_backup
from mdptk.solve._modified_policy_iteration import modified_policy_iteration
from mdptk.solve._policy_iteration import policy_iteration
from mdptk.solve._robust import robust_policy_iteration
from mdptk.solve._sparse import compilable
from mdptk.solve._topological import topological, without_return
from mdptk.solve._utility import solve_utility
from mdptk.solve._value_iteration import value_iteration
from mdptk.solve.solution import AverageSolution, RobustSolution, Solution, Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

METHODS: dict[type, dict[str, Callable[..., Any]]] = {
    MDP: {
        "vi": value_iteration,
        "pi": policy_iteration,
        "mpi": modified_policy_iteration,
        "gs": gauss_seidel,
        "topological": topological,
        "ipi": inexact_policy_iteration,
        "ipi-bicgstab": bicgstab_policy_iteration,
        "anderson": anderson,
        "lp": linear_program,
        "lp-dual": dual_linear_program,
    },
    FiniteHorizonMDP: {"backward": backward_induction},
    AverageRewardMDP: {
        "rvi": _average.relative_value_iteration,
        "pi": _average.policy_iteration,
        "lp": _average.linear_program,
        "lp-dual": _average.dual_linear_program,
    },
    TotalRewardMDP: {"ii": _total.interval_iteration, "pi": _total.policy_iteration},
    CMDP: {"lp": solve_constrained},
    RobustMDP: {"vi": value_iteration, "pi": robust_policy_iteration},
    MatrixFree: {"anderson": anderson_backup, "vi": value_iteration_backup},
    UtilityMDP: {"conic": solve_utility},
}
DENSE_SOLVE = 500  # states up to which a dense linear solve takes milliseconds
FEW = 200  # states up to which a sparse one does


def solve(problem: Any, *, tol: float = 1e-8, method: str = "auto", exact: bool = False) -> Solution:
    r"""Solve a problem, with proof: the answer carries bounds that are at most `tol` apart, or an error is raised.

    Parameters
    ----------
    problem
        One `MDP`, `AverageRewardMDP` or `TotalRewardMDP` (dense or sparse), `FiniteHorizonMDP`, `CMDP`, `RobustMDP`,
        `MatrixGame`, `MarkovGame`, or `MatrixFree`; any other object with ``gamma``, ``shape`` and ``q(v)`` is taken as
        a `MatrixFree` whose rounding is that of full rows.
    tol
        Largest distance of the bounds, positive, in the units of the value.
    method
        For `MDP`: ``"vi"`` (value iteration), ``"pi"`` (policy iteration), ``"mpi"`` (modified policy iteration),
        ``"gs"`` (Gauss-Seidel in the order of travel), ``"topological"`` (strongly connected components one by one),
        ``"ipi"`` and ``"ipi-bicgstab"`` (inexact policy iteration with GMRES or BiCGSTAB), ``"anderson"`` (value
        iteration with Anderson acceleration), ``"lp"`` and ``"lp-dual"`` (linear programming); for
        `FiniteHorizonMDP`: ``"backward"``; for `AverageRewardMDP`, of any structure: ``"rvi"`` (relative value
        iteration), ``"pi"`` (policy iteration), ``"lp"`` and ``"lp-dual"``; for `TotalRewardMDP`: ``"ii"`` (interval
        iteration) and ``"pi"``; for `CMDP`: ``"lp"`` (linear programming); for `RobustMDP`: ``"vi"`` and ``"pi"``,
        robust value and policy iteration; for `MatrixGame`: ``"lp"``; for `MarkovGame`: ``"pi"`` (Hoffman and Karp) and
        ``"shapley"`` (value iteration); for `MatrixFree`: ``"anderson"`` and ``"vi"``. ``"auto"`` takes policy
        iteration for dense models of up to 500 states and modified policy iteration for larger ones. For a sparse
        model it looks at how states lie to one another: ``"topological"`` if they are numbered in the order of travel,
        Gauss-Seidel if paths are long, policy iteration if it is small or falls into small parts, and modified policy
        iteration for all others. Without discount it takes policy iteration up to 2000 states and sweeps beyond.
    exact
        For `MDP`, `FiniteHorizonMDP`, `AverageRewardMDP` and `TotalRewardMDP` of up to a few hundred states: answer
        in rational numbers, with python-flint. Returns an `ExactSolution`, whose policy is proved optimal and whose
        bounds are neighbouring float64 numbers; `tol` is not used, and `method` is left at ``"auto"``. For a small
        `MatrixGame` an `ExactGameSolution`.

    Returns
    -------
    Solution
        Value, policy, and bounds that hold for the stored numbers, rounding included: see `mdptk.solve.certificates`.
        For `CMDP` (discounted, with stages, or of the average reward, where a model that is not unichain may end in
        NotConverged) a `ConstrainedSolution`: bounds on the optimal return, multipliers, occupancy, violation. For
        `RobustMDP` a `RobustSolution`, with the worst kernel; for `UtilityMDP` a `UtilitySolution`, with the occupancy
        and the reward that proves the upper bound; for games a `GameSolution`, with both strategies; for
        `AverageRewardMDP` an `AverageSolution`: bounds on the gain of each first state, and the bias of the policy.

    Raises
    ------
    NotConverged
        If the bounds did not come within `tol`; ``reached`` says how close they came. A `tol` below the resolution of
        float64 at the size of the values is never reached.
    Infeasible
        If no policy of a `CMDP` meets the budgets; `certificate` is a `FarkasRay` that proves it. If from some states
        of a `TotalRewardMDP` no policy is certain to come to where nothing more is earned; `certificate` lists them.
    Unbounded
        If the value of a `TotalRewardMDP` is plus infinity; `states` is a component that earns for ever.
    Unsupported
        If there is no solver for this type of problem; also a TypeError.
    MissingExtra
        If `exact` is asked for without python-flint: ``pip install mdptk[exact]``.
    InvalidModel
        If the problem is a batch of models.
    InvalidHyperparameter
        If `tol` is not positive or `method` is unknown.

    Examples
    --------
    >>> from mdptk.problems.teaching import two_state
    >>> solution = solve(two_state(gamma=0.75))
    >>> solution.value.round(9), solution.policy.argmax(1)
    (array([3., 4.]), array([1, 0]))
    >>> solution.reason
    'dense, 2 states: a linear solve per policy is cheap up to 500 states'
    """
    if exact:
        if method != "auto":
            raise InvalidHyperparameter(f"method = {method!r} with exact=True: exact answers have one method")
        return solve_matrix_exactly(problem) if isinstance(problem, MatrixGame) else solve_exact(problem)
    start = time.perf_counter()
    if not 0 < tol < np.inf:
        raise InvalidHyperparameter(f"tol = {tol} is not a positive number")
    if isinstance(problem, MatrixGame | MarkovGame):
        with np.errstate(over="ignore", invalid="ignore"):
            return replace(solve_game(problem, tol, method), seconds=time.perf_counter() - start)
    if not isinstance(problem, tuple(METHODS)) and all(hasattr(problem, name) for name in ("gamma", "shape", "q")):
        problem = MatrixFree(problem.q, problem.shape, problem.gamma)
    methods = next((methods for kind, methods in METHODS.items() if isinstance(problem, kind)), None)
    if methods is None:
        known = ", ".join(kind.__name__ for kind in (*METHODS, MatrixGame, MarkovGame))
        raise Unsupported(f"solve has no method for {type(problem).__name__}; it solves {known}")
    model = problem.mdp if isinstance(problem, CMDP | UtilityMDP) else problem
    if not isinstance(problem, MatrixFree) and model.r.ndim != 2 + isinstance(model, FiniteHorizonMDP):
        raise InvalidModel(f"solve takes one model at a time, not {problem!r}")
    method, reason = _choose(problem, methods) if method == "auto" else (method, "asked for")
    if method not in methods:
        raise InvalidHyperparameter(f"method = {method!r} is not one of {', '.join(methods)} for {problem!r}")
    with np.errstate(over="ignore", invalid="ignore"):  # values that overflow end in NotConverged
        if isinstance(problem, CMDP):
            answer = solve_constrained(problem, tol)
            return replace(answer, seconds=time.perf_counter() - start, reason=reason)
        if isinstance(problem, UtilityMDP):
            return replace(solve_utility(problem, tol, reason), seconds=time.perf_counter() - start)
        b, iterations = methods[method](problem, tol)
    value = b.lower + (b.upper - b.lower) / 2
    policy = one_hot(b.actions, problem.shape[1] if isinstance(problem, MatrixFree) else problem.A)
    extra = (problem.ambiguity.kernel(b.guess),) if isinstance(problem, RobustMDP) else ()
    for x in (value, policy, b.lower, b.upper, *extra):
        x.setflags(write=False)
    if isinstance(problem, AverageRewardMDP):
        bias = _average.bias(problem, b.actions)
        seconds = time.perf_counter() - start
        return AverageSolution(value, policy, b.lower, b.upper, iterations, seconds, method, reason, bias)
    kind = RobustSolution if extra else Solution
    return kind(value, policy, b.lower, b.upper, iterations, time.perf_counter() - start, method, reason, *extra)


def _choose(problem: Any, methods: dict[str, Any]) -> tuple[str, str]:
    """A method and the reason for it."""
    if len(methods) == 1:
        (only,) = methods
        return only, f"the one method for {type(problem).__name__}"
    if isinstance(problem, RobustMDP):
        few = problem.S <= DENSE_SOLVE
        return ("pi", f"{problem.S} states: few policies") if few else ("vi", f"{problem.S} states: sweeps are cheaper")
    if isinstance(problem, (AverageRewardMDP, TotalRewardMDP)):
        if problem.S <= ELIMINATED:
            return "pi", f"{problem.S} states: a linear solve per policy is cheap up to {ELIMINATED} states"
        sweeps = "rvi" if isinstance(problem, AverageRewardMDP) else "ii"
        return sweeps, f"{problem.S} states: a linear solve may fill in above {ELIMINATED} states"
    if isinstance(problem, MatrixFree):
        return "anderson", "matrix-free: all that can be asked for is a backup, and acceleration saves most of them"
    if problem.sparse and without_return(problem):
        return (
            "topological",
            f"sparse, {problem.S} states in the order of travel: each is looked at once, last one first",
        )
    if problem.sparse and (reached := near(problem)) < np.inf:
        if 0 < reached <= FEW:
            return "pi", f"sparse, {problem.S} states, of which {reached} are reached from one: factors fill in no more"
        if reached > FEW:
            return "ipi", f"sparse, {problem.S} states in parts of {reached}: sweeps would level each part by itself"
        long = f"sparse, {problem.S} states, long paths (few of them are within {RADIUS} steps of one another)"
        if not compilable(problem):
            return "pi", (
                f"{long}: few states keep the others apart, so that a factorisation stays sparse, and sweeps go one "
                "state at a time"
            )
        return "gs", f"{long}: one pass in the order of travel replaces a sweep, or a policy, for every step"
    if problem.sparse and problem.S <= FEW:
        return "pi", f"sparse, {problem.S} states: a linear solve per policy is cheap up to {FEW} states"
    if problem.sparse:
        return "mpi", f"sparse, {problem.S} states: sweeps cost the number of transitions, a factorisation fills in"
    if problem.S > DENSE_SOLVE:
        return "mpi", f"dense, {problem.S} states: sweeps are cheaper than linear solves above {DENSE_SOLVE} states"
    return "pi", f"dense, {problem.S} states: a linear solve per policy is cheap up to {DENSE_SOLVE} states"
