"""Checks of true statements on random and degenerate instances: none may be called violated.

``python -m tests.falsify.false_alarms 10000`` makes that many for the theorems of solvers together.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from mdptk import registry
from mdptk.core.algorithm import Solver
from mdptk.core.errors import MdptkError
from mdptk.falsify import moves
from mdptk.falsify.gallery import gallery
from mdptk.falsify.instance import KINDS, Instance
from mdptk.falsify.score import Candidate, judge
from mdptk.theory import Theorem


def statements():
    """(class, theorem) for every proved statement about a solver, on models that can be searched."""
    return [
        (cls, th)
        for cls in registry.find().values()
        if issubclass(cls, Solver) and cls.model() in KINDS
        for th in cls.theorems
        if th.status == "proved"
    ]


@cache
def degenerate(kind: type) -> list[Instance]:
    """The gallery, made once."""
    return [x for _, x in gallery(kind)]


def instances(kind: type, rng: np.random.Generator) -> Iterator:
    """Random instances without end, what a few moves make of them, and the gallery in between, in random order."""
    known = degenerate(kind)
    while True:
        yield known[rng.integers(len(known))]
        x = moves.sample(rng, kind)
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


def alarms(n: int, seed: int = 0, limit: float = 1.0) -> tuple[int, list[str]]:
    """(checks that could be judged, those whose excess is above `limit` times the slack) of about `n` checks."""
    found, judged = [], 0
    todo = statements()
    for cls, th in todo:
        rng = np.random.default_rng(seed)
        source = instances(cls.model(), rng)
        for _ in range(-(-n // len(todo))):
            steps = max(int(rng.choice([1, 3, 10, 30])), th.since)
            alg, x = moves.configure(rng, cls()), next(source)
            if th.starts is not None and rng.random() < 0.5:
                x = elsewhere(rng, th, alg, x)
            c = Candidate(alg, x, steps)
            (score,) = judge(th, [c])
            judged += score is not None
            if score is not None and score.excess > limit:
                found.append(f"{cls.__name__}.{th.slug}: {score} of {c.alg} after {steps} steps on {c.instance}")
    return judged, found


if __name__ == "__main__":
    judged, found = alarms(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, seed=1)
    print(*found, f"{judged} checks, {len(found)} alarms", sep="\n")  # noqa: T201
    sys.exit(bool(found))
