"""Lower bounds as theorems of their own in `mdptk verify`, its table, its page and its data."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass

import pytest

from mdptk import registry
from mdptk.algorithms.bandits.ucb1 import UCB1
from mdptk.algorithms.planning.value_iteration import ValueIteration
from mdptk.cli import main
from mdptk.lower_bounds.bandits import TWO_ARMS
from mdptk.sweep import BoundJob, bound_jobs, check_job


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("OPENBLAS_NUM_THREADS", "JAX_PLATFORMS", "JAX_COMPILATION_CACHE_DIR"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # what verify sets is undone


def test_every_bound_meets_every_learner():
    jobs = bound_jobs([cls() for cls in registry.find().values()])
    pairs = {(type(job.alg).__name__, job.bound) for job in jobs}
    known = registry.lower_bounds()
    assert pairs == {(who, name) for name in known for who in registry.subject_to(known[name])}
    assert not bound_jobs([ValueIteration()])


def test_a_row_is_what_check_says():
    (row,) = check_job(BoundJob(UCB1(), "two-arms-exchanged", repeats=20, seed=3))
    verdict = TWO_ARMS.check(UCB1(), repeats=20, seed=3)
    assert (row.verdict, row.ratio, row.note, row.p) == ("holds", verdict.ratio, verdict.note, verdict.p)
    assert (row.theorem, row.problem) == ("two arms exchanged (lower bound)", "delta = 0.2, t = 50")
    assert shlex.split(row.command)[2:] == ["UCB1.two-arms-exchanged", "--seed", "3", "--repeats", "20"]


@dataclass(frozen=True)
class Cheat(UCB1):
    """Looks behind the oracle."""

    def step(self, oracle, state, xi):
        return state._replace(a=oracle._means.argmax())


def test_a_cheat_is_broken_and_an_error_is_a_row():
    (row,) = check_job(BoundJob(Cheat(), "two-arms-exchanged", repeats=400))
    assert row.broken
    (row,) = check_job(BoundJob(ValueIteration(), "two-arms-exchanged"))
    assert row.verdict == "ERROR"
    assert "learners that see Bandit" in row.note


def test_the_command_line(tmp_path, capsys):
    argv = ["verify", "UCB1.two-arms-exchanged", "ThompsonSampling.two-arms-exchanged", "--workers", "1"]
    assert main([*argv, "--html", "bounds.html"]) == 0
    out = capsys.readouterr().out
    assert "two arms exchanged (lower bound)" in out
    assert "2 checks of 2 theorems" in out
    page = (tmp_path / "bounds.html").read_text(encoding="utf-8")
    assert page.count('<article id="lower-bound.two-arms-exchanged">') == 1
    assert "lower bounds <small>1 theorem</small>" in page
    assert "UCB1, delta = 0.2, t = 50" in page
    rows = json.loads((tmp_path / "bounds.json").read_text(encoding="utf-8"))["rows"]
    assert [(row["shelf"], row["algorithm"]) for row in rows] == [
        ("lower_bounds", "UCB1"),
        ("lower_bounds", "ThompsonSampling"),
    ]
    assert main([*argv[:2], "--workers", "1", "--against", "bounds.json"]) == 0
    assert main(["show", "two-arms-exchanged"]) == 0
    assert "for every learner that sees Bandit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("verify two-arms-exchanged --problem two_arms", "two-arms-exchanged has a family of its own"),
        ("verify UCB1.combination-lock", "the lower bound combination-lock is about ActorCritic, UCBVI"),
        ("verify two-arms-exchange", "no algorithm is called 'two-arms-exchange'"),
    ],
)
def test_refused(capsys, argv, message):
    assert main(argv.split()) == 2
    assert message in " ".join(capsys.readouterr().err.split())
