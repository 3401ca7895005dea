"""The compiled kernels against numpy, and what is solved with them against tighter and dense solutions."""

from __future__ import annotations

from fractions import Fraction
from threading import Event

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk.core.errors import NotConverged
from mdptk.core.models import MDP
from mdptk.problems.garnet import garnet
from mdptk.problems.gridworld import gridworld
from mdptk.solve import _gauss_seidel, _kernels, _plain, _sparse, solve
from mdptk.solve._modified_policy_iteration import iterate
from mdptk.solve._sparse import Dense, Sparse, csr
from mdptk.solve.certificates import WIDE, bracket, bracket_of_sweep

some = settings(max_examples=25, deadline=None)


@st.composite
def sparse_models(draw, max_S=9):
    """Rows of different lengths, repeated successors, absorbing and unreachable states, ties."""
    S, A = draw(st.integers(1, max_S)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    P = rng.dirichlet(np.ones(S), S * A) if draw(st.booleans()) else np.zeros((S * A, S))
    P[rng.random(P.shape) < draw(st.sampled_from([0.0, 0.5, 0.9]))] = 0
    P[P.sum(1) == 0, rng.integers(S)] = 1
    if draw(st.booleans()):
        P[:A] = np.eye(S)[0]
    r = rng.integers(-2, 3, (S, A)).astype(float) * draw(st.sampled_from([1.0, 1e12, 1e-12]))
    gamma = draw(st.sampled_from([0.0, 0.5, 0.9, 0.999]))
    return MDP(sp.csr_array(P / P.sum(1, keepdims=True)), r, gamma)


def rounding(mdp, v):
    return 1e-14 * (mdp.S + 4) * (abs(mdp.r).max() + abs(v).max())


def works(mdp, v):
    actions = mdp.r.argmax(1)
    fast, slow = (Sparse(mdp, v.copy(), actions.copy(), kernels) for kernels in (_kernels, _plain))
    return fast, slow, Dense(mdp.dense(), v.copy(), actions.copy())


@some
@given(sparse_models(), st.integers(0, 2**32 - 1), st.sampled_from([0, 2]))
def test_kernels_equal_numpy(mdp, seed, ahead):
    """The compiled kernels, numpy, and BLAS on the dense model; each of them starts every round where the first is."""
    rng = np.random.default_rng(seed)
    fast, slow, dense = works(mdp, rng.normal(size=mdp.S))
    s = np.arange(mdp.S)
    fast.ahead = ahead
    for _ in range(3):
        near = {"rtol": 0, "atol": 4 * rounding(mdp, fast.v)}
        for other in (slow, dense):
            other.v[:], other.actions[:] = fast.v, fast.actions
        held = fast.actions.copy()
        ends = fast.backup()
        q = mdp.q(fast.v)
        np.testing.assert_allclose(fast.w, q.max(1), **near)
        np.testing.assert_allclose(q[s, fast.actions], fast.w, **near)
        assert (fast.actions == held)[q[s, held] >= q.max(1)].all()
        for other in (slow, dense):
            if other is slow:
                slow.kernels.copy_rows(*slow.csr, mdp.A, slow.actions, slow.compact)
            np.testing.assert_allclose(other.backup(), ends, **near)
            np.testing.assert_allclose(other.w, fast.w, **near)
            np.testing.assert_allclose(q[s, other.actions], fast.w, **near)
            other.actions[:] = fast.actions  # rounding may break ties in two ways
        slow.kernels.copy_rows(*slow.csr, mdp.A, slow.actions, slow.compact)
        n = int(slow.compact[0][-1])
        np.testing.assert_array_equal(fast.compact[0], slow.compact[0])
        for mine, theirs in zip(fast.compact[2:], slow.compact[2:], strict=True):
            np.testing.assert_array_equal(mine, theirs)
        some = slow.compact[2] > 0  # the others are room that a row does not fill
        np.testing.assert_array_equal(fast.compact[1][:n][some], slow.compact[1][:n][some])
        low, high = ends
        if high > low:
            for work in (fast, slow, dense):
                work.sweeps((low + high) / 2, high - low, 0.1, 4)
            step = 1e-6 * (high - low) / (1 - mdp.gamma)  # float32
            for other in (slow, dense):
                np.testing.assert_allclose(other.v, fast.v, rtol=0, atol=step + rounding(mdp, fast.v))


@some
@given(sparse_models(), st.integers(0, 2**32 - 1))
def test_no_action_is_above_its_ceiling(mdp, seed):
    """Whatever was not looked at: exactly, in rationals, at the `v` that there is."""
    P, r, gamma = mdp.dense().P, mdp.r, Fraction(mdp.gamma)
    for work in works(mdp, np.random.default_rng(seed).normal(size=mdp.S)):
        for _ in range(4):
            low, high = work.backup()
            v, c = [Fraction(float(x)) for x in work.v], work.ceiling
            for s, a in np.ndindex(mdp.S, mdp.A):
                q = Fraction(r[s, a]) + gamma * sum(Fraction(p) * x for p, x in zip(P[s, a], v, strict=True))
                assert q <= Fraction(float(c.upper[s, a])) * Fraction(c.unit) + Fraction(c.rise)
                assert q <= Fraction(float(work.w[s])) + Fraction(c.noise)
            if not high - low > 1e-300:
                break
            work.sweeps((low + high) / 2, high - low, 0.3, 3)


def test_few_actions_are_looked_at():
    mdp = garnet(S=4000, A=10, b=10, gamma=0.99)
    sparse = MDP(sp.csr_array(mdp.P.reshape(-1, mdp.S)), mdp.r, mdp.gamma) if not mdp.sparse else mdp
    work, read = Sparse(sparse, mdp.r.max(1), mdp.r.argmax(1), _kernels), []
    c = work.ceiling
    for _ in range(7):
        low, high, n = _kernels.backup(
            *work.csr, mdp.r, mdp.gamma, work.v, work.w, work.actions,
            c.upper, c.unit, c.rise, c.noise, work.compact, 0,
        )  # fmt: skip
        read.append(n / mdp.S)
        work.sweeps((low + high) / 2, high - low, 0.03, 100)
    assert max(read) < 5
    assert read[-1] < 0.01


@some
@given(sparse_models(), st.integers(0, 2**32 - 1), st.sampled_from([0, 3]))
def test_a_full_backup_in_two_ways(mdp, seed, ahead):
    v, got, want = np.random.default_rng(seed).normal(size=mdp.S), np.empty(mdp.S), np.empty(mdp.S)
    mine, theirs = np.zeros((2, mdp.S), int)
    _kernels.full_backup(*csr(mdp), mdp.r, mdp.gamma, v, got, mine, ahead)
    _plain.full_backup(*csr(mdp), mdp.r, mdp.gamma, v, want, theirs, ahead)
    q, s = mdp.q(v), np.arange(mdp.S)
    for w, actions in ((got, mine), (want, theirs)):
        np.testing.assert_allclose(w, q.max(1), rtol=0, atol=rounding(mdp, v))
        np.testing.assert_allclose(q[s, actions], w, rtol=0, atol=rounding(mdp, v))


@settings(max_examples=25, deadline=None)
@given(sparse_models(), st.integers(1, 9))
def test_gauss_seidel_is_its_formula_in_loops(mdp, window):
    """One greedy sweep of one window over all states, and the answer of many."""
    window = min(window, mdp.S)
    P, A = mdp.dense().P, mdp.A
    order = _gauss_seidel.travel(mdp)
    assert sorted(order) == list(range(mdp.S))
    v, want = np.zeros(mdp.S), np.zeros(mdp.S)
    _kernels.relax(*csr(mdp), mdp.r, mdp.gamma, v, order, mdp.S, np.inf, 1.0, 1, 0)
    for s in map(int, order):
        others = np.arange(mdp.S) != s
        want[s] = max(
            (mdp.r[s, a] + mdp.gamma * P[s, a, others] @ want[others]) / (1 - mdp.gamma * P[s, a, s]) for a in range(A)
        )
    np.testing.assert_allclose(v, want, rtol=1e-12, atol=rounding(mdp, want) / (1 - mdp.gamma))
    tol = 1e-7 * max(1.0, abs(mdp.r).max()) / (1 - mdp.gamma)
    old, _gauss_seidel.WINDOW = _gauss_seidel.WINDOW, window
    try:
        answer = solve(mdp, tol=tol, method="gs")
    finally:
        _gauss_seidel.WINDOW = old
    check(answer, solve(mdp.dense(), tol=tol / 10, method="pi"), tol)


def check(answer, tighter, tol):
    """Both brackets hold the optimal value, so they overlap; the wider one is not too wide."""
    assert answer.width <= tol
    assert (answer.lower <= tighter.upper).all()
    assert (tighter.lower <= answer.upper).all()


@some
@given(sparse_models(), st.integers(0, 2**32 - 1))
def test_bounds_of_a_sweep_contain_the_bounds_that_are_tighter(mdp, seed):
    v = np.random.default_rng(seed).normal(size=mdp.S) * 10
    plain = works(mdp, v)[1]
    ends = plain.backup()
    b, tight = bracket_of_sweep(mdp, plain.w, plain.actions, ends, abs(v).max()), bracket(mdp, v)
    assert (b.lower <= tight.lower).all()
    assert (b.upper >= tight.upper).all()
    off = 100 * rounding(mdp, v) + 1e-8 * max(map(abs, ends))  # 1e-8: the rows may be off by 1e-9, up and down
    assert b.width <= tight.width * (1 + 1e-5) + off / (1 - mdp.gamma) ** 2


@pytest.mark.parametrize("gamma", [0.9, 0.999])
def test_sparse_equals_dense(gamma):
    mdp = garnet(S=2000, A=3, b=20, gamma=gamma)
    assert _sparse.compiled(mdp) == mdp.sparse
    sparse = mdp if mdp.sparse else MDP(sp.csr_array(mdp.P.reshape(-1, mdp.S)), mdp.r, gamma)
    assert _sparse.compiled(sparse)
    answer = solve(sparse, tol=1e-6)
    check(answer, solve(mdp.dense(), tol=1e-9, method="mpi"), 1e-6)
    check(solve(sparse, tol=1e-6, method="gs"), answer, 1e-6)
    assert answer.method == "mpi"


def test_without_numba(monkeypatch):
    mdp = garnet(S=3000, A=4, b=10, gamma=0.99)
    answer = solve(mdp, tol=1e-6)
    monkeypatch.setattr(_sparse, "find_spec", lambda name: None)
    assert not _sparse.compiled(mdp)
    check(solve(mdp, tol=1e-6), answer, 1e-6)
    np.testing.assert_allclose(solve(mdp, tol=1e-6).value, answer.value, atol=1e-6)


def test_a_maze_takes_one_pass():
    grid = gridworld(40, 40, gamma=0.99)
    mdp = MDP(sp.csr_array(grid.P.reshape(-1, grid.S)), grid.r, 0.99)
    answer = solve(mdp, tol=1e-6, method="gs")
    assert answer.iterations <= 3
    check(answer, solve(mdp, tol=1e-8, method="mpi"), 1e-6)


def corridor(S, gamma=0.999):
    """Two actions, on and back, on a line of S states; the end pays and keeps."""
    s = np.arange(S)
    to = np.stack([np.minimum(s + 1, S - 1), np.maximum(s - 1, 0)], 1)
    to[-1] = S - 1
    P = sp.csr_array((np.ones(2 * S), to.ravel(), np.arange(2 * S + 1)), shape=(2 * S, S))
    r = np.zeros((S, 2))
    r[-1] = 1
    return MDP(P, r, gamma)


def test_auto_sees_long_paths():
    mdp = corridor(60_000)
    answer = solve(mdp, tol=1e-6)
    assert answer.method == "gs"
    assert "long paths" in answer.reason
    d = np.arange(mdp.S)[::-1]
    want = 0.999**d / (1 - 0.999)
    assert (answer.lower <= want * (1 + 1e-12)).all()
    assert (answer.upper >= want * (1 - 1e-12)).all()


def test_auto_sees_what_is_never_returned_to():
    """Numbered in the order of travel, or in the reverse order: one look at each state, whatever the discount."""
    S, rng = 8000, np.random.default_rng(0)
    s = np.arange(S)[:, None, None]
    ahead = np.minimum(s + rng.integers(0, 100, (S, 3, 5)), S - 1)
    for t in (ahead, S - 1 - ahead[::-1]):
        P = sp.coo_array((np.full(t.size, 0.2), (np.repeat(np.arange(3 * S), 5), t.ravel())), shape=(3 * S, S)).tocsr()
        mdp = MDP(P, rng.random((S, 3)), 0.999)
        answer = solve(mdp, tol=1e-6)
        assert (answer.method, answer.iterations) == ("topological", 1)
        assert "order of travel" in answer.reason
        check(answer, solve(mdp, tol=1e-5, method="gs"), 1e-6)


def test_auto_does_not_change_policies_state_by_state():
    """Where the first action leads away every state looks fine until the next one has changed: a policy for each."""

    def back_first(S, gamma):
        mdp = corridor(S, gamma)
        return MDP(mdp.P[np.arange(2 * S) ^ 1], mdp.r, gamma)

    mdp = back_first(4000, 0.999)
    assert not _sparse.compiled(mdp)
    answer = solve(mdp, tol=1e-6)
    assert (answer.method, answer.iterations) == ("gs", 1)
    assert "long paths" in answer.reason
    assert solve(back_first(200, 0.9), tol=1e-6, method="pi").iterations > 100


@pytest.mark.parametrize("n", [120, 24])
def test_auto_sees_a_plane(n):
    """A torus: paths of n steps. In the small one the ways are short."""
    S = n * n
    i, j = np.divmod(np.arange(S), n)
    to = np.stack([(i + x) % n * n + (j + y) % n for x, y in ((1, 0), (0, 1), (-1, 0), (0, -1))], 1)
    P = sp.csr_array((np.ones(4 * S), to.ravel(), np.arange(4 * S + 1)), shape=(4 * S, S))
    assert _gauss_seidel.long_paths(MDP(P, np.zeros((S, 4)), 0.9)) == (n == 120)


def parts(k, n):
    """A model of `k` parts of `n` states, with rewards at random."""
    rng, A, b = np.random.default_rng(0), 2, 3
    where = np.repeat(np.arange(k) * n, n * A * b) + rng.integers(n, size=k * n * A * b)
    P = sp.coo_array((np.full(len(where), 1 / b), (np.repeat(np.arange(k * n * A), b), where))).tocsr()
    return MDP(P, rng.random((k * n, A)), 0.999)


@pytest.mark.parametrize(
    ("k", "n", "method", "why"),
    [(50, 20, "pi", "factors fill in no more"), (25, 240, "ipi", "level each part by itself")],
)
def test_auto_sees_parts(k, n, method, why):
    mdp = parts(k, n)
    answer = solve(mdp, tol=1e-6)
    assert answer.method == method
    assert why in answer.reason
    check(answer, solve(mdp, tol=1e-5, method="gs"), 1e-6)


def test_auto_factorises_small_models_with_long_paths():
    mdp = corridor(900)
    answer = solve(mdp, tol=1e-6)
    assert answer.method == "pi"
    assert "long paths" in answer.reason
    assert solve(garnet_csr(3000), tol=1e-6).method == "mpi"
    assert solve(garnet_csr(100), tol=1e-6).method == "pi"


def garnet_csr(S):
    mdp = garnet(S=S, A=2, b=4, gamma=0.99)
    return mdp if mdp.sparse else MDP(sp.csr_array(mdp.P.reshape(-1, S)), mdp.r, 0.99)


@pytest.mark.parametrize("blocked", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_pieces_of_a_range(monkeypatch, threads, blocked):
    """Each state once, whoever takes it; and nobody waits for threads that are held up."""
    monkeypatch.setattr(_kernels.numba, "get_num_threads", lambda: threads)
    monkeypatch.setattr(_kernels, "LEAST", 2)
    release = Event()
    held_up = [_kernels._threads(threads - 1).submit(release.wait, 60) for _ in range((threads - 1) * blocked)]
    try:
        for n in (1, 2, 3, 50):
            pieces = sorted(_kernels.spread(lambda first, last: (first, last), n))
            assert [s for first, last in pieces for s in range(first, last)] == list(range(n))
        assert not any(x.done() for x in held_up)
    finally:
        release.set()


@some
@given(sparse_models(), st.integers(0, 3))
def test_a_ball_in_two_ways(mdp, radius):
    P, reach = mdp.dense().P.sum(1) > 0, np.eye(mdp.S, dtype=int)
    for _ in range(radius):
        reach = reach + reach @ P
    for kernels in (_kernels, _plain):
        indptr, indices, _ = csr(mdp)
        sizes = [kernels.ball(indptr, indices, mdp.A, s, radius, mdp.S) for s in range(mdp.S)]
        np.testing.assert_array_equal(sizes, (reach > 0).sum(1))


def ill_posed():
    S, A = 3000, 3
    rng = np.random.default_rng(0)
    eye = sp.csr_array((np.ones(S * A), np.repeat(np.arange(S), A), np.arange(S * A + 1)), shape=(S * A, S))
    base = garnet(S=S, A=A, b=3)
    P, r = base.P, base.r
    off = P.copy()
    off.data = off.data * (1 + 9e-10)
    yield "absorbing everything", MDP(eye, r, 0.99), 1e-6
    yield "gamma = 0", MDP(P, r, 0.0), 1e-12
    yield "A = 1", MDP(garnet(S=S, A=1, b=5).P, r[:, :1], 0.99), 1e-6
    yield "rewards of 1e12", MDP(P, r * 1e12, 0.99), 1e6
    yield "rewards of 1e-12", MDP(P, r * 1e-12, 0.99), 1e-18
    yield "negative rewards", MDP(P, -1 - r, 0.99), 1e-6
    yield "rows off by 9e-10", MDP(off, r, 0.99), 1e-6
    yield "one reward", MDP(P, np.ones((S, A)), 0.99), 1e-6
    yield "unreachable states", MDP(sp.csr_array(P[:, :] * 1.0), np.where(rng.random((S, 1)) < 0.5, r, 5.0), 0.5), 1e-9


@pytest.mark.parametrize("method", ["auto", "mpi", "gs"])
@pytest.mark.parametrize(("name", "mdp", "tol"), list(ill_posed()), ids=lambda x: x if isinstance(x, str) else "")
def test_ill_posed(name, mdp, tol, method, monkeypatch):
    monkeypatch.setattr(_sparse, "COMPILED_FROM", 1)
    answer = solve(mdp, tol=tol, method=method)
    assert answer.width <= tol
    v = bracket(mdp, answer.value)  # trusts nobody
    assert (answer.lower <= v.upper).all()
    assert (answer.upper >= v.lower).all()
    assert v.width <= 3 * tol


def test_more_than_float64_can_prove_falls_back_to_the_widest_float():
    mdp = garnet(S=2000, A=3, b=20, gamma=0.9)
    mdp = MDP(sp.csr_array(mdp.dense().P.reshape(-1, mdp.S)), mdp.r, 0.9)
    b, _, _ = iterate(mdp, 2e-13)
    assert b is None
    if np.finfo(WIDE).nmant > 52:
        assert solve(mdp, tol=2e-13).width <= 2e-13
    else:
        with pytest.raises(NotConverged):
            solve(mdp, tol=2e-13)
