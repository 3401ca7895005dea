"""A few of the problems of `random_problems`, which the nightly job judges a thousand of."""

import pytest

from tests.algorithms.constrained.random_problems import draw, judge, methods


@pytest.mark.parametrize("seed", [0, 4, 7])
def test_against_the_linear_program(seed):
    problem, feasible = draw(seed)
    assert problem.m == 1 + seed % 5
    assert feasible == (seed != 7)
    rows = list(judge(seed, methods()))
    assert not [(key, why) for key, why in rows if why]
    words = {key[2] for key, _ in rows}
    assert ("holds" in words) if feasible else ({"infeasible", "n/a"} <= words)
