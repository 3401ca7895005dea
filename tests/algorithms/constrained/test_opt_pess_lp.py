"""OptPess-LP against its pseudo-code in loops; it leaves the safe policy, and is never unsafe."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mdptk import check, run, solve
from mdptk.algorithms.constrained.opt_cmdp import OptCMDP
from mdptk.algorithms.constrained.opt_pess_lp import OptPessLP
from mdptk.core import exact
from mdptk.core.constrained import EpisodicCMDP
from mdptk.core.errors import MdptkError
from mdptk.core.oracles import EpisodicCosts
from mdptk.problems.learning_constrained import dear_reward
from tests.algorithms.under_budget import action_values, count, episode, model, start, trade_off


def reference(alg, oracle, xis):
    """The safe policy while it is not known well enough, then the plan with high rewards and high costs."""
    H, S, A = oracle.r.shape
    N, out = np.zeros((S, A, S)), {"N": [], "pi": [], "Q": [], "free": []}
    for u in [*xis, None]:
        P, beta = model(N, H, alg.delta)
        g, cost = oracle.r + (1 + 2 * H / oracle.slack[0]) * beta, oracle.c[0] + beta
        pi, free = oracle.safe, 0.0
        if 2 * start(action_values(P, beta, pi), pi, oracle.rho) < oracle.slack[0]:
            pi, free = trade_off(P, g, cost, oracle.rho, lambda lam: oracle.b[0]), 1.0
        found = N, pi, [action_values(P, x, pi) for x in (g, cost)], free
        for name, x in zip(out, found, strict=True):
            out[name].append(x)
        if u is not None:
            N = count(N, episode(oracle.episodes, pi, u))
    return out


def test_it_leaves_the_safe_policy_and_stays_safe():
    """Where OptCMDP overspends in every run, this one never does, and still earns."""
    problem = dear_reward()
    result = run(OptPessLP(), problem, 4096, repeats=16)
    assert result["over_sum"].max() == 0
    assert (result["free_sum"][:, -1, 0] > 1000).all()
    assert result["returns"][:, -1, 0].min() > 0.1
    assert all(v.ok for v in check(result) if v.ok is not None)
    assert (run(OptCMDP(), problem, 64, repeats=16)["over_sum"][:, -1] > 1).all()


def test_two_constraints():
    """With a million visits of everything the plan is almost the optimum, and what it spends is within both budgets."""
    one = dear_reward()
    problem = EpisodicCMDP(one.mdp, np.concatenate([one.c, one.c[:, ::-1]]), [0.5, 0.4], one.safe)
    with jax.enable_x64(True):
        state = OptPessLP()._plan(EpisodicCosts.of(problem), jnp.asarray(1e6 * problem.mdp.P[0]))
        plan = jax.tree.map(np.asarray, state)
    assert plan.free == 1
    earned, *spent = exact.returns(problem, plan.pi)
    assert (np.array(spent) <= problem.b).all()
    best = float(solve(problem).value)
    assert best - 0.2 < earned <= best + 1e-9


def test_what_is_refused():
    problem = dear_reward()
    with pytest.raises(MdptkError, match="the problem has none"):
        run(OptPessLP(), EpisodicCMDP(problem.mdp, problem.c, problem.b), 1)
