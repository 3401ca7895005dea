"""The public sweep: the same numbers wherever it runs, rows in order, errors before anything is run."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import time

import joblib
import numpy as np
import pytest

import mdptk
from mdptk.algorithms.planning.value_iteration import ValueIteration
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.algorithms.td.td_zero import TDZero
from mdptk.core.errors import MdptkError
from mdptk.core.models import PolicyEvaluation
from mdptk.problems.riverswim import riverswim
from mdptk.problems.teaching import two_state
from mdptk.sweep import Rows, finals, grid, sweep, verdicts

EVALUATE = PolicyEvaluation(two_state())


def small(**options):
    return sweep(grid(TDZero(), alpha=[0.1, 0.5]), {"two": EVALUATE}, 32, seeds=[3, 4], repeats=2, **options)


def same(one, two):
    assert [(x.alg, x.problem, x.seed) for x in one] == [(x.alg, x.problem, x.seed) for x in two]
    for x, y in zip(one, two, strict=True):
        assert x.result.keys() == y.result.keys()
        for name in x.result:
            np.testing.assert_array_equal(x.result[name], y.result[name])


def test_rows_are_runs():
    rows = small()
    assert [(x.alg.alpha, x.problem, x.seed) for x in rows] == [
        (0.1, "two", 3), (0.1, "two", 4), (0.5, "two", 3), (0.5, "two", 4),
    ]  # fmt: skip
    for x in rows:
        run = mdptk.run(x.alg, EVALUATE, 32, seed=x.seed, repeats=2)
        for name, last in x.result.items():
            np.testing.assert_array_equal(last, run[name][:, -1])
    assert len(rows.where(alpha=0.5)) == 2
    assert rows.where(alpha=0.5, seed=4)[0] is rows[3]
    assert len(rows.where(alg=TDZero)) == len(rows[:]) == 4
    assert repr(rows) == "Rows(4 trials, 2 algorithms, 1 problems)"
    with pytest.raises(MdptkError, match=r"no trial of Rows\(4 trials.* has seed = 5"):
        rows.where(seed=5)


def test_solvers_and_learners_together():
    rows = sweep([NPG(), ValueIteration()], [riverswim(), two_state()], 10, seeds=[1, 2], repeats=3, of=verdicts)
    assert [(type(x.alg), x.seed) for x in rows] == [(NPG, 0)] * 2 + [(ValueIteration, 0)] * 2
    said = mdptk.check(mdptk.run(NPG(), riverswim(), 10))
    expected = [(v.theorem.slug, v.word, v.ratio, v.note) for v in said]
    np.testing.assert_equal([(x.theorem, x.word, x.ratio, x.note) for x in rows[0].result], expected)
    assert rows.results[0] == rows[0].result


def test_threads_processes_and_what_a_user_makes_of_it():
    alone = small()
    same(alone, small(jobs=2))
    with joblib.parallel_config(backend="threading", n_jobs=2):
        same(alone, small())
    kept = small(of=lambda run: run["distance"].sum(), jobs=2)
    assert all(x.result == mdptk.run(x.alg, EVALUATE, 32, seed=x.seed, repeats=2)["distance"].sum() for x in kept)


def test_two_dask_workers():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        found = small(of=lambda run: (os.getpid(), finals(run)))
    assert os.getpid() not in {pid for pid, _ in found.results}
    same(small(), Rows(tuple(mdptk.sweep.Trial(x.alg, x.problem, x.seed, 0.0, x.result[1]) for x in found)))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_two_ray_workers():
    """Where Ray is installed, which nothing here asks for."""
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.util.joblib").register_ray()
    ray.init(num_cpus=2, include_dashboard=False)
    try:
        with joblib.parallel_config(backend="ray", n_jobs=2):
            found = small(of=lambda run: (os.getpid(), finals(run)))
    finally:
        ray.shutdown()
        gc.collect()  # files that Ray leaves open
    assert os.getpid() not in {pid for pid, _ in found.results}
    same(small(), Rows(tuple(mdptk.sweep.Trial(x.alg, x.problem, x.seed, 0.0, x.result[1]) for x in found)))


@pytest.mark.parametrize("jobs", [1, 2])
def test_progress(monkeypatch, jobs):
    heard = []

    @contextlib.contextmanager
    def ticker(title, steps, progress):
        assert (title, steps, progress) == ("sweep", 3, True)
        yield heard.append

    monkeypatch.setattr("mdptk.sweep._grid.ticker", ticker)
    sweep(grid(NPG(), eta=[1, 2, 3]), two_state(), 2, jobs=jobs, progress=True)
    assert sum(heard) == 3


def test_the_module_is_the_function():
    assert mdptk.sweep(NPG(), two_state(), 3)[0].problem == "MDP(S=2, A=2, gamma=0.9)"


@pytest.mark.parametrize(
    ("algs", "problems", "message"),
    [
        ([], two_state(), "nothing to run: 0 algorithms, 1 problems, 1 seeds"),
        (NPG(), {"episodic": two_state().episodic(2)}, "NPG is for MDP, and episodic is FiniteHorizonMDP"),
        (NPG(), [two_state(), two_state(0.9)], "several problems print as one of MDP"),
    ],
)
def test_errors(algs, problems, message):
    with pytest.raises(MdptkError, match=message):
        sweep(algs, problems, 3)


ENDLESS = """
import time
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.problems.teaching import two_state
from mdptk.sweep import grid, sweep

def slow(run):
    print("working", flush=True)
    time.sleep(600)

try:
    sweep(grid(NPG(), eta=[0.1, 0.2, 0.3]), two_state(), 2, of=slow, jobs=2)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_interrupt(tmp_path):
    """Ctrl-C goes to the whole group: the workers say nothing and are gone."""
    (tmp_path / "endless.py").write_text(ENDLESS)
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    p = subprocess.Popen(
        [sys.executable, "endless.py"],
        cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert p.stdout.readline() == "working\n"
        assert p.stdout.readline() == "working\n"
        os.killpg(p.pid, signal.SIGINT)
        out, err = p.communicate(timeout=180)
        assert out == "interrupted\n"
        assert "Traceback" not in err
        deadline = time.monotonic() + 20
        while True:  # nobody of the group is left
            try:
                os.killpg(p.pid, 0)
            except ProcessLookupError:
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGKILL)
        p.wait()
