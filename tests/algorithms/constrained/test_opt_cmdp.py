"""OptCMDP against its pseudo-code in loops; the plan against a linear program; regret and violation from policies."""

from __future__ import annotations

import numpy as np
import pytest

from mdptk import CMDP, MDP, FiniteHorizonMDP, check, run, solve
from mdptk.algorithms.constrained.opt_cmdp import OptCMDP
from mdptk.core import exact
from mdptk.core.constrained import EpisodicCMDP
from mdptk.core.errors import Infeasible, InvalidModel, MdptkError
from mdptk.problems.learning_constrained import dear_reward, random_budget
from tests.algorithms.under_budget import action_values, count, episode, model, trade_off


def reference(alg, oracle, xis):
    """Plan in the optimistic model, play, count; the linear program by moving a chord along the edge."""
    H, S, A = oracle.r.shape
    N, out = np.zeros((S, A, S)), {"N": [], "pi": [], "Q": []}
    for u in [*xis, None]:
        P, beta = model(N, H, alg.delta)
        g, cost = oracle.r + beta, oracle.c[0] - beta
        pi = trade_off(P, g, cost, oracle.rho, lambda lam: oracle.b[0])
        for name, x in zip(out, (N, pi, [action_values(P, x, pi) for x in (g, cost)]), strict=True):
            out[name].append(x)
        if u is not None:
            N = count(N, episode(oracle.episodes, pi, u))
    return out


def test_plan_is_the_optimum_of_the_linear_program():
    """On random models, with the budget anywhere between what policies can spend, and below."""
    import jax
    import jax.numpy as jnp

    from mdptk.core.counted import start_values, trade_off, values

    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        plan = jax.jit(lambda P, g, rho, b: trade_off(P, g, rho, lambda lam: b))
        for k in range(15):
            P, g, rho = rng.dirichlet(np.ones(3), (3, 2)), rng.normal(size=(2, 3, 3, 2)), rng.dirichlet(np.ones(3))
            b = rng.normal()
            pi = plan(P, g, rho, b)
            earned, spent = np.asarray(start_values(values(jnp.asarray(P), jnp.asarray(g), pi), pi, rho))
            mdp = MDP(P, g[0, 0], 0.5, rho).episodic(3)
            cmdp = CMDP(type(mdp)(mdp.P, g[0], rho), g[1:], b)
            try:
                best = solve(cmdp)
            except Infeasible:
                cheapest = -exact.expected_return(m := type(mdp)(mdp.P, -g[1], rho), exact.optimal(m).pi)
                assert spent == pytest.approx(float(cheapest))
                continue
            assert spent <= b + 1e-9
            assert earned == pytest.approx(float(best.value), abs=1e-7), k


def test_strong_and_weak():
    """From the policies that were played, one by one; the strong ones exceed the weak ones in size."""
    problem = random_budget()
    result = run(OptCMDP(), problem, 64, repeats=2)
    best = float(solve(CMDP(problem.mdp, problem.c, problem.b)).value)
    earned, spent = result["returns"][..., 0], result["returns"][..., 1]
    strong = np.maximum(best - earned, 0)[:, :-1].sum(1)
    verdicts = {v.theorem.name: v for v in check(result)}
    lhs = verdicts["strong regret"].theorem.sides(result)[0]
    np.testing.assert_allclose(lhs[:, -1], strong, atol=1e-8)
    np.testing.assert_allclose(result["over_sum"][:, -1, 0], np.maximum(spent - problem.b, 0)[:, :-1].sum(1))
    assert all(v.ok for v in verdicts.values())


def test_regret_and_violation_theorems_say_something_on_the_smallest_problem():
    """The bounds fall below H K; until then they are vacuous, and the verdict says so."""
    long = {v.theorem.name: v for v in check(run(OptCMDP(), dear_reward(), 8192, repeats=4))}
    assert all(v.ok for v in long.values())
    assert not long["strong regret"].vacuous
    assert not long["strong violation"].vacuous
    short = {v.theorem.name: v for v in check(run(OptCMDP(), dear_reward(), 32, repeats=2))}
    assert short["strong regret"].vacuous
    assert short["strong violation"].vacuous


def test_two_constraints():
    """Where they are the same, the second and tighter one decides; and never is more planned than it allows."""
    one = dear_reward()
    both = EpisodicCMDP(one.mdp, np.concatenate([one.c, one.c]), [3.0, one.b[0]], one.safe)
    result = run(OptCMDP(), both, 6, repeats=2)
    assert all(v.ok for v in check(result))
    assert result["planned_violation"].max() < 1e-12


def test_budgets_that_no_plan_meets():
    """The one that exceeds them least is taken: with costs that add up to 1, both are exceeded alike."""
    import jax

    from mdptk.solve._plans import best_plan

    rng = np.random.default_rng(0)
    P, c, rho = rng.dirichlet(np.ones(3), (3, 2)), rng.random((3, 3, 2)), rng.dirichlet(np.ones(3))
    with jax.enable_x64(True):
        pi = np.asarray(jax.jit(best_plan)(P, np.stack([c, c, 1 - c]), rho, np.array([0.5, 0.5])))
    spent = exact.expected_return(FiniteHorizonMDP(np.stack([P] * 3), c, rho), pi)
    lowest, highest = (
        s * float(exact.expected_return(f, exact.optimal(f).pi))
        for s in (-1, 1)
        for f in [FiniteHorizonMDP(np.stack([P] * 3), s * c, rho)]
    )
    assert spent == pytest.approx(np.clip(1.5, lowest, highest), abs=1e-7)


def test_the_thinned_run_has_no_strong_regret():
    result = run(OptCMDP(), dear_reward(), 32, every=8)
    with pytest.raises(MdptkError, match=r"consecutive|every"):
        check(result)


def test_what_is_refused():
    problem = dear_reward()
    with pytest.raises(InvalidModel, match=r"safe spends 0 of the budget b\[0\] = 0"):
        EpisodicCMDP(problem.mdp, problem.c, 0.0, problem.safe)
    with pytest.raises(InvalidModel, match="has a FiniteHorizonMDP"):
        EpisodicCMDP(MDP([[[1.0]]], [[1.0]], 0.5), [[1.0]], 1.0)
