"""UCRL2 against its pseudo-code in loops, extended value iteration, the diameter, and regret where the bound speaks."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from mdptk import AverageRewardMDP, check, run
from mdptk.algorithms.exploration.ucrl2 import APART, UCRL2
from mdptk.core import exact
from mdptk.core.plausible import extended_value_iteration, highest
from mdptk.core.structure import diameter
from mdptk.problems.jao import jao


def _inner_maximum(p, d, order):
    """Figure 2 of the paper: the most to the best state, then less to the worst until the sum is one."""
    p = list(p)
    p[order[0]] = min(1.0, p[order[0]] + d / 2)
    l = len(order) - 1
    while sum(p) > 1 and l > 0:
        j = order[l]
        p[j] = max(0.0, 1 - sum(p[i] for i in range(len(p)) if i != j))
        l -= 1
    return p


def _plan(r, seen, start, delta):
    """Extended value iteration on the counts before `start`: actions, the values they are greedy for, increments."""
    S, A = r.shape
    N = seen.sum(-1)
    p_hat = [[[seen[x, a, y] / max(1, N[x, a]) for y in range(S)] for a in range(A)] for x in range(S)]
    u = [0.0] * S
    while True:
        order = sorted(range(S), key=lambda x: -u[x])
        pi, better = [0] * S, [-math.inf] * S
        for x in range(S):
            for a in range(A):
                d = math.sqrt(14 * S * math.log(2 * A * start / delta) / max(1, N[x, a]))
                p = _inner_maximum(p_hat[x][a], d, order)
                value = r[x, a] + sum(p[y] * u[y] for y in range(S))
                if value > better[x]:
                    pi[x], better[x] = a, value
        change = [better[x] - u[x] for x in range(S)]
        if max(change) - min(change) < 1 / math.sqrt(start):
            return pi, u, max(change)
        u = better


def reference(alg, oracle, xis):
    """Jaksch, Ortner and Auer 2010, figures 1 and 2, with known rewards; the sums of the paper in loops."""
    S, A = oracle.r.shape
    with jax.enable_x64(True):
        first = float(jax.random.uniform(jax.random.fold_in(jax.random.key(0), 0)))
    s = int(np.flatnonzero(first < oracle._first)[0])
    seen, k, t, xis = np.zeros((S, A, S)), 0, 1, iter(xis)
    out = {name: [] for name in ("s", "N", "v", "pi", "u", "g", "k")}
    while True:
        k += 1
        N, v = seen.sum(-1), np.zeros((S, A))
        pi, u, g = _plan(oracle.r, seen, t, alg.delta)
        while True:
            for name, x in zip(out, (s, seen, v, pi, u, g, k), strict=True):
                out[name].append(np.array(x, dtype=float))
            xi = next(xis, None)
            if xi is None:
                return out
            a = pi[s]
            s2 = int(np.flatnonzero(xi < oracle._next[s, a])[0])
            seen[s, a, s2] += 1
            v[s, a] += 1
            s, t = s2, t + 1
            if v[s, pi[s]] >= max(1, N[s, pi[s]]):
                break


def test_a_plan_from_many_counts():
    """Thousands of visits to a pair, where the radius is below two: in the first steps of a run it never is."""
    rng = np.random.default_rng(0)
    seen, r = rng.integers(0, 3000, (3, 2, 3)).astype(float), rng.random((3, 2))
    with jax.enable_x64(True):
        found = UCRL2()._plan(jnp.asarray(r), jnp.asarray(seen), True)
    for x, y in zip(found, _plan(r, seen, seen.sum() + 1, UCRL2().delta), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_highest_is_the_linear_program(seed):
    rng = np.random.default_rng(seed)
    S = int(rng.integers(1, 5))
    p, v = rng.dirichlet(np.full(S, 0.3)), rng.choice([rng.normal(), rng.random()], S)
    radius = rng.choice([0.0, 0.1, 0.7, 1.5, 2.0, 5.0])
    eye = np.eye(S)
    A_ub = np.block([[eye, -eye], [-eye, -eye], [np.zeros((1, S)), np.ones((1, S))]])
    best = linprog(
        np.append(-v, np.zeros(S)),
        A_ub=A_ub,
        b_ub=np.concatenate([p, -p, [radius]]),
        A_eq=np.append(np.ones(S), np.zeros(S))[None],
        b_eq=[1],
    )
    found = highest(p[None, None], np.full((1, 1), radius), v)[0, 0]
    assert found == pytest.approx(-best.fun, abs=1e-9)
    if radius >= 2:
        assert found == v.max()  # not a rounding off: ties stay ties


def test_extended_value_iteration_brackets_the_best_gain():
    """With no uncertainty it is value iteration; with all of it every state is as good as the best reward."""
    problem = jao(A=2, delta=0.3, epsilon=0.2)
    with jax.enable_x64(True):
        for radius, gain in ((0.0, 0.5 / 0.8), (2.0, 1.0)):
            arrays = map(jnp.asarray, (problem.r, problem.P, np.full((2, 2), radius)))
            u, q = map(np.asarray, extended_value_iteration(*arrays, 1e-3))
            d = q.max(-1) - u
            assert d.max() - d.min() < 1e-3
            assert d.min() - 1e-12 <= gain <= d.max() + 1e-12
    assert q.argmax(-1).tolist() == [0, 0]  # ties to the first


def test_diameter():
    assert diameter(jao(A=2, delta=0.2, epsilon=0.1)) == pytest.approx(1 / 0.2, rel=1e-12)
    ring = np.zeros((4, 2, 4))
    for s in range(4):
        ring[s, 0, (s + 1) % 4] = ring[s, 1, s - 1] = 1
    assert diameter(AverageRewardMDP(ring, np.zeros((4, 2)))) == 2
    assert diameter(AverageRewardMDP(np.eye(2)[:, None], np.zeros((2, 1)))) == np.inf
    assert diameter(AverageRewardMDP([[[1.0]]], [[1.0]])) == 0


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_diameter_by_all_policies(seed):
    rng = np.random.default_rng(seed)
    S, A = 3, 2
    P = rng.dirichlet(np.full(S, 0.5), (S, A)) * 0.999 + 0.001 / S
    longest = 0.0
    for t in range(S):
        least = np.full(S, np.inf)
        for code in range(A**S):
            rows = P[range(S), [code // A**s % A for s in range(S)]]
            other = [s for s in range(S) if s != t]
            h = np.zeros(S)
            h[other] = np.linalg.solve(np.eye(S - 1) - rows[np.ix_(other, other)], np.ones(S - 1))
            least = np.minimum(least, h)
        longest = max(longest, least.max())
    assert diameter(AverageRewardMDP(P, np.zeros((S, A)))) == pytest.approx(longest, rel=1e-9)


def test_regret_theorem_says_something_after_many_steps():
    """D = 1: from either state one action leads to the other one."""
    problem = AverageRewardMDP([[[1, 0], [0, 1]], [[0, 1], [1, 0]]], [[0, 0], [1, 0]], [1, 0])
    assert diameter(problem) == 1
    verdict = APART.check(run(UCRL2(), problem, 32768, repeats=16, every=256))
    assert verdict.ok
    assert not verdict.vacuous


def test_regret_is_that_of_the_stream():
    """Mean rewards of the pairs that were visited, against the optimal gain; and gaps, up to the bias."""
    problem = jao(A=2, delta=0.3, epsilon=0.3)
    result = run(UCRL2(), problem, 128, repeats=4)
    assert [v.word for v in check(result)] == ["holds"] * 7
    best = exact.optimal(problem)
    assert result["regret"][:, -1] == pytest.approx(128 * best.g[0] - _rewards(problem, result), abs=1e-9)
    assert (np.diff(result["gaps"]) >= -1e-12).all()


def _rewards(problem, result):
    """Rewards of each repeat, from the increments of the regret."""
    loss = np.diff(result["regret"])
    paid = exact.optimal(problem).g[0] - loss
    assert np.isclose(paid[..., None], [0, 1], atol=1e-9).any(-1).all()
    return paid.round().sum(-1)
