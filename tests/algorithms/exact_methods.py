"""The same search for a counterexample to every statement about an exact policy gradient or mirror descent method.

    python -m tests.algorithms.exact_methods [NAME ...] [--budget SECONDS] [--jobs N] [--again]

gives each of them ten minutes of a processor. A NAME is an algorithm (``PPO``), a statement
(``PPO.monotone-improvement``), or a pattern of either (``'*PMD'``); all if none is named. Every statement has a line as
soon as it is done, and at the end there is a table: status, the worst ratio of its two sides, how many instances were
tried. It fails if a statement that is called proved is broken, or a refuted one never was.

Outcomes are appended to exact_methods.jsonl, beside this file, as they come; it is committed. With the same budget a
statement is not searched again while it and the file of its algorithm stay as they are, so whoever interrupts it goes
on later, and all of them take as many nights as they like: first one statement of each method, then the second.
`--again` searches what is named anew.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import joblib
from rich.console import Console
from rich.table import Table

from mdptk import registry
from mdptk.core.algorithm import Solver
from mdptk.falsify import Counterexample, falsify
from mdptk.falsify.instance import KINDS
from mdptk.theory import Theorem

SHELVES = ("policy_gradient", "mirror_descent")
KEPT = Path(__file__).with_suffix(".jsonl")
BUDGET = 600.0


class Outcome(NamedTuple):
    """What a search found: a line of the file. `said` is all there is to say, with the Python that runs it again."""

    key: str
    name: str
    status: str
    broken: bool
    ratio: float
    unit: str
    runs: int
    ended: str
    said: str

    @property
    def finished(self) -> bool:
        """Whether it counts: a search that was interrupted, or crashed, is made again."""
        return self.ended not in ("interrupted", "crashed")

    @property
    def surprising(self) -> bool:
        """Whether it contradicts what the statement is said to be."""
        expected = {"proved": not self.broken, "refuted": self.broken}  # of a disputed one nothing is expected
        return self.ended == "crashed" or not expected.get(self.status, True)


def statements(wanted: Sequence[str] = ()) -> Iterator[tuple[str, Theorem]]:
    """Names and theorems of the exact methods on these shelves, or of those that are wanted."""
    for name, cls in registry.find().items():
        shelf = cls.__module__.split(".")[2]
        if shelf not in SHELVES or not issubclass(cls, Solver) or cls.model() not in KINDS:
            continue
        for th in cls.theorems:
            full = f"{name}.{th.slug}"
            if not th.order_only and (not wanted or any(fnmatchcase(x, w) for x in (name, full) for w in wanted)):
                yield full, th


def key(name: str, budget: float) -> str:
    """What an outcome belongs to: the statement as it reads, the text of the algorithm, and the budget."""
    cls, theorem = registry.theorem(name)
    text = Path(inspect.getfile(cls)).read_text(encoding="utf-8")
    said = "\n".join((text, theorem.latex, theorem.status))
    return f"{name} {budget:g} {hashlib.sha256(said.encode()).hexdigest()[:12]}"


def search(name: str, budget: float) -> Outcome:
    """Spend so many seconds on one statement."""
    if multiprocessing.parent_process():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that writes the file
    _, theorem = registry.theorem(name)
    of = key(name, budget), name, theorem.status
    try:
        x = falsify(name, budget=budget, clock=time.process_time)
    except Exception as error:  # one statement may not cost the night of the others
        return Outcome(*of, False, float("nan"), "", 0, "crashed", f"# {name}: {type(error).__name__}: {error}")
    return Outcome(*of, isinstance(x, Counterexample), x.ratio, x.unit, x.about.runs, x.about.ended, str(x))


def outcomes(path: Path) -> dict[str, Outcome]:
    """What the file has, by key; the last one counts."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = (Outcome(**json.loads(line)) for line in lines)
    return {x.key: x for x in found if x.finished}


def search_all(todo: Sequence[str], budget: float, path: Path, jobs: int, tell: Callable[[Outcome], None]) -> None:
    """Search for all of them on so many processes, and append what comes out to the file.

    Raises
    ------
    KeyboardInterrupt
        If somebody ends it; what is done by then is in the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pool = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)
    found: Iterable[Any] = pool(joblib.delayed(search)(name, budget) for name in todo)
    for x in found:
        if x.ended == "interrupted":
            raise KeyboardInterrupt
        with path.open("a", encoding="utf-8") as file:  # a line at a time: two processes may write
            file.write(json.dumps(x._asdict()) + "\n")
        tell(x)


def main(args: Sequence[str] | None = None, path: Path = KEPT) -> int:
    """Print the table; 1 if what was found contradicts a status, 130 if it was interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.algorithms.exact_methods", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="algorithms, statements or patterns; all if none")
    parser.add_argument("--budget", type=float, default=BUDGET, metavar="S", help=f"seconds for each ({BUDGET:g})")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (1); -1 for one on each core")
    parser.add_argument("--again", action="store_true", help="search again for what was searched for before")
    given = parser.parse_args(args)
    for name in given.names:
        if not any(True for _ in statements([name])):
            parser.error(f"{name} is no exact method on {' or '.join(SHELVES)}, nor a statement about one")
    console = Console()
    wanted = {name: key(name, given.budget) for name, _ in statements(given.names)}
    known = {} if given.again else outcomes(path)
    todo = sorted((name for name, of in wanted.items() if of not in known), key=_place)
    told = f"{len(wanted)} statements, {len(wanted) - len(todo)} of them are known; {given.budget:g} s for each other"
    console.print(told, markup=False, soft_wrap=True)
    done = {x.name: x for of in wanted.values() if (x := known.get(of))}

    def tell(x: Outcome) -> None:
        done[x.name] = x
        told = f"{x.name} ({x.status}): {_word(x)}, {x.ratio:.4g} {x.unit}, {x.runs} runs"
        console.print(f"{len(done)}/{len(wanted)}  {told}", markup=False, soft_wrap=True)

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    interrupted = False
    try:
        search_all(todo, given.budget, path, given.jobs, tell)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        signal.signal(signal.SIGTERM, before)
    found = [done[name] for name in wanted if name in done]
    console.print(_table(found))
    surprising = [x for x in found if x.surprising]
    for x in surprising:
        console.print(f"not as it is said to be:\n{x.said}", markup=False, soft_wrap=True)
    console.print(f"outcomes: {path}", markup=False, soft_wrap=True)
    if interrupted:
        console.print(f"interrupted: {len(wanted) - len(found)} are left; the same command goes on")
        return 130
    return int(bool(surprising))


def _place(name: str) -> int:
    """Which of the statements of its algorithm it is."""
    cls, theorem = registry.theorem(name)
    return cls.theorems.index(theorem)


def _word(x: Outcome) -> str:
    return "CRASHED" if x.ended == "crashed" else "BROKEN" if x.broken else "not broken"


def _table(found: Sequence[Outcome]) -> Table:
    """A line for each statement."""
    table = Table(title="searched for counterexamples")
    for column in ("statement", "status", "found", "worst", "of", "runs"):
        table.add_column(column, justify="right" if column in ("worst", "runs") else "left", overflow="fold")
    for x in found:
        table.add_row(x.name, x.status, _word(x), f"{x.ratio:.4g}", x.unit, str(x.runs))
    return table


if __name__ == "__main__":
    raise SystemExit(main())
