"""Mutation score of the checks: plant one error at a time in every algorithm and count how many are caught.

    python -m tests.mutation [NAME ...] [--each N] [--seed N]

An error is an operator, a constant, a comparison, an index or an extremum changed in `init`, `step` or a function that
they call. It is caught if the pseudo-code in loops differs, a theorem is violated, or the algorithm crashes or does not
end; what gets past that is held against the rest of the algorithm's own test file. Of each algorithm `--each` errors
are drawn by lot (0: all of them). Survivors are listed with their place: look at each, since some are the same program
written otherwise. Those that were looked at are in `EQUIVALENT`.

The checks run in one process, with problems and their exact answers kept. Learners are first held against their loops
without compiling anything; only what survives that is compiled. A test file takes a process of its own.
"""

from __future__ import annotations

import argparse
import ast
import copy
import inspect
import math
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mdptk import MDP, FiniteHorizonMDP, PolicyEvaluation, check, registry, run
from mdptk.core.algorithm import Learner
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.games import MatrixGame
from mdptk.core.models import CMDP
from mdptk.testing import check_exact_statement, check_leading_axes, varied
from tests.equivalent_mutants import EQUIVALENT

EACH = 5
SECONDS, TIMES = 30, 5  # an error counts as caught after so long, and so many times what the original took
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Sub,
    ast.Gt: ast.LtE,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.LtE: ast.Gt,
}
NAMES = {"max": "min", "min": "max", "argmax": "argmin", "maximum": "minimum", "minimum": "maximum", "sum": "mean"}
PROBLEMS = {
    MDP: ("garnet", "riverswim", "two_state", "softmax_chain"),
    FiniteHorizonMDP: ("coins, H=4", "riverswim, H=4"),
    PolicyEvaluation: ("random_walk", "two_state, uniform policy"),
    BernoulliBandit: ("two_arms", "good_arm"),
    CMDP: ("paradoxical", "constrained_two_state", "constrained_garnet"),
    MatrixGame: ("matching_pennies", "dominated", "penalty_kick"),
}
OTHERS = 4  # problems of another kind, small ones first


@dataclass(frozen=True)
class Site:
    """Something that can be changed: `part` is the expression that `node` is in, `before` its text."""

    part: ast.AST
    node: ast.AST
    attribute: str
    new: Any


def sites(f: ast.FunctionDef) -> list[Site]:
    """Whatever can be changed in the body of a function."""
    statements = [x for statement in f.body for x in ast.walk(statement) if isinstance(x, ast.stmt)]
    parts = [x for statement in statements for x in ast.iter_child_nodes(statement) if isinstance(x, ast.expr)]
    return [Site(part, *change) for part in parts for change in _changes(part)]


def _changes(tree: ast.AST) -> Iterator[tuple[ast.AST, str, Any]]:
    """Nodes that can be changed: the node, the attribute and its new value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            yield node, "op", OPERATORS[type(node.op)]()
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in OPERATORS:
            yield node, "ops", [OPERATORS[type(node.ops[0])]()]
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield node, "op", ast.UAdd()
        elif isinstance(node, ast.Attribute) and node.attr in NAMES:
            yield node, "attr", NAMES[node.attr]
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float) and type(node.value) is not bool:
            yield node, "value", node.value + 1


def body(cls: type) -> tuple[ast.Module, list[ast.FunctionDef]]:
    """The tree of the module of `cls`, and in it its methods and the functions that they call."""
    tree = ast.parse(inspect.getsource(import_module(cls.__module__)))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    (home,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == cls.__name__)
    found = [node for node in home.body if isinstance(node, ast.FunctionDef)]
    for node in found:  # grows while it is walked
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        found += [f for name, f in functions.items() if name in names and f not in found]
    return tree, found


def changes(cls: type) -> list[tuple[int, int]]:
    """(function, site) of every error that can be planted."""
    return [(i, j) for i, f in enumerate(body(cls)[1]) for j, _ in enumerate(sites(f))]


def plant(cls: type, i: int, j: int, *, own: bool = False) -> tuple[type, str]:
    """The algorithm with one error, and where it is; theorems and measures are those of the original, or its own."""
    tree, found = body(cls)
    site = sites(found[i])[j]
    before = ast.unparse(copy.deepcopy(site.part))
    setattr(site.node, site.attribute, site.new)
    mutant = ModuleType(f"{cls.__module__}_mutant_{i}_{j}")
    sys.modules[mutant.__name__] = mutant
    exec(compile(ast.fix_missing_locations(tree), "", "exec"), mutant.__dict__)
    broken = getattr(mutant, cls.__name__)
    if not own:
        broken.theorems, broken.measures = cls.theorems, cls.measures
    return broken, f"{cls.__name__}.{found[i].name}: {before}  ->  {ast.unparse(site.part)}"


def survives(cls: type, broken: type, seconds: float) -> bool:
    """Whether no check notices the error."""
    try:
        with _limit(seconds):
            _checks(cls, broken)
    except Exception:  # a crash is noticed too
        return False
    return True


def _test_file(cls: type) -> str:
    *shelf, file = registry.shelf(cls).split("/")
    return ".".join(["tests", "algorithms", *shelf, f"test_{file}"])


def passes_its_tests(cls: type, i: int, j: int, seconds: float) -> bool:
    """Whether the algorithm's own test file notices nothing, in a process in which its module has the error."""
    words = [sys.executable, "-m", "tests.mutation", cls.__name__, "--planted", str(i), str(j)]
    try:
        return not subprocess.run(words, capture_output=True, timeout=seconds, check=False).returncode
    except subprocess.TimeoutExpired:
        return False


def run_tests_with(cls: type, i: int, j: int) -> int:
    """Put the module with the error in the place of the original, and run its test file."""
    import pytest

    broken, _ = plant(cls, i, j, own=True)
    mutant = sys.modules[broken.__module__]
    package, _, name = cls.__module__.rpartition(".")
    sys.modules[cls.__module__] = mutant
    setattr(sys.modules[package], name, mutant)
    registry.find.cache_clear()
    file = _test_file(cls).replace(".", "/") + ".py"
    return pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore", file])


def _checks(cls: Any, broken: Any) -> None:
    reference = import_module(_test_file(cls)).reference
    known = registry.problems(cls.model())
    names = PROBLEMS.get(cls.model()) or sorted(known, key=lambda name: known[name].S)[:OTHERS]
    problems = {name: known[name] for name in names}
    learns = issubclass(cls, Learner)
    if learns:
        last = dict(list(problems.items())[-1:])
        with _eager():
            for alg in (broken(), varied(broken())):
                check_exact_statement(alg, last, reference)
    check_exact_statement(broken(), problems, reference)
    check_leading_axes(broken(), next(iter(problems.values())))
    trial = registry.trial(cls) | ({"steps": 128} if learns else {"steps": 60})
    for problem in problems.values():
        for v in check(run(broken(), problem, progress=False, **trial), skip_unmet=True):
            assert v.ok is not False or v.theorem.status != "proved", v


@contextmanager
def _eager() -> Iterator[None]:
    import jax

    with jax.disable_jit():
        yield


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def end(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(int(seconds))
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def drawn(names: list[str], each: int, seed: int) -> list[tuple[type, int, int]]:
    """The errors to be planted: `each` of every algorithm by lot, or all if that is 0."""
    rng, jobs = np.random.default_rng(seed), []
    for name in names:
        cls = registry.algorithm(name)
        known = changes(cls)
        order = rng.permutation(len(known))[: each or len(known)]
        jobs += [(cls, *known[k]) for k in sorted(order)]
    return jobs


def main() -> None:
    """Print the score of each algorithm and the survivors."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="algorithms; all if none is named")
    parser.add_argument("--each", type=int, default=EACH, metavar="N", help=f"errors in each ({EACH}); 0 for all")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the lot (0)")
    parser.add_argument("--planted", type=int, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.planted:
        sys.exit(run_tests_with(registry.algorithm(args.names[0]), *args.planted))
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    warnings.simplefilter("ignore")  # errors divide by zero
    np.seterr(all="ignore")
    found: dict[str, list[str]] = {}
    seconds = math.inf
    console = Console()
    for cls, i, j in track(drawn(args.names or list(registry.find()), args.each, args.seed), "mutants"):
        if cls.__name__ not in found:
            began = time.monotonic()
            _checks(cls, cls)  # as it is, nothing may be wrong
            seconds = max(SECONDS, TIMES * (time.monotonic() - began))
        broken, place = plant(cls, i, j)
        left = survives(cls, broken, seconds) and (place in EQUIVALENT or passes_its_tests(cls, i, j, 4 * seconds))
        outcome = "caught" if not left else "equivalent" if place in EQUIVALENT else "survived"
        found.setdefault(cls.__name__, []).append(outcome)
        if outcome != "caught":
            why = EQUIVALENT.get(place, "")
            console.print(f"{outcome}: {place}" + (f"  ({why})" if why else ""), markup=False, soft_wrap=True)
    console.print(_table(found))


def _table(found: dict[str, list[str]]) -> Table:
    table = Table(title="mutation score")
    for column in ("algorithm", "planted", "equivalent", "caught", "survived", "score"):
        table.add_column(column, justify="left" if column == "algorithm" else "right")
    for name, outcomes in (*found.items(), ("all", [x for some in found.values() for x in some])):
        n, same, caught = (len(outcomes), outcomes.count("equivalent"), outcomes.count("caught"))
        score = f"{caught / max(n - same, 1):.0%}"
        table.add_row(name, *map(str, (n, same, caught, n - same - caught)), score)
    return table


if __name__ == "__main__":
    main()
