"""Checks of true statements on random and degenerate instances: none may be called violated.

``python -m tests.falsify.false_alarms 10000`` makes at least that many, for the proved statements of all algorithms
whose models can be searched. Instances that do not meet the assumptions of a statement do not count.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count, cycle
from typing import Any

import numpy as np

from mdptk import registry
from mdptk.core.algorithm import Algorithm, Learner, Solver
from mdptk.core.errors import MdptkError
from mdptk.falsify import moves
from mdptk.falsify.gallery import gallery
from mdptk.falsify.instance import KINDS, Instance
from mdptk.falsify.score import Candidate, Score, first_state, judge, measure
from mdptk.falsify.search import FRESH_SEED, LEARNER_REPEATS, LEARNER_STEPS, learner_shapes
from mdptk.theory import Always, Theorem

STEPS = (1, 3, 10, 30)
SHAPES = 2  # of those that a search gives to learners: each is a compilation
ALSO = {"GAEActorCritic": {"lam": 0.5}}  # learners whose defaults leave a statement out: at lam = 1 there is no bias
EVERY = 3  # rounds between two runs of a learner, whose statements are judged on several steps and repeats


def proved(cls: type[Algorithm]) -> list[Theorem]:
    """The statements of an algorithm that may not be accused."""
    return [th for th in cls.theorems if th.status == "proved"]


def subjects(kind: type[Algorithm] = Algorithm) -> list[type[Algorithm]]:
    """The algorithms with such statements, on models that can be searched."""
    return [c for c in registry.find().values() if issubclass(c, kind) and c.model() in KINDS and proved(c)]


@cache
def degenerate(kind: type) -> list[Instance]:
    """The gallery, made once."""
    return [x for _, x in gallery(kind)]


def instances(cls: type[Algorithm], rng: np.random.Generator) -> Iterator[Instance]:
    """Random instances without end, what a few moves make of them, and the gallery in between, in random order.

    A learner's have one of few shapes.
    """
    kind = cls.model()
    shapes = cycle(learner_shapes(kind)[:SHAPES]) if issubclass(cls, Learner) else cycle([None])
    known = [x for x in degenerate(kind) if issubclass(cls, Solver) or x.shape in learner_shapes(kind)[:SHAPES]]
    while True:
        if known:
            yield known[rng.integers(len(known))]
        x = moves.sample(rng, kind, next(shapes))
        yield x
        for _ in range(2):
            x = moves.mutate(rng, x, 0.5)
            yield x


def elsewhere(rng: np.random.Generator, th: Theorem, alg: Any, x: Instance) -> Instance:
    """The instance with a random first state."""
    assert th.starts is not None
    try:
        shape = np.shape(th.starts.free(alg.init(x.model())))
    except MdptkError:  # the algorithm cannot be run on it at all
        return x
    return replace(x, start=moves.start(rng, shape, np.zeros(shape)))


def judge_all(theorems: list[Theorem], c: Candidate) -> list[tuple[Theorem, Score]]:
    """Those of the theorems that can be judged on this candidate, with their scores: one run for all."""
    found: list[tuple[Theorem, Score]] = []
    free = c.instance.start
    by_start: dict[Any, list[Theorem]] = {}
    for th in theorems:
        if free is None or th.starts is not None:
            by_start.setdefault(None if free is None else th.starts, []).append(th)
    with np.errstate(all="ignore"):
        for some in by_start.values():
            try:
                problem = c.instance.model()
                start = first_state(some[0], c.alg, problem, free)
                some = [th for th in some if not th.unmet(c.alg, problem, start)]
                result = c.run(some[0]) if some else None
            except (MdptkError, np.linalg.LinAlgError):
                continue
            for th in some:
                try:
                    (score,) = measure(th, result)  # type: ignore[arg-type]
                except (MdptkError, np.linalg.LinAlgError):
                    continue
                found += [] if score is None else [(th, score)]
    return found


@dataclass
class Census:
    """What was judged, and what was accused; how long each algorithm took."""

    judged: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)
    seconds: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """Checks that could be judged."""
        return self.judged.total()


def alarms(
    n: int,
    seed: int = 0,
    limit: float = 1.0,
    *,
    kind: type[Algorithm] = Algorithm,
    tell: Any = lambda census: None,
) -> Census:
    """At least `n` checks, in turn for all algorithms; an alarm is an excess above `limit` times the slack.

    A statistical one is run again with fresh seeds and four times the repeats before it counts.
    """
    census = Census()
    todo = subjects(kind)
    rngs = {cls: np.random.default_rng([seed, i]) for i, cls in enumerate(todo)}
    sources = {cls: instances(cls, rngs[cls]) for cls in todo}
    for turn in count():
        for cls in todo:
            if issubclass(cls, Learner) and turn % EVERY:
                continue
            began = time.process_time()
            _one(census, cls, rngs[cls], next(sources[cls]), limit)
            census.seconds[cls.__name__] += time.process_time() - began  # type: ignore[assignment]
            if census.total >= n:
                return census
        tell(census)
    raise AssertionError  # count() has no end


def _one(census: Census, cls: type[Algorithm], rng: np.random.Generator, x: Instance, limit: float) -> None:
    theorems = proved(cls)
    if issubclass(cls, Learner):
        other = ALSO.get(cls.__name__, {})
        alg = replace(cls(), **other) if other and rng.random() < 0.5 else cls()
        c = Candidate(alg, x, LEARNER_STEPS, LEARNER_REPEATS)
    else:
        steps = max(int(rng.choice(STEPS)), min(th.since for th in theorems))
        alg = moves.configure(rng, cls())
        free = [th for th in theorems if th.starts is not None]
        x = elsewhere(rng, free[0], alg, x) if free and rng.random() < 0.5 else x
        c = Candidate(alg, x, steps)
    for th, score in judge_all(theorems, c):
        name = f"{cls.__name__}.{th.slug}"
        census.judged[name] += 1
        if score.excess > limit and not (isinstance(c.alg, Learner) and not isinstance(th.holds, Always)):
            census.found.append(f"{name}: {score} of {c.alg} after {c.steps} steps on {c.instance}")
        elif score.excess > limit:
            again = judge(th, [replace(c, seed=c.seed + FRESH_SEED, repeats=4 * c.repeats)])[0]
            if again is not None and again.excess > limit:
                census.found.append(f"{name}: {again} of {c.alg} on {c.instance}, twice")


def never_judged(census: Census) -> list[str]:
    """The statements that no instance was found for."""
    names = [f"{cls.__name__}.{th.slug}" for cls in subjects() for th in proved(cls)]
    return [name for name in names if not census.judged[name]]


def main() -> int:
    """Print the alarms, and how often each statement was judged at the least."""
    from rich.console import Console
    from rich.progress import Progress

    parser = argparse.ArgumentParser(prog="python -m tests.falsify.false_alarms", description=main.__doc__)
    parser.add_argument("n", nargs="?", type=int, default=10_000, help="checks that are judged, at least (10000)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("checks", total=args.n)
        census = alarms(args.n, args.seed, tell=lambda census: bar.update(task, completed=census.total))
    slow = ", ".join(f"{name} {s:.0f} s" for name, s in census.seconds.most_common(8))
    rare = ", ".join(f"{name} {k}" for name, k in census.judged.most_common()[:-9:-1])
    said = [f"slowest: {slow}; {sum(census.seconds.values()):.0f} s in all", f"judged least often: {rare}"]
    said += [f"never judged: {', '.join(never_judged(census)) or 'none'}"]
    judged = f"{census.total} checks of {len(census.judged)} statements, {len(census.found)} alarms"
    print(*census.found, *said, judged, sep="\n", flush=True)  # noqa: T201
    return int(bool(census.found))


if __name__ == "__main__":
    sys.exit(main())
