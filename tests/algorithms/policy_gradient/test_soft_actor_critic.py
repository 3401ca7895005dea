"""Tabular soft actor-critic against loops, and the two methods that it lies between."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.policy_gradient.soft_actor_critic import (
    BELOW,
    LINEAR,
    MONOTONE,
    POLICIES,
    SoftActorCritic,
    critic_error,
)
from mdptk.algorithms.policy_gradient.soft_policy_iteration import SoftPolicyIteration
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def reference(alg, mdp, steps):
    """One number after the other."""
    S, A, P = mdp.S, mdp.A, mdp.dense().P
    q, out = np.zeros((S, A)), {"q": [], "pi": []}
    for _ in range(steps + 1):
        weight = [[np.exp((q[s, a] - max(q[s])) / alg.tau) for a in range(A)] for s in range(S)]
        pi = np.array([[w / sum(row) for w in row] for row in weight])
        out["q"].append(q)
        out["pi"].append(pi)
        for _ in range(alg.m):
            v = np.zeros(S)
            for s in range(S):
                for a in range(A):
                    if pi[s, a] > 0:
                        v[s] += pi[s, a] * (q[s, a] - alg.tau * np.log(pi[s, a]))
            q = np.array([[mdp.r[s, a] + mdp.gamma * P[s, a] @ v for a in range(A)] for s in range(S)])
    return {name: np.array(x) for name, x in out.items()}


@settings(max_examples=25)
@given(mdps(), st.sampled_from([0.05, 1.0]), st.sampled_from([1, 3]))
def test_theorems(mdp, tau, m):
    for verdict in check(run(SoftActorCritic(tau, m), mdp, 12), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


def test_one_backup_is_soft_value_iteration_and_many_are_soft_policy_iteration():
    mdp, tau = garnet(), 0.3
    q = np.zeros(mdp.r.shape)
    for got in run(SoftActorCritic(tau), mdp, 5)["q"][0]:
        np.testing.assert_allclose(got, q, rtol=1e-12, atol=1e-13)
        q = mdp.q(tau * np.log(np.exp(q / tau).sum(-1)))
    many = run(SoftActorCritic(tau, m=400), mdp, 4)["log_pi"]
    np.testing.assert_allclose(many, run(SoftPolicyIteration(tau), mdp, 4)["log_pi"], atol=1e-9)


def test_the_rate_is_gamma_where_the_reward_is_everywhere_and_more_backups_help():
    one = MDP([[[1.0]]], [[1.0]], 0.9)
    assert LINEAR.check(run(SoftActorCritic(), one, 50)).ratio == pytest.approx(1)
    short, long = (critic_error.values(run(SoftActorCritic(m=m), garnet(), 10))[0, -1] for m in (1, 10))
    assert long < short / 100


def test_statements_catch_wrong_steps():
    class Hot(SoftActorCritic):
        def _state(self, q):
            return SoftActorCritic._state(SoftActorCritic(2 * self.tau), q)._replace(q=q)

    class Greedy(SoftActorCritic):
        def step(self, problem, state):
            return self._state(problem.q(state.q.max(-1) + 1.0))

    class Falls(SoftActorCritic):
        def step(self, problem, state):
            return self._state(problem.q(state.q.min(-1)) - 1.0)

    assert not POLICIES.check(run(Hot(), garnet(), 60)).ok
    assert not BELOW.check(run(Greedy(), garnet(), 60)).ok
    assert not MONOTONE.check(run(Falls(), garnet(), 3)).ok
