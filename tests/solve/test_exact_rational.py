"""`solve(exact=True)` and `certify` against elimination in `fractions.Fraction` and enumeration of policies."""

from __future__ import annotations

import sys
from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk.core.errors import InvalidHyperparameter, InvalidModel, MdptkError, NotConverged, Unbounded
from mdptk.core.models import CMDP, MDP, AverageRewardMDP, FiniteHorizonMDP
from mdptk.core.total import TotalRewardMDP
from mdptk.problems.garnet import garnet
from mdptk.problems.riverswim import episodic_riverswim, riverswim
from mdptk.problems.teaching import two_state
from mdptk.solve import ExactSolution, certify, solve
from mdptk.solve._exact_rational import nearest
from mdptk.solve.solution import Unsupported
from tests.solve.enumeration import (
    dot,
    fractions,
    gauss,
    hold_exactly,
    model,
    optimal_gain,
    optimal_total,
    stored,
    total_reward,
)
from tests.solve.enumeration import gain as chain_gain

pytest.importorskip("flint")
some = settings(max_examples=100, deadline=None)


def value(mdp, pi):
    """The value of a policy whose rows are divided by their sums."""
    P, r, gamma, pi = fractions(mdp.P), fractions(mdp.r), Fraction(mdp.gamma), fractions(pi)
    pi = [[x / sum(row) for x in row] for row in pi]
    S = range(mdp.S)
    M = [[(s == t) - gamma * dot(pi[s], [p[t] for p in P[s]]) for t in S] for s in S]
    return gauss(M, [dot(pi[s], r[s]) for s in S])


def action_values(mdp, v):
    P, r, gamma = fractions(mdp.P), fractions(mdp.r), Fraction(mdp.gamma)
    return [[r[s][a] + gamma * dot(P[s][a], v) for a in range(mdp.A)] for s in range(mdp.S)]


@st.composite
def models(draw):
    S, A = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["random", "decimal", "point", "tiny", "equal"]))
    P = rng.dirichlet(np.ones(S), size=(S, A))
    if kind == "decimal":
        P[:] = np.round(1 / S, 10)  # sums to one within 1e-9
    elif kind == "point":
        P = np.eye(S)[rng.integers(S, size=(S, A))]
    elif kind == "tiny":
        P = np.maximum(np.eye(S)[rng.integers(S, size=(S, A))], 1e-300)
    elif kind == "equal":
        P[:] = P[:, :1]
    r = rng.integers(-1, 2, (S, A)).astype(float) if draw(st.booleans()) else rng.uniform(-1, 1, (S, A))
    return MDP(P, r * 10.0 ** draw(st.integers(-12, 12)), draw(st.sampled_from([0.0, 0.5, 0.9, 0.999])))


def random_policy(mdp, rng):
    pi = rng.dirichlet(np.full(mdp.A, 0.5), size=mdp.S)
    return pi * (1 + rng.choice([0, 1e-10, -1e-10], size=(mdp.S, 1)))


@some
@given(models())
def test_the_best_of_all_policies(mdp):
    solution = solve(mdp, exact=True)
    best = [max(v) for v in zip(*(value(mdp, np.eye(mdp.A)[list(a)])
                                  for a in product(range(mdp.A), repeat=mdp.S)), strict=True)]  # fmt: skip
    assert list(solution.exact) == best == value(mdp, solution.policy)
    assert isinstance(solution, ExactSolution)
    assert all(Fraction(float(a)) <= x <= Fraction(float(b))
               for a, x, b in zip(solution.lower, best, solution.upper, strict=True))  # fmt: skip
    assert [float(x) for x in best] == solution.value.tolist()
    assert (solution.upper <= np.nextafter(solution.lower, np.inf)).all()
    assert certify(mdp, solution.policy).optimal
    sparse = MDP(sp.csr_array(mdp.P.reshape(-1, mdp.S)), mdp.r, mdp.gamma)
    assert list(solve(sparse, exact=True).exact) == best


@some
@given(models(), st.integers(0, 2**32 - 1), st.booleans())
def test_a_certificate_tells_the_truth(mdp, seed, deterministic):
    rng = np.random.default_rng(seed)
    pi = rng.integers(mdp.A, size=mdp.S) if deterministic else random_policy(mdp, rng)
    c = certify(mdp, pi)
    v = value(mdp, np.eye(mdp.A)[pi] if deterministic else pi)
    q = action_values(mdp, v)
    best = list(solve(mdp, exact=True).exact)
    assert list(c.value) == v
    assert c.optimal == (v == best) == (c.state is None) == (c.loss == 0)
    assert c.gain == max(max(x - y for x in row) for row, y in zip(q, v, strict=True))
    assert max(x - y for x, y in zip(best, v, strict=True)) <= c.loss
    if not c.optimal:
        assert q[c.state][c.action] - v[c.state] == c.gain > 0
        assert best[c.state] >= v[c.state] + c.gain


@some
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_stages(S, A, H, seed):
    rng = np.random.default_rng(seed)
    problem = FiniteHorizonMDP(
        rng.dirichlet(np.ones(S), size=(H, S, A)) * (1 + rng.choice([0, 9e-10, -9e-10], size=(H, S, A, 1))),
        rng.integers(-1, 2, (H, S, A)) * 0.1,
    )
    P, r = fractions(problem.P), fractions(problem.r)

    def backward(choose):
        v = [[Fraction(0)] * S]
        for h in reversed(range(H)):
            q = [[r[h][s][a] + dot(P[h][s][a], v[0]) for a in range(A)] for s in range(S)]
            v.insert(0, [choose(h, s, q[s]) for s in range(S)])
        return v

    solution = solve(problem, exact=True)
    best = backward(lambda h, s, q: max(q))
    assert solution.exact.tolist() == best
    assert certify(problem, solution.policy).optimal
    assert (np.array(best) <= solution.upper.astype(object)).all()
    pi = rng.dirichlet(np.ones(A), size=(H, S))
    w = fractions(pi)
    v = backward(lambda h, s, q: dot(w[h][s], q) / sum(w[h][s]))
    c = certify(problem, pi)
    assert c.value.tolist() == v
    assert c.optimal == (v == best)
    assert max(x - y for x, y in zip(np.ravel(best), np.ravel(v), strict=True)) <= c.loss
    if not c.optimal:
        h, s, a = c.stage, c.state, c.action
        assert r[h][s][a] + dot(P[h][s][a], v[h + 1]) - v[h][s] == c.gain
        assert "stage=" in repr(c)


@pytest.mark.parametrize("kind", [AverageRewardMDP, TotalRewardMDP], ids=lambda kind: kind.__name__)
def test_without_discount(kind):
    """Every structure, against enumeration: values, optimal policies, and what has no value."""
    said = Counter(hold_exactly(model(np.random.default_rng([seed, 2]), kind)) for seed in range(60))
    assert said["solved exactly"] > 20
    assert kind is AverageRewardMDP or len(said) > 2


def test_a_loss_without_discount_is_exact():
    """Any policy of any structure: its own value, and how much is missing."""
    optimal = 0
    for seed in range(60):
        rng = np.random.default_rng([seed, 3])
        problem = model(rng, AverageRewardMDP if seed % 2 else TotalRewardMDP)
        best = (optimal_gain if seed % 2 else optimal_total)(problem)
        if isinstance(best, str):
            continue
        actions = rng.integers(problem.A, size=problem.S)
        P, r = stored(problem)
        chain = [P[s][a] for s, a in enumerate(actions)], [r[s][a] for s, a in enumerate(actions)]
        try:
            v = (chain_gain if seed % 2 else total_reward)(*chain)
        except ValueError:
            v = [None]
        if None in v:  # a policy that loses for ever
            with pytest.raises(NotConverged, match="minus infinity"):
                certify(problem, actions)
            continue
        c = certify(problem, actions)
        assert list(c.value) == v
        assert c.loss == c.gain == max(x - y for x, y in zip(best, v, strict=True))
        assert c.optimal == (v == best)
        optimal += c.optimal
        if not c.optimal:
            assert best[c.state] == v[c.state] + c.gain
        mixed = rng.dirichlet(np.ones(problem.A), size=problem.S)
        if seed % 2:
            assert certify(problem, mixed).loss >= 0
    assert optimal > 5


def test_what_floats_cannot_tell_without_discount():
    """Two loops that are left with probability 1e-300; and a class that earns 1e-300 per step."""
    problem = AverageRewardMDP([[[1, 1e-300]], [[1e-300, 1]]], [[0], [1]])
    assert solve(problem, exact=True).exact.tolist() == [Fraction(1, 2)] * 2
    P = [[[0, 1, 0], [0, 0, 1]], [[1, 0, 0]] * 2, [[0, 0, 1]] * 2]
    with pytest.raises(Unbounded, match="on states 0, 1 a policy earns"):
        solve(TotalRewardMDP(P, [[1 + 2**-52, 1], [-1, -1], [0, 0]]), exact=True)
    with pytest.raises(NotConverged, match="earns exactly nothing on average"):
        solve(TotalRewardMDP(P, [[1, 0], [-1, -1], [0, 0]]), exact=True)
    assert solve(TotalRewardMDP(P, [[1 - 2**-52, 1], [-1, -1], [0, 0]]), exact=True).exact.tolist() == [1, 0, 0]


def test_the_last_bit_decides():
    """Action 1 is better by one unit in the last place; only exact arithmetic can tell."""
    mdp = MDP([[[1.0], [1.0]]], [[1.0, np.nextafter(1.0, 2)]], 0.999)
    c = certify(mdp, [0])
    assert not c.optimal
    assert (c.state, c.action, c.gain) == (0, 1, Fraction(2) ** -52)
    assert solve(mdp, exact=True).policy.argmax(1) == [1]


def test_known_value():
    solution = solve(two_state(gamma=0.75), exact=True)
    assert solution.exact.tolist() == [3, 4]
    assert solution.width == 0
    assert solution.lower.tolist() == solution.value.tolist() == [3.0, 4.0]


@pytest.mark.parametrize("mdp", [garnet(60, 4, 5, gamma=0.99), riverswim(30, gamma=0.999)], ids=repr)
def test_a_float_answer_is_proved(mdp):
    solution = solve(mdp, exact=True)
    assert solution.iterations == 1
    floats = solve(mdp, tol=1e-9)
    assert (floats.lower <= solution.upper).all()
    assert (solution.lower <= floats.upper).all()
    assert certify(mdp, floats.policy).optimal


def test_values_beyond_float64():
    solution = solve(MDP([[[1.0]]], [[1e308]], 0.999), exact=True)
    assert solution.exact[0] > Fraction(np.finfo(float).max) >= Fraction(float(solution.lower[0]))
    assert solution.upper[0] == np.inf


@given(st.fractions())
def test_nearest(x):
    lower, middle, upper = (float(y[0]) for y in nearest([x]))
    assert Fraction(lower) <= x <= Fraction(upper)
    assert middle == float(x)
    assert upper in (lower, np.nextafter(lower, np.inf))


def test_errors():
    mdp = two_state()
    with pytest.raises(InvalidModel, match=r"pi\[1\] = 2 is not one of the 2 actions"):
        certify(mdp, [0, 2])
    with pytest.raises(InvalidModel, match=r"shape \(3,\)"):
        certify(mdp, [0, 1, 1])
    with pytest.raises(InvalidModel, match=r"pi\[0\] = \[0.5 0.6\]"):
        certify(mdp, [[0.5, 0.6], [0, 1]])
    with pytest.raises(InvalidModel, match="not an array of numbers"):
        certify(mdp, [["a", "b"], ["c", "d"]])
    with pytest.raises(NotConverged, match="no contraction"):
        solve(MDP([[[1 + 9e-10]]], [[1.0]], 1 - 1e-10), exact=True)
    with pytest.raises(InvalidHyperparameter, match="'vi' with exact=True"):
        solve(mdp, exact=True, method="vi")
    with pytest.raises(Unsupported, match="CMDP"):
        solve(CMDP(mdp, mdp.r, 1.0), exact=True)
    with pytest.raises(InvalidModel, match="one model at a time"):
        solve(MDP(np.ones((2, 1, 1, 1)), np.ones((2, 1, 1)), 0.5), exact=True)


def test_without_flint(monkeypatch):
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(MdptkError, match=r"pip install mdptk\[exact\]"):
        solve(two_state(), exact=True)
    with pytest.raises(ImportError, match=r"pip install mdptk\[exact\]"):
        certify(episodic_riverswim(), np.zeros((12, 6), int))
