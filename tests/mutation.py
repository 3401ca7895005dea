"""Mutation score of the checks: plant one error at a time in every algorithm and count how many are caught.

    python -m tests.mutation [NAME ...] [--each N] [--seed N] [--workers N] [--again]

An error is an operator, a constant, a comparison, an index or an extremum changed in `init`, `step` or a function that
they call. It is caught if the pseudo-code in loops differs, a theorem is violated, or the algorithm crashes or does not
end; what gets past that is held against the rest of the algorithm's own test file. Of each algorithm `--each` errors
are drawn by lot (0: all of them), the same ones every time. Survivors are listed with their place: look at each, since
some are the same program written otherwise. Those that were looked at are in `EQUIVALENT`.

Problems and their exact answers are kept from one error to the next. Learners are first held against their loops
without compiling anything; only what survives that is compiled. A test file takes a process of its own.

Outcomes are appended to a file as they come, and not judged again while the algorithm and its test file stay as they
are: whoever interrupts it goes on later. `--again` begins anew.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import inspect
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mdptk import MDP, FiniteHorizonMDP, PolicyEvaluation, check, registry, run
from mdptk.core.algorithm import Learner
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.games import MatrixGame
from mdptk.core.models import CMDP
from mdptk.testing import check_exact_statement, check_leading_axes, varied
from tests.equivalent_mutants import EQUIVALENT

EACH = 3
ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".cache" / "mutants.jsonl"
SECONDS, TIMES = 30, 5  # of the processor: an error is caught after so long, and so many times what the original took
SLEEPS = 20  # times as long by the clock, for a test file that waits for something
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
    words = [sys.executable, "-m", "tests.mutation", cls.__name__, "--planted", str(i), str(j), str(int(seconds) + 1)]
    try:
        return not subprocess.run(words, capture_output=True, timeout=SLEEPS * seconds, check=False).returncode
    except subprocess.TimeoutExpired:
        return False


def run_tests_with(cls: type, i: int, j: int, seconds: int) -> int:
    """Put the module with the error in the place of the original, and run its test file for so long at most."""
    import resource

    import pytest

    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
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

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)  # of the processor: on a busy machine everything takes longer
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def drawn(names: list[str], each: int, seed: int) -> list[tuple[type, int, int]]:
    """The errors to be planted: `each` of every algorithm by lot, or all if that is 0.

    The lot of one algorithm does not depend on which others there are.
    """
    jobs = []
    for name in names:
        cls = registry.algorithm(name)
        known = changes(cls)
        order = np.random.default_rng([seed, zlib.crc32(cls.__name__.encode())]).permutation(len(known))
        jobs += [(cls, *known[k]) for k in sorted(order[: each or len(known)])]
    return jobs


# outcomes, kept in a file -----------------------------------------------------------------------------------------


def key(cls: type, i: int, j: int) -> str:
    """What an outcome belongs to: the error, and the text of the algorithm and of its test file."""
    return f"{cls.__name__} {i} {j} {_text(cls)}"


@cache
def _text(cls: type) -> str:
    files = inspect.getfile(cls), ROOT / (_test_file(cls).replace(".", "/") + ".py")
    return hashlib.sha256(b"".join(Path(file).read_bytes() for file in files)).hexdigest()[:12]


def outcomes(path: Path) -> dict[str, tuple[str, str]]:
    """(outcome, place) of each error that is in the file.

    An error that was begun and took its process with it, twice, was noticed.
    """
    found: dict[str, tuple[str, str]] = {}
    begun: Counter[str] = Counter()
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        x = json.loads(line)
        begun[x["key"]] += {"begun": 1, "interrupted": -1}.get(x["outcome"], 0)
        if x["outcome"] in ("caught", "equivalent", "survived"):
            found[x["key"]] = x["outcome"], x["place"]
        elif begun[x["key"]] > 1:
            found[x["key"]] = "caught", x["place"]
    return found


def _keep(path: Path, name: str, outcome: str, place: str) -> None:
    with path.open("a", encoding="utf-8") as file:  # one short line at a time: two processes may write
        file.write(json.dumps({"key": name, "outcome": outcome, "place": place}) + "\n")


def judge(name: str, errors: list[tuple[int, int]], path: Path) -> str:
    """Judge these errors of one algorithm, one after the other, and append what comes out to the file."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    warnings.simplefilter("ignore")  # errors divide by zero
    np.seterr(all="ignore")
    cls = registry.algorithm(name)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.process_time()
    _checks(cls, cls)  # as it is, nothing may be wrong
    seconds = max(SECONDS, TIMES * (time.process_time() - began))
    for i, j in errors:
        broken, place = plant(cls, i, j)
        _keep(path, key(cls, i, j), "begun", place)
        outcome = "interrupted"
        try:
            left = survives(cls, broken, seconds)
            left = left and (place in EQUIVALENT or passes_its_tests(cls, i, j, 4 * seconds))
            outcome = "caught" if not left else "equivalent" if place in EQUIVALENT else "survived"
        finally:
            _keep(path, key(cls, i, j), outcome, place)
    return name


def judge_all(jobs: list[tuple[type, int, int]], path: Path, workers: int, tell: Any) -> None:
    """Judge what is not in the file yet; when an error takes its process along, go on with the others."""
    for _ in range(2 * len(jobs)):
        known = outcomes(path)
        todo: dict[str, list[tuple[int, int]]] = {}
        for cls, i, j in jobs:
            if key(cls, i, j) not in known:
                todo.setdefault(cls.__name__, []).append((i, j))
        tell(known)
        if not todo:
            return
        context = multiprocessing.get_context("spawn")  # JAX has threads, which a fork would lose
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            running = [pool.submit(judge, name, errors, path) for name, errors in todo.items()]
            try:
                for done in as_completed(running):
                    done.result()
                    tell(outcomes(path))
            except BrokenProcessPool:
                continue
            except BaseException:
                for worker in multiprocessing.active_children():
                    worker.terminate()
                pool.shutdown(cancel_futures=True)
                raise


def main() -> int:
    """Print the score of each family, what survived, and the score of all."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="algorithms; all if none is named")
    parser.add_argument("--each", type=int, default=EACH, metavar="N", help=f"errors in each ({EACH}); 0 for all")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the lot (0)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes (2)")
    parser.add_argument("--again", action="store_true", help="judge again what was judged before")
    parser.add_argument("--planted", type=int, nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.planted:
        return run_tests_with(registry.algorithm(args.names[0]), *args.planted)
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    if args.again:
        KEPT.unlink(missing_ok=True)
    console = Console()
    jobs = drawn(args.names or list(registry.find()), args.each, args.seed)
    wanted = {key(*job): job[0] for job in jobs}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("mutants", total=len(jobs))

        def tell(known: dict[str, tuple[str, str]]) -> None:
            mine = [known[k][0] for k in wanted if k in known]
            bar.update(task, completed=len(mine), description=f"mutants, {mine.count('survived')} survived")

        interrupted = False
        try:
            judge_all(jobs, KEPT, args.workers, tell)
        except KeyboardInterrupt:
            interrupted = True
    known = outcomes(KEPT)
    found = {k: known[k] for k in wanted if k in known}
    for outcome, place in sorted(found.values()):
        if outcome != "caught":
            why = f"  ({EQUIVALENT[place]})" if outcome == "equivalent" else ""
            console.print(f"{outcome}: {place}{why}", markup=False, soft_wrap=True)
    console.print(_table([(registry.shelf(wanted[k]).split("/")[0], outcome) for k, (outcome, _) in found.items()]))
    if interrupted:
        console.print(f"interrupted: {len(jobs) - len(found)} are not judged yet; the same command goes on")
    return 130 if interrupted else 0


def _table(found: list[tuple[str, str]]) -> Table:
    """A line for each family, and one for all: the score leaves out those that are the same program."""
    table = Table(title="mutation score")
    for column in ("family", "planted", "equivalent", "caught", "survived", "score"):
        table.add_column(column, justify="left" if column == "family" else "right")
    families = sorted({family for family, _ in found})
    for name in (*families, "all"):
        some = [outcome for family, outcome in found if name in (family, "all")]
        n, same, caught = len(some), some.count("equivalent"), some.count("caught")
        score = f"{caught / (n - same):.0%}" if n > same else ""
        table.add_row(name, *map(str, (n, same, caught, n - same - caught)), score, end_section=name == families[-1])
    return table


if __name__ == "__main__":
    sys.exit(main())
