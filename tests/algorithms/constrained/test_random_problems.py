"""A few of the problems of `random_problems`, which the nightly job judges a thousand of."""

import pytest

from tests.algorithms.constrained.random_problems import (
    BROKEN,
    REACHED,
    RECOGNISED,
    draw,
    judge_all,
    methods,
)


@pytest.mark.parametrize("seed", [0, 4, 7])
def test_against_the_linear_program(seed):
    problem, feasible = draw(seed)
    assert problem.m == 1 + seed % 5
    assert feasible == (seed != 7)
    rows = list(judge_all(seed, methods()))
    assert len(rows) == len(methods()) + 1
    assert not [row for row in rows if row[1] == BROKEN]
    words = {column for _, column, _ in rows}
    assert (REACHED in words) if feasible else (RECOGNISED in words and REACHED not in words)
