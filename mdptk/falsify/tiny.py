"""Second stage, in turn with climbs: all models with one or two states and actions, on a grid of binary fractions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from mdptk.core.models import MDP, Array
from mdptk.falsify.gallery import as_kind
from mdptk.falsify.instance import Instance

ROWS = {1: ((1.0,),), 2: ((1.0, 0.0), (0.5, 0.5), (0.0, 1.0))}
REWARDS = (0.0, 0.5, 1.0)
DISCOUNTS = (0.5, 0.9, 0.0, 0.99, 0.01)
CHUNK = 2187  # models in one batch


def tiny(kind: type, *, batched: bool, gamma: float | None = None) -> Iterator[list[Instance]]:
    """Chunks of instances of one shape and one discount, small ones first.

    Where they cannot be run as batches, two states have one action: the others are a hundred times as many.
    """
    shapes = [(1, 1), (1, 2), (2, 1), (2, 2)] if batched else [(1, 1), (2, 1)]
    for (S, A), g in product(shapes, DISCOUNTS if gamma is None else (gamma,)):
        models = [as_kind(Instance(MDP, P, r, np.full(S, 1 / S), g), kind) for P in kernels(S, A) for r in tables(S, A)]
        yield from (models[i : i + CHUNK] for i in range(0, len(models), CHUNK))


def kernels(S: int, A: int) -> list[Array]:
    """All transitions whose rows are on the grid."""
    return [np.array(rows).reshape(S, A, S) for rows in product(ROWS[S], repeat=S * A)]


def tables(S: int, A: int) -> list[Array]:
    """All rewards on the grid."""
    return [np.array(r).reshape(S, A) for r in product(REWARDS, repeat=S * A)]
