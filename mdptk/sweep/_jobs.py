"""Every theorem on every problem, in several processes: what `mdptk verify` does, as plain data.

A `Job` is one algorithm on one problem; checking it gives one `Row` for each theorem. Rows hold numbers and words
only, so they travel between processes and into files, which theorems (with their functions) do not.
"""

from __future__ import annotations

import multiprocessing
import os
import shlex
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from mdptk import registry
from mdptk.core.algorithm import Algorithm, Learner
from mdptk.core.errors import AssumptionViolated, MdptkError
from mdptk.core.models import MDP, Array, FiniteHorizonMDP, PolicyEvaluation
from mdptk.core.run import Run, run
from mdptk.sweep._workers import end_with, signals_postponed
from mdptk.theory import InExpectation, Theorem
from mdptk.theory.statistics import SIGNIFICANCE, holm
from mdptk.theory.statistics import corrected as surviving

COUNTEREXAMPLE = "counterexample"  # the label of the problem that a refuted theorem keeps
POINTS = 64  # records of a run that a row keeps for its plot
DENSE_LIMIT = 2**27  # entries of a kernel that is made dense, 1 GiB


@dataclass(frozen=True)
class Sides:
    """Both sides of a theorem over the repeats of a run, thinned.

    Attributes
    ----------
    t
        Steps, shape (n,).
    lhs, rhs
        Lowest, middle and highest over the repeats, shape (3, n); the middle is the mean where the theorem is about
        an expectation and the median otherwise.
    slack
        Rounding error that was allowed for, shape (n,).
    """

    t: Array
    lhs: Array
    rhs: Array
    slack: Array


@dataclass(frozen=True)
class Job:
    """One algorithm on one problem.

    Attributes
    ----------
    label
        What the problem is called.
    source
        How the problem is got again on the command line: the words after ``--problem``.
    start
        The state to begin with; None where `init` chooses it.
    theorems
        Which theorems are judged, by slug; all if empty.
    """

    alg: Algorithm
    label: str
    problem: Any
    steps: int
    repeats: int = 1
    seed: int = 0
    theorems: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    start: Any = None

    def command(self, theorem: Theorem | None = None) -> str:
        """The command line that does it again, for one theorem or all."""
        words = ["mdptk", "verify", type(self.alg).__name__ + (f".{theorem.slug}" if theorem else "")]
        if self.label == COUNTEREXAMPLE:  # the theorem keeps it, with its steps and hyperparameters
            return shlex.join([*words, "--problem", COUNTEREXAMPLE])
        words += ["--problem", *(self.source or (self.label,)), "--steps", str(self.steps), "--seed", str(self.seed)]
        words += ["--repeats", str(self.repeats)] if isinstance(self.alg, Learner) else []
        return shlex.join([*words, *_settings(self.alg)])


@dataclass(frozen=True)
class BoundJob:
    """One lower bound on one learner, at the first of its sizes.

    Attributes
    ----------
    bound
        Its name with hyphens.
    repeats
        As many as the bound wants if None.
    """

    alg: Algorithm
    bound: str
    repeats: int | None = None
    seed: int = 0

    @property
    def label(self) -> str:
        """The sizes."""
        return ", ".join(f"{name} = {x:g}" for name, x in registry.lower_bounds()[self.bound].sizes[0].items())

    def command(self) -> str:
        """The command line that does it again."""
        words = ["mdptk", "verify", f"{type(self.alg).__name__}.{self.bound}", "--seed", str(self.seed)]
        words += ["--repeats", str(self.repeats)] if self.repeats else []
        return shlex.join([*words, *_settings(self.alg)])


def _settings(alg: Algorithm) -> list[str]:
    """The options that set the hyperparameters which are not the defaults."""
    default = type(alg)()
    changed = [f.name for f in fields(alg) if getattr(alg, f.name) != getattr(default, f.name)]
    return [word for name in changed for word in ("--set", f"{name}={getattr(alg, name)!r}")]


@dataclass(frozen=True)
class Row:
    """One theorem on one problem, or a lower bound on one learner.

    Attributes
    ----------
    verdict
        ``holds``, ``VIOLATED``, ``undecided``, ``reported``, ``n/a`` as `Verdict.word`, or ``ERROR`` if judging it
        failed.
    says
        ``informative``, ``vacuous`` or ``silent``; empty if there was nothing to judge.
    seconds
        Of the check, and of the run in equal shares.
    note
        What the verdict notes, why the theorem does not apply, or the error.
    p
        p-value of a statistical statement, alone; nan if there is none.
    """

    algorithm: str
    theorem: str
    slug: str
    status: str
    problem: str
    model: str
    verdict: str
    ratio: float
    says: str
    seconds: float
    note: str
    command: str
    sides: Sides | None = None
    p: float = float("nan")

    @property
    def retracted(self) -> bool:
        """Whether it was violated alone, and is not any more among the other checks of its report."""
        return self.verdict == "holds" and self.p <= SIGNIFICANCE

    @property
    def broken(self) -> bool:
        """Whether this must not happen: a proved theorem is violated, or judging it failed."""
        return self.verdict == "ERROR" or (self.verdict == "VIOLATED" and self.status == "proved")

    @property
    def word(self) -> str:
        """The verdict for people: a theorem that is not proved is expected to be violated somewhere."""
        return f"violated ({self.status})" if self.verdict == "VIOLATED" and not self.broken else self.verdict


# what there is to do --------------------------------------------------------------------------------------------


def view(problem: Any, kind: type, horizon: int = 4) -> tuple[Any, str]:
    """The problem as a model of type `kind`, and what was done to it for that, as words to append to its name.

    An MDP is cut off after `horizon` stages, or has its uniform policy evaluated.

    Raises
    ------
    MdptkError
        If it has no natural view of that type, or is too large for one.
    """
    if isinstance(problem, kind):
        return problem, ""
    name = type(problem).__name__
    if not isinstance(problem, MDP) or kind not in (FiniteHorizonMDP, PolicyEvaluation):
        raise MdptkError(f"needs {kind.__name__}, and the problem is {name}")
    entries = problem.S**2 * problem.A * (horizon if kind is FiniteHorizonMDP else 1)
    if entries > DENSE_LIMIT:
        raise MdptkError(f"needs a dense kernel of {entries:.2g} entries, more than {DENSE_LIMIT:.2g}")
    if kind is FiniteHorizonMDP:
        return problem.episodic(horizon), f", H={horizon}"
    return PolicyEvaluation(problem), ", uniform policy"


def counterexample_jobs(algorithm: type[Algorithm], theorems: tuple[str, ...] = ()) -> list[Job]:
    """Each theorem of the algorithm that has a counterexample, on it; only these `theorems` if there are any."""
    jobs = []
    for th in algorithm.theorems:
        if th.counterexample is not None and (not theorems or th.slug in theorems):
            kept = th.counterexample()
            ran = (kept.steps, kept.repeats, kept.seed)
            jobs.append(Job(kept.alg, COUNTEREXAMPLE, kept.problem, *ran, (th.slug,), start=kept.start))
    return jobs


def standard_jobs(algorithms: Iterable[Algorithm], theorems: dict[str, tuple[str, ...]] | None = None) -> list[Job]:
    """Each algorithm on each standard problem of its type, with the registry's numbers of steps and repeats.

    Parameters
    ----------
    algorithms
        With the hyperparameters to be used.
    theorems
        Slugs of the theorems to be judged, by the name of the algorithm; all where it has no entry.
    """
    jobs = []
    for alg in algorithms:
        cls = type(alg)
        some = (theorems or {}).get(cls.__name__, ())
        for name, problem in registry.standard(cls).items():
            from_gymnasium = name.startswith("gymnasium:") and isinstance(problem, MDP)
            source = (name, "--gamma", f"{problem.gamma:g}") if from_gymnasium else (name,)
            jobs.append(Job(alg, name, problem, **registry.trial(cls), theorems=some, source=source))
    return jobs


def bound_jobs(algorithms: Iterable[Algorithm], bounds: Iterable[str] | None = None) -> list[BoundJob]:
    """Each lower bound (of these, if they are given) on each of the algorithms that it is about."""
    known = registry.lower_bounds()
    names = list(known if bounds is None else bounds)
    return [
        BoundJob(alg, x) for alg in algorithms for x in names if type(alg).__name__ in registry.subject_to(known[x])
    ]


# doing it -------------------------------------------------------------------------------------------------------


def check_job(job: Job | BoundJob) -> list[Row]:
    """One row for each theorem; an error while judging becomes the row's verdict, and the next theorem has its turn."""
    if isinstance(job, BoundJob):
        return [_judge_bound(job)]
    theorems = [th for th in type(job.alg).theorems if not job.theorems or th.slug in job.theorems]
    unmet = {th: th.unmet(job.alg, job.problem, job.start) for th in theorems}
    rows = [_row(job, th, "n/a", note=unmet[th]) for th in theorems if unmet[th]]
    apply = [th for th in theorems if not unmet[th]]
    if not apply:
        return rows
    start = time.perf_counter()
    try:
        repeats = job.repeats if isinstance(job.alg, Learner) else 1
        every = registry.stride(type(job.alg), job.steps)
        result = run(job.alg, job.problem, job.steps, seed=job.seed, repeats=repeats, every=every, start=job.start)
    except Exception as error:
        return rows + [_row(job, th, "ERROR", note=_words(error)) for th in apply]
    share = (time.perf_counter() - start) / len(apply)
    return rows + [_judge(job, th, result, share) for th in apply]


def _judge(job: Job, theorem: Theorem, result: Run, share: float) -> Row:
    start = time.perf_counter()
    try:
        v = theorem.check(result)
        says = "vacuous" if v.vacuous else "informative" if v.informative else "silent"
        drawn = sides(theorem, result)
    except AssumptionViolated as error:
        return _row(job, theorem, "n/a", note=str(error))
    except Exception as error:
        return _row(job, theorem, "ERROR", note=_words(error))
    seconds = share + time.perf_counter() - start
    says = "" if v.ok is None else says
    return _row(job, theorem, v.word, ratio=v.ratio, says=says, seconds=seconds, note=v.note, sides=drawn, p=v.p)


def _judge_bound(job: BoundJob) -> Row:
    start = time.perf_counter()
    try:
        v = registry.lower_bounds()[job.bound].check(job.alg, repeats=job.repeats, seed=job.seed)
    except Exception as error:
        return _bound_row(job, "ERROR", note=_words(error))
    says = "vacuous" if v.vacuous else "informative" if v.informative else "silent"
    seconds = time.perf_counter() - start
    return _bound_row(job, v.word, ratio=v.ratio, says=says, seconds=seconds, note=v.note, p=v.p)


def _bound_row(job: BoundJob, verdict: str, *, ratio: float = float("nan"), **rest: Any) -> Row:
    bound = registry.lower_bounds()[job.bound]
    return Row(
        algorithm=type(job.alg).__name__,
        theorem=f"{bound.name} (lower bound)",
        slug=job.bound,
        status=bound.claim.status,
        problem=job.label,
        model=f"family of {getattr(bound.sees, 'model', bound.sees).__name__}",
        verdict=verdict,
        ratio=ratio,
        command=job.command(),
        **{"says": "", "seconds": 0.0, "note": "", **rest},
    )


def _row(job: Job, th: Theorem, verdict: str, *, ratio: float = float("nan"), **rest: Any) -> Row:
    return Row(
        algorithm=type(job.alg).__name__,
        theorem=th.name,
        slug=th.slug,
        status=th.status,
        problem=job.label,
        model=repr(job.problem),
        verdict=verdict,
        ratio=ratio,
        command=job.command(th),
        **{"says": "", "seconds": 0.0, "note": "", **rest},
    )


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def sides(theorem: Theorem, result: Run) -> Sides:
    """Both sides of `theorem` on a run, thinned for drawing."""
    lhs, rhs = theorem.sides(result)
    slack = theorem.slack(result).max(0)
    middle = np.mean if isinstance(theorem.holds, InExpectation) else np.median
    (judged,) = np.nonzero(result.t >= theorem.since)
    k = judged[_spread(len(judged))]
    low_mid_high = [np.stack([x[:, k].min(0), middle(x[:, k], axis=0), x[:, k].max(0)]) for x in (lhs, rhs)]
    return Sides(result.t[k], low_mid_high[0], low_mid_high[1], slack[k])


def _spread(n: int) -> Array:
    """At most about `POINTS` indices below `n`, half of them evenly spread, half evenly in the logarithm."""
    if n <= POINTS:
        return np.arange(n)
    even = np.linspace(0, n - 1, POINTS // 2)
    return np.unique(np.concatenate([even, np.geomspace(1, n, POINTS // 2) - 1]).astype(int))


def check_jobs(
    jobs: Sequence[Job | BoundJob],
    *,
    workers: int | None = None,
    done: Callable[[Job | BoundJob], None] | None = None,
) -> list[Row]:
    """The rows of all jobs, in the order of the jobs.

    Parameters
    ----------
    workers
        Number of processes; as many as there are cores if None, and 1 is this process itself.
    done
        Called after each job.
    """
    found: dict[int, list[Row]] = {}
    for i, rows in each_job(jobs, workers=workers):
        found[i] = rows
        if done is not None:
            done(jobs[i])
    return corrected([row for i in sorted(found) for row in found[i]])


def corrected(rows: list[Row]) -> list[Row]:
    """The rows of one report, without the violations that are to be expected among so many statistical checks.

    A row stays violated if it is so alone, and after Holm's correction for all statistical checks of the report.
    """
    ps = [row.p for row in rows]
    return [
        replace(row, verdict="holds", note=f"{row.note}; taken back: p = {p:.2g} among {np.isfinite(ps).sum()} checks")
        if row.verdict == "VIOLATED" and np.isfinite(row.p) and not survives
        else row
        for row, p, survives in zip(rows, holm(ps), surviving(ps), strict=True)
    ]


def each_job(
    jobs: Sequence[Job | BoundJob], *, workers: int | None = None
) -> Generator[tuple[int, list[Row]], None, None]:
    """(index of the job, its rows), as they are done. Closing the iterator stops the processes."""
    together = _compiled_once(jobs)
    workers = min(workers or cores(), len(together))
    if workers <= 1:
        yield from ((i, check_job(job)) for i, job in enumerate(jobs))
        return
    before = set(multiprocessing.active_children())
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=spawn, initializer=end_with, initargs=(os.getpid(),))
    try:
        with signals_postponed():
            waiting = {pool.submit(_check_each, [jobs[i] for i in some]): some for some in together}
        while waiting:
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                some = waiting.pop(future)
                yield from zip(some, _rows(future, [jobs[i] for i in some]), strict=True)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - before:
            process.kill()  # SIGTERM is blocked there


def _check_each(jobs: Sequence[Job | BoundJob]) -> list[list[Row]]:
    return [check_job(job) for job in jobs]


def _rows(future: Future[list[list[Row]]], jobs: Sequence[Job | BoundJob]) -> list[list[Row]]:
    """The rows of each job; what kept a process from judging them is the verdict on all."""
    try:
        return future.result()
    except BrokenProcessPool:
        error: Exception = MdptkError("a worker process died, perhaps for lack of memory: try --workers 1")
    except Exception as exception:
        error = exception
    return [_errors(job, _words(error)) for job in jobs]


def _errors(job: Job | BoundJob, note: str) -> list[Row]:
    if isinstance(job, BoundJob):
        return [_bound_row(job, "ERROR", note=note)]
    return [_row(job, th, "ERROR", note=note) for th in type(job.alg).theorems]


def _compiled_once(jobs: Sequence[Job | BoundJob]) -> list[list[int]]:
    """Jobs that one process is to do: those of a learner on problems of one shape, for which it is compiled.

    What compiles and samples comes first, so that no core is left alone with one of them at the end.
    """

    def key(i: int) -> tuple[bool, bool, int]:
        job = jobs[i]
        if isinstance(job, BoundJob):  # a whole family
            return not isinstance(job.alg, Learner), False, 0
        return not isinstance(job.alg, Learner), True, -job.problem.S

    together: dict[Any, list[int]] = {}
    for i in sorted(range(len(jobs)), key=key):
        job, same = jobs[i], i
        if isinstance(job, Job) and isinstance(job.alg, Learner):
            same = type(job.alg), registry.shape(job.problem)
        together.setdefault(same, []).append(i)
    return list(together.values())


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
