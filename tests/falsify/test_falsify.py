"""The falsifier refutes what is false, drives what is tight to 1, and leaves what is true alone."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from itertools import islice, pairwise

import numpy as np
import pytest
from sympy import Float, Rational, exp, log

import mdptk
from mdptk import MDP, PolicyEvaluation, registry, run
from mdptk.algorithms.exploration import ucbvi
from mdptk.algorithms.planning import modified_policy_iteration, policy_iteration, value_iteration
from mdptk.algorithms.policy_gradient import npg, softmax_pg
from mdptk.algorithms.policy_gradient.simultaneous_pg import SimultaneousPG
from mdptk.algorithms.td import mean_path_td, td_zero
from mdptk.core import exact
from mdptk.core.algorithm import Solver
from mdptk.core.errors import MdptkError
from mdptk.core.models import FiniteHorizonMDP
from mdptk.core.parts import CONTINUOUS, UTILITIES
from mdptk.core.robust import L1, Finite, Interval, RobustMDP
from mdptk.falsify import Counterexample, NotFound, falsify, moves, search
from mdptk.falsify.gallery import gallery
from mdptk.falsify.instance import ARRAYS, GAMES, KINDS, ONE_STATE, UNDISCOUNTED, Instance
from mdptk.falsify.result import source
from mdptk.falsify.score import Candidate, Score, judge
from mdptk.falsify.shrink import complexity, shrink, simplifications
from mdptk.falsify.tiny import fine_rows, finer, tiny
from mdptk.problems.softmax_chain import softmax_chain
from mdptk.theory import Quantity, Theorem, initial, previous
from mdptk.theory.stock import omega, value_error
from mdptk.theory.symbols import A, dt, eta, gamma, t
from tests.falsify.false_alarms import alarms

NAMES = {k.__name__: k for k in (*KINDS, L1, Interval, Finite, *UTILITIES)}
ENOUGH = 20_000  # runs; most need a few hundred. Seconds would make a busy machine fail
FEW = 8  # of a gallery, where a test is about what comes after it


@pytest.fixture
def unshrunk(monkeypatch):
    """What is found is left as it is, and judged again in wide numbers only if it is small.

    Either takes longer than to find it, and has tests of its own.
    """
    monkeypatch.setattr(search, "shrink", lambda theorem, score, c, **kwargs: (score, c))
    monkeypatch.setattr(import_module("mdptk.theory.again"), "LARGEST", 4000)


@pytest.fixture
def short_gallery(monkeypatch):
    """So that a short search gets to what is drawn by lot."""
    monkeypatch.setattr(search, "gallery", lambda *args: islice(gallery(*args), FEW))


def execute(found):
    """What the printed Python does."""
    names = {"run": run, "np": np} | NAMES | dict(registry.find())
    exec(str(found), names)
    return names["verdict"]


# what is false ----------------------------------------------------------------------------------------------------


def test_gradient_domination_is_refuted_and_printed_as_python():
    found = falsify("SoftmaxPG.gradient-domination", budget=1e9, runs=ENOUGH)
    assert isinstance(found, Counterexample)
    assert found.ratio > 1
    assert found.verdict.ok is False
    assert not found.theorem.unmet(found.alg, found.problem)
    assert execute(found).ok is False


VI, PI, MPI = value_iteration.ValueIteration, policy_iteration.PolicyIteration, modified_policy_iteration
FALSE = {
    "VI, contraction by gamma/2": (VI, value_iteration.CONTRACTION, (gamma / 2) ** dt * previous(value_error)),
    "VI, half of the stopping rule": (VI, value_iteration.STOPPING, value_iteration.STOPPING.rhs / 2),
    "VI, half of the residual": (VI, value_iteration.RESIDUAL, value_iteration.RESIDUAL.rhs / 2),
    "VI, half of the greedy loss": (VI, value_iteration.GREEDY_LOSS, value_iteration.GREEDY_LOSS.rhs / 2),
    "PI, convergence by gamma^2": (PI, policy_iteration.CONVERGENCE, policy_iteration.CONVERGENCE.rhs * gamma**t),
    "PI, half of the policy changes": (PI, policy_iteration.CHANGES, policy_iteration.CHANGES.rhs / 2),
    "MPI, convergence by gamma^2": (
        MPI.ModifiedPolicyIteration,
        MPI.CONVERGENCE,
        gamma ** (2 * t) * initial(value_error),
    ),
    "MPI, half of the convergence": (MPI.ModifiedPolicyIteration, MPI.CONVERGENCE, MPI.CONVERGENCE.rhs / 2),
    "NPG, twice the improvement": (npg.NPG, npg.IMPROVEMENT, 2 * npg.IMPROVEMENT.rhs - previous(npg.expected_return)),
    "NPG without the log": (npg.NPG, npg.CONVERGENCE, log(A) / (8 * eta * t) + 1 / (8 * (1 - gamma) ** 2 * t)),
    "SoftmaxPG, twice the gradient": (softmax_pg.SoftmaxPG, softmax_pg.LOJASIEWICZ, 2 * softmax_pg.LOJASIEWICZ.rhs),
    "SoftmaxPG, twice the ascent": (softmax_pg.SoftmaxPG, softmax_pg.ASCENT, 2 * softmax_pg.ASCENT.rhs),
    "MeanPathTD, twice the descent": (
        mean_path_td.MeanPathTD,
        mean_path_td.DESCENT,
        2 * mean_path_td.DESCENT.rhs - previous(mean_path_td.distance),
    ),
    "MeanPathTD, a third of the time": (
        mean_path_td.MeanPathTD,
        mean_path_td.LAST,
        exp(-3 * (1 - gamma) ** 2 * omega * t / 4) * initial(mean_path_td.distance),
    ),
    "MeanPathTD, a quarter of the average": (
        mean_path_td.MeanPathTD,
        mean_path_td.AVERAGE,
        mean_path_td.AVERAGE.rhs / 4,
    ),
    "TDZero, half of the mean square": (td_zero.TDZero, td_zero.MEAN_SQUARE, td_zero.MEAN_SQUARE.rhs / 2),
    "UCBVI, half of the surpluses": (ucbvi.UCBVI, ucbvi.REGRET_BY_SURPLUS, ucbvi.REGRET_BY_SURPLUS.rhs / 2),
}


@pytest.mark.parametrize("name", FALSE)
def test_false_variants_are_refuted(name, unshrunk):
    cls, theorem, rhs = FALSE[name]
    false = replace(theorem, rhs=rhs, name="false", proof="")
    found = falsify((cls, false), budget=1e9, runs=ENOUGH)
    assert isinstance(found, Counterexample), found
    assert not false.unmet(found.alg, found.problem)
    assert not false.check(run(found.alg, found.problem, found.steps, seed=found.seed, repeats=found.repeats)).ok
    assert theorem.check(run(found.alg, found.problem, found.steps, seed=found.seed, repeats=found.repeats)).ok


def test_the_forgotten_factor_of_mirror_descent_is_refuted():
    found = falsify("GeometricPMD.linear-convergence,-factor-forgotten", budget=1e9, runs=ENOUGH)
    assert isinstance(found, Counterexample)
    assert found.how == "60 digits"
    assert "judged in 60 digits" in found.headline
    assert execute(found).ok is False


def test_a_theorem_about_one_start_is_refuted_at_another(unshrunk):
    """From the uniform policy NPG converges like log A; from the wrong corner it takes its time."""
    anywhere = replace(npg.CONVERGENCE, name="anywhere", starts=npg.ANYWHERE, proof="")
    found = falsify((npg.NPG, anywhere), budget=1e9, runs=ENOUGH)
    assert isinstance(found, Counterexample)
    assert found.start is not None
    assert f"start={{'theta': {found.start.theta.tolist()}" in found.code
    result = run(found.alg, found.problem, found.steps, start=found.start)
    assert not anywhere.check(result).ok
    with pytest.raises(mdptk.AssumptionViolated, match="speaks of runs that begin where init does"):
        npg.CONVERGENCE.check(result)


def test_only_exact_rationals_see_a_hair():
    """The convergence of value iteration less one part in 10^18, which float64 cannot see at all."""
    rhs = value_iteration.CONVERGENCE.rhs * (1 - Rational(1, 10**18))
    found = falsify((VI, replace(value_iteration.CONVERGENCE, rhs=rhs, name="hair", proof="")), budget=1e9, runs=ENOUGH)
    assert isinstance(found, Counterexample)
    assert found.how == "exact rationals"
    assert found.origin == "tiny"
    assert "by too little for float64" in found.verdict.note
    assert found.problem.S == found.problem.A == 1  # shrunk in exact rationals, too


def test_a_planted_error_is_found(unshrunk):
    class Forgetful(VI):
        """The discount is forgotten in states of small value."""

        def step(self, problem, state):
            v = problem.q(state.v).max(-1)
            return value_iteration.State(np.where(v < 0.05, 0.0, v))

    found = falsify((Forgetful, value_iteration.CONTRACTION), budget=1e9, runs=ENOUGH)
    assert isinstance(found, Counterexample)
    assert "is not in the registry" not in found.code


# what is tight ----------------------------------------------------------------------------------------------------

TIGHT = (
    ("PolicyIteration.policy-changes", 300),
    ("ValueIteration.contraction", 300),
    ("ValueIteration.convergence", 300),
    ("ValueIteration.greedy-loss", 300),
    ("MeanPathTD.last-iterate", 600),
    ("MeanPathTD.descent", 300),
)


def test_greedy_loss_is_tight_at_a_given_discount():
    found = falsify("ValueIteration.greedy-loss", gamma=0.9, budget=1e9, runs=3000)
    assert 0.99 < found.ratio < 1 + 1e-6
    assert found.problem.gamma == 0.9
    with pytest.raises(MdptkError, match=r"gamma = 1.5 is not in \[0, 1\)"):
        falsify("ValueIteration.greedy-loss", gamma=1.5)
    with pytest.raises(MdptkError, match="which has no discount"):
        falsify("UCBVI.optimism", gamma=0.5)


@pytest.mark.parametrize(("name", "runs"), TIGHT)
def test_tight_ones_are_driven_above_099(name, runs):
    found = falsify(name, budget=1e9, runs=runs)
    assert isinstance(found, NotFound), found
    assert 0.99 < found.ratio < 1 + 1e-6
    assert found.verdict.ok
    assert found.ratio == pytest.approx(execute(found).ratio, rel=1e-9)


ROOM = (  # what the search reaches in a few thousand runs: bounds with room for one constant halved
    ("NPG.global-convergence", 1000, 0.15, 0.7),
    ("MeanPathTD.average-iterate", 300, 0.25, 0.5),
)


@pytest.mark.parametrize(("name", "runs", "low", "high"), ROOM)
def test_room_of_loose_bounds_is_reported(name, runs, low, high):
    found = falsify(name, budget=1e9, runs=runs)
    assert isinstance(found, NotFound)
    assert low < found.ratio < high
    assert f"{found.ratio:.6g}" in str(found)


# what is true -----------------------------------------------------------------------------------------------------


def test_no_false_alarms():
    """The ten thousand checks, of learners too, are `make nightly`'s."""
    census = alarms(250, kind=Solver)
    assert len(census.judged) > 100
    assert not census.found


def test_improvement_of_npg_with_tiny_rewards():
    problem = MDP(P=[[[1.0], [1.0]]], r=[[1e-09, 0.0]], gamma=0.0)
    assert npg.IMPROVEMENT.check(run(npg.NPG(), problem, 2)).ok


def test_improvement_of_npg_where_actions_underflow():
    """After steps of size 1000 an action with probability zero in float64 still has the largest term of Z."""
    problem = softmax_chain()
    assert npg.IMPROVEMENT.check(run(npg.NPG(eta=1000.0), problem, 50)).ok


def test_surplus_bound_of_ucbvi_without_rewards():
    problem = MDP([[[1.0]]], [[0.0]], 0.5).episodic(4)
    assert ucbvi.SURPLUS.check(run(ucbvi.UCBVI(), problem, 8, repeats=2)).ok


def theorem_off_by(excess):
    """A statement that is broken by so many times its slack."""
    q = Quantity("q", lambda run: np.full((run.repeats, 1), excess * 1e-3), latex="q", rounding=lambda run: 1e-3)
    return Theorem("off", value_iteration.CONVERGENCE.cite, lhs=q, rhs=0)


def test_within_ten_times_the_slack_is_not_counted_and_said():
    found = falsify((VI, theorem_off_by(5)), runs=50)
    assert isinstance(found, NotFound)
    assert "within 10 times the rounding error: not counted" in str(found)
    assert found.about.doubtful >= found.about.judged
    assert isinstance(falsify((VI, theorem_off_by(20)), runs=50), Counterexample)


def test_overflow_is_no_counterexample_but_nan_out_of_nowhere_is():
    one = Instance.of(MDP([[[1.0]]], [[1.0]], 0.5))
    wild = mean_path_td.MeanPathTD(alpha=1e30)
    c = Candidate(wild, replace(one, kind=PolicyEvaluation, pi=np.ones((1, 1)), Phi=np.ones((1, 1))), 30)
    (score,) = judge(mean_path_td.CLOSED_FORM, [c])
    assert score is None or not score.violated

    class Broken(VI):
        """Divides by zero."""

        def step(self, problem, state):
            return value_iteration.State(state.v * np.nan)

    (score,) = judge(value_iteration.CONVERGENCE, [Candidate(Broken(), one, 2)])
    assert score.violated


# how it searches --------------------------------------------------------------------------------------------------


def test_a_seed_replays(short_gallery, unshrunk):
    one, two = (falsify("NPG.global-convergence", budget=1e9, runs=300, seed=3) for _ in range(2))
    other = falsify("NPG.global-convergence", budget=1e9, runs=300, seed=4)
    assert one.about.runs == two.about.runs == 300
    assert one.code == two.code
    assert one.code != other.code


def test_a_search_with_more_runs_begins_with_the_shorter_one(tmp_path, short_gallery, unshrunk):
    for n in (150, 300):
        falsify("SoftmaxPG.ascent", budget=1e9, runs=n, out=tmp_path / str(n))
    short, long = ((tmp_path / str(n) / "records.jsonl").read_text().splitlines() for n in (150, 300))
    assert len(short) > 2
    assert [json.loads(x)["value"] for x in short[:-1]] == [json.loads(x)["value"] for x in long[: len(short) - 1]]


def test_an_instance_keeps_its_hyperparameters():
    found = falsify((npg.NPG(eta=0.25), npg.CONVERGENCE), runs=150)
    assert found.alg == npg.NPG(eta=0.25)


def test_ctrl_c_reports_the_best_so_far(monkeypatch):
    calls = []

    def interrupted(theorem, candidates):
        calls.append(1)
        if len(calls) > 20:
            raise KeyboardInterrupt
        return judge(theorem, candidates)

    monkeypatch.setattr(search, "judge", interrupted)
    found = falsify("ValueIteration.convergence", budget=1e9)
    assert found.about.ended == "interrupted"
    assert found.verdict.ok


def test_nothing_judged_is_said():
    impossible = replace(value_iteration.CONVERGENCE, assumes=(mdptk.theory.Assumption("never", lambda a, p: "no"),))
    found = falsify((VI, impossible), runs=100)
    assert isinstance(found, NotFound)
    assert found.problem is None
    assert "0 judged" in str(found)


def test_what_cannot_be_falsified_is_an_error():
    class Elsewhere(VI):
        """For models that nobody knows."""

        sees = dict

    with pytest.raises(MdptkError, match="is about a dict; instances that can be searched are MDP"):
        falsify((Elsewhere, value_iteration.CONVERGENCE))
    order_only = next(f"{n}.{th.slug}" for n, c in registry.find().items() for th in c.theorems if th.order_only)
    with pytest.raises(MdptkError, match="is order-only: it has no constants that an instance could break"):
        falsify(order_only)
    with pytest.raises(MdptkError, match="no algorithm is called"):
        falsify("Nobody.theorem")


@pytest.mark.parametrize("kind", KINDS)
def test_moves_keep_models_valid(kind):
    rng = np.random.default_rng(0)
    for _ in range(100):
        x = moves.sample(rng, kind)
        for _ in range(5):
            x = moves.mutate(rng, x, 1.0)
            model = x.model()  # raises if it is none
        y = Instance.of(model)
        assert all(np.allclose(getattr(x, n), getattr(y, n)) for n in ARRAYS if getattr(x, n) is not None)
        assert x.more.keys() == y.more.keys()
        assert all(np.array_equal(x.more[n], y.more[n]) for n in x.more)


@pytest.mark.parametrize("kind", KINDS)
def test_gallery_has_what_is_degenerate(kind):
    found = [x for _, x in gallery(kind)]
    assert any(x.A == 1 for x in found)
    assert any(x.S == 1 for x in found)
    assert kind in UNDISCOUNTED or any(x.gamma == 0 for x in found)
    assert kind in (*ONE_STATE, *CONTINUOUS) or any((x.rho == 0).any() for x in found)
    assert kind not in GAMES or {1, 2, 3} <= {x.B for x in found}
    assert any(x.A > 1 and np.ptp(exact.optimal(x.model()).q, axis=-1).min() == 0 for x in found if kind is MDP) or (
        kind is not MDP
    )


def test_hyperparameters_stay_in_their_ranges():
    rng = np.random.default_rng(0)
    for cls in registry.find().values():
        alg = cls()
        for _ in range(30):
            alg = moves.move_hyperparameters(rng, alg, 1.0)  # the constructor checks


@pytest.mark.parametrize("kind", KINDS)
def test_simplifications_and_grids_make_models(kind):
    rng = np.random.default_rng(4)
    for _ in range(4):
        c = Candidate(VI(), moves.mutate(rng, moves.sample(rng, kind), 1.0), 1)
        for simpler in simplifications(c, fixed=True):
            simpler.instance.model()
            assert complexity(simpler) < complexity(c)
    for chunk in (next(tiny(kind, batched=False), []), *(next(finer(kind, rng, batched=False)) for _ in range(4))):
        assert all(isinstance(x.model(), kind) for x in chunk)


def test_the_finer_grid_has_halves_and_thirds():
    assert fine_rows(2).tolist() == [[k / n, (n - k) / n] for n, k in ((1, 0), (3, 1), (2, 1), (3, 2), (1, 1))]
    assert len(fine_rows(3)) == 3 + 3 + 7


def test_sets_keep_the_nominal_kernel_inside():
    x = Instance.of(RobustMDP(mdp := MDP([[[0.5, 0.5]], [[0, 1]]], [[0], [1]], 0.5), Interval(mdp.P, mdp.P)))
    moved = replace(x, P=np.array([[[1.0, 0.0]], [[0.0, 1.0]]]))
    assert (moved.lower[0, 0].tolist(), moved.upper[0, 0].tolist()) == ([0.5, 0.0], [1.0, 0.5])
    moved.model()  # raises if it is outside


KIND_OF = (
    {
        "HiddenCosts": "MCEICRL.the-expert-is-found",
        "HiddenReward": "ConstrainedIRL.the-expert-is-explained",
        "SharedConstraint": "SharedConstraintLearning.safe-for-any-cost",
        "UtilityMDP": "UtilityFrankWolfe.convergence",
        "OnlineControl": "COCOM.regret-and-violation-of-the-run",
        "Dispatch": "TSDDR.best-rule-so-far",
    }
    | {"CMDP": "DualDescent.distance-to-the-multipliers", "RobustMDP": "RobustValueIteration.convergence"}
    | {
        "MarkovGame": "ShapleyIteration.contraction",
        "MatrixGame": "MultiplicativeWeights.regret-of-the-first-player",
        "BernoulliBandit": "UCB1.regret-by-gaps",
    }
)


@pytest.mark.parametrize("kind", KIND_OF)
def test_every_kind_of_model_is_searched(kind, tmp_path):
    runs = {"BernoulliBandit": 3, "CMDP": 12, "UtilityMDP": 12}.get(kind, 30)
    found = falsify(KIND_OF[kind], runs=runs, budget=1e9, out=tmp_path / "out")
    assert isinstance(found, NotFound)
    assert type(found.problem).__name__ == kind
    assert found.ratio > 0.1
    assert execute(found).ratio == pytest.approx(found.verdict.ratio)
    assert source(mdptk.load(tmp_path / "out" / "shrunk.npz")) == source(found.problem)


def test_false_statements_about_costs_and_games_are_refuted(unshrunk):
    dual, shapley = (registry.find()[name] for name in ("DualDescent", "ShapleyIteration"))
    for cls, name in ((dual, "violation is carried by the multiplier"), (shapley, "contraction")):
        theorem = next(th for th in cls.theorems if th.name == name)
        found = falsify((cls, replace(theorem, rhs=theorem.rhs / 2, name="false", proof="")), budget=1e9, runs=ENOUGH)
        assert isinstance(found, Counterexample)


def test_starts_are_their_own_first_states():
    """What a `Start` makes of numbers is one of its states, for all kinds of models."""
    rng = np.random.default_rng(5)
    for cls in registry.find().values():
        for start in {th.starts for th in cls.theorems if th.starts is not None and issubclass(cls, Solver)}:
            for _ in range(5):
                problem, alg = moves.sample(rng, cls.model()).model(), cls()
                if not isinstance(problem, cls.model()):
                    break  # a kind that is not searched
                try:
                    first = start.free(alg.init(problem))
                    state = start.state(alg, problem, moves.start(rng, np.shape(first), np.zeros(np.shape(first))))
                except (MdptkError, np.linalg.LinAlgError):
                    continue  # no such problem for this algorithm
                assert not start.unmet(alg, problem, state), f"{cls.__name__} on {source(problem)}"


def test_starts_are_cut_down_with_their_models():
    """A first state of the algorithm's own numbers is one for every simpler model, too; stages are left out as well."""
    rng = np.random.default_rng(6)
    for cls in registry.find().values():
        for start in {th.starts for th in cls.theorems if th.starts is not None and issubclass(cls, Solver)}:
            x, alg = moves.sample(rng, cls.model()), cls()
            if x.c is not None and x.b is not None and len(x.b) == len(x.c):
                x = replace(x, c=np.concatenate([x.c, x.c]), b=np.concatenate([x.b, x.b]))
            for simpler in simplifications(Candidate(alg, replace(x, start=_own(start, alg, x)), 1)):
                left = simpler.instance.start
                own = _own(start, simpler.alg, simpler.instance)
                assert own is None or left is None or left.shape == own.shape, f"{cls.__name__} on {simpler.instance}"
    x = moves.sample(rng, FiniteHorizonMDP, (3, 2, 2, 2))
    assert {len(d.instance.P) for d in simplifications(Candidate(SimultaneousPG(), x, 1))} == {2, 3}


def _own(start, alg, x):
    """The free numbers of the algorithm's own first state; None if it is not for this model."""
    try:
        return np.asarray(start.free(alg.init(x.model())))
    except (MdptkError, np.linalg.LinAlgError):
        return None


# what comes out ---------------------------------------------------------------------------------------------------


def test_shrinking_keeps_the_ratio_and_gets_simple():
    rng = np.random.default_rng(1)
    x = replace(moves.sample(rng, MDP, (4, 3, 4)), gamma=0.9)
    c = Candidate(VI(), x, 20)
    (score,) = judge(value_iteration.CONTRACTION, [c])
    small, d = shrink(value_iteration.CONTRACTION, score, c)
    assert small.value >= 0.995 * score.value
    assert complexity(d) < complexity(c)
    assert d.instance.S == d.instance.A == d.steps == 1


def test_a_violation_survives_shrinking():
    false = replace(value_iteration.CONTRACTION, rhs=Float(0.5) * value_iteration.CONTRACTION.rhs)
    c = Candidate(VI(), moves.sample(np.random.default_rng(1), MDP, (4, 3, 4)), 20)
    (score,) = judge(false, [c])
    assert score.violated
    small, d = shrink(false, score, c)
    assert small.violated
    assert complexity(d) <= complexity(c)


@pytest.mark.parametrize("kind", KINDS)
def test_source_gives_the_model_back(kind):
    rng = np.random.default_rng(2)
    for _ in range(20):
        model = moves.mutate(rng, moves.sample(rng, kind), 0.5).model()
        again = eval(source(model), dict(NAMES))
        x, y = Instance.of(model), Instance.of(again)
        assert x.gamma == y.gamma
        for n in ARRAYS:
            if getattr(x, n) is not None:
                np.testing.assert_array_equal(getattr(x, n), getattr(y, n))
        assert all(np.array_equal(x.more[n], y.more[n]) for n in x.more)


def test_records_are_saved_with_what_replays_them(tmp_path):
    folder = tmp_path / "out"
    found = falsify("NPG.global-convergence", runs=120, out=folder)
    lines = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == [*(f"record-{i:03d}.npz" for i in range(1, len(lines))), "shrunk.npz"]
    assert all(a["value"] < b["value"] for a, b in pairwise(lines[:-1]))
    again = mdptk.load(folder / "shrunk.npz")
    assert source(again) == source(found.problem)
    assert lines[-1]["replay"].startswith("mdptk verify NPG.global-convergence --problem")
    assert lines[-1]["search"] == "mdptk falsify NPG.global-convergence --seed 0 --runs 120 --budget inf"
    with pytest.raises(MdptkError, match="not an empty folder"):
        falsify("NPG.global-convergence", runs=120, out=folder)


def test_results_show_themselves():
    found = falsify("NPG.global-convergence", runs=100)
    page = found._repr_html_()
    assert "$$" in page
    assert "MDP(P=" in page
    assert found.unit == "lhs/rhs"
    assert falsify("ModifiedPolicyIteration.climb", runs=100).unit == "slack"


def test_scores_are_compared_by_violation_then_ratio_then_excess():
    a, b, c = Score(0.5, 20.0, 1), Score(0.9, 0.0, 1), Score(0.9, -1.0, 1)
    assert sorted([b, c, a], key=lambda s: s.key) == [c, b, a]


def test_the_command_line(tmp_path, capsys, monkeypatch):
    from mdptk.cli import main

    monkeypatch.chdir(tmp_path)
    assert main(["falsify", "NPG.global-convergence", "--runs", "100"]) == 0
    assert "no counterexample" in capsys.readouterr().out
    (folder,) = (tmp_path / "mdptk-out").iterdir()
    assert folder.name.startswith("falsify-NPG.global-convergence")
    assert (folder / "shrunk.npz").exists()
    assert main(["falsify", "SoftmaxPG.gradient-domination", "--out", "there"]) == 0  # refuted: as expected
    assert "VIOLATED" in capsys.readouterr().out
    assert main(["falsify", "NPG.global-convergence", "--out", "there"]) == 2
    assert main(["falsify", "NPG.nothing"]) == 2
    assert main(["falsify", "NPG.global-convergence", "--budget", "-1"]) == 2
    assert main(["falsify"]) == 2
    assert main(["falsify", "NPG.global-convergence", "--all"]) == 2
    assert main(["falsify", "--new"]) == 2


def test_the_package_is_callable():
    assert mdptk.falsify is not None
    assert isinstance(mdptk.falsify(("x",) and (VI, value_iteration.CONVERGENCE), runs=5), NotFound)


def test_mismatch_of_shape_does_not_stop_a_batch():
    good = Instance.of(MDP([[[1.0]]], [[1.0]], 0.5))
    bad = replace(good, gamma=1 - 1e-17 if 1 - 1e-17 < 1 else 0.9999999999999999)
    scores = judge(value_iteration.CONVERGENCE, [Candidate(VI(), good, 3), Candidate(VI(), bad, 3)])
    assert scores[0] is not None
    assert scores[1] is None
