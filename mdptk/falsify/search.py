"""The search: what is degenerate, other starts, then what is tiny and climbs in turn, until time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from mdptk import registry
from mdptk.core.algorithm import Algorithm, Learner, Solver
from mdptk.core.errors import MdptkError
from mdptk.core.models import MDP, check_discount
from mdptk.falsify import moves
from mdptk.falsify.adapt import adapt
from mdptk.falsify.gallery import gallery, standard
from mdptk.falsify.instance import KINDS, ONE_STATE, UNDISCOUNTED, Instance
from mdptk.falsify.result import Archive, Counterexample, NotFound, Report
from mdptk.falsify.score import Candidate, Score, judge, judge_again
from mdptk.falsify.shrink import shrink
from mdptk.falsify.tiny import finer, tiny
from mdptk.theory import Always, Theorem

GALLERY_CHUNK = 40
MANY = 150  # instances of a gallery, above it: those of a kind of which a model has several views
STEPS = (1, 2, 3, 5, 10, 30)
GENERATIONS = 40  # a climb that gains nothing ends after `PATIENCE` of them
PATIENCE = 12
PROMISING = 0.3  # of the record, below it: a climb that ended there goes on with covariance adaptation
STARTS = 12  # families of random instances with random first states, before the climbs
TINY_AGAIN, AGAIN = 3, 50  # of a chunk of tiny models, and of the doubtful ones: as many are judged in wider numbers
SETTLED = 30  # steps after which the state is near the end of the run, for starts near it
LEARNER_STEPS, LEARNER_REPEATS = 64, 64
FRESH_SEED = 10**6  # of the runs that have to confirm a statistical violation
SHAPES = ((2, 2, 2), (1, 2, 1), (3, 2, 3))  # of learners' transitions: each is a compilation
ARMS = ((1, 2, 1), (1, 4, 1), (1, 1, 1))  # the same of bandits


def falsify(
    theorem: str | tuple[Algorithm | type[Algorithm], Theorem],
    *,
    budget: float = 60.0,
    runs: int | None = None,
    seed: int = 0,
    gamma: float | None = None,
    out: Path | str | None = None,
    progress: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Counterexample | NotFound:
    """Search for an instance on which a theorem is false, and report the one on which it is tightest.

    Parameters
    ----------
    theorem
        A name such as ``"NPG.global-convergence"``; or (algorithm, theorem), where a class lets the hyperparameters be
        searched too and an instance keeps its own.
    budget
        Seconds after which the search stops; shrinking what was found comes on top, and takes a few more.
    runs
        Number of instances after which it stops, if that comes first. The same seed and number find the same.
    seed
        Seed of the search.
    gamma
        A discount that every instance has; searched, too, if None.
    out
        A folder for every record that is found, as .npz with the commands that replay it; it must be empty or not
        exist. Nothing is written if None.
    progress
        Show how far the search is.
    clock
        What counts the seconds: `time.process_time` takes those that the process computes, on a machine that is shared.

    Initial states are searched where the theorem's `starts` allow it.

    Returns
    -------
    Counterexample | NotFound
        Both with the instance, shrunk. Ctrl-C ends the search early and returns the best so far.

    Raises
    ------
    MdptkError
        If the theorem is unknown, order-only, or about models that cannot be searched; if `out` is not empty, or
        `gamma` is no discount, or there is none.
    """
    name, base, fixed, th = _named(theorem)
    if th.order_only:
        raise MdptkError(f"{name} is order-only: it has no constants that an instance could break")
    kind = type(base).model()
    if kind not in KINDS:
        names = ", ".join(k.__name__ for k in KINDS)
        raise MdptkError(f"{name} is about a {kind.__name__}; instances that can be searched are {names}")
    if gamma is not None and kind in UNDISCOUNTED:
        raise MdptkError(f"gamma = {gamma}: {name} is about a {kind.__name__}, which has no discount")
    gamma = None if gamma is None else check_discount(gamma)
    archive = Archive(None if out is None else Path(out), name, seed)
    began = clock()
    search = Search(th, base, fixed, seed, began + budget, runs or 10**12, archive, gamma, clock)
    with _showing(name, budget, progress) as search.tell:
        try:
            explore(search)
        except _Over as over:
            search.ended = str(over)
        except KeyboardInterrupt:
            search.ended = "interrupted"
        search.ended = search.ended or "all candidates were tried"
    return _report(search, name, clock() - began)


def explore(search: Search) -> None:
    """The gallery; random first states, if others are allowed; then tiny models and climbs in turn, for ever.

    A gallery of many views that cannot be run as a batch is left to the turns, in random order, but for the standard
    problems: it would take the whole budget.

    `search.judge` ends it when something is found or time is up.
    """
    kind = type(search.base).model()
    batched = isinstance(search.base, Solver) and kind is MDP
    lot = np.random.default_rng(search.seed)
    first, later = list(gallery(kind, search.gamma)), []
    if isinstance(search.base, Solver) and len(first) > MANY and not batched:  # several views of each model
        n = len(list(standard(kind)))
        first, later = first[:n], [first[n + k] for k in lot.permutation(len(first) - n)]
    for chunk in batched_by(GALLERY_CHUNK if batched else 1, first):
        for alg, steps in search.settings():
            search.judge([search.candidate(alg, x, steps, f"gallery: {origin}") for origin, x in chunk])
    if search.elsewhere:
        for _ in range(STARTS):
            search.start(width=32 if batched else 4, elsewhere=True)
    chunks: Iterator[list[Instance]] = iter(())
    if isinstance(search.base, Solver):
        fine = finer(kind, lot, batched=batched, gamma=search.gamma)
        chunks = chain(tiny(kind, batched=batched, gamma=search.gamma), fine)
    settings = list(search.settings())
    views = batched_by(GALLERY_CHUNK // 2, later)
    while True:
        alg, steps = settings[lot.integers(len(settings))]
        search.judge([search.candidate(alg, x, steps, f"gallery: {origin}") for origin, x in next(views, ())])
        found = search.judge([search.candidate(search.base, x, 10, "tiny") for x in next(chunks, [])])
        search.judge_again([f for f in found if f[0].near], TINY_AGAIN)
        best = climb(search, width=64 if batched else 12 if isinstance(search.base, Solver) else 4)
        if best is not None and isinstance(search.base, Solver) and search.promising(best[0]):
            free = search.rng.random() < 0.5 and not search.fixed and search.gamma is None
            adapt(search.judge, search.rng, best, generations=GENERATIONS, settings=free)


def learner_shapes(kind: type) -> list[tuple[int, ...]]:
    """The shapes of transitions that learners are compiled for."""
    return [(2, *shape) if hasattr(kind, "H") else shape for shape in (ARMS if kind in ONE_STATE else SHAPES)]


def batched_by(n: int, items: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """The items in tuples of `n`, the last one shorter (`itertools.batched`, which Python has from 3.12 on)."""
    rest = iter(items)
    while chunk := tuple(islice(rest, n)):
        yield chunk


def climb(search: Search, width: int) -> tuple[Score, Candidate] | None:
    """One restart: the best of some random instances, or the record, improved by mutation and selection.

    All children of a generation share discount and hyperparameters, so that they are one batch. The step size doubles
    after a success and shrinks after a failure, as in a (1 + lambda) evolution strategy.
    """
    rng = search.rng
    best, size, idle = search.start(width), 0.5, 0
    for _ in range(GENERATIONS):
        if best is None or idle == PATIENCE:
            return best
        parent = search.vary(best[1], size)
        children = [parent] + [
            replace(parent, instance=moves.mutate(rng, parent.instance, size), origin="climb") for _ in range(width - 1)
        ]
        better = max([best, *search.judge(children)], key=lambda found: found[0].key)
        idle = 0 if better[0].key > best[0].key else idle + 1
        size = float(np.clip(size * (2 if idle == 0 else 0.7), 1e-3, 1.0))
        best = better
    return best


class _Over(Exception):  # it is the end, not an error
    """The search is over; the message says why."""


@dataclass(eq=False)
class Search:
    """What a search knows: the record so far, the runs made, and when to stop."""

    theorem: Theorem
    base: Algorithm
    fixed: bool  # whether the hyperparameters of `base` stay as they are
    seed: int
    deadline: float  # by its clock
    limit: int
    archive: Archive
    gamma: float | None = None  # the discount of all instances, if it is fixed
    clock: Callable[[], float] = time.monotonic
    runs: int = 0
    judged: int = 0
    doubtful: int = 0
    again: int = 0
    record: tuple[Score, Candidate] | None = None
    ended: str = ""
    tell: Any = None
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def candidate(self, alg: Algorithm, x: Instance, steps: int, origin: str) -> Candidate:
        """A candidate with as many repeats as its statement needs."""
        x = x if self.gamma is None else replace(x, gamma=self.gamma)
        repeats = 1 if isinstance(alg, Solver) else 16 if isinstance(self.theorem.holds, Always) else LEARNER_REPEATS
        return Candidate(alg, x, max(steps, self.theorem.since), repeats, origin=origin)

    def settings(self) -> Iterator[tuple[Algorithm, int]]:
        """Hyperparameters and steps with which each instance of the gallery is tried."""
        if isinstance(self.base, Learner):
            yield self.base, LEARNER_STEPS
            return
        yield self.base, 50
        yield from ((alg, 10) for alg in ([] if self.fixed else moves.extremes(self.base)))

    def promising(self, score: Score) -> bool:
        """Whether it is close to the record, as a climb that only just failed to break it is."""
        return self.record is None or score.value >= self.record[0].value - PROMISING * abs(self.record[0].value)

    @property
    def elsewhere(self) -> bool:
        """Whether runs may begin in other states than the one of `init`."""
        return self.theorem.starts is not None and isinstance(self.base, Solver)

    def start(self, width: int, *, elsewhere: bool = False) -> tuple[Score, Candidate] | None:
        """Where a climb starts: now and then from the record, otherwise from the best of a few random instances.

        With `elsewhere` these begin in random states, otherwise half of them do where that is allowed.
        """
        if not elsewhere and self.record is not None and self.rng.random() < 0.25:
            return self.record
        alg, kind = self.base, type(self.base).model()
        learns = isinstance(alg, Learner)
        if not self.fixed and not learns:
            alg = moves.configure(self.rng, alg)
        steps = LEARNER_STEPS if learns else int(self.rng.choice(STEPS))
        shape: tuple[int, ...] | None = None
        if learns:
            known = learner_shapes(kind)
            shape = known[self.rng.integers(len(known))]
        first = moves.sample(self.rng, kind, shape)
        others = (moves.sample(self.rng, kind, first.shape) for _ in range(width - 1))
        family = [first, *(replace(x, gamma=first.gamma) for x in others)]
        if elsewhere or (self.elsewhere and self.rng.random() < 0.5):
            family = self.started(alg, family)
        found = self.judge([self.candidate(alg, x, steps, "random") for x in family])
        return max(found, key=lambda f: f[0].key, default=None)

    def started(self, alg: Algorithm, family: list[Instance]) -> list[Instance]:
        """The instances with random first states, some of them near the state in which the algorithm settles."""
        assert isinstance(alg, Solver)
        assert self.theorem.starts is not None
        free = self.theorem.starts.free
        some = [self.candidate(alg, x, 1, "").instance for x in family]
        try:
            problem = some[0].model()
            state = first = alg.init(problem)
            for _ in range(SETTLED):
                state = alg.step(problem, state)
        except (MdptkError, np.linalg.LinAlgError):
            return family
        shape, near = np.shape(free(first)), np.asarray(free(state))
        near = near if np.isfinite(near).all() else np.zeros(shape)
        same = [family[0]] * len(family) if self.rng.random() < 0.5 else family  # what is near belongs to the first
        same = [x if x.Phi is None or x.Phi.shape == some[0].Phi.shape else family[0] for x in same]  # type: ignore[union-attr]
        return [replace(x, start=moves.start(self.rng, shape, near)) for x in same]

    def vary(self, c: Candidate, size: float) -> Candidate:
        """The candidate with another discount, other hyperparameters or another number of steps, or as it is."""
        what = self.rng.random()
        if what < 0.25 and self.gamma is None and c.instance.kind not in UNDISCOUNTED:
            return replace(c, instance=replace(c.instance, gamma=moves.move_gamma(self.rng, c.instance.gamma, size)))
        if isinstance(c.alg, Learner):  # the rest means to compile again
            return c
        if what < 0.45 and not self.fixed:
            return replace(c, alg=moves.move_hyperparameters(self.rng, c.alg, size))
        if what < 0.55:
            steps = int(self.rng.choice([*STEPS, c.steps + 1, max(1, c.steps - 1)]))
            return replace(c, steps=max(steps, self.theorem.since))
        return c

    def judge(self, candidates: list[Candidate]) -> list[tuple[Score, Candidate]]:
        """The scores of those that can be judged; keeps the record; ends the search when it is over."""
        candidates = candidates[: self.limit - self.runs]
        scores = judge(self.theorem, candidates)
        self.runs += len(candidates)
        found = [(s, c) for s, c in zip(scores, candidates, strict=True) if s is not None]
        self.judged += len(found)
        self.doubtful += sum(s.doubtful for s, _ in found)
        if len(doubtful := [f for f in found if f[0].doubtful]) and self.again < AGAIN:
            self.judge_again(doubtful, 2)
        if found:
            self._keep(*max(found, key=lambda f: f[0].key))
        if self.tell is not None:
            self.tell(self)
        if self.runs >= self.limit:
            raise _Over(f"{self.runs} runs")
        if self.clock() > self.deadline:
            raise _Over("the budget of seconds")
        return found

    def judge_again(self, found: list[tuple[Score, Candidate]], most: int) -> None:
        """Judge some of them, drawn by lot, in wider numbers; the first that is broken there ends the search."""
        if not isinstance(self.base, Solver):
            return
        for k in self.rng.permutation(len(found))[:most]:
            score, says = judge_again(self.theorem, *found[k])
            self.again += says.ok is not None
            if score.violated:
                self._keep(score, found[k][1])

    def _keep(self, score: Score, c: Candidate) -> None:
        if score.violated and not score.how:
            score = self._confirmed(score, c)
        if self.record is None or score.key > self.record[0].key:
            before = self.record
            self.record = score, c
            if before is None or score.violated or score.value > before[0].value + 0.01 * abs(before[0].value):
                self.archive.write(self.theorem, c, score, self.runs)
        if score.violated:
            raise _Over("found")

    def _confirmed(self, score: Score, c: Candidate) -> Score:
        """The score of the candidate run alone, in wider numbers if it can be.

        A statistical one is run with fresh seeds and four times the repeats.
        """
        if isinstance(c.alg, Learner) and not isinstance(self.theorem.holds, Always):
            c = replace(c, seed=c.seed + FRESH_SEED, repeats=4 * c.repeats)
        alone = judge(self.theorem, [c])[0]
        if alone is None or not alone.violated:
            self.doubtful += 1
            return replace(score, excess=1.0)
        if isinstance(c.alg, Solver):
            alone, says = judge_again(self.theorem, alone, c)
            if says.ok:  # the slack was estimated too small
                self.doubtful += 1
                return replace(score, excess=1.0)
        return alone


# before and after -----------------------------------------------------------------------------------------------


def _named(theorem: Any) -> tuple[str, Algorithm, bool, Theorem]:
    """(name, algorithm, whether its hyperparameters are fixed, theorem)."""
    if isinstance(theorem, str):
        cls, th = registry.theorem(theorem)
        return f"{cls.__name__}.{th.slug}", cls(), False, th
    alg, th = theorem
    cls = alg if isinstance(alg, type) else type(alg)
    return f"{cls.__name__}.{th.slug}", cls() if isinstance(alg, type) else alg, not isinstance(alg, type), th


def _report(search: Search, name: str, seconds: float) -> Counterexample | NotFound:
    """The record, shrunk, with its verdict."""
    about = Report(
        name=name,
        theorem=search.theorem,
        search_seed=search.seed,
        runs=search.runs,
        judged=search.judged,
        doubtful=search.doubtful,
        again=search.again,
        seconds=seconds,
        ended=search.ended,
        path=search.archive.folder,
    )
    if search.record is None:
        return NotFound(about)
    score, c = search.record
    if search.ended != "interrupted":
        score, c = shrink(search.theorem, score, c, fixed=search.fixed, gamma=search.gamma)
        search.archive.write(search.theorem, c, score, search.runs, title="shrunk")
    return (Counterexample if score.violated else NotFound).of(about, score, c)


@contextmanager
def _showing(name: str, budget: float, progress: bool) -> Iterator[Any]:
    if not progress:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=budget)

        def tell(search: Search) -> None:
            best = "" if search.record is None else f", best {search.record[0].value:.4g}"
            left = search.deadline - search.clock()
            bar.update(task, completed=budget - left, description=f"{name}: {search.runs} runs{best}")

        yield tell
