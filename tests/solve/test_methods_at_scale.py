"""Krylov, Anderson, components, and matrix-free models, against exact rational solutions and one another."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk.core.errors import InvalidModel, NotConverged
from mdptk.core.matrix_free import MatrixFree
from mdptk.core.models import MDP
from mdptk.problems.garnet import garnet
from mdptk.problems.riverswim import riverswim
from mdptk.solve import _anderson, _inexact_policy_iteration, _topological, solve

METHODS = ["vi", "pi", "mpi", "gs", "topological", "ipi", "ipi-bicgstab", "anderson"]


def instance(rng):
    """A small model of any kind that has bitten anybody, and a tolerance between 1e-2 and 1e-12."""
    S, A = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    P = rng.dirichlet(np.full(S, rng.choice([0.1, 1.0])), (S, A))
    P /= P.sum(-1, keepdims=True)
    kind = rng.integers(7)
    if kind == 0:  # no cycles but at the end
        P = np.triu(np.ones((S, S)))[:, None] * rng.random((S, A, S)) + 1e-3 * np.eye(S)[:, None]
        P /= P.sum(-1, keepdims=True)
    elif kind == 1:
        P = np.broadcast_to(np.eye(S)[:, None], (S, A, S))  # all states absorbing
    elif kind == 2:
        P = np.eye(S)[rng.integers(S, size=(S, A))]  # deterministic
    elif kind == 3:
        P = P * (1 + rng.uniform(-9e-10, 9e-10, (S, A, 1)))  # sums to one within 1e-9
    elif kind == 4 and S > 1:
        P[:-1, :, 0] += P[:-1, :, -1]  # the last state unreachable
        P[:-1, :, -1] = 0
    elif kind == 5:
        P = np.repeat(P[:, :1], A, axis=1)  # equal actions
    r = rng.integers(-1, 2, (S, A)).astype(float) if rng.random() < 0.3 else rng.uniform(-1, 1, (S, A))
    scale = 10.0 ** rng.choice([0, 0, 0, 12, -12])
    return MDP(P, r * scale, float(rng.choice([0.0, 0.5, 0.9, 0.99]))), scale * 10.0 ** -int(rng.integers(2, 13))


def check_instance(seed, methods=METHODS):
    """Bounds hold the rational solution; a tolerance is missed only where float64 cannot have it."""
    rng = np.random.default_rng(seed)
    mdp, tol = instance(rng)
    exact = solve(mdp, exact=True).exact
    for method in methods:
        if rng.random() < 0.5:
            mdp = MDP(sp.csr_array(mdp.dense().P.reshape(-1, mdp.S)), mdp.r, mdp.gamma)
        try:
            answer = solve(mdp, tol=tol, method=method)
        except NotConverged as error:
            reached = error.reached
        else:
            reached = None
        if reached is not None:
            size = abs(mdp.r).max() / (1 - mdp.gamma)
            assert reached > tol
            assert tol < 64 * np.finfo(float).eps * size / (1 - mdp.gamma)
            continue
        assert answer.width <= tol
        for low, x, high in zip(answer.lower, exact, answer.upper, strict=True):
            assert Fraction(low) <= x <= Fraction(high), (seed, method)


@pytest.mark.parametrize("first", [0, 15])
def test_bounds_contain_the_rational_solution(first):
    """Thirty instances; `python -m tests.solve.test_methods_at_scale` takes a thousand."""
    for seed in range(first, first + 15):
        check_instance(seed)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_no_transition_leads_to_a_later_component(S, seed):
    rng = np.random.default_rng(seed)
    P = np.eye(S)[rng.integers(S, size=(S, 2))]
    mdp = MDP(sp.csr_array(P.reshape(-1, S)), np.zeros((S, 2)), 0.9)
    order, ends = _topological.components(mdp)
    assert sorted(order) == list(range(S))
    assert ends[-1] == S
    rank = np.empty(S, int)
    rank[order] = np.searchsorted(ends, np.arange(S), side="right")
    s, _, t = np.nonzero(P)
    assert (rank[s] >= rank[t]).all()
    reach = (
        np.linalg.matrix_power(P.sum(1) + np.eye(S), S) > 0
    )  # two states share a component if each reaches the other
    np.testing.assert_array_equal(rank[:, None] == rank, reach & reach.T)
    label = rng.permutation(S)  # any other numbering of components that are single states
    line = sp.csr_array((np.ones(S - 1), (label[:-1], label[1:])), shape=(S, S)) if S > 1 else sp.csr_array((1, 1))
    rank = _topological._reverse_topological(np.arange(S), line, S)
    np.testing.assert_array_equal(rank[label], np.arange(S)[::-1])


def test_a_model_without_cycles_takes_one_pass():
    S = 300
    P = np.eye(S)[np.minimum(np.arange(S)[:, None] + [1, 2], S - 1)]
    rng = np.random.default_rng(0)
    answer = solve(MDP(P, rng.random((S, 2)), 0.999), method="topological")
    assert answer.iterations == 1


@pytest.mark.parametrize("solver", [_inexact_policy_iteration.krylov, _inexact_policy_iteration.bicgstab])
def test_krylov_leaves_the_part_that_is_allowed(solver):
    mdp = garnet(S=50, A=3, gamma=0.999)
    actions, residual = mdp.r.argmax(1), np.random.default_rng(0).normal(size=50)
    x = solver(mdp, actions, residual)
    left = residual - (x - mdp.gamma * mdp.P[np.arange(50), actions] @ x)
    assert abs(left).max() <= 0.001 / 1.999 * abs(residual).max()


@pytest.mark.parametrize("method", ["ipi", "ipi-bicgstab"])
def test_sweeps_finish_what_krylov_cannot(monkeypatch, method):
    monkeypatch.setattr(_inexact_policy_iteration, "CYCLES", 1)
    monkeypatch.setattr(_inexact_policy_iteration, "RESTART", 1)
    assert solve(riverswim(6, gamma=0.99), method=method).width <= 1e-8


def test_acceleration_is_its_formula_and_its_safeguard():
    """Two steps on a chain of one action: the least squares problem in numpy, and a worse residual is dropped."""
    mdp = garnet(S=6, A=1, b=3)
    step, v = _anderson.Accelerated(), np.zeros(6)
    w = [step(mdp, v, mdp.q(v))]
    np.testing.assert_array_equal(w[0], mdp.q(v)[:, 0])
    g = [w[0] - v, mdp.q(w[0])[:, 0] - w[0]]
    f = [w[0], mdp.q(w[0])[:, 0]]
    theta = g[1] @ (g[1] - g[0]) / ((g[1] - g[0]) @ (g[1] - g[0]))
    got = step(mdp, w[0], mdp.q(w[0]))
    np.testing.assert_allclose(got, f[1] - theta * (f[1] - f[0]), rtol=1e-12)
    worse = got + 1e3
    np.testing.assert_array_equal(step(mdp, worse, mdp.q(worse)), f[1])


def test_acceleration_saves_backups():
    mdp = riverswim(6, gamma=0.999)
    assert solve(mdp, method="anderson").iterations < solve(mdp, method="vi").iterations


# matrix-free -----------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["anderson", "vi", "auto"]))
def test_matrix_free_bounds_contain_the_rational_solution(seed, method):
    mdp, _ = instance(np.random.default_rng(seed))
    exact = solve(mdp, exact=True).exact
    tol = 1e-8 * max(abs(mdp.r).max(), 1e-15) / (1 - mdp.gamma) ** 2
    answer = solve(MatrixFree(mdp.q, mdp.shape, mdp.gamma), tol=tol, method=method)
    assert answer.width <= tol
    assert answer.policy.shape == mdp.shape
    for low, x, high in zip(answer.lower, exact, answer.upper, strict=True):
        assert Fraction(low) <= x <= Fraction(high)


class Circle:
    gamma, shape = 0.9, (50, 2)

    def q(self, v):
        return (np.arange(50) == 0)[:, None] + 0.9 * np.stack([np.roll(v, 1), np.roll(v, -1)], 1)


def test_any_backup_will_do():
    answer = solve(Circle(), tol=1e-9)
    i = np.minimum(np.arange(50), 50 - np.arange(50))
    np.testing.assert_allclose(answer.value, np.where(i == 0, 1 / (1 - 0.81), 0.9**i / (1 - 0.81)), atol=1e-9)
    assert "matrix-free" in answer.reason


def test_a_stated_error_widens_the_bounds():
    circle = Circle()
    with pytest.raises(NotConverged):
        solve(MatrixFree(circle.q, circle.shape, 0.9, error=1e-6), tol=1e-8)
    answer = solve(MatrixFree(circle.q, circle.shape, 0.9, error=1e-6), tol=1e-2)
    assert answer.width > 1e-6


@pytest.mark.parametrize(
    ("q", "message"),
    [
        (lambda v: np.stack([v, 0.5 * v], 1), r"at \[0, 0\] is 1, expected gamma = 0.9"),
        (lambda v: 0.9 * v, "shape"),
        (lambda v: np.full((3, 2), np.nan), r"q\(v\)\[0, 0\] = nan is not finite"),
    ],
)
def test_a_backup_that_is_none(q, message):
    with pytest.raises(InvalidModel, match=message):
        MatrixFree(q, (3, 2), 0.9)


if __name__ == "__main__":
    for k in range(1000):
        check_instance(k)
