"""CTNB against its definition in loops; where it stands still, and what it does to a policy that is known already."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run, solve
from mdptk.algorithms.constrained.ctnb import CTNB, SAVING
from mdptk.core import exact
from mdptk.core.constrained import novel
from mdptk.core.models import CMDP
from mdptk.problems.constrained import constrained_garnet, constrained_two_state, paradoxical
from mdptk.problems.gridworld import gridworld
from mdptk.testing import cmdps
from tests.algorithms.constrained.loops import action_value, spent, value


def gradient(mdp, r, pi):
    """The policy gradient theorem, one logit at a time."""
    v = value(mdp, r, pi)
    q, d = action_value(mdp, r, v), np.zeros(mdp.S)
    for _ in range(int(40 / (1 - mdp.gamma)) + 1):
        d = mdp.rho + [mdp.gamma * sum(d[s] * pi[s] @ mdp.P[s, :, t] for s in range(mdp.S)) for t in range(mdp.S)]
    return np.array([[d[s] * pi[s, a] * (q[s, a] - v[s]) for a in range(mdp.A)] for s in range(mdp.S)]).ravel()


def reference(alg, cmdp, steps):
    """The three cases, with the angle of the gradients."""
    mdp, theta, out = cmdp.mdp, np.zeros((cmdp.S, cmdp.A)), []
    eta = (1 - mdp.gamma) ** 3 / 8 if alg.eta is None else alg.eta
    for _ in range(steps + 1):
        pi = np.array([np.exp(x) / sum(np.exp(x)) for x in theta])
        over = spent(cmdp, pi) - cmdp.b
        exceeded = [i for i in range(cmdp.m) if over[i] > 0]
        out.append((pi, exceeded[0] + 1 if exceeded else 0))
        p = g = gradient(mdp, mdp.r, pi)
        if exceeded:
            w = -gradient(mdp, cmdp.c[exceeded[0]], pi)
            lengths = np.sqrt(g @ g), np.sqrt(w @ w)
            if min(lengths) > 0:
                angle = np.arccos(np.clip(g @ w / (lengths[0] * lengths[1]), -1, 1))
                if angle < np.pi / 2:
                    b = g / lengths[0] + w / lengths[1]
                    p = sum(lengths) / 2 * np.cos(angle / 2) * b / np.sqrt(b @ b)
                else:
                    p = g - lengths[0] * np.cos(angle) * w / lengths[1]
        theta = theta + eta * p.reshape(theta.shape)
    return {"pi": np.array([x[0] for x in out]), "watched": np.array([x[1] for x in out])}


@given(cmdps(), st.sampled_from([None, 0.1, 3.0]))
@settings(max_examples=15)
def test_theorems(cmdp, eta):
    for verdict in check(run(CTNB(eta), cmdp, 10), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


def test_the_saving_is_seen_where_reward_and_cost_agree():
    result = run(CTNB(), constrained_garnet(xi=-0.2), 30)
    assert SAVING.check(result).informative
    assert (SAVING.sides(result)[1] > 0).any()


def test_opposite_gradients_cancel():
    """Where the reward is the cost, a policy that spends too much goes on spending it."""
    result = run(CTNB(), paradoxical(b=0.5), 20)
    assert (result["watched"] == 1).all()
    np.testing.assert_allclose(result["returns"], 1.0, rtol=1e-12)
    free = run(CTNB(eta=1.0), paradoxical(b=1.9), 100)  # within the budget it is the policy gradient, up to the budget
    assert 1.8 < free["returns"][0, -1, 1] < 2.0


def test_the_novelty_of_a_policy_is_a_cost():
    """Total variation to a deterministic policy, in the states that are visited, is one minus the agreement."""
    mdp = gridworld(3, 3, 0.8, 0.1)
    known = solve(mdp).policy
    cmdp = novel(mdp, [known], 0.6)
    pi = np.random.default_rng(0).dirichlet(np.ones(mdp.A), mdp.S)
    d = exact.occupancy(mdp, pi)
    novelty = d @ abs(pi - known).sum(-1) / 2
    np.testing.assert_allclose((1 - mdp.gamma) * exact.returns(cmdp, pi)[1], 1 - novelty, rtol=1e-10)
    best = solve(cmdp)
    assert exact.occupancy(mdp, best.policy) @ abs(best.policy - known).sum(-1) / 2 > 0.6 - 1e-6
    np.testing.assert_allclose(best.value, solve(mdp).value @ mdp.rho, rtol=1e-9)  # there is more than one shortest way


def test_the_first_budget_that_is_exceeded_is_watched():
    """The uniform policy spends nothing of the first kind, and something of the second and the third."""
    cmdp = constrained_two_state()
    three = CMDP(cmdp.mdp, np.concatenate([0 * cmdp.c, cmdp.c, cmdp.c]), [1.0, 1e-3, 1e-3])
    one, alg = CMDP(cmdp.mdp, cmdp.c, [1e-3]), CTNB()
    assert alg.init(three).watched == 2
    theta = [alg.step(problem, alg.init(problem)).theta for problem in (one, three)]
    np.testing.assert_allclose(theta[1], theta[0], rtol=1e-12, atol=1e-15)
