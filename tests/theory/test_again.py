"""Where float64 cannot decide, wider numbers do, and say how; where they cannot, the verdict says why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sympy import Rational

from mdptk import MDP, registry, run
from mdptk.algorithms.mirror_descent.tsallis_pmd import THREE_POINTS, TsallisPMD
from mdptk.algorithms.planning import value_iteration as vi
from mdptk.algorithms.planning.policy_iteration import PolicyIteration
from mdptk.algorithms.policy_gradient import npg
from mdptk.algorithms.td.td_zero import TDZero
from mdptk.core.algorithm import Solver
from mdptk.problems.evaluation import random_walk
from mdptk.problems.garnet import garnet
from mdptk.theory import Quantity, Theorem
from mdptk.theory.again import again
from mdptk.theory.symbols import gamma

ONE = MDP([[[1.0]]], [[1.0]], 0.9)
SOLVERS = {name: cls for name, cls in registry.find().items() if issubclass(cls, Solver)}


def tight(hair):
    """The convergence of value iteration, which is an equality on ONE, with a hair cut off."""
    rhs = vi.CONVERGENCE.rhs * (1 - hair)
    small = Quantity("v", lambda run: vi.value_error.values(run), latex="v", rounding=lambda run: 1e-15)
    return Theorem("tight", vi.CONVERGENCE.cite, lhs=small, rhs=rhs, starts=vi.ANYWHERE)


def test_exact_rationals_see_what_float64_cannot():
    result = run(vi.ValueIteration(), ONE, 3)
    assert tight(0).check(result).ok
    assert again(tight(0), result) == (True, "exact rationals", 0.0)
    hair = Rational(1, 10**30)
    assert tight(hair).check(result).ok  # float64 sees nothing, and allows for it
    found = again(tight(hair), result)
    assert found.ok is False
    assert found.how == "exact rationals"
    assert found.excess == pytest.approx(0.9 * 10 * 1e-30)


def shown(excess, honest):
    """A statement that float64 sees broken by `excess` times its slack, and that is true or not."""
    truth = -1 if honest else 1

    def of(run):
        return truth * run.problem.gamma if run.t.dtype == object else np.full((run.repeats, 1), excess * 1e-3)

    q = Quantity("q", of, latex="q", rounding=lambda run: 1e-3)
    return Theorem("shown", vi.CONVERGENCE.cite, lhs=q, rhs=0 * gamma)


def test_a_small_violation_is_judged_again_before_it_is_called_one():
    result = run(vi.ValueIteration(), ONE, 2)
    true, false = shown(5, honest=True).check(result), shown(5, honest=False).check(result)
    assert (true.ok, true.word, true.undecided) == (True, "holds", False)
    assert (false.ok, false.word) == (False, "VIOLATED")
    assert "judged again in exact rationals: it holds" in true.note
    assert "judged again in exact rationals: broken by 0.9" in false.note
    assert shown(20, honest=True).check(result).ok is False  # far beyond rounding: float64 is believed


def test_every_broken_model_of_a_batch_is_judged_again():
    batch = MDP(np.ones((2, 1, 1, 1)), np.ones((2, 1, 1)), 0.9)
    verdict = shown(5, honest=True).check(run(vi.ValueIteration(), batch, 2))
    assert verdict.ok
    many = MDP(np.ones((9, 1, 1, 1)), np.ones((9, 1, 1)), 0.9)
    verdict = shown(5, honest=True).check(run(vi.ValueIteration(), many, 2))
    assert verdict.undecided
    assert "9 models are too many" in verdict.note


def test_what_cannot_be_judged_again_says_why():
    q = Quantity("q", lambda run: np.full((run.repeats, 1), 5e-3), latex="q", rounding=lambda run: 1e-3)
    verdict = Theorem("stubborn", vi.CONVERGENCE.cite, lhs=q, rhs=0).check(run(vi.ValueIteration(), ONE, 2))
    assert verdict.undecided
    assert verdict.ok is None
    assert "it cannot be judged in wider numbers (0.005 was rounded to float64" in verdict.note

    learned = run(TDZero(), random_walk(), 4)
    assert again(TDZero.theorems[0], learned).how == "a sampled run has no wider twin"
    assert "too many for wider numbers" in again(
        vi.CONVERGENCE, run(vi.ValueIteration(), garnet(S=60), 200)
    ).how.replace("wide ", "wider ")


def test_another_course_is_no_answer():
    """Records that the algorithm does not make, as of a run that somebody wrote down, are not judged by other ones."""
    result = run(vi.ValueIteration(), ONE, 2)
    made_up = replace(result, out={"v": result["v"] + 0.5}, cache={})
    verdict = shown(5, honest=True).check(made_up)
    assert verdict.undecided
    assert "the run takes another course in wider numbers: v differs by 0.5" in verdict.note


def test_it_begins_where_the_run_did():
    result = run(vi.ValueIteration(), ONE, 2, start={"v": [1 / 3]})
    assert again(vi.CONVERGENCE, result) == (True, "exact rationals", 0.0)
    assert again(tight(Rational(1, 10**30)), result).excess == pytest.approx(0.9 * (10 - 1 / 3) * 1e-30)
    problem = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.5)
    start = npg.ANYWHERE.state(npg.NPG(), problem, np.log([[1.0, 3.0]]))
    logits = run(npg.NPG(), problem, 2, start=start)
    assert again(npg.IMPROVEMENT, logits).ok


def test_ties_that_float64_breaks_are_ties_again():
    """0.1 + 0.2 against 0.3: both actions are as good, and float64 thinks that one is better."""
    P = np.array([[[0, 1, 0], [0, 0, 1]], [[0, 1, 0]] * 2, [[0, 0, 1]] * 2], dtype=float)
    problem = MDP(P, [[0.1, 0.3], [0.2, 0.2], [0.0, 0.0]], 0.5)
    for theorem in PolicyIteration.theorems:
        assert again(theorem, run(PolicyIteration(), problem, 3)).ok


@pytest.mark.parametrize("name", SOLVERS)
def test_what_is_proved_holds_in_wider_numbers(name):
    """No proved statement is broken by a hair on a small problem with a tie, two thirds and an unreachable state."""
    cls = SOLVERS[name]
    third = np.array([[1, 2, 0], [0, 3, 0], [1, 1, 1]]) / 3
    mdp = MDP(np.stack([third, third[:, ::-1]], 1), np.array([[1, 1], [0, 3], [2, 0]]) / 3, 0.9, [0.2, 0.3, 0.5])
    for kind, problem in {"mdp": mdp, **registry.problems(cls.model())}.items():
        if not isinstance(problem, cls.model()) or kind not in ("mdp", "two_state, uniform policy", "two_state, H=4"):
            continue
        result = run(cls(), problem, 3)
        for theorem in cls.theorems:
            if theorem.status == "proved" and not theorem.unmet(result.alg, problem):
                assert again(theorem, result).ok is not False, theorem.name


FOUNDATION = (
    "ValueIteration", "PolicyIteration", "ModifiedPolicyIteration", "NPG", "SoftmaxPG", "ProjectedPG", "MeanPathTD",
    "EntropyNPG", "GeometricPMD", "EuclideanPMD", "ConservativePolicyIteration",
)  # fmt: skip


@pytest.mark.parametrize("name", FOUNDATION)
def test_the_foundation_can_be_judged_again(name):
    cls = registry.find()[name]
    label = "two_state, uniform policy" if cls.model() is not MDP else "two_state"
    result = run(cls(), registry.problems(cls.model())[label], 3)
    for theorem in cls.theorems:
        if not theorem.unmet(result.alg, result.problem) and theorem.status == "proved":
            assert again(theorem, result).ok is True, theorem.name
            lie = replace(theorem, name="lie", lhs=theorem.rhs, rhs=theorem.lhs, proof="")  # false, or an equality
            assert again(lie, result).ok is not None


def test_newtons_method_goes_on_in_wide_numbers():
    """An instance that a search found: a policy that was normalised up to 1e-16 broke an identity in 60 digits."""
    problem = MDP([[[1.0], [1.0]]], [[0.5, 0.0]], 0.5)
    for alg, th in ((TsallisPMD(eta=1.0, q=0.5), THREE_POINTS), (TsallisPMD(eta=1.0), THREE_POINTS)):
        assert again(th, run(alg, problem, 3)).ok is not False
    assert again(THREE_POINTS, run(TsallisPMD(eta=1.0, q=0.5), problem, 3)).how == "60 digits"
