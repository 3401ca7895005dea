"""Lower bounds: held against what no learner can beat, against every learner there is, and against one that cheats."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import AssumptionViolated, InvalidModel, MdptkError, registry, run
from mdptk.algorithms.bandits.ucb1 import UCB1, State
from mdptk.algorithms.exploration.ucrl2 import UCRL2
from mdptk.algorithms.planning.value_iteration import ValueIteration
from mdptk.algorithms.policy_gradient.gae_actor_critic import GAEActorCritic
from mdptk.algorithms.policy_gradient.leave_one_out import LeaveOneOut
from mdptk.algorithms.policy_gradient.reinforce import REINFORCE
from mdptk.core import exact
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.oracles import Bandit
from mdptk.core.structure import diameter
from mdptk.lower_bounds.average import ONE_GOOD_ACTION, STEP, TREE, in_a_tree, least_gaps, one_of_two_states
from mdptk.lower_bounds.bandits import ONE_GOOD_ARM, TWO_ARMS, least_regret
from mdptk.lower_bounds.episodic import LOCK, least_failures, locks
from mdptk.problems.combination_lock import combination_lock
from mdptk.theory.lower_bound import LowerBound
from mdptk.theory.references import reference

BOUNDS = registry.lower_bounds()
SUBJECTS = [
    pytest.param(bound, cls, id=f"{name}-{who}")
    for name, bound in BOUNDS.items()
    if bound.repeats is None  # the others have large families: `mdptk verify` checks them
    for who, cls in registry.subject_to(bound).items()
]


def test_there_are_some():
    assert {bound.sees.__name__ for bound in BOUNDS.values()} >= {"Bandit", "Episodic", "Stream"}
    assert all(registry.subject_to(bound) for bound in BOUNDS.values())


@pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)
def test_documented(bound):
    assert reference(bound.claim.cite.key) is not None
    assert bound.claim.proof
    assert all(bound.bound(**sizes) > 0 for sizes in bound.sizes), "a bound by zero says nothing"


@pytest.mark.parametrize(("bound", "cls"), SUBJECTS)
def test_every_learner_obeys(bound, cls):
    """With as many repeats as it takes to notice a learner that loses nothing."""
    verdict = bound.check(cls())
    assert verdict.ok, verdict
    assert verdict.informative
    assert not verdict.vacuous


def test_batches_of_episodes_are_counted_one_by_one():
    """A step loses what its policy fails with, for each of its episodes; sizes are rounded up to whole steps."""
    alg, sizes = REINFORCE(N=3), {"A": 2, "H": 3, "K": 6}
    assert LOCK.fitted(alg, A=2, H=3, K=5) == sizes
    x = LOCK.losses(alg, repeats=4, seed=1, **sizes)
    first = 3 * (1 - 1 / 4)  # two digits of a uniform policy are right
    second = 0
    for problem in locks(A=2, H=3):
        gaps = run(alg, problem, 1, seed=1, repeats=4)["gap"]
        assert gaps[:, 0] == pytest.approx(3 / 4)
        second += 3 * gaps[:, 1] / 4
    assert x == pytest.approx(first + second)
    with pytest.raises(MdptkError, match="K = 5 is no multiple of the 3 episodes"):
        LOCK.losses(alg, repeats=1, A=2, H=3, K=5)


@pytest.mark.parametrize("alg", [REINFORCE(N=2), LeaveOneOut(N=2), GAEActorCritic(N=2)], ids=repr)
def test_learners_obey_with_small_batches(alg):
    assert not LOCK.within(type(alg)())
    verdict = LOCK.check(alg)
    assert verdict.ok, verdict
    assert verdict.informative


# without trying any learner ---------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.integers(1, 12), st.floats(0.01, 0.95))
def test_no_learner_beats_two_arms(t, delta):
    """By dynamic programming; and that in closed form: pull what looked better, from the chance that this is wrong."""
    least = TWO_ARMS.least(delta=delta, t=t)
    assert TWO_ARMS.bound(delta=delta, t=t) <= least * (1 + 1e-9)
    p = 0.5 - delta / 2  # that a pull speaks for the worse arm; a tie is broken by a coin
    wrong = 0.0
    for k in range(t):
        binomial = np.ones(1)
        for _ in range(k):
            binomial = np.convolve(binomial, [1 - p, p])
        half = k // 2
        wrong += binomial[half + 1 :].sum() + (binomial[half] / 2 if k % 2 == 0 else 0.0)
    assert least == pytest.approx(delta * wrong, rel=1e-9)


@settings(max_examples=20)
@given(st.sampled_from([(2, 12), (2, 5), (3, 5), (4, 3)]), st.floats(0.01, 0.49))
def test_no_learner_beats_one_good_arm(size, delta):
    A, t = size
    assert ONE_GOOD_ARM.bound(A=A, delta=delta, t=t) <= ONE_GOOD_ARM.least(A=A, delta=delta, t=t) * (1 + 1e-9)


@given(st.integers(2, 5), st.integers(2, 5), st.integers(1, 30))
def test_no_learner_beats_the_lock(A, H, K):
    """An equality once every digit can have been tried."""
    bound, least = LOCK.bound(A=A, H=H, K=K), least_failures(A, H, K)
    assert bound <= least * (1 + 1e-12)
    if (H - 1) * (A - 1) <= K:
        assert bound == pytest.approx(least, rel=1e-12)


@settings(max_examples=15)
@given(st.sampled_from([(2, 7), (3, 6), (5, 6), (8, 8)]), st.floats(0.05, 0.6), st.floats(0.05, 0.95))
def test_no_learner_beats_one_good_action(size, delta, share):
    (A, t), epsilon = size, (1 - delta) * share
    bound, least = (f(A=A, delta=delta, epsilon=epsilon, t=t) for f in (ONE_GOOD_ACTION.bound, ONE_GOOD_ACTION.least))
    assert bound <= least * (1 + 1e-9)
    guess = epsilon / (2 * delta + epsilon) * (1 - 1 / A) * t  # more than any first action loses, at every step
    assert 0 <= least <= guess


@pytest.mark.parametrize("size", [(2, 5), (3, 4)])
def test_least_gaps_by_all_histories(size):
    """Every history and its probability in every model, without counting what is the same."""
    A, t = size
    family = one_of_two_states(A=A, delta=0.3, epsilon=0.2)
    P = np.array([p.P for p in family])
    q = np.array([exact.optimal(p).q for p in family])
    gaps = q.max(-1, keepdims=True) - q

    def loss(left, s, weight):
        if not left:
            return 0.0
        later = lambda a: sum(loss(left - 1, s2, weight * P[:, s, a, s2]) for s2 in (0, 1))  # noqa: E731
        return min(weight @ gaps[:, s, a] + later(a) for a in range(A))

    assert least_gaps(A, 0.3, 0.2, t) == pytest.approx(loss(t, 0, np.full(A, 1 / A)), rel=1e-9)


def test_models_of_the_tree():
    """Copies that differ in one pair, with a diameter within what is claimed; and a state to spare for odd S."""
    for S, A, D in ((10, 10, 20), (13, 11, 23)):
        family = in_a_tree(S, A, D, D * S * A)
        assert len(family) == (S // 2) * ((A - 1) // 2)
        assert {(p.S, p.A) for p in family} == {(S, A)}
        assert max(diameter(p) for p in family[::7]) <= D
        assert all(((a.P != b.P).sum() == 4) and (a.r == b.r).all() for a, b in pairwise(family))
        best = exact.optimal(family[3])
        more = float(STEP) * np.sqrt(len(family) * 4 / D / (D * S * A))
        assert best.g == pytest.approx((4 / D + more) / (8 / D + more), rel=1e-9)
    with pytest.raises(InvalidModel, match="A = 9"):
        in_a_tree(10, 9, 20, 5000)


def test_a_loss_may_be_below_zero_by_luck():
    """The regret of the stream; with few repeats nothing is claimed to have been noticed."""
    claim, sizes = replace(TREE.claim, rhs=ONE_GOOD_ACTION.claim.rhs), ONE_GOOD_ACTION.sizes
    two_states = replace(TREE, claim=claim, family=one_of_two_states, sizes=sizes)
    x = two_states.losses(UCRL2(), repeats=16, **sizes[0])
    assert x.min() < 0 < x.max()
    assert not two_states.check(UCRL2()).informative
    with pytest.raises(MdptkError, match=r"outside \[0, 64\]"):
        replace(two_states, luck=0).losses(UCRL2(), repeats=16, **sizes[0])


def test_gaps_of_the_family_are_those_of_the_display():
    """The gap is epsilon / (2 delta + epsilon) where a wrong action is tried, and nothing elsewhere."""
    best = exact.optimal(one_of_two_states(A=3, delta=0.2, epsilon=0.1)[1])
    gaps = best.q.max(-1, keepdims=True) - best.q
    assert gaps == pytest.approx(np.array([[0.2, 0, 0.2], [0, 0, 0]]), abs=1e-12)


@pytest.mark.parametrize(("A", "H"), [(2, 4), (3, 3)])
def test_the_best_learner_of_the_lock(A, H):
    """Dial the digits in order at each place, and remember: the failures on average over the codes are the least."""
    K, failures = (H - 1) * (A - 1), []
    for problem in locks(A=A, H=H):
        known, failed = [0] * (H - 1), 0
        for _ in range(K):
            actions = np.zeros((H, problem.S), int)
            actions[:, : H - 1] = known
            missed = next((i for i in range(H - 1) if problem.P[i, i, known[i], i + 1] == 0), None)
            gap = 1 - problem.rho @ exact.evaluate(problem, exact.one_hot(actions, A))[0]
            assert gap == (missed is not None)
            if missed is not None:
                failed += 1
                known[missed] += 1
        failures.append(failed)
    assert np.mean(failures) == pytest.approx(least_failures(A, H, K)) == LOCK.bound(A=A, H=H, K=K)


def test_dynamic_programming_against_every_strategy():
    """All deterministic strategies of two pulls on two arms, by hand: a first arm, and a second for either reward."""
    problems = (BernoulliBandit([0.3, 0.6]), BernoulliBandit([0.8, 0.1]))
    regrets = []
    for first in range(2):
        for after in [(i, j) for i in range(2) for j in range(2)]:
            total = 0.0
            for p in problems:
                second = (1 - p.means[first]) * p.gaps[after[0]] + p.means[first] * p.gaps[after[1]]
                total += (p.gaps[first] + second) / 2
            regrets.append(total)
    assert least_regret(problems, 2) == pytest.approx(min(regrets))


# a check that can fail --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clairvoyant(UCB1):
    """Looks behind the oracle."""

    def init(self, oracle, key):
        return State(jnp.zeros(oracle.A), jnp.zeros(oracle.A), oracle._means.argmax())

    def step(self, oracle, state, xi):
        return state


@pytest.mark.parametrize("bound", [TWO_ARMS, ONE_GOOD_ARM], ids=["two arms", "one good arm"])
def test_a_cheat_is_caught(bound):
    verdict = bound.check(Clairvoyant())
    assert verdict.ok is False
    assert verdict.word == "VIOLATED"
    few = bound.check(Clairvoyant(), repeats=1)
    assert few.ok  # too few to tell, and the verdict says so
    assert not few.informative


def test_a_bound_that_is_too_high_is_refuted():
    claim = replace(ONE_GOOD_ARM.claim, rhs=2 * ONE_GOOD_ARM.claim.rhs)
    high = LowerBound(claim, Bandit, ONE_GOOD_ARM.family, ONE_GOOD_ARM.most, ONE_GOOD_ARM.sizes, ONE_GOOD_ARM.least)
    assert high.bound(A=2, delta=0.1, t=12) > high.least(A=2, delta=0.1, t=12)
    assert not high.check(UCB1(), repeats=512).ok


def test_repeats_that_are_needed_are_just_enough():
    n = TWO_ARMS.repeats_needed(**TWO_ARMS.sizes[0])
    few, enough = (TWO_ARMS.check(UCB1(), repeats=k).informative for k in (n - 1, n))
    assert (few, enough) == (False, True)


# what is refused --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unmeasured(UCB1):
    measures: ClassVar = ()
    keep: ClassVar = ("n",)


def test_refused():
    with pytest.raises(AssumptionViolated, match="learners that see Bandit; ValueIteration sees MDP"):
        TWO_ARMS.check(ValueIteration())
    with pytest.raises(MdptkError, match="lack delta"):
        TWO_ARMS.check(UCB1(), sizes={"t": 5})
    with pytest.raises(AssumptionViolated, match="about the regret, which Unmeasured has no measure of"):
        TWO_ARMS.check(Unmeasured())
    with pytest.raises(ValueError, match="must be >="):
        LowerBound(UCB1.theorems[0], Bandit, TWO_ARMS.family, 1, ())
    with pytest.raises(InvalidModel, match=r"code = \(2,\)"):
        combination_lock((2,))


def test_lock_is_opened_by_its_code_alone():
    problem = combination_lock((2, 0, 1), A=3)
    best = exact.optimal(problem)
    assert problem.rho @ best.v[0] == 1
    assert best.pi[[0, 1, 2], [0, 1, 2]].argmax(-1).tolist() == [2, 0, 1]
    assert sorted({p.r.tobytes() for p in locks(A=3, H=4)}) == [problem.r.tobytes()]  # rewards do not tell the code
    assert all((a.P != b.P).any() for a, b in pairwise(locks(A=2, H=4)))
