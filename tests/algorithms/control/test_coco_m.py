"""COCO-M against its pseudo-code in loops; truncated states are exact; the comparator; static constraints.

Exponents are an experiment.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mdptk import check, run
from mdptk.algorithms.control.coco_m import COCOM
from mdptk.core.control import OnlineControl
from mdptk.core.errors import Infeasible, InvalidModel, MdptkError
from mdptk.problems.control import KNOWN, moving_wall, moving_wall_and_stops
from mdptk.theory.stock_control import best_parameters


def rollout(problem, M, t):
    """State and input of step t under constant parameters, from the beginning."""
    x = np.zeros(problem.S)
    for s in range(t + 1):
        u = -problem.K @ x + sum(M[i] @ problem.w[s - i - 1] for i in range(problem.h) if s - i - 1 >= 0)
        if s < t:
            x = problem.F @ x + problem.G @ u + problem.w[s]
    return x, u


def norm_of(problem, k):
    """|D_j (1, -K) C^k G| of each static constraint, times the most that h disturbances can be."""
    C, move = problem.F - problem.G @ problem.K, problem.G
    for _ in range(k):
        move = C @ move
    both = np.concatenate([move, -problem.K @ move])
    return (
        np.array([np.sqrt(((row @ both) ** 2).sum()) for row in problem.D])
        * abs(problem.w).max()
        * np.sqrt(problem.h * problem.S)
    )


def reference(alg, problem, steps):
    """Gradients by rolling out unit parameters: state and input are affine in them."""
    shape, n = (problem.h, problem.A, problem.S), problem.S
    M = problem.nearest(np.zeros(shape).ravel(), alg.epsilon).reshape(shape)
    sums = "paid", "surrogate", "hard", "touched", "hard_square", "slope_square", "drift"
    Q, x, past, before = 0.0, np.zeros(n), dict.fromkeys(sums, 0.0), [M] * n
    past["room"] = min(problem.b, default=0.0)
    out = {name: [] for name in ("M", "Q", "x", "last", *past)}
    for t in range(steps + 1):
        for name, y in {"M": M.ravel(), "Q": Q, "x": x, "last": [old.ravel() for old in before], **past}.items():
            out[name].append(y)
        if t == steps:
            break
        at = rollout(problem, M, t)
        over = max(problem.e @ at[0] - problem.limit[t], 0.0)
        slope = np.zeros(shape)
        for i in np.ndindex(shape):
            unit = np.zeros(shape)
            unit[i] = 1.0
            dx, du = (y - z for y, z in zip(rollout(problem, M + unit, t), at, strict=True))
            slope[i] = problem.q[t] * (at[0] @ dx + at[1] @ du) + Q * (over > 0) * (problem.e @ dx)
        u = -problem.K @ x + sum(M[i] @ problem.w[t - i - 1] for i in range(problem.h) if t - i - 1 >= 0)
        past = dict(past)
        past["paid"] += problem.q[t] / 2 * (x @ x + u @ u)
        past["surrogate"] += problem.q[t] / 2 * sum(y @ y for y in at)
        past["hard"] += over
        past["hard_square"] += over**2
        past["slope_square"] += (slope**2).sum()
        past["touched"] += max(problem.e @ x - problem.limit[t], 0.0)
        for row, b in zip(problem.D, problem.b, strict=True):
            past["room"] = min(past["room"], b - row @ np.concatenate([x, u]))
        moves = [np.linalg.norm(old - M) for old in before]
        drifts = sum(norm_of(problem, k) * moves[k] for k in range(n))
        past["drift"] = max(past["drift"], max(drifts, default=0.0))
        before = [M, *before[:-1]]
        x = problem.F @ x + problem.G @ u + problem.w[t]
        M = problem.nearest((M - alg.eta * slope).ravel(), alg.epsilon).reshape(shape)
        Q = Q + alg.eta_q * over
    return out


def test_three_states_and_two_inputs():
    """Parameters are a matrix for each disturbance, and a state remembers more of them than one."""
    rng = np.random.default_rng(0)
    G, K = rng.normal(size=(3, 2)), 0.5 * rng.normal(size=(2, 3))
    w, limit = rng.uniform(-0.3, 0.3, (8, 3)), rng.uniform(-0.1, 0.3, 8)
    static = {"D": rng.normal(size=(2, 5)), "b": np.array([4.0, 5.0])}
    problem = OnlineControl(np.eye(3, k=1) + G @ K, G, K, w, np.linspace(1, 2, 8), [1, 0, 0], limit, h=2, **static)
    result, want = run(COCOM(), problem, 8), reference(COCOM(), problem, 8)
    assert (np.diff(want["hard"]) > 0).any()
    for name, x in want.items():
        np.testing.assert_allclose(result[name][0], np.array(x), atol=1e-9, err_msg=name)


def test_state_and_input_under_constant_parameters():
    problem = moving_wall(40)
    M = np.random.default_rng(0).normal(size=(3, 1, 2))
    there, move = problem.response
    for t in (0, 1, 2, 5, 39):
        np.testing.assert_allclose(there[t] + move[t] @ M.ravel(), np.concatenate(rollout(problem, M, t)), atol=1e-12)


def test_the_best_parameters_keep_to_the_limit():
    problem = moving_wall(200)
    there, move = problem.response
    z = there + move @ best_parameters(problem)
    assert (z[:, 0] - problem.limit).max() < 1e-6
    free = replace(problem, limit=np.full(200, 1e3))
    cheaper = there + move @ best_parameters(free)
    assert (cheaper[:, 0] - problem.limit).max() > 0.05  # the wall matters


def test_what_is_refused():
    problem = moving_wall(20)
    with pytest.raises(InvalidModel, match="K must bring the state to zero"):
        replace(problem, K=[[0.5, 1.0]])
    with pytest.raises(InvalidModel, match="q has shape"):
        replace(problem, q=[1.0])
    with pytest.raises(MdptkError, match="ends after T = 20"):
        run(COCOM(), problem, 21)


def test_the_worst_that_constant_parameters_come_to():
    """It is attained by the disturbances against the signs of the answer, which come in reverse, and by no others."""
    problem = moving_wall_and_stops(40)
    rng = np.random.default_rng(3)
    M, lags = 0.3 * rng.normal(size=(3, 1, 2)), problem.S + problem.h
    there, move = problem.pulses
    for j, answer in enumerate((there + move @ M.ravel()).reshape(len(problem.b), lags, -1)):
        signs = problem.W * np.sign(answer)[::-1]  # w_0 answers lags steps later
        w = np.concatenate([signs, np.zeros((1, problem.S))])
        found = problem.D[j] @ np.concatenate(
            rollout(replace(problem, w=w, q=np.ones(lags + 1), limit=np.ones(lags + 1)), M, lags)
        )
        assert found - problem.b[j] == pytest.approx(problem.worst(M.ravel())[j], abs=1e-12)
    z = np.array([np.concatenate(rollout(problem, M, t)) for t in range(40)])
    assert (z @ problem.D.T - problem.b <= problem.worst(M.ravel()) + 1e-12).all()


def test_the_nearest_allowed_parameters():
    """A projection is inside, and no point inside is on the far side: <M - P, x - P> <= 0 for all x allowed."""
    problem, rng = moving_wall_and_stops(40), np.random.default_rng(0)
    inside = [problem.nearest(x, 0.05) for x in rng.normal(size=(8, 6))]
    assert max(problem.worst(x).max() for x in inside) <= -0.05 + 1e-9
    assert any(problem.worst(x).max() > -0.05 - 1e-9 for x in inside)
    for M in rng.normal(size=(4, 6)):
        P = problem.nearest(M, 0.05)
        assert max((M - P) @ (x - P) for x in (*inside, KNOWN)) <= 1e-8
    np.testing.assert_array_equal(problem.nearest(KNOWN, 0.05), KNOWN)


def test_static_constraints_are_kept_where_they_are_known():
    """The same steps without the projection overrun the stops."""
    problem = moving_wall_and_stops(128)
    kept = run(COCOM(), problem, 128)
    free = run(COCOM(), replace(problem, b=problem.b + 10), 128)
    assert kept["room"][0, -1] >= 0 > free["room"][0, -1] - 10
    assert max(problem.worst(M).max() for M in free["M"][0]) > 0
    assert {v.theorem.name: v.ok for v in check(kept)} == {th.name: True for th in COCOM.theorems}


def test_parameters_that_change_too_fast_overrun_what_each_of_them_keeps_to():
    """By less than their drift; and steps whose drift is below the buffer cannot."""
    problem = moving_wall_and_stops(256)
    fast, slow = run(COCOM(eta=1 / 32), problem, 256), run(COCOM(eta=5e-4), problem, 256)
    assert max(problem.worst(M).max() for M in fast["M"][0]) <= -0.05 + 1e-9
    assert fast["room"][0, -1] < -0.1
    assert slow["drift"][0, -1] < 0.05 < slow["room"][0, -1]
    assert all(v.ok for result in (fast, slow) for v in check(result))


def test_nothing_is_allowed():
    problem = moving_wall_and_stops(20)
    with pytest.raises(Infeasible, match=r"no parameters of norm 2 keep epsilon = 5 from the static constraints"):
        run(COCOM(epsilon=5.0), problem, 1)
    with pytest.raises(InvalidModel, match=r"D has shape \(1, 2\), expected \(1, 3\)"):
        replace(problem, D=[[1.0, 0.0]], b=[1.0])


def test_no_static_constraints_as_they_are_printed():
    problem = moving_wall()
    again = replace(problem, D=problem.D.tolist(), b=problem.b.tolist())
    assert again.D.shape == problem.D.shape
    assert again.D.shape[0] == 0
