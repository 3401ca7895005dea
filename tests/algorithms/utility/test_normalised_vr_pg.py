"""N-VR-PG against loops; its two estimates and their corrections are unbiased, by enumeration."""

from __future__ import annotations

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mdptk import MDP, check, run
from mdptk.algorithms.utility.normalised_vr_pg import LENGTH, WEIGHTS, NormalisedVRPG
from mdptk.core import exact
from mdptk.core.oracles import UtilityTrajectories
from mdptk.core.utilities import Exploration, UtilityMDP
from mdptk.problems.utilities import explore_two_state
from tests.algorithms.policy_gradient.episodes import draw, softmax


def visited(alg, oracle, s, a):
    x = np.zeros((oracle.S, oracle.A))
    for k in range(alg.T):
        x[s[k], a[k]] += (1 - oracle.gamma) * oracle.gamma**k
    return x


def estimate(alg, oracle, pi, s, a, r):
    g = np.zeros(pi.shape)
    for k in range(alg.T):
        later = sum(oracle.gamma**j * r[s[j], a[j]] for j in range(k, alg.T))
        for b in range(oracle.A):
            g[s[k], b] += (1 - oracle.gamma) * later * ((a[k] == b) - pi[s[k], b])
    return g


def reference(alg, oracle, xis):
    """Algorithm 1 of Barakat et al. 2023, one trajectory at a time."""
    theta = np.zeros((oracle.S, oracle.A))
    old, out = theta, {"theta": [theta], "x": [theta], "d": [theta], "w": [1.0]}
    for t, xi in enumerate(xis):
        u, pi, before = xi[0], softmax(theta), softmax(old)
        s, a = [draw(oracle._first, u[0, 0])], []
        for k in range(alg.T):
            total = np.cumsum(pi[s[-1]])
            a.append(draw(total, u[k, 1] * total[-1]))
            s.append(draw(oracle._next[s[-1], a[-1]], u[k + 1, 0]))
        w = np.prod([before[s[k], a[k]] / pi[s[k], a[k]] for k in range(alg.T)])
        seen = visited(alg, oracle, s, a)
        if t == 0:
            x, r, r_old = seen, oracle.utility.gradient(seen), None
            d = estimate(alg, oracle, pi, s, a, r)
        else:
            eta = (2 / (t + 2)) ** (2 / 3)
            x = eta * seen + (1 - eta) * (x + seen - w * seen)
            now, then = estimate(alg, oracle, pi, s, a, r), estimate(alg, oracle, before, s, a, r_old)
            d = eta * now + (1 - eta) * (d + now - w * then)
        r_old, r = r, oracle.utility.gradient(x)
        old, theta = theta, theta + alg.alpha * (t + 1) ** (-2 / 3) * d / np.linalg.norm(d)
        for name, y in (("theta", theta), ("x", x), ("d", d), ("w", w)):
            out[name].append(y)
    return {name: np.array(y) for name, y in out.items()}


@pytest.fixture(scope="module")
def everything():
    """All trajectories of two steps, with their chances under two policies, and what is estimated from each."""
    problem, alg = explore_two_state(), NormalisedVRPG(T=2)
    rng = np.random.default_rng(0)
    pi, old, r = rng.dirichlet(np.ones(2), 2), rng.dirichlet(np.ones(2), 2), rng.random((2, 2))
    s0, a0, s1, a1 = np.array(list(product((0, 1), repeat=4))).T
    s, a, P = np.stack([s0, s1], 1), np.stack([a0, a1], 1), problem.mdp.P
    with jax.enable_x64(True):
        oracle = jax.tree.map(jnp.asarray, UtilityTrajectories.of(problem))
        seen = np.asarray(jax.vmap(lambda s, a: alg.visits(oracle, s, a))(s, a))
        g = [
            np.asarray(jax.vmap(lambda s, a, p=p: alg.estimate(oracle, p, s, a, jnp.asarray(r)))(s, a))
            for p in map(jnp.asarray, (pi, old))
        ]
    chance = [problem.mdp.rho[s0] * p[s0, a0] * P[s0, a0, s1] * p[s1, a1] for p in (pi, old)]
    weight = old[s0, a0] * old[s1, a1] / (pi[s0, a0] * pi[s1, a1])
    return problem, pi, old, r, chance, weight, seen, g


def two_steps(problem, pi):
    """The occupancy of the first two steps, in numpy or jax."""
    mdp = problem.mdp
    first = mdp.rho[:, None] * pi
    second = (first[..., None] * mdp.P).sum((0, 1))[:, None] * pi
    return (1 - mdp.gamma) * (first + mdp.gamma * second)


def test_visits_are_unbiased_up_to_the_end_of_the_trajectory(everything):
    problem, pi, old, _, (p, _), w, seen, _ = everything
    assert p.sum() == pytest.approx(1, rel=1e-12)
    np.testing.assert_allclose(np.tensordot(p, seen, 1), two_steps(problem, pi), rtol=1e-12)
    np.testing.assert_allclose(np.tensordot(p * w, seen, 1), two_steps(problem, old), rtol=1e-12)


def test_gradients_are_unbiased_for_both_policies(everything):
    problem, pi, old, r, (p, _), w, _, (now, before) = everything
    for policy, weight, g in ((pi, p, now), (old, p * w, before)):
        with jax.enable_x64(True):
            want = jax.grad(lambda theta: (two_steps(problem, exact.softmax(theta)) * r).sum())(jnp.log(policy))
        np.testing.assert_allclose(np.tensordot(weight, g, 1), want, rtol=1e-10, atol=1e-13)


def test_every_step_is_judged():
    result = run(NormalisedVRPG(), explore_two_state(), 256, repeats=8)
    assert all(v.ok is not False for v in check(result))
    assert result["visits_error"][:, -64:].mean() < 0.5 * result["visits_error"][:, 1:9].mean()


def test_the_estimate_of_the_visits_leaves_the_simplex():
    """So a utility with a logarithm has no gradient there, unless it is continued."""

    class Kept(NormalisedVRPG):
        keep = ("w", "x")

    x = run(Kept(), explore_two_state(), 256, repeats=8)["x"]
    assert x.min() < -0.01
    assert np.isfinite(x).all()


def test_steps_that_are_not_normalised_are_noticed():
    class Plain(NormalisedVRPG):
        def step(self, oracle, state, xi):
            done = super().step(oracle, state, xi)
            return done._replace(theta=done.old + 0.1 * done.d)

    assert not LENGTH.check(run(Plain(), explore_two_state(), 8)).ok


def test_where_there_is_no_direction_no_step_is_taken():
    """With one action there is nothing to learn, and a gradient of zero has no length to be divided by."""
    alone = UtilityMDP(MDP([[[0.0, 1.0]], [[1.0, 0.0]]], [[0.0], [1.0]], 0.5), Exploration())
    result = run(NormalisedVRPG(), alone, 4)
    assert (result["moved"] == 0).all()
    assert LENGTH.check(result).ok
    assert WEIGHTS.check(result).ok
