import shlex
import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import mdptk
from mdptk import registry
from mdptk.algorithms.planning.value_iteration import ValueIteration
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.core.errors import MdptkError
from mdptk.core.models import MDP, AverageRewardMDP, FiniteHorizonMDP, PolicyEvaluation
from mdptk.problems.riverswim import riverswim
from mdptk.sweep import POINTS, Job, check_job, check_jobs, each_job, sides, standard_jobs, view
from mdptk.theory import Cite, Quantity, Theorem


def _same(one, two):
    return [(r.slug, r.problem, r.verdict, r.ratio, r.note) for r in one] == [
        (r.slug, r.problem, r.verdict, r.ratio, r.note) for r in two
    ]


def test_rows_are_what_check_says():
    alg, problem = NPG(eta=0.5), riverswim()
    rows = check_job(Job(alg, "riverswim", problem, 30))
    verdicts = mdptk.check(mdptk.run(alg, problem, 30))
    assert [(r.verdict, r.note) for r in rows] == [(v.word, v.note) for v in verdicts]
    np.testing.assert_array_equal([r.ratio for r in rows], [v.ratio for v in verdicts])  # nan where both sides vanish
    assert [r.says == "informative" for r in rows] == [v.informative for v in verdicts]


def test_processes_change_nothing():
    jobs = standard_jobs([ValueIteration()])[:6]
    alone, heard = check_jobs(jobs, workers=1), []
    assert _same(alone, check_jobs(jobs, workers=2, done=heard.append))
    assert sorted(job.label for job in heard) == sorted(job.label for job in jobs)


def test_a_sweep_that_is_given_up_leaves_no_process_behind():
    import multiprocessing

    before = set(multiprocessing.active_children())
    results = each_job(standard_jobs([ValueIteration()]), workers=2)
    next(results)
    results.close()
    deadline = time.monotonic() + 10
    while set(multiprocessing.active_children()) - before:  # the pool's own thread may be reaping them just now
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_row_says_how_to_do_it_again():
    job = Job(NPG(eta=0.5), "garnet, uniform policy", riverswim(), 30, seed=3)
    words = shlex.split(job.command(NPG.theorems[0]))
    assert words[:4] == ["mdptk", "verify", "NPG.global-convergence", "--problem"]
    assert words[4:] == ["garnet, uniform policy", "--steps", "30", "--seed", "3", "--set", "eta=0.5"]


def test_theorems_that_do_not_apply_are_rows_with_a_reason():
    big = MDP(riverswim().P, 5 * riverswim().r, 0.9)
    rows = {row.slug: row for row in check_job(Job(NPG(), "big", big, 5))}
    assert rows["global-convergence"].verdict == "n/a"
    assert "assumes rewards in [0, 1]: r[5, 1] = 5" in rows["global-convergence"].note
    assert rows["improvement"].verdict == "holds"
    assert check_job(Job(NPG(), "big", big, 5, theorems=("improvement",))) [0].slug == "improvement"  # fmt: skip


@dataclass(frozen=True)
class Failing(NPG):
    """NPG with a theorem that cannot be evaluated, and one that can."""

    theorems: ClassVar = (
        Theorem("nothing", Cite(""), lhs=Quantity("nothing", lambda run: run["nothing"], latex="x"), rhs=0),
        *NPG.theorems,
    )


def test_an_error_costs_one_row():
    rows = check_job(Job(Failing(), "riverswim", riverswim(), 5))
    assert [row.verdict for row in rows] == ["ERROR", *["holds"] * len(NPG.theorems)]
    assert rows[0].broken
    assert "did not record 'nothing'" in rows[0].note


def test_an_error_in_the_run_costs_the_rows_of_the_run():
    rows = check_job(Job(NPG(), "wrong", riverswim().episodic(2), 5, theorems=("improvement",)))
    assert [row.verdict for row in rows] == ["ERROR"]
    assert "NPG is for MDP, got FiniteHorizonMDP" in rows[0].note


def test_views():
    mdp = riverswim()
    assert view(mdp, MDP) == (mdp, "")
    episodic, words = view(mdp, FiniteHorizonMDP, 3)
    assert (episodic.H, words) == (3, ", H=3")
    evaluation, words = view(mdp, PolicyEvaluation)
    assert (evaluation.pi == 0.5).all()
    assert words == ", uniform policy"
    with pytest.raises(MdptkError, match="needs MDP, and the problem is FiniteHorizonMDP"):
        view(episodic, MDP)
    with pytest.raises(MdptkError, match="needs AverageRewardMDP"):
        view(mdp, AverageRewardMDP)


def test_views_that_do_not_fit_into_memory_are_refused():
    sp = pytest.importorskip("scipy.sparse")
    large = MDP(sp.eye_array(20_000), np.zeros((20_000, 1)), 0.9)
    with pytest.raises(MdptkError, match="needs a dense kernel"):
        view(large, PolicyEvaluation)


def test_sides_keep_the_ends_and_the_order():
    run = mdptk.run(NPG(), riverswim(), 1000)
    theorem = NPG.theorems[0]
    x = sides(theorem, run)
    lhs, rhs = theorem.sides(run)
    assert (x.t[0], x.t[-1]) == (1, 1000)
    assert (np.diff(x.t) > 0).all()
    assert len(x.t) <= POINTS
    assert (x.lhs[0] <= x.lhs[1]).all()
    assert (x.lhs[1] <= x.lhs[2]).all()
    np.testing.assert_array_equal(x.lhs[1], lhs[0, x.t.astype(int)])
    np.testing.assert_array_equal(x.rhs[1], rhs[0, x.t.astype(int)])


@pytest.mark.parametrize("cls", registry.find().values(), ids=registry.find())
def test_standard_jobs_are_the_registry_s(cls):
    jobs = standard_jobs([cls()])
    assert [job.label for job in jobs] == list(registry.standard(cls))
    assert all(job.steps == registry.trial(cls)["steps"] for job in jobs)
