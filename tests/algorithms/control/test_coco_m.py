"""COCO-M against its pseudo-code in loops; truncated states are exact; the comparator. Exponents are an experiment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mdptk import run
from mdptk.algorithms.control.coco_m import COCOM, best_parameters
from mdptk.core.errors import InvalidModel, MdptkError
from mdptk.problems.control import moving_wall


def rollout(problem, M, t):
    """State and input of step t under constant parameters, from the beginning."""
    x = np.zeros(problem.S)
    for s in range(t + 1):
        u = -problem.K @ x + sum(M[i] @ problem.w[s - i - 1] for i in range(problem.h) if s - i - 1 >= 0)
        if s < t:
            x = problem.F @ x + problem.G @ u + problem.w[s]
    return x, u


def reference(alg, problem, steps):
    """Gradients by rolling out unit parameters: state and input are affine in them."""
    shape = (problem.h, problem.A, problem.S)
    M, Q, x, past = np.zeros(shape), 0.0, np.zeros(problem.S), {"paid": 0.0, "hard": 0.0, "touched": 0.0}
    out = {"M": [], "Q": [], "x": [], "paid": [], "hard": [], "touched": []}
    for t in range(steps + 1):
        for name, y in {"M": M.ravel(), "Q": Q, "x": x, **past}.items():
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
        past["paid"] += problem.q[t] / 2 * (x @ x + u @ u)
        past["hard"] += over
        past["touched"] += max(problem.e @ x - problem.limit[t], 0.0)
        past = dict(past)
        x = problem.F @ x + problem.G @ u + problem.w[t]
        M = M - alg.eta * slope
        M = M * min(1.0, problem.radius / max(np.linalg.norm(M), 1e-300))
        Q = Q + alg.eta_q * over
    return out


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
