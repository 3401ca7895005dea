"""Second stage, in turn with climbs: all models with one or two states and actions on a grid, then on a finer one.

The first grid, of binary fractions, is gone through in order. On the second, of halves and thirds with up to three
states and actions, there are too many: they are drawn by lot. What a chunk leaves undecided in float64, because both
sides are equal, the search judges in exact rationals.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from mdptk.core.models import CMDP, MDP, Array
from mdptk.falsify.gallery import views
from mdptk.falsify.instance import GAMES, ONE_STATE, Instance

ROWS = {1: ((1.0,),), 2: ((1.0, 0.0), (0.5, 0.5), (0.0, 1.0))}
REWARDS = (0.0, 0.5, 1.0)
DISCOUNTS = (0.5, 0.9, 0.0, 0.99, 0.01)
CHUNK = 2187  # models in one batch
ALONE = 60  # models that cannot be run as a batch
FINE = tuple(k / n for n in (1, 2, 3) for k in range(n + 1) if k in (0, n) or n > 1)
FINE_DISCOUNTS = (0.0, 1 / 3, 0.5, 2 / 3, 0.9)
FINE_SHAPES = ((2, 2), (3, 1), (3, 2), (2, 3), (1, 3), (3, 3))


def tiny(kind: type, *, batched: bool, gamma: float | None = None) -> Iterator[list[Instance]]:
    """Chunks of instances of one shape and one discount, small ones first; of another kind, all views of each model.

    Where they cannot be run as batches, two states have one action: the others are a hundred times as many.
    """
    shapes = [(1, 1), (1, 2), (2, 1), (2, 2)] if batched else [(1, 1), (2, 1)]
    shapes = [(1, 1), (1, 2), (1, 3)] if kind in ONE_STATE else [*shapes, (1, 2)] if kind in (CMDP, *GAMES) else shapes
    for (S, A), g in product(shapes, DISCOUNTS if gamma is None else (gamma,)):
        if kind in ONE_STATE and g != DISCOUNTS[0]:
            continue
        models = (Instance(MDP, P, r, np.full(S, 1 / S), g) for P in kernels(S, A) for r in tables(S, A))
        found = [x for model in models for _, x in views(model, kind)]
        many = CHUNK if batched else ALONE
        yield from (found[i : i + many] for i in range(0, len(found), many))


def kernels(S: int, A: int) -> list[Array]:
    """All transitions whose rows are on the grid."""
    return [np.array(rows).reshape(S, A, S) for rows in product(ROWS[S], repeat=S * A)]


def tables(S: int, A: int) -> list[Array]:
    """All rewards on the grid."""
    return [np.array(r).reshape(S, A) for r in product(REWARDS, repeat=S * A)]


def finer(
    kind: type, rng: np.random.Generator, *, batched: bool, gamma: float | None = None
) -> Iterator[list[Instance]]:
    """Chunks without end of instances on the finer grid, each of one shape and one discount, drawn by lot."""
    while True:
        S, A = FINE_SHAPES[rng.integers(len(FINE_SHAPES))]
        S = 1 if kind in ONE_STATE else S
        g = float(rng.choice(FINE_DISCOUNTS)) if gamma is None else gamma
        rows, n = fine_rows(S), CHUNK // 3 if batched else ALONE // 3
        P, r = rows[rng.integers(len(rows), size=(n, S, A))], rng.choice(FINE, size=(n, S, A))
        models = (Instance(MDP, P[i], r[i], np.full(S, 1 / S), g) for i in range(n))
        yield [x for model in models for _, x in views(model, kind)]


def fine_rows(S: int) -> Array:
    """All distributions on `S` states whose entries are halves, or thirds."""
    found = {tuple(np.array(n) / sum(n)) for n in product(range(4), repeat=S) if sum(n) in (1, 2, 3)}
    return np.array(sorted(found))
