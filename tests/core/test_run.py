"""The loop: records, thinning, reductions, frozen runs, and clear refusals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from mdptk import MDP, InvalidHyperparameter, InvalidStart, MdptkError, run
from mdptk.algorithms.planning.value_iteration import ValueIteration
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.algorithms.td.mean_path_td import MeanPathTD
from mdptk.algorithms.td.td_zero import TDZero
from mdptk.core.algorithm import Count, Learner, Measure, Positive, Solver
from mdptk.core.oracles import Generative
from mdptk.problems.evaluation import random_walk
from mdptk.problems.garnet import garnet

ONE = MDP([[[1.0]]], [[1.0]], 0.5)


class Clock(NamedTuple):
    k: object


MEASURES = (
    Measure("now", lambda truth, state: state.k * 1.0),
    Measure("sum", lambda truth, state: state.k * 1.0, "sum"),
    Measure("max", lambda truth, state: -((state.k - 3.0) ** 2), "max"),
    Measure("min", lambda truth, state: (state.k - 3.0) ** 2, "min"),
)


@dataclass(frozen=True)
class Counting(Solver):
    sees: ClassVar[type] = MDP
    measures: ClassVar = MEASURES

    def init(self, problem):
        return Clock(np.zeros(()))

    def step(self, problem, state):
        return Clock(state.k + 1)


@dataclass(frozen=True)
class CountingLearner(Learner):
    sees: ClassVar[type] = Generative
    measures: ClassVar = MEASURES
    keep: ClassVar = ("k",)

    def init(self, oracle, key):
        return Clock(jnp.zeros(()))

    def step(self, oracle, state, xi):
        return Clock(state.k + 1)


@pytest.mark.parametrize("alg", [Counting(), CountingLearner()])
@pytest.mark.parametrize(("steps", "every"), [(10, 1), (12, 4), (1000, 500), (0, 1)])
def test_reductions(alg, steps, every):
    result = run(alg, ONE, steps, every=every)
    t = np.arange(0, steps + 1, every)
    np.testing.assert_array_equal(result.t, t)
    np.testing.assert_array_equal(result["k"][0], t)
    np.testing.assert_array_equal(result["now"][0], t)
    np.testing.assert_array_equal(result["sum"][0], t * (t - 1) / 2)
    np.testing.assert_array_equal(result["max"][0], -((np.minimum(t, 3) - 3.0) ** 2))
    np.testing.assert_array_equal(result["min"][0], (np.minimum(t, 3) - 3.0) ** 2)
    assert result.repeats == 1
    still = result.frozen()
    assert (still["k"] == 0).all()
    assert (still["sum"] == 0).all()
    assert (still["max"] == -9).all()


def test_batch_of_models_is_one_repeat_each():
    one, two = garnet(seed=0), garnet(seed=1)
    batch = MDP(np.stack([one.P, two.P]), np.stack([one.r, two.r]), one.gamma)
    together = run(NPG(), batch, 20)
    assert together["pi"].shape == (2, 21, one.S, one.A)
    for i, mdp in enumerate((one, two)):
        np.testing.assert_allclose(together["pi"][i], run(NPG(), mdp, 20)["pi"][0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("alg", [Counting(), CountingLearner()])
def test_a_start_takes_the_place_of_init(alg):
    result = run(alg, ONE, 4, start={"k": 5})
    for start in (Clock(5.0), Clock(np.array(5))):
        assert all((x == run(alg, ONE, 4, start=start)[k]).all() for k, x in result.out.items())
    np.testing.assert_array_equal(result["k"][0], 5 + np.arange(5))
    np.testing.assert_array_equal(result["sum"][0], [0, 5, 11, 18, 26])
    np.testing.assert_array_equal(result["max"][0], -4)  # at the start
    assert (result.frozen()["k"] == 5).all()
    assert result.start.k == 5
    assert run(alg, ONE, 4).start is None


def test_a_run_goes_on_from_where_another_one_stopped():
    whole, first = run(NPG(), garnet(), 20), run(NPG(), garnet(), 12)
    rest = run(NPG(), garnet(), 8, start={name: x[0, -1] for name, x in first.out.items()})
    np.testing.assert_array_equal(rest["pi"], whole["pi"][:, 12:])
    td, chain = TDZero(), random_walk()
    start = {"theta": np.arange(5.0), "average": np.zeros(5), "t": 0}
    both = run(td, chain, 3, repeats=2, start=start)
    np.testing.assert_array_equal(both["distance"][:1], run(td, chain, 3, start=start)["distance"])
    assert both["distance"][0, 0] == both["distance"][1, 0] != run(td, chain, 3)["distance"][0, 0]


def test_a_batch_starts_each_model_where_it_is_told():
    one, two = garnet(seed=0), garnet(seed=1)
    batch = MDP(np.stack([one.P, two.P]), np.stack([one.r, two.r]), one.gamma)
    v = np.stack([np.zeros(one.S), np.ones(one.S)])
    together = run(ValueIteration(), batch, 3, start={"v": v})
    for i, mdp in enumerate((one, two)):
        np.testing.assert_allclose(together["v"][i], run(ValueIteration(), mdp, 3, start={"v": v[i]})["v"][0])


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"w": [0.0]}, "start has w; a state of ValueIteration has v"),
        ({"v": [0.0, 1.0]}, r"start.v has shape \(2,\); in this state of ValueIteration it has shape \(1,\)"),
        ({"v": [np.nan]}, r"start.v\[0\] = nan is not finite"),
        ({"v": ["x"]}, "start.v is not an array of numbers"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(start, message):
    with pytest.raises(InvalidStart, match=message):
        run(ValueIteration(), ONE, 1, start=start)


def test_a_counter_must_be_whole():
    start = {"theta": np.zeros(5), "average": np.zeros(5), "t": 0.5}
    with pytest.raises(InvalidStart, match=r"start.t = 0.5 is not int64"):
        run(MeanPathTD(), random_walk(), 1, start=start)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: run(NPG(), garnet().episodic(2), 3), "NPG is for MDP, got FiniteHorizonMDP"),
        (lambda: run(NPG(), ONE, -1), "steps = -1"),
        (lambda: run(NPG(), ONE, 10, every=3), "steps = 10 is not a multiple of every = 3"),
        (lambda: run(NPG(), ONE, 10, repeats=2), "NPG is deterministic"),
        (lambda: run(NPG(), ONE, 10, every=0), "every = 0 is not a positive whole number"),
        (lambda: run(NPG(), ONE, 2)["v"], "did not record 'v'; it recorded theta, pi"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(MdptkError, match=message):
        call()


def test_hyperparameters_are_checked():
    @dataclass(frozen=True)
    class Two(Counting):
        eta: Positive = 1.0
        m: Count = 3

    assert Two().m == 3
    for bad, message in (
        ({"eta": 0.0}, r"Two\(eta=0.0\): eta must be float in \(0, inf\)"),
        ({"eta": float("nan")}, "eta must be"),
        ({"m": 0}, r"m must be int in \[1, inf\)"),
        ({"m": 1.5}, "m must be int"),
        ({"m": True}, "m must be int"),
    ):
        with pytest.raises(InvalidHyperparameter, match=message):
            Two(**bad)


def test_it_shows_itself_in_a_notebook():
    page = run(NPG(), garnet(), 5)._repr_html_()
    assert "NPG(eta=1.0)" in page
    assert "5 steps, 1 repeat<" in page
    assert "<td>pi</td><td>(1, 6, " in page
    several = run(CountingLearner(), ONE, 3, repeats=2)
    assert "<td>k</td><td>(2, 4)</td><td>0</td><td>3</td>" in several._repr_html_()


def test_progress_bar_changes_nothing(capsys):
    assert (run(NPG(), ONE, 10, progress=True)["pi"] == run(NPG(), ONE, 10)["pi"]).all()


def test_a_large_batch_is_cut_into_pieces_that_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    batch = MDP(rng.dirichlet(np.ones(3), (7, 3, 2)), rng.random((7, 3, 2)), 0.9)
    whole = run(NPG(), batch, 4)
    monkeypatch.setattr("mdptk.core.run.PIECE", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    threads = []
    step = NPG.step
    monkeypatch.setattr(NPG, "step", lambda *args: threads.append(len(args[1].r)) or step(*args))
    pieces = run(NPG(), batch, 4)
    assert sorted(threads) == [2] * 8 + [3] * 4
    np.testing.assert_allclose(pieces["pi"], whole["pi"], rtol=1e-13)


def test_an_error_in_a_piece_is_raised(monkeypatch):
    batch = MDP(np.ones((4, 1, 1, 1)), np.ones((4, 1, 1)), 0.5)
    monkeypatch.setattr("mdptk.core.run.PIECE", 1)

    def broken(self, problem, state):
        raise ZeroDivisionError("here")

    monkeypatch.setattr(NPG, "step", broken)
    with pytest.raises(ZeroDivisionError, match="here"):
        run(NPG(), batch, 4)
