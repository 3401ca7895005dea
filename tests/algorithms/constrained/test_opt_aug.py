"""OptAug-CMDP against its pseudo-code in loops, and its plan against a quadratic program."""

from __future__ import annotations

import numpy as np
import pytest

from mdptk import check, run
from mdptk.algorithms.constrained.opt_aug import OptAug
from mdptk.problems.learning_constrained import dear_reward
from tests.algorithms.under_budget import action_values, best, count, episode, model, start, trade_off


def reference(alg, oracle, xis):
    """Plan with a price that grows with what is spent, play, and take that price on."""
    H, S, A = oracle.r.shape
    N, lam, b = np.zeros((S, A, S)), 0.0, oracle.b[0]
    out = {"N": [], "lam": [], "pi": [], "Q": [], "after": [], "top": []}
    for u in [*xis, None]:
        P, beta = model(N, H, alg.delta)
        g, cost = oracle.r + beta, oracle.c[0] - beta
        pi = trade_off(P, g, cost, oracle.rho, lambda price, lam=lam: b + (price - lam) / alg.eta)
        Q = [action_values(P, x, pi) for x in (g, cost)]
        after = max(lam + alg.eta * (start(Q[1], pi, oracle.rho) - b), 0.0)
        _, earns, spends = best(P, g, cost, oracle.rho, (1, -after))
        for name, x in zip(out, (N, lam, pi, Q, after, earns - after * spends), strict=True):
            out[name].append(x)
        if u is not None:
            N, lam = count(N, episode(oracle.episodes, pi, u)), after
    return out


def test_plan_maximises_the_augmented_lagrangian():
    """Against a quadratic program over occupancies, on random rewards."""
    import cvxpy as cp
    import jax
    import jax.numpy as jnp

    from mdptk.core.counted import start_values, trade_off, values

    rng = np.random.default_rng(1)
    P, g, rho = rng.dirichlet(np.ones(3), (3, 2)), rng.normal(size=(2, 3, 3, 2)), rng.dirichlet(np.ones(3))
    with jax.enable_x64(True):
        plan = jax.jit(lambda lam, b, eta: trade_off(P, g, rho, lambda price: b + (price - lam) / eta))
        for lam, b, eta in ((0.0, 0.0, 1.0), (2.0, -0.5, 0.3), (0.5, -3.0, 10.0), (5.0, 1.0, 0.1)):
            pi = plan(lam, b, eta)
            earned, spent = np.asarray(start_values(values(jnp.asarray(P), jnp.asarray(g), pi), pi, rho))
            got = earned - max(lam + eta * (spent - b), 0) ** 2 / (2 * eta)
            x = [cp.Variable((3, 2), nonneg=True) for _ in range(3)]
            flow = [cp.sum(x[0], axis=1) == rho]
            for h in (1, 2):
                arrive = [sum(x[h - 1][s, a] * P[s, a, t] for s in range(3) for a in range(2)) for t in range(3)]
                flow += [cp.sum(x[h][t, :]) == arrive[t] for t in range(3)]
            R, C = (sum(cp.sum(cp.multiply(y[h], x[h])) for h in range(3)) for y in g)
            goal = R - cp.square(cp.pos(lam + eta * (C - b))) / (2 * eta)
            want = cp.Problem(cp.Maximize(goal), flow).solve(solver="CLARABEL")
            assert got == pytest.approx(want, abs=1e-5)


def test_strong_violation_slows_down():
    """Late episodes overspend less than early ones, without cancellation."""
    result = run(OptAug(), dear_reward(), 4096, repeats=8)
    over = result["over_sum"][..., 0].mean(0)
    assert over[4096] - over[2048] < 0.8 * (over[2048] - over[0])
    assert all(v.ok for v in check(result) if v.ok is not None)
