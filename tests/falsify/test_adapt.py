"""Covariance adaptation gets through a valley in which moves of one number at a time stop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mdptk import MDP, PolicyEvaluation
from mdptk.algorithms.inverse.constrained_irl import ConstrainedIRL
from mdptk.algorithms.planning import value_iteration as vi
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.algorithms.td.mean_path_td import MeanPathTD
from mdptk.core.inverse import HiddenReward
from mdptk.falsify import moves
from mdptk.falsify.adapt import Code, adapt
from mdptk.falsify.instance import ARRAYS, Instance
from mdptk.falsify.result import Archive
from mdptk.falsify.score import Candidate, judge
from mdptk.falsify.search import Search, climb
from mdptk.theory import Quantity, Theorem

STAY_OR_GO = np.eye(2)[[[0, 1], [1, 0]]]


def valley():
    """At its end, r = 0.4 everywhere, the ratio is 1; it is a hundred times as long as wide, and askew."""
    Q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))

    def of(run):
        off = run.problem.r.reshape(-1, 4) - 0.4
        return (1 / (1 + ((off @ Q) ** 2 * np.array([1, 20, 400, 10_000])).sum(-1)))[:, None]

    return Theorem("valley", vi.CONVERGENCE.cite, lhs=Quantity("valley", of, latex="x"), rhs=1)


def test_it_gets_through_a_valley():
    theorem, seed = valley(), 0
    c = Candidate(vi.ValueIteration(), Instance.of(MDP(STAY_OR_GO, [[0.9, 0.1], [0.2, 0.8]], 0.5, [1.0, 0.0])), 1)
    (score,) = judge(theorem, [c])
    runs = 800
    searches = [Search(theorem, c.alg, True, seed, 1e18, 10**9, Archive(None, "x", seed)) for _ in range(2)]
    value, _ = adapt(searches[0].judge, searches[0].rng, (score, c), generations=100, settings=False)
    assert searches[0].runs <= runs
    best, size = (score, c), 0.5
    while searches[1].runs < runs:  # the moves of a climb, with its step sizes
        children = [replace(c, instance=moves.mutate(searches[1].rng, best[1].instance, size)) for _ in range(10)]
        better = max([best, *searches[1].judge(children)], key=lambda found: found[0].key)
        size = float(np.clip(size * (2 if better is not best else 0.7), 1e-3, 1.0))
        best = better
    assert value.value > 0.999
    assert best[0].value < 0.9


@pytest.mark.parametrize("settings", [True, False])
def test_a_code_gives_the_candidate_back(settings):
    rng = np.random.default_rng(3)
    kinds = {MDP: NPG(eta=0.3), PolicyEvaluation: MeanPathTD(alpha=0.2), HiddenReward: ConstrainedIRL(eta=0.1)}
    for kind, alg in kinds.items():
        for _ in range(20):
            x = moves.sample(rng, kind)
            x = replace(x, start=rng.normal(size=3)) if rng.random() < 0.5 else x
            c = Candidate(alg, x, 3)
            code = Code(c, settings)
            again = code.decode(code.encode())
            for name, a in x.more.items():
                np.testing.assert_allclose(again.instance.more[name], a, atol=1e-12)
            for name in ARRAYS:
                if getattr(x, name) is not None:
                    np.testing.assert_allclose(getattr(again.instance, name), getattr(x, name), atol=1e-12)
            assert again.instance.gamma == pytest.approx(x.gamma)
            assert [float(v) for v in vars(again.alg).values()] == pytest.approx([float(v) for v in vars(alg).values()])
            wild = code.decode(code.encode() + rng.normal(size=len(code.encode())))
            wild.instance.model() if x.start is None else None  # valid, whatever the numbers are
            assert settings or wild.instance.gamma == x.gamma
            assert ((wild.instance.P > 0) == (x.P > 0)).all()


def test_nothing_to_adapt_is_left_alone():
    c = Candidate(vi.ValueIteration(), Instance.of(MDP([[[1.0]]], [[0.5]], 0.5)), 1)
    (score,) = judge(vi.RESIDUAL, [c])
    best, _ = adapt(lambda cs: [], np.random.default_rng(0), (score, c), generations=3, settings=False)
    assert best == score  # none could be judged


def test_a_climb_returns_its_best():
    search = Search(vi.CONVERGENCE, vi.ValueIteration(), False, 0, 1e18, 10**9, Archive(None, "x", 0))
    best = climb(search, width=8)
    assert best[0].key == search.record[0].key
    assert search.promising(best[0])
    assert not search.promising(replace(best[0], value=best[0].value / 2))
