"""Mutation score of the checks: plant one error at a time in every algorithm and count how many are caught.

    python -m tests.mutation [NAME ...]

An error is an operator, a constant, a comparison, an index or an extremum changed in `init`, `step` or a function that
they call. It is caught if the pseudo-code in loops differs, a theorem is violated, or the algorithm crashes. Survivors
are listed with their place: look at each, since some are the same program written otherwise.
"""

from __future__ import annotations

import ast
import copy
import inspect
import os
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from types import ModuleType

from rich.console import Console
from rich.progress import track
from rich.table import Table

from mdptk import MDP, FiniteHorizonMDP, PolicyEvaluation, check, registry, run
from mdptk.core.algorithm import Learner
from mdptk.core.bandits import BernoulliBandit
from mdptk.testing import check_exact_statement, check_leading_axes

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
}


def sites(tree: ast.AST) -> Iterator[tuple[ast.AST, str, object]]:
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
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool)
        ):
            yield node, "value", node.value + 1


def body(module: ModuleType, cls: type) -> tuple[ast.Module, list[ast.FunctionDef]]:
    """The module's tree, and in it the methods of `cls` and the functions that they call."""
    tree = ast.parse(inspect.getsource(module))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    (home,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == cls.__name__)
    found = [node for node in home.body if isinstance(node, ast.FunctionDef)]
    for node in found:  # grows while it is walked
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        found += [f for name, f in functions.items() if name in names and f not in found]
    return tree, found


def changes(cls: type) -> list[tuple[int, int]]:
    """(function, site) of every error that can be planted."""
    _, found = body(import_module(cls.__module__), cls)
    return [(i, j) for i, f in enumerate(found) for j, _ in enumerate(_sites_of(f))]


def _sites_of(f: ast.FunctionDef) -> list[tuple[ast.AST, str, object]]:
    return [site for statement in f.body for site in sites(statement)]


def plant(cls: type, i: int, j: int) -> tuple[type, str]:
    """The algorithm with one error, and where it is. Its theorems and measures are those of the original."""
    module = import_module(cls.__module__)
    tree, found = body(module, cls)
    node, attribute, new = _sites_of(found[i])[j]
    before = ast.unparse(copy.deepcopy(node))
    setattr(node, attribute, new)
    mutant = ModuleType(f"{module.__name__}_mutant_{i}_{j}")
    sys.modules[mutant.__name__] = mutant
    exec(compile(ast.fix_missing_locations(tree), module.__file__ or "", "exec"), mutant.__dict__)
    broken = getattr(mutant, cls.__name__)
    broken.theorems, broken.measures = cls.theorems, cls.measures  # type: ignore[attr-defined]
    return broken, f"{found[i].name}:{getattr(node, 'lineno', 0)}  {before}  ->  {ast.unparse(node)}"


def survives(name: str, i: int, j: int) -> tuple[str, str | None]:
    """The algorithm's name, and the place of the error if nothing noticed it."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    warnings.simplefilter("ignore")  # errors divide by zero
    cls = registry.find()[name]
    *shelf, file = registry.shelf(cls).split("/")
    reference = import_module(".".join(["tests", "algorithms", *shelf, f"test_{file}"])).reference
    known = registry.problems(cls.model())
    problems = {p: known[p] for p in PROBLEMS.get(cls.model(), list(known)[:3])}
    broken, place = plant(cls, i, j)
    trial = registry.trial(cls) | ({"steps": 128} if issubclass(cls, Learner) else {"steps": 60})
    try:
        check_exact_statement(broken(), problems, reference)
        check_leading_axes(broken(), next(iter(problems.values())))
        for problem in problems.values():
            verdicts = check(run(broken(), problem, **trial), skip_unmet=True)
            if any(v.ok is False for v in verdicts if v.theorem.status == "proved"):
                return name, None
    except Exception:  # a crash is noticed too
        return name, None
    return name, place


def main() -> None:
    """Print the score of each algorithm and the survivors."""
    names = sys.argv[1:] or list(registry.find())
    jobs = [(name, i, j) for name in names for i, j in changes(registry.algorithm(name))]
    planted = {name: sum(job[0] == name for job in jobs) for name in names}
    left: dict[str, list[str]] = {name: [] for name in names}
    with ProcessPoolExecutor(2) as pool:
        for name, place in track(pool.map(survives, *zip(*jobs, strict=True)), "mutants", total=len(jobs)):
            if place:
                left[name].append(place)
    table = Table(title="mutation score")
    for column in ("algorithm", "planted", "caught", "score", "survivors"):
        table.add_column(column, justify="left" if column in ("algorithm", "survivors") else "right", overflow="fold")
    for name in [*names, "all"]:
        n = planted[name] if name != "all" else len(jobs)
        kept = left[name] if name != "all" else [x for places in left.values() for x in places]
        where = "" if name == "all" else "\n".join(kept)
        table.add_row(name, str(n), str(n - len(kept)), f"{1 - len(kept) / max(n, 1):.0%}", where)
    Console().print(table)


if __name__ == "__main__":
    main()
