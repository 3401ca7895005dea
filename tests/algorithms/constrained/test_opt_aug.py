"""OptAug-CMDP against its pseudo-code in loops, and its plan against a quadratic program."""

from __future__ import annotations

import numpy as np
import pytest

from mdptk import check, run
from mdptk.algorithms.constrained.opt_aug import OptAug
from mdptk.core.constrained import EpisodicCMDP
from mdptk.core.models import FiniteHorizonMDP
from mdptk.problems.learning_constrained import dear_reward
from mdptk.theory.stock_online import optimum
from tests.algorithms.under_budget import action_values, best, count, episode, model, start, trade_off


def reference(alg, oracle, xis):
    """Plan with a price that grows with what is spent, play, and take that price on."""
    H, S, A = oracle.r.shape
    N, lam, b = np.zeros((S, A, S)), np.zeros(1), oracle.b[0]
    out = {"N": [], "lam": [], "pi": [], "Q": [], "after": [], "top": []}
    for u in [*xis, None]:
        P, beta = model(N, H, alg.delta)
        g, cost = oracle.r + beta, oracle.c[0] - beta
        pi = trade_off(P, g, cost, oracle.rho, lambda price, lam=lam[0]: b + (price - lam) / alg.eta)
        Q = [action_values(P, x, pi) for x in (g, cost)]
        after = np.maximum(lam + alg.eta * (start(Q[1], pi, oracle.rho) - b), 0.0)
        _, earns, spends = best(P, g, cost, oracle.rho, (1, -after[0]))
        for name, x in zip(out, (N, lam, pi, Q, after, earns - after[0] * spends), strict=True):
            out[name].append(x)
        if u is not None:
            N, lam = count(N, episode(oracle.episodes, pi, u)), after
    return out


@pytest.mark.parametrize("m", [1, 3])
def test_plan_maximises_the_augmented_lagrangian(m):
    """Against a quadratic program over occupancies, on random rewards: no other policy is better than rounding."""
    import cvxpy as cp
    import jax
    import jax.numpy as jnp

    from mdptk.core.counted import start_values, values
    from mdptk.solve._plans import augmented_plan

    rng = np.random.default_rng(1)
    P, g, rho = rng.dirichlet(np.ones(3), (3, 2)), rng.normal(size=(1 + m, 3, 3, 2)), rng.dirichlet(np.ones(3))
    plan, binds = jax.jit(augmented_plan), False
    for lam, b, eta in ((0.0, 0.0, 1.0), (2.0, -0.5, 0.3), (0.5, -3.0, 10.0), (0.0, -1.4, 100.0)):
        lam, b = np.linspace(lam, 0.0, m), np.full(m, b)
        with jax.enable_x64(True):
            pi = plan(*map(jnp.asarray, (P, g, rho, b, lam, eta)))
            earned, *spent = np.asarray(start_values(values(jnp.asarray(P), jnp.asarray(g), pi), pi, rho))
        got = earned - (np.maximum(lam + eta * (np.array(spent) - b), 0) ** 2).sum() / (2 * eta)
        x = [cp.Variable((3, 2), nonneg=True) for _ in range(3)]
        flow = [cp.sum(x[0], axis=1) == rho]
        for h in (1, 2):
            arrive = [sum(x[h - 1][s, a] * P[s, a, t] for s in range(3) for a in range(2)) for t in range(3)]
            flow += [cp.sum(x[h][t, :]) == arrive[t] for t in range(3)]
        R, *C = (sum(cp.sum(cp.multiply(y[h], x[h])) for h in range(3)) for y in g)
        goal = R - sum(cp.square(cp.pos(l + eta * (c - y))) for l, c, y in zip(lam, C, b, strict=True)) / (2 * eta)
        want = cp.Problem(cp.Maximize(goal), flow).solve(solver="CLARABEL")
        assert got == pytest.approx(want, abs=1e-5)
        binds |= ((np.asarray(pi) > 1e-6).sum(-1) > 1).any()
    assert binds  # the best policy mixes somewhere


def test_two_constraints():
    """Of one stage there is nothing to learn: the prices come to the optimal ones, the plan to the optimal mixture."""
    rng = np.random.default_rng(0)
    mdp = FiniteHorizonMDP(np.full((1, 2, 3, 2), 0.5), [[[1.0, 0.6, 0.0], [0.3, 0.9, 0.1]]], [0.5, 0.5])
    problem = EpisodicCMDP(mdp, rng.random((2, 1, 2, 3)) * [1.0, 1.0, 0.0], [0.2, 0.3])
    result = run(OptAug(), problem, 40)
    best = optimum(problem)
    assert (best.multipliers > 0.1).all()
    np.testing.assert_allclose(result["after"][0, -1], best.multipliers, rtol=1e-6)
    np.testing.assert_allclose(result["returns"][0, -1], [best.value, *problem.b], atol=1e-8)
    assert all(v.ok for v in check(result) if v.ok is not None)


def test_strong_violation_slows_down():
    """Late episodes overspend less than early ones, without cancellation."""
    result = run(OptAug(), dear_reward(), 4096, repeats=8)
    over = result["over_sum"][..., 0].mean(0)
    assert over[4096] - over[2048] < 0.8 * (over[2048] - over[0])
    assert all(v.ok for v in check(result) if v.ok is not None)
