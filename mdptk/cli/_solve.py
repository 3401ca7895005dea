"""``mdptk solve``: value, policy, and bounds that are certified."""

from __future__ import annotations

import argparse
import math
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from mdptk.cli._common import (
    add_source_options,
    named_problem,
    natural,
    output,
    positive,
    refuse_existing,
    write_arrays,
)
from mdptk.core.errors import InvalidHyperparameter
from mdptk.core.games import MatrixGame
from mdptk.core.models import MDP, Array, FiniteHorizonMDP
from mdptk.solve import ConstrainedSolution, GameSolution, Solution, on_mesh, solve
from mdptk.solve._mesh import join
from mdptk.sweep import view

SAVED = ("value", "policy", "lower", "upper", "bias", "feasible", "occupancy", "multipliers", "kernel", "opponent")


def add_parser(commands: Any) -> None:
    """The subcommand and its options."""
    p = commands.add_parser("solve", help="optimal value and policy, with certified bounds")
    p.add_argument("source", metavar="SOURCE", help="a standard problem, gymnasium:ID, or a file .npz, .tra, .drn")
    add_source_options(p)
    p.add_argument("--tol", type=float, default=1e-8, metavar="X", help="largest distance of the bounds (default 1e-8)")
    p.add_argument("--method", default="auto", metavar="NAME", help="vi, pi, mpi, ... (default: auto)")
    p.add_argument("--rows", type=positive, default=20, metavar="N", help="states that are printed (default 20)")
    p.add_argument("--save", type=Path, metavar="PATH.npz", help="write value, policy, bounds, and what else there is")
    p.add_argument("--force", action="store_true", help="replace the file of --save")
    p.add_argument(
        "--hosts",
        metavar="HOST:PORT,...",
        help="solve on several machines: all processes, the same list for each; they meet at the first one",
    )
    p.add_argument("--rank", type=natural, metavar="I", help="which of --hosts this process is, from 0 on")
    p.set_defaults(command=solve_command)


def solve_command(args: argparse.Namespace) -> int:
    """The command."""
    if args.save:
        refuse_existing(args.save, force=args.force)
    if (args.hosts is None) != (args.rank is None):
        raise InvalidHyperparameter("--hosts and --rank belong together: who takes part, and who this process is")
    problem = named_problem(args.source, args.gamma, args.reward).problem
    if args.horizon:
        problem, _ = view(problem, FiniteHorizonMDP, args.horizon)
    if args.hosts is None:
        solution = solve(problem, tol=args.tol, method=args.method)
    else:
        with join(args.hosts.split(","), args.rank):
            solution = on_mesh(problem, tol=args.tol, method="mpi" if args.method == "auto" else args.method)
        if args.rank:  # the first one tells
            return 0
    _print(problem, solution, args.rows)
    if args.save:
        parts = {name: getattr(solution, name, None) for name in SAVED}
        write_arrays(args.save, {name: x for name, x in parts.items() if x is not None})
        output().print(f"written to {args.save}", markup=False, soft_wrap=True)
    return 0


def _print(problem: Any, solution: Solution, rows: int) -> None:
    out = output()
    out.print(Text(repr(problem), style="bold"))
    out.print(
        Text(f"{solution.method}, {solution.iterations} iterations, {solution.seconds:.3g} s ({solution.reason})")
    )
    constrained = isinstance(solution, ConstrainedSolution)
    number = constrained or isinstance(problem, MatrixGame)
    low, high = (solution.lower, solution.upper) if number else start_bounds(problem, solution)
    digits = _digits(solution.width)
    between = f"{rounded(float(low), digits, ROUND_FLOOR)} and {rounded(float(high), digits, ROUND_CEILING)}"
    out.print(Text(f"value at the start: between {between}; width of the bounds at most {solution.width:.2g}\n"))
    if isinstance(problem, MDP) and problem.grid is not None:
        out.print(Text(arrows(problem, solution) + "\n"))
    if constrained:
        out.print(Text(f"multipliers {solution.multipliers}, Slater constant at least {solution.slater:.3g}"))
        out.print(Text(f"the policy exceeds the budgets by at most {solution.violation:.2g}\n"))
    if isinstance(solution, GameSolution):
        for player, pi in (("first player, who maximises", solution.policy), ("second player", solution.opponent)):
            out.print(Text(player))
            out.print(_probabilities(np.atleast_2d(pi), rows))
    else:
        out.print(_probabilities(solution.policy, rows) if constrained else _table(solution, rows, digits))
    left = np.atleast_2d(solution.policy).shape[-2] - rows
    if left > 0:
        out.print(Text(f"and {left} more states: --rows N prints more, --save PATH.npz keeps all", style="dim"))


def start_bounds(problem: Any, solution: Solution) -> tuple[float, float]:
    """Bounds on the optimal value of the start distribution, rounding of the sums included."""
    lower, upper = (x[0] if x.ndim == 2 else x for x in (solution.lower, solution.upper))
    sums = [math.fsum(problem.rho * x) for x in (lower, upper)]
    slack = [2 * np.finfo(float).eps * math.fsum(abs(problem.rho * x)) for x in (lower, upper)]
    return sums[0] - slack[0], sums[1] + slack[1]


def _digits(width: float) -> int:
    """Decimals that show two bounds of that distance apart."""
    return 12 if width <= 0 else min(12, max(2, 1 - math.floor(math.log10(width))))


def rounded(x: float, digits: int, rounding: str) -> str:
    """A bound in decimals, rounded outward so that it stays one.

    Examples
    --------
    >>> rounded(0.1, 2, ROUND_CEILING), rounded(0.1, 2, ROUND_FLOOR)
    ('0.11', '0.10')
    """
    exact = Decimal(x) + 0  # no negative zero
    return f"{exact.quantize(Decimal(1).scaleb(-digits), rounding=rounding):f}"


def arrows(mdp: MDP, solution: Solution) -> str:
    """The policy on the grid of the model; a dot where every action is as good as any other."""
    grid = mdp.grid
    assert grid is not None
    q = mdp.q(solution.value)
    free = np.ptp(q, axis=1) <= 2 * solution.width + 1e-12 * abs(q).max()
    signs = np.where(free, "·", np.array(grid.arrows)[solution.policy.argmax(1)])[: grid.rows * grid.columns]
    return "\n".join("  " + " ".join(row) for row in signs.reshape(grid.rows, grid.columns))


def _table(solution: Solution, rows: int, digits: int) -> Table:
    """States with value, action and bounds; of a problem with stages the first stage."""
    stages = solution.policy.ndim == 3
    value, policy, lower, upper = (
        x[0] if stages else x for x in (solution.value, solution.policy, solution.lower, solution.upper)
    )
    t = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0), title_justify="left")
    t.title = "first stage" if stages else None
    for name in ("state", "action", "value", "lower", "upper"):
        t.add_column(name, justify="right")
    for s in range(min(rows, len(value))):
        bounds = rounded(lower[s], digits, ROUND_FLOOR), rounded(upper[s], digits, ROUND_CEILING)
        t.add_row(str(s), str(_action(policy[s])), rounded(value[s], digits, ROUND_HALF_EVEN), *bounds)
    return t


def _probabilities(policy: Array, rows: int) -> Table:
    """States with the probabilities of their actions."""
    t = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    t.add_column("state", justify="right")
    t.add_column("policy")
    stages = policy.ndim == 3
    t.title, t.title_justify = "first stage" if stages else None, "left"
    for s, pi in enumerate((policy[0] if stages else policy)[:rows]):
        t.add_row(str(s), ", ".join(f"{a}: {pi[a]:.6g}" for a in np.flatnonzero(pi)))
    return t


def _action(pi: Array) -> int:
    return int(pi.argmax())
