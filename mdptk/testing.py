"""Public checks for algorithms, ours and everybody else's, and Hypothesis strategies for the models to check them on.

Three lines test an algorithm of your own::

    from mdptk.testing import parametrize_with_checks

    @parametrize_with_checks([MyAlgorithm])
    def test_mine(check): check()

"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from functools import lru_cache, partial
from typing import Any, get_args, get_type_hints

import numpy as np
from hypothesis import strategies as st

from mdptk import registry
from mdptk.core import exact
from mdptk.core.algorithm import Algorithm, Learner, Range, Solver
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.constrained import ConservativeMDP, EpisodicCMDP
from mdptk.core.errors import InvalidHyperparameter, MdptkError
from mdptk.core.games import MarkovGame, MatrixGame
from mdptk.core.models import CMDP, MDP, Array, AverageRewardMDP, FiniteHorizonMDP, PolicyEvaluation
from mdptk.core.robust import L1, Finite, Interval, RobustMDP
from mdptk.core.run import Run, run
from mdptk.core.total import TotalRewardMDP
from mdptk.core.utilities import Divergence, Exploration, Imitation, Penalty, UtilityMDP
from mdptk.problems.constrained import budgets_with_slack
from mdptk.theory import check

Reference = Callable[[Any, Any, int], Mapping[str, Any]]

# strategies -----------------------------------------------------------------------------------------------------


@st.composite
def _distributions(draw: Any, shape: tuple[int, ...]) -> Array:
    """Probability vectors along the last axis: spread out, sparse, almost deterministic, or exactly a point."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    concentration = draw(st.sampled_from([1.0, 0.1, 10.0, 0.01]))
    p = rng.dirichlet(np.full(shape[-1], concentration), shape[:-1]) + 1e-300
    p = p / p.sum(-1, keepdims=True)
    points = draw(st.sampled_from([0.0, 0.3, 1.0]))
    point = np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])]
    return np.where(rng.random(shape[:-1])[..., None] < points, point, p)


@st.composite
def mdps(draw: Any, *, max_S: int = 5, max_A: int = 3, gammas: tuple[float, ...] = (0.0, 0.3, 0.9, 0.99)) -> MDP:
    """Discounted models with rewards in [0, 1], degenerate ones included.

    Among them: one state, one action, gamma = 0, exact ties, absorbing states, states that nothing reaches, point
    start distributions, almost deterministic and sparse transitions.
    """
    S, A = draw(st.integers(1, max_S)), draw(st.integers(1, max_A))
    P = draw(_distributions((S, A, S)))
    r = draw(_rewards((S, A)))
    if draw(st.booleans()):  # an absorbing state
        P[-1] = np.eye(S)[-1]
    if draw(st.booleans()) and S > 1:  # a state that nothing but itself reaches
        P[1:, :, -1] += P[1:, :, 0]
        P[1:, :, 0] = 0
    return MDP(P, r, draw(st.sampled_from(gammas)), draw(_distributions((S,))))


@st.composite
def _rewards(draw: Any, shape: tuple[int, ...]) -> Array:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["uniform", "binary", "ties", "zero"]))
    r = {"uniform": rng.random(shape), "binary": 1.0 * (rng.random(shape) < 0.3), "zero": np.zeros(shape)}
    return np.repeat(r["uniform"][..., :1], shape[-1], -1) if kind == "ties" else r[kind]


@st.composite
def episodic_mdps(draw: Any, *, max_H: int = 4, max_S: int = 4, max_A: int = 3) -> FiniteHorizonMDP:
    """Episodic models with rewards in [0, 1], with the same or other transitions at every stage."""
    if draw(st.booleans()):
        return draw(mdps(max_S=max_S, max_A=max_A)).episodic(draw(st.integers(1, max_H)))
    H, S, A = draw(st.integers(1, max_H)), draw(st.integers(1, max_S)), draw(st.integers(1, max_A))
    return FiniteHorizonMDP(draw(_distributions((H, S, A, S))), draw(_rewards((H, S, A))), draw(_distributions((S,))))


@st.composite
def average_mdps(draw: Any, *, max_S: int = 5, max_A: int = 3) -> AverageRewardMDP:
    """Models of average reward and of any structure: multichain, periodic, and rows that sum to one within 1e-9."""
    mdp = draw(mdps(max_S=max_S, max_A=max_A))
    r = mdp.r - 0.5 if draw(st.booleans()) else mdp.r
    return AverageRewardMDP(mdp.P * draw(st.sampled_from([1.0, 1 - 9e-10, 1 + 9e-10])), r, mdp.rho)


@st.composite
def total_reward_mdps(draw: Any, *, max_S: int = 5, max_A: int = 3) -> TotalRewardMDP:
    """Models of total reward in which some policy ends from everywhere: rewards of either sign, loops that cost.

    The last state is where runs end; the first action may lead there from everywhere. No loop earns.
    """
    mdp = draw(mdps(max_S=max_S, max_A=max_A))
    P, cost = mdp.P.copy(), mdp.r * draw(st.sampled_from([1.0, 0.01]))
    P[:, 0] = (1 - draw(st.sampled_from([1.0, 0.5, 0.01]))) * P[:, 0]
    P[:, 0, -1] += 1 - P[:, 0].sum(-1)
    P[-1], cost[-1] = np.eye(mdp.S)[-1], 0.0
    total = P.sum(-1)
    # a potential that is paid out on the way adds rewards of the other sign, and no loop earns by it
    scale = draw(st.sampled_from([0.0, 1.0]))
    h = scale * np.arange(mdp.S, 0.0, -1.0)
    h[-1], cost[:-1] = 0.0, cost[:-1] + 0.1 * scale
    r = np.where(np.arange(mdp.S)[:, None] < mdp.S - 1, h[:, None] - (P @ h) / total - cost, 0.0)
    return TotalRewardMDP(P, r, mdp.rho)


@st.composite
def evaluations(draw: Any, *, max_S: int = 5, max_A: int = 2) -> PolicyEvaluation:
    """Policies to be evaluated on-policy, with tables or with random features of norm at most one."""
    mdp = draw(mdps(max_S=max_S, max_A=max_A, gammas=(0.3, 0.9)))
    Phi = None
    if draw(st.booleans()):
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        Phi = rng.normal(size=(mdp.S, draw(st.integers(1, mdp.S))))
        Phi /= np.maximum(1.0, np.linalg.norm(Phi, axis=1, keepdims=True))
    return PolicyEvaluation(mdp, draw(policies(mdp)), Phi)


@st.composite
def bandits(draw: Any, *, max_A: int = 4) -> BernoulliBandit:
    """Bernoulli bandits, those with ties, with arms that always or never pay, and with one arm included."""
    return BernoulliBandit(draw(_rewards((draw(st.integers(1, max_A)),))))


@st.composite
def cmdps(
    draw: Any,
    *,
    feasible: bool = True,
    max_S: int = 4,
    max_A: int = 3,
    max_m: int = 3,
    gammas: tuple[float, ...] = (0.0, 0.3, 0.9),
    slack: tuple[float, ...] = (1e-1, 1e-2, 1e-3),
) -> CMDP:
    """Constrained models with a drawn Slater constant; or infeasible ones, by a drawn amount.

    Rewards and costs are in [0, 1]. With one action, or costs that are the same for all actions, every policy has the
    drawn slack in the constraint that is hardest to meet.

    Parameters
    ----------
    feasible
        Whether some policy meets all budgets, with slack.
    slack
        Slater constants to draw from; what an infeasible problem lacks.
    """
    mdp = draw(mdps(max_S=max_S, max_A=max_A, gammas=gammas))
    c = draw(_rewards((draw(st.integers(1, max_m)), mdp.S, mdp.A)))
    xi = draw(st.sampled_from(slack))
    return CMDP(mdp, c, budgets_with_slack(mdp, c, xi if feasible else -xi))


@st.composite
def episodic_cmdps(draw: Any, *, max_m: int = 1) -> EpisodicCMDP:
    """Constrained models of a few stages, with a safe policy that leaves a drawn part of what is between extremes."""
    mdp = draw(episodic_mdps(max_H=3, max_S=3, max_A=2))
    m = draw(st.integers(1, max_m))
    c = np.stack([draw(_rewards(mdp.r.shape)) for _ in range(m)])
    safe = draw(policies(mdp))
    spent = exact.returns(CMDP(mdp, c, np.zeros(m)), safe)[1:]
    return EpisodicCMDP(mdp, c, spent + draw(st.sampled_from([1e-3, 0.1, 1.0])), safe)


@st.composite
def conservative_mdps(draw: Any) -> ConservativeMDP:
    """Episodic models with a drawn baseline, and a floor at its value or below."""
    mdp = draw(episodic_mdps(max_H=3, max_S=3, max_A=2))
    baseline = draw(policies(mdp))
    below = draw(st.sampled_from([0.0, 1e-3, 0.1, 1.0]))
    return ConservativeMDP(mdp, baseline, max(0.0, float(exact.expected_return(mdp, baseline)) - below))


@st.composite
def robust_mdps(draw: Any, *, max_S: int = 5, max_A: int = 3) -> RobustMDP:
    """Models with an L1, an interval or a finite ambiguity set, from a single kernel to all of them."""
    mdp = draw(mdps(max_S=max_S, max_A=max_A, gammas=(0.0, 0.3, 0.9)))
    size = draw(st.sampled_from([0.0, 0.1, 0.5, 2.0]))
    match draw(st.sampled_from(["L1", "interval", "finite"])):
        case "L1":
            return RobustMDP(mdp, L1(mdp.P, size))
        case "interval":
            return RobustMDP(mdp, Interval(np.maximum(mdp.P - size, 0), mdp.P + size))
        case _:
            return RobustMDP(mdp, Finite([mdp.P, draw(_distributions(mdp.P.shape))]))


@st.composite
def _payoffs(draw: Any, shape: tuple[int, ...]) -> Array:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    r = {"uniform": rng.random(shape), "ties": rng.integers(0, 3, shape) / 2, "signs": rng.integers(-1, 2, shape)}
    return 1.0 * r[draw(st.sampled_from(sorted(r)))]


@st.composite
def matrix_games(draw: Any, *, max_A: int = 4) -> MatrixGame:
    """Matrix games with payoffs in [-1, 1]: random, with ties, with one strategy on a side."""
    return MatrixGame(draw(_payoffs((draw(st.integers(1, max_A)), draw(st.integers(1, max_A))))))


@st.composite
def markov_games(draw: Any, *, max_S: int = 3, max_A: int = 3) -> MarkovGame:
    """Discounted games with payoffs in [-1, 1], with one strategy on a side or states that do not change, too."""
    shape = draw(st.integers(1, max_S)), draw(st.integers(1, max_A)), draw(st.integers(1, max_A))
    P, r = draw(_distributions((*shape, shape[0]))), draw(_payoffs(shape))
    return MarkovGame(P, r, draw(st.sampled_from([0.0, 0.3, 0.9])), draw(_distributions(shape[:1])))


@st.composite
def utility_mdps(draw: Any, *, max_S: int = 4, max_A: int = 3) -> UtilityMDP:
    """Exploration, imitation (of what can be met, or not), likelihood and soft constraints on discounted models."""
    mdp = draw(mdps(max_S=max_S, max_A=max_A, gammas=(0.0, 0.3, 0.9)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    target = rng.dirichlet(np.full(mdp.S * mdp.A, 0.3)).reshape(mdp.S, mdp.A)
    match draw(st.sampled_from(["explore", "imitate", "likely", "penalise"])):
        case "explore":
            return UtilityMDP(mdp, Exploration(draw(st.sampled_from([0.01, 0.1, 1.0]))))
        case "imitate":
            return UtilityMDP(mdp, Imitation(target))
        case "likely":
            return UtilityMDP(mdp, Divergence(target, draw(st.sampled_from([0.1, 1.0]))))
        case _:
            c = draw(_rewards((draw(st.integers(1, 2)), mdp.S, mdp.A)))
            return UtilityMDP(mdp, Penalty(mdp.r, c, rng.random(len(c)), draw(st.sampled_from([0.1, 10.0]))))


@st.composite
def policies(draw: Any, problem: MDP | FiniteHorizonMDP) -> Array:
    """Policies of a model: random, almost deterministic, deterministic."""
    return draw(_distributions(problem.r.shape))


def problems(kind: type) -> st.SearchStrategy:
    """Models of a type.

    Raises
    ------
    MdptkError
        If there is no strategy for the type.
    """
    known: dict[type, Callable[[], st.SearchStrategy]] = {
        MDP: mdps,
        FiniteHorizonMDP: episodic_mdps,
        AverageRewardMDP: average_mdps,
        TotalRewardMDP: total_reward_mdps,
        PolicyEvaluation: evaluations,
        BernoulliBandit: bandits,
        CMDP: cmdps,
        EpisodicCMDP: episodic_cmdps,
        ConservativeMDP: conservative_mdps,
        RobustMDP: robust_mdps,
        MatrixGame: matrix_games,
        MarkovGame: markov_games,
        UtilityMDP: utility_mdps,
    }
    if kind not in known:
        raise MdptkError(f"no strategy for {kind.__name__}; there are {', '.join(k.__name__ for k in known)}")
    return known[kind]()


# checks ---------------------------------------------------------------------------------------------------------


def _small(cls: type[Algorithm], problems: Mapping[str, Any] | None) -> dict[str, Any]:
    return dict(problems) if problems is not None else registry.standard(cls)


def _few(alg: Algorithm, problems: Mapping[str, Any] | None) -> dict[str, Any]:
    """Small problems to hold loops against: all of them for a solver, three sizes for a learner, which is compiled."""
    small = {name: p for name, p in _small(type(alg), problems).items() if p.S <= 10}
    by_size = sorted(small, key=lambda name: (small[name].A < 2, small[name].S, name))
    if isinstance(alg, Learner):
        size = {name: small[name].A if isinstance(small[name], BernoulliBandit) else small[name].S for name in by_size}
        by_size = list({size[name]: name for name in reversed(by_size)}.values())[::-1][:3]  # the first of each size
    return {name: small[name] for name in by_size}


def _one(cls: type[Algorithm], problems: Mapping[str, Any] | None) -> Any:
    candidates = _small(cls, problems)
    assert candidates, f"there is no standard problem for {cls.__name__}: pass problems={{name: model}}"
    return min(candidates.values(), key=lambda p: (p.S < 3, p.S))


def check_hyperparameters(alg: Algorithm) -> None:
    """It can be made from defaults, and a hyperparameter outside its range raises InvalidHyperparameter."""
    cls = type(alg)
    cls()
    hints = get_type_hints(cls, include_extras=True)
    for f in fields(alg):
        for mark in getattr(hints[f.name], "__metadata__", ()):
            if isinstance(mark, Range):
                inside = mark.low if mark.low in mark else mark.low - 1
                kind = get_args(hints[f.name])[0]
                for bad in (inside - 1, float("nan"), *([0.5] if kind is int else [])):
                    try:
                        replace(alg, **{f.name: bad})
                    except (InvalidHyperparameter, TypeError):  # a type checker that is on may be faster
                        continue
                    raise AssertionError(f"{cls.__name__}({f.name}={bad}) was accepted; its range is {mark}")


def check_finite(alg: Algorithm, problem: Any) -> None:
    """Everything that is recorded is finite float64."""
    for name, x in _try(alg, problem, 20).out.items():
        assert x.dtype == np.float64, f"{name} is {x.dtype}"
        assert np.isfinite(x).all(), f"{name} is not finite at record {np.argwhere(~np.isfinite(x))[0].tolist()}"


def check_repeatable(alg: Algorithm, problem: Any) -> None:
    """The same seed gives the same run, bit for bit, and the hyperparameters stay as they were."""
    before = replace(alg)
    one, two = _try(alg, problem, 20), _try(alg, problem, 20)
    _assert_same(one.out, two.out, "a second run differs")
    assert alg == before, f"{alg} was changed by running it: {before}"


def check_prefix_stable(alg: Algorithm, problem: Any) -> None:
    """A long run begins with the short one, thinning drops records, and more repeats leave the first as they were."""
    long, short = _try(alg, problem, 40), _try(alg, problem, 20)
    _assert_same({k: x[:, :21] for k, x in long.out.items()}, short.out, "40 steps do not begin with 20")
    thin = _try(alg, problem, 40, every=10)
    _assert_same({k: x[:, ::10] for k, x in long.out.items()}, thin.out, "thinning changes the records")
    if isinstance(alg, Learner):
        more = run(alg, problem, 20, repeats=2 * type(alg).width + 1)
        _assert_same({k: x[:2] for k, x in more.out.items()}, short.out, "more repeats change the first")


def check_leading_axes(alg: Algorithm, problem: Any) -> None:
    """A solver of MDPs treats a batch of models, stacked along a leading axis, as it treats them one by one."""
    if not isinstance(alg, Solver) or not isinstance(problem, MDP):
        return
    rng = np.random.default_rng(0)
    P, r = rng.dirichlet(np.ones(4), (2, 4, 3)), rng.random((2, 4, 3))
    try:
        together = run(alg, MDP(P, r, 0.9), 10)
    except (ValueError, TypeError, IndexError) as error:
        raise AssertionError(f"a batch of models, P of shape {P.shape}, cannot be run: {error}") from error
    for i in range(2):
        alone = run(alg, MDP(P[i], r[i], 0.9), 10)
        for name, x in alone.out.items():
            message = f"{name} of model {i} of a batch differs from that of the model alone"
            np.testing.assert_allclose(together[name][i], x[0], rtol=1e-9, atol=1e-9, err_msg=message)


def check_no_peeking(alg: Algorithm, problem: Any) -> None:
    """What a learner remembers does not depend on the transitions of a state that it cannot reach."""
    if not isinstance(alg, Learner):
        return
    one, two = _hidden_variants(problem)
    if one is not None:
        _assert_same(
            _remembered(alg, one), _remembered(alg, two), "a state that cannot be reached changes what it does"
        )


def check_theorems(alg: Algorithm, problems: Mapping[str, Any] | None = None) -> None:
    """No theorem is violated on a problem that meets its assumptions, and each bound says something somewhere."""
    said: dict[str, bool] = dict.fromkeys((th.name for th in type(alg).theorems), False)
    applied = dict(said)
    trial = registry.trial(type(alg))
    every = registry.stride(type(alg), trial["steps"])
    for name, problem in _small(type(alg), problems).items():
        result = run(alg, problem, **trial, every=every)  # type: ignore[arg-type]
        for v in check(result, skip_unmet=True):
            th = v.theorem
            applied[th.name] |= v.word != "n/a"
            said[th.name] |= v.informative or th.relation == "=" or bool(th.silent) or v.word == "reported"
            proved = th.status == "proved"
            assert v.ok is not False or not proved, f"{type(alg).__name__}.{th.slug} on {name}: {v.note}"
    for name in said:
        assert applied[name], f"{name!r}: no problem meets its assumptions"
        assert said[name], f"{name!r} would hold for a run that never moves; say in `silent` what it is good for"


def check_exact_statement(
    alg: Algorithm, problems: Mapping[str, Any] | None = None, reference: Reference | None = None
) -> None:
    """It has an identity among its theorems, or agrees with `reference`: its pseudo-code, written in loops.

    A solver is compared with other hyperparameters, too, on the smallest problem: at a default of one, a product is as
    good as a quotient. A learner is compared on a problem with several first states, too.

    ``reference(alg, problem, steps)`` returns arrays of shape (steps + 1, ...) by the names of recorded fields. For a
    learner it is called as ``reference(alg, oracle, xis)`` with the random numbers of one repeat and returns the
    states' fields.
    """
    identities = [th for th in type(alg).theorems if th.relation == "="]
    assert reference or identities, f"{type(alg).__name__} has no identity theorem and no reference in loops"
    if reference is None:
        return
    moved = False
    few = _few(alg, problems)
    if isinstance(alg, Learner):
        several = ((alg, f"{name}, from anywhere", _from_anywhere(p)) for name, p in few.items() if p.S > 1)
        others = [x for x in several if x[2] is not None][:1]
    else:
        others = [] if (other := varied(alg)) == alg else [(other, *next(iter(few.items())))]
    for alg, where, problem in (*((alg, *item) for item in few.items()), *others):
        if isinstance(alg, Learner):
            got, want = _states(alg, problem, 40, reference)
        else:
            got, want = run(alg, problem, 6).out, reference(alg, problem, 6)
            got = {k: x[0] for k, x in got.items()}
        assert want, "the reference returned nothing"
        moved |= any(np.ptp(x, axis=0).any() for x in want.values())
        _assert_close(got, want, f"on {where}, of {alg}")
    assert moved, "the reference moves on none of the problems"


def varied(alg: Algorithm) -> Algorithm:
    """The algorithm with its hyperparameters changed a little: 0.7 times a number, one more than a count."""
    hints, changed = get_type_hints(type(alg), include_extras=True), {}
    for f in fields(alg):
        marks = [mark for mark in getattr(hints[f.name], "__metadata__", ()) if isinstance(mark, Range)]
        now = getattr(alg, f.name)
        if marks and now is not None:
            new = now + 1 if isinstance(now, int) else 0.7 * now
            changed |= {f.name: new} if all(new in mark for mark in marks) else {}
    return replace(alg, **changed)


def _assert_close(got: Mapping[str, Any], want: Mapping[str, Any], where: str) -> None:
    for name, x in want.items():
        message = f"{name} differs from the loops {where}"
        np.testing.assert_allclose(got[name], np.asarray(x), rtol=1e-9, atol=1e-9, err_msg=message)


CHECKS = (check_finite, check_repeatable, check_prefix_stable, check_leading_axes, check_no_peeking)


def _named_checks(
    alg: Algorithm, problems: Mapping[str, Any] | None, reference: Reference | None
) -> dict[str, Callable[[], None]]:
    small = _one(type(alg), problems)
    return {
        "hyperparameters": partial(check_hyperparameters, alg),
        **{c.__name__.removeprefix("check_"): partial(c, alg, small) for c in CHECKS},
        "exact_statement": partial(check_exact_statement, alg, problems, reference),
        "theorems": partial(check_theorems, alg, problems),
    }


def check_algorithm(
    alg: type[Algorithm] | Algorithm,
    *,
    problems: Mapping[str, Any] | None = None,
    reference: Reference | None = None,
) -> None:
    """Run every check on an algorithm.

    Parameters
    ----------
    alg
        A class, checked with its defaults, or an instance.
    problems
        Models by name; the standard problems of its type if None.
    reference
        The pseudo-code in loops: see `check_exact_statement`.

    Raises
    ------
    AssertionError
        Naming the first check that fails, the problem and the numbers.
    """
    alg = alg() if isinstance(alg, type) else alg
    for name, one in _named_checks(alg, problems, reference).items():
        try:
            one()
        except AssertionError as error:
            raise AssertionError(f"{type(alg).__name__} fails {name}: {error}") from error


def parametrize_with_checks(
    algorithms: Iterable[type[Algorithm] | Algorithm], *, references: Mapping[str, Reference] | None = None
) -> Any:
    """A pytest decorator: one test for each algorithm and check, as an argument called ``check``."""
    import pytest

    cases = []
    for alg in algorithms:
        alg = alg() if isinstance(alg, type) else alg
        reference = (references or {}).get(type(alg).__name__)
        for name, one in _named_checks(alg, None, reference).items():
            cases.append(pytest.param(one, id=f"{type(alg).__name__}-{name}"))
    return pytest.mark.parametrize("check", cases)


# helpers --------------------------------------------------------------------------------------------------------


def _try(alg: Algorithm, problem: Any, steps: int, every: int = 1) -> Run:
    return run(alg, problem, steps, every=every, repeats=2 if isinstance(alg, Learner) else 1)


def _assert_same(x: Mapping[str, Array], y: Mapping[str, Array], message: str) -> None:
    assert x.keys() == y.keys(), f"{message}: {sorted(x)} and {sorted(y)}"
    for name in x:
        assert np.array_equal(x[name], y[name], equal_nan=True), f"{message}, in {name}"


def _from_anywhere(problem: Any) -> Any:
    """The problem with every state as a first one; None if its type is not known to stay what it is."""
    if isinstance(problem, UtilityMDP):
        return replace(problem, mdp=_from_anywhere(problem.mdp))
    return replace(problem, rho=None) if isinstance(problem, MDP | FiniteHorizonMDP | AverageRewardMDP) else None


def _hidden_variants(problem: Any) -> tuple[Any, Any]:
    """The problem with one more state that nothing leads to, with two different rows of P."""
    if isinstance(problem, PolicyEvaluation):
        one, two = _hidden_variants(problem.mdp)
        pi = np.concatenate([problem.pi, problem.pi[:1]])
        Phi, D = np.concatenate([problem.Phi, problem.Phi[:1]]), np.append(problem.D, 0.0)
        return tuple(PolicyEvaluation(mdp, pi, Phi, D) for mdp in (one, two))  # type: ignore[return-value]
    if isinstance(problem, UtilityMDP):
        u, shape = problem.utility, (problem.S, problem.A)
        tables = {f.name: getattr(u, f.name) for f in fields(u) if np.shape(getattr(u, f.name))[-2:] == shape}
        u = replace(u, **{k: np.concatenate([x, 0 * x[..., :1, :]], -2) for k, x in tables.items()})
        return tuple(UtilityMDP(mdp, u) for mdp in _hidden_variants(problem.mdp))  # type: ignore[return-value]
    if isinstance(problem, EpisodicCMDP | ConservativeMDP):
        one, two = _hidden_variants(problem.mdp)
        wider = {"safe": 1, "c": 2} if isinstance(problem, EpisodicCMDP) else {"baseline": 1}
        more = {
            name: np.concatenate([x, x.take([0], axis=k)], axis=k)
            for name, k in wider.items()
            if (x := getattr(problem, name)) is not None
        }
        return replace(problem, mdp=one, **more), replace(problem, mdp=two, **more)
    if not isinstance(problem, MDP | FiniteHorizonMDP | AverageRewardMDP):
        return None, None
    problem = problem.dense() if isinstance(problem, MDP) else problem
    S, A = problem.S, problem.A
    P = np.zeros((*problem.P.shape[:-3], S + 1, A, S + 1))
    P[..., :S, :, :S] = problem.P
    r = np.concatenate([problem.r, problem.r[..., :1, :]], -2)
    variants = []
    for target in (0, S):
        P[..., S, :, :] = np.eye(S + 1)[target]
        variants.append(replace(problem, P=P, r=r, rho=np.append(problem.rho, 0.0)))
    return tuple(variants)  # type: ignore[return-value]


def _remembered(alg: Learner, problem: Any) -> dict[str, Array]:
    return _states(alg, problem, 8, None)[0]


def _leaves(state: Any) -> dict[str, Any]:
    """Arrays of a state by name; those of a field that has fields itself as ``field.name``."""
    found = {}
    for name, x in state._asdict().items():
        inner = _leaves(x) if hasattr(x, "_asdict") else None
        found |= {name: x} if inner is None else {f"{name}.{k}": y for k, y in inner.items()}
    return found


@lru_cache(maxsize=4)
def _step(alg: Learner) -> Any:
    import jax

    return jax.jit(alg.step)


def _states(alg: Learner, problem: Any, steps: int, reference: Any) -> tuple[dict, Mapping[str, Any]]:
    """Fields of the states of one repeat, and of the reference if there is one, each (steps + 1, ...)."""
    import jax
    import jax.numpy as jnp

    from mdptk.core import learn  # registers oracles as pytrees

    del learn
    with jax.enable_x64(True):
        host = alg.sees.of(problem)  # type: ignore[attr-defined]
        oracle = jax.tree.map(jnp.asarray, host)
        key = jax.random.fold_in(jax.random.key(0), 0)
        xis = [alg.draw(oracle, jax.random.fold_in(key, t)) for t in range(steps)]
        states = [alg.init(oracle, key)]
        for xi in xis:
            states.append(_step(alg)(oracle, states[-1], xi))
        flat = [_leaves(s) for s in states]
        got = {k: np.stack([np.asarray(x[k], dtype=np.float64) for x in flat]) for k in flat[0]}
        numbers = [jax.tree.map(np.asarray, xi) for xi in xis]
    return got, reference(alg, host, numbers) if reference else {}
