"""Some of the instances that `containment` looks at by the thousand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.solve.containment import CLASSES, game

pytest.importorskip("flint")


@pytest.mark.parametrize("attempted", CLASSES, ids=lambda f: f.__name__)
def test_bounds_contain_the_rational_solution(attempted):
    count = 8 if attempted is game else 25
    said = [attempted(np.random.default_rng([seed, 9])) for seed in range(count)]
    assert said.count("solved") >= 0.4 * count
    assert said.count("not converged") == 0
