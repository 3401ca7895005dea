"""Multiplicative weights against its definition in loops; averages come in, last iterates go out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MatrixGame, check, run
from mdptk.algorithms.games.multiplicative_weights import AVERAGE, OUTWARD, REGRET_X, MultiplicativeWeights
from mdptk.core.errors import AssumptionViolated
from mdptk.problems.games import dominated, matching_pennies, penalty_kick, rock_paper_scissors
from mdptk.testing import matrix_games


def reference(alg, game, steps):
    """Freund and Schapire 1999, section 2, for both players at once."""
    A, B = game.R.shape
    w, u = [1.0] * A, [1.0] * B
    out = {"x": [], "y": [], "sum_x": [], "sum_y": []}
    total_x, total_y = np.zeros(A), np.zeros(B)
    for _ in range(steps + 1):
        x, y = [z / sum(w) for z in w], [z / sum(u) for z in u]
        for name, z in (("x", x), ("y", y), ("sum_x", total_x.copy()), ("sum_y", total_y.copy())):
            out[name].append(z)
        total_x, total_y = total_x + x, total_y + y
        w = [w[a] * math.exp(alg.eta * sum(game.R[a, b] * y[b] for b in range(B))) for a in range(A)]
        u = [u[b] * math.exp(-alg.eta * sum(x[a] * game.R[a, b] for a in range(A))) for b in range(B)]
    return {name: np.array(z) for name, z in out.items()}


@given(matrix_games(), st.sampled_from([0.01, 0.5, 3.0]))
def test_pseudo_code(game, eta):
    alg = MultiplicativeWeights(eta=eta)
    got, want = run(alg, game, 8), reference(alg, game, 8)
    for name, x in want.items():
        np.testing.assert_allclose(got[name][0], x, rtol=1e-9, atol=1e-12)


@settings(max_examples=30)
@given(matrix_games(), st.sampled_from([0.01, 0.5, 3.0, 30.0]))
def test_theorems(game, eta):
    for verdict in check(run(MultiplicativeWeights(eta=eta), game, 60), skip_unmet=True):
        assert verdict.ok is not False, verdict


def test_averages_come_in_while_iterates_go_out():
    result = run(MultiplicativeWeights(eta=0.5), matching_pennies(stake=0.5), 4000)
    x, mean = result["x"][0], result["sum_x"][0, -1] / 4000
    assert abs(mean[0] - 2 / 3) < 1e-2  # 1 / (1 + stake)
    late = x[-500:, 0]
    assert late.min() < 1e-6  # to the boundary, round and round
    assert late.max() > 1 - 1e-6
    verdict = OUTWARD.check(result)
    assert verdict.ok, verdict


def test_regret_is_close_to_its_bound_when_the_other_is_beaten():
    """One strategy of the second player, small steps: half of the bound is earned at the best time."""
    verdict = REGRET_X.check(run(MultiplicativeWeights(eta=0.01), MatrixGame([[1.0], [0.0]]), 2000))
    assert verdict.ok
    assert verdict.ratio > 0.5


def test_averages_are_informative():
    verdict = AVERAGE.check(run(MultiplicativeWeights(), penalty_kick(), 400))
    assert verdict.ok
    assert verdict.informative
    assert not verdict.vacuous


def test_uniform_equilibria_are_kept():
    x = run(MultiplicativeWeights(), rock_paper_scissors(), 50)["x"]
    np.testing.assert_allclose(x, 1 / 3, atol=1e-12)


def test_a_pure_equilibrium_is_not_mixed():
    with pytest.raises(AssumptionViolated, match="with probability 0"):
        OUTWARD.check(run(MultiplicativeWeights(), dominated(), 5))
