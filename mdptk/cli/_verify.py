"""``mdptk verify``: theorems on problems, a table, a report."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from mdptk import registry
from mdptk.cli._common import (
    Named,
    add_source_options,
    configured,
    count,
    errors,
    named_problem,
    natural,
    new_folder,
    now,
    number,
    output,
    positive,
)
from mdptk.core.algorithm import Algorithm, Learner
from mdptk.core.errors import MdptkError
from mdptk.sweep import (
    COUNTEREXAMPLE,
    BoundJob,
    Job,
    Row,
    bound_jobs,
    corrected,
    counterexample_jobs,
    each_job,
    standard_jobs,
    view,
)

STYLES = {
    "VIOLATED": "bold red",
    "ERROR": "bold magenta",
    "holds": "green",
    "n/a": "dim",
    "reported": "cyan",
    "undecided": "yellow",
}
SAYS = {"vacuous": "dim", "silent": "dim", "informative": ""}


def add_parser(commands: Any) -> None:
    """The subcommand and its options."""
    p = commands.add_parser("verify", help="judge theorems on problems and write a report")
    p.description = (
        "Judge every theorem of the algorithms on every standard problem that meets its assumptions, or on one, and "
        "every lower bound on the learners that it is about. Exit code 1 if a proved statement is violated."
    )
    p.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="an algorithm (NPG), a theorem (NPG.improvement) or a lower bound (two-arms-exchanged); all if none",
    )
    p.add_argument(
        "--problem",
        metavar="SOURCE",
        help="a standard problem, gymnasium:ID, a file .npz, .tra, .drn, or 'counterexample' (what refutes a theorem)",
    )
    p.add_argument(
        "--against",
        type=Path,
        metavar="JSON",
        help="say what changed since a report; exit code 1 if something got worse, too",
    )
    add_source_options(p)
    p.add_argument("--steps", type=positive, metavar="N", help="steps of each run")
    p.add_argument("--repeats", type=positive, metavar="N", help="repeats of each run of a learner")
    p.add_argument("--seed", type=natural, default=0, metavar="N", help="seed of all randomness (default 0)")
    p.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a hyperparameter, as in eta=0.1")
    p.add_argument("--workers", type=positive, metavar="N", help="processes (default: one for each core)")
    p.add_argument("--html", type=Path, metavar="PATH", help="the report (default: a new folder under mdptk-out)")
    p.add_argument("--json", type=Path, metavar="PATH", help="the verdicts as data (default: beside the report)")
    p.add_argument("--force", action="store_true", help="replace the files of --html and --json, whoever wrote them")
    p.add_argument("--only-broken", action="store_true", help="print only the rows that must not be")
    p.set_defaults(command=verify, keeps=True)


def verify(args: argparse.Namespace) -> int:
    """The command."""
    from mdptk.cli._against import Changes, kept_rows
    from mdptk.report import check_writable

    before = kept_rows(args.against) if args.against else None
    bounds = [name for name in args.names if name.rpartition(".")[2] in registry.lower_bounds()]
    names = [name for name in args.names if name not in bounds]
    chosen = _chosen(names, args.set) if names or not bounds else []
    jobs, notes = _jobs(args, chosen, _bounds(args, bounds, chosen))
    if args.html:
        check_writable(args.html, force=args.force)
        args.json = args.json or args.html.with_suffix(".json")
    if args.json:
        check_writable(args.json, force=args.force)
    _prepare_jax()
    done = _sweep(jobs, args.workers)
    _print(args, done, notes)
    _write(args, [type(alg) for alg, _ in chosen], done)
    if done.interrupted:
        return 130
    if all(row.verdict == "n/a" for row in done.rows):
        raise MdptkError("nothing was judged: no theorem's assumptions are met")
    changes = None if before is None else Changes.between(before, done.rows, asked(jobs))
    if changes is not None:
        output().print(changes.text(), soft_wrap=True)
    return int(any(row.broken for row in done.rows) or bool(changes and changes.worse))


def asked(jobs: Sequence[Job | BoundJob]) -> set[tuple[str, str, str]]:
    """What was judged: (algorithm, theorem, problem)."""
    return {(type(job.alg).__name__, job.bound, job.label) for job in jobs if isinstance(job, BoundJob)} | {
        (type(job.alg).__name__, th.slug, job.label)
        for job in jobs
        if isinstance(job, Job)
        for th in type(job.alg).theorems
        if not job.theorems or th.slug in job.theorems
    }


# what to do -----------------------------------------------------------------------------------------------------


def _chosen(names: Sequence[str], settings: Sequence[str]) -> list[tuple[Algorithm, tuple[str, ...]]]:
    """Algorithms with their hyperparameters, and the slugs of the theorems to be judged (all if empty)."""
    if settings and not names:
        raise MdptkError(f"--set {settings[0]}: name the algorithm that it belongs to")
    slugs: dict[type[Algorithm], tuple[str, ...]] = {} if names else dict.fromkeys(registry.find().values(), ())
    whole: set[type[Algorithm]] = set()
    for name in names:
        if "." in name:
            cls, theorem = registry.theorem(name)
            slugs[cls] = (*slugs.get(cls, ()), theorem.slug)
        else:
            cls = registry.algorithm(name)
            slugs.setdefault(cls, ())
            whole.add(cls)
    return [(configured(cls, settings), () if cls in whole else some) for cls, some in slugs.items()]


def _bounds(
    args: argparse.Namespace, named: Sequence[str], chosen: list[tuple[Algorithm, tuple[str, ...]]]
) -> list[BoundJob]:
    """Lower bounds: those that are named, as NAME or LEARNER.NAME, and all on the algorithms that are named whole."""
    if args.problem is not None:
        if named:
            raise MdptkError(f"--problem {args.problem}: the lower bound {named[0]} has a family of its own")
        return []
    jobs = bound_jobs([alg for alg, some in chosen if not some])
    for name in named:
        owner, _, slug = name.rpartition(".")
        about = registry.subject_to(registry.lower_bounds()[slug])
        if owner and registry.algorithm(owner) not in about.values():
            raise MdptkError(f"{name}: the lower bound {slug} is about {', '.join(about) or 'nobody'}")
        learners = [registry.algorithm(owner)] if owner else list(about.values())
        jobs += bound_jobs([configured(cls, args.set) for cls in learners], [slug])
    given = {name: x for name in ("repeats", "seed") if (x := getattr(args, name)) is not None}
    return [replace(job, **given) for job in dict.fromkeys(jobs)]


def _jobs(
    args: argparse.Namespace, chosen: list[tuple[Algorithm, tuple[str, ...]]], bounds: list[BoundJob]
) -> tuple[list[Job | BoundJob], list[str]]:
    """What is to be run, and notes on what is not."""
    if args.repeats and not bounds and not any(isinstance(alg, Learner) for alg, _ in chosen):
        names = ", ".join(type(alg).__name__ for alg, _ in chosen)
        raise MdptkError(f"--repeats {args.repeats}: {names} is deterministic, every repeat would be the same")
    if args.problem is None:
        for option in ("gamma", "reward", "horizon"):
            if getattr(args, option) is not None:
                raise MdptkError(f"--{option} {getattr(args, option)} belongs to --problem SOURCE, which is missing")
        jobs = standard_jobs([alg for alg, _ in chosen], {type(alg).__name__: some for alg, some in chosen})
        jobs += [job for alg, some in chosen for job in counterexample_jobs(type(alg), some)]
        notes = []
    elif args.problem == COUNTEREXAMPLE:
        return [*_counterexamples(args, chosen)], []
    else:
        named = named_problem(args.problem, args.gamma, args.reward)
        jobs, notes = _jobs_on(named, args.horizon, chosen)
    counts = {"steps": args.steps, "repeats": args.repeats}
    counts = {name: n for name, n in counts.items() if n is not None}
    given = counts | {"seed": args.seed}
    return [*(job if job.label == COUNTEREXAMPLE else replace(job, **given) for job in jobs), *bounds], notes


def _counterexamples(args: argparse.Namespace, chosen: list[tuple[Algorithm, tuple[str, ...]]]) -> list[Job]:
    """Refuted theorems on what refutes them, which has its own steps and hyperparameters."""
    for option in ("steps", "repeats", "set", "gamma", "reward", "horizon"):
        if getattr(args, option):
            raise MdptkError(f"--{option} {getattr(args, option)}: a counterexample has its own")
    jobs = [job for alg, some in chosen for job in counterexample_jobs(type(alg), some)]
    if not jobs:
        raise MdptkError("no theorem that was named has a counterexample: those that are refuted or disputed may")
    return jobs


def _jobs_on(
    named: Named, horizon: int | None, chosen: list[tuple[Algorithm, tuple[str, ...]]]
) -> tuple[list[Job], list[str]]:
    jobs, notes = [], []
    again = named.source + (("--horizon", str(horizon)) if horizon else ())
    for alg, some in chosen:
        cls = type(alg)
        try:
            problem, words = view(named.problem, cls.model(), horizon or 4)
        except MdptkError as error:
            notes.append(f"{cls.__name__} does not apply: it {error}")
            continue
        jobs.append(Job(alg, named.label + words, problem, **registry.trial(cls), theorems=some, source=again))
    if not jobs:
        raise MdptkError("\n".join(notes))
    return jobs, notes


def _prepare_jax() -> None:
    """Unless told otherwise: one thread of BLAS in each worker, no GPU for small problems, compiled code is kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mdptk" / "jax"
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


# doing it -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    """The rows of the runs that were done, in the order of the jobs."""

    rows: list[Row]
    runs: int
    unfinished: int
    seconds: float

    @property
    def interrupted(self) -> bool:
        """Whether somebody pressed Ctrl-C, or sent SIGTERM."""
        return self.unfinished > 0


def _sweep(jobs: Sequence[Job | BoundJob], workers: int | None) -> Done:
    start = time.perf_counter()
    found: dict[int, list[Row]] = {}
    console = errors()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    if not console.is_terminal:
        console.print(f"verifying: {count(len(jobs), 'run')}")
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("verifying", total=len(jobs))
        try:
            with closing(each_job(jobs, workers=workers)) as results:
                for i, rows in results:
                    found[i] = rows
                    bar.update(task, advance=1, description=f"verified {type(jobs[i].alg).__name__} on {jobs[i].label}")
        except KeyboardInterrupt:
            if not found:
                raise
            console.print(
                f"interrupted after {len(found)} of {len(jobs)} runs; writing those down (once more: drop them)"
            )
    rows = corrected([row for i in sorted(found) for row in found[i]])
    return Done(rows, len(found), len(jobs) - len(found), time.perf_counter() - start)


# saying it ------------------------------------------------------------------------------------------------------


def _print(args: argparse.Namespace, done: Done, notes: list[str]) -> None:
    out = output()
    shown = [row for row in done.rows if row.broken or not args.only_broken]
    if args.problem is None:
        shown = [row for row in shown if row.verdict != "n/a"]
    if shown:
        theorems = list(dict.fromkeys((row.algorithm, row.theorem) for row in shown))
        out.print(table(sorted(shown, key=lambda row: theorems.index((row.algorithm, row.theorem)))))
    for note in notes:
        out.print(note, style="dim", markup=False)
    out.print(_summary(done))


def table(rows: Sequence[Row]) -> Table:
    """Verdicts as a table, a section for each algorithm; notes on what did not hold stand below the problem."""
    t = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("algorithm", "theorem", "problem", "verdict"):
        t.add_column(name, overflow="fold")
    t.add_column("ratio", justify="right")
    t.add_column("says")
    t.add_column("seconds", justify="right")
    before: tuple[str, str] = ("", "")
    for row in rows:
        if before[0] not in ("", row.algorithm):
            t.add_row()
        first = (row.algorithm, row.theorem) != before
        note = f"\n{row.note}" if row.note and (row.verdict != "holds" or row.retracted) else ""
        t.add_row(
            Text(row.algorithm if first else ""),
            Text(row.theorem if first else ""),
            Text.assemble(row.problem, (note, "dim")),
            Text(row.word, style=STYLES[row.verdict] if row.broken or row.verdict != "VIOLATED" else "yellow"),
            number(row.ratio),
            Text(row.says, style=SAYS.get(row.says, "")),
            f"{row.seconds:.2f}",
        )
        before = (row.algorithm, row.theorem)
    return t


def _summary(done: Done) -> Text:
    judged = [row for row in done.rows if row.verdict != "n/a"]
    broken = sum(row.broken for row in judged)
    theorems = len({(row.algorithm, row.slug) for row in judged})
    says = Counter(row.says for row in judged if row.says)
    text = Text.assemble(
        "\n",
        (f"{broken} broken" if broken else "nothing is broken", "bold red" if broken else "bold green"),
        f": {count(len(judged), 'check')} of {count(theorems, 'theorem')}, "
        f"{count(done.runs, 'run')}, {done.seconds:.0f} s",
    )
    if says:
        text.append("; " + ", ".join(f"{says[word]} {word}" for word in SAYS if says[word]))
    expected = sum(row.verdict == "VIOLATED" and not row.broken for row in judged)
    if expected:
        text.append(f"; {count(expected, 'violation')} of statements that are not proved, as expected")
    undecided, retracted = sum(row.verdict == "undecided" for row in judged), sum(row.retracted for row in judged)
    if undecided:
        text.append(f"\n{count(undecided, 'check')} undecided: broken by so little that it may be rounding", "yellow")
    if retracted:
        text.append(
            f"\n{count(retracted, 'violation')} taken back: to be expected among so many statistical checks", "yellow"
        )
    if len(judged) < len(done.rows):
        left = count(len(done.rows) - len(judged), "check")
        text.append(f"\n{left} left out: the problem does not meet the assumptions", "dim")
    return text


def _write(args: argparse.Namespace, algorithms: list[type[Algorithm]], done: Done) -> None:
    """The report and the data, and where they are."""
    from mdptk import report

    if args.html:
        html, data = args.html, args.json
    else:
        folder = new_folder("verify")
        html, data = folder / "report.html", args.json or folder / "report.json"
    about = report.About("mdptk " + shlex.join(args.words), now(), done.seconds, done.runs, done.unfinished)
    rows = [row for row in done.rows if row.verdict != "n/a" or args.problem is not None]
    # the data first: the pictures take a while, and who ends a process politely does not wait for ever
    report.write_text(data, json.dumps(report.as_json(done.rows, about), indent=1, allow_nan=False))
    with errors().status("drawing the report"):
        report.write(html, algorithms, rows, about, force=args.force)
    for path in (html, data):
        output().print(f"written to {path}", markup=False, soft_wrap=True)
