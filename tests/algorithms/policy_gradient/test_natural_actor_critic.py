"""The natural actor-critic against loops; the regret lemma with critics of any kind."""

from __future__ import annotations

import numpy as np
import pytest

from mdptk import AssumptionViolated, run
from mdptk.algorithms.policy_gradient.natural_actor_critic import LINEAR, REGRET, NaturalActorCritic
from mdptk.core.networks import features
from mdptk.problems.teaching import two_state
from mdptk.testing import check_exact_statement
from tests.algorithms.policy_gradient.episodes import roll, softmax


def reference(alg, oracle, xis):
    """Expected Sarsa on pairs, then a step along the critic; loops over episodes and stages."""
    H, _, A = oracle.r.shape
    theta, q = np.zeros(oracle.r.shape), np.zeros(oracle.r.shape)
    out = {"theta": [theta], "q": [q]}
    for xi in xis:
        theta = theta + alg.eta * q
        pi, old, q = softmax(theta), q, q.copy()
        for u in xi:
            s, a, r = roll(oracle, pi, u)
            for h in range(H):
                later = sum(pi[h + 1, s[h + 1], b] * old[h + 1, s[h + 1], b] for b in range(A)) if h + 1 < H else 0
                q[h, s[h], a[h]] += alg.beta / alg.N * (r[h] + later - old[h, s[h], a[h]])
        out["theta"].append(theta)
        out["q"].append(q)
    return {k: np.array(x) for k, x in out.items()}


def linear(alg, oracle, xis):
    """The same with coefficients of features in place of a table."""
    H, S, A = oracle.r.shape
    phi = features(S * A, alg.n).reshape(S, A, -1)
    theta, w = np.zeros((H, alg.n)), np.zeros((H, alg.n))
    out = {"theta": [np.zeros(oracle.r.shape)], "q": [np.zeros(oracle.r.shape)]}
    for xi in xis:
        theta = theta + alg.eta * w
        pi, old, w = softmax(np.einsum("sai,hi->hsa", phi, theta)), w, w.copy()
        for u in xi:
            s, a, r = roll(oracle, pi, u)
            for h in range(H):
                later = (
                    sum(pi[h + 1, s[h + 1], b] * phi[s[h + 1], b] @ old[h + 1] for b in range(A)) if h + 1 < H else 0
                )
                x = phi[s[h], a[h]]
                w[h] += alg.beta / alg.N * (r[h] + later - x @ old[h]) * x
        out["theta"].append(np.einsum("sai,hi->hsa", phi, theta))
        out["q"].append(np.einsum("sai,hi->hsa", phi, w))
    return {k: np.array(x) for k, x in out.items()}


def test_with_features_it_is_log_linear_and_judged_by_what_they_cannot_say():
    problem, alg = two_state().episodic(4), NaturalActorCritic(n=2)
    check_exact_statement(alg, {"two_state": problem}, linear)
    result = run(alg, problem, 256, repeats=2)
    assert LINEAR.check(result).ok
    with pytest.raises(AssumptionViolated, match="a table: n = 2 features"):
        REGRET.check(result)


class _Backwards(NaturalActorCritic):
    """Away from the critic."""

    def step(self, oracle, state, xi):
        after = super().step(oracle, state, xi)
        return after._replace(theta=2 * state.theta - after.theta)


def test_it_learns_and_the_lemma_notices_a_wrong_sign():
    problem = two_state().episodic(4)
    good = run(NaturalActorCritic(), problem, 256, repeats=2)
    assert good["gap"][:, -1].max() < 0.1 * good["gap"][:, 0].min()
    assert REGRET.check(good).ok
    bad = run(_Backwards(), problem, 256, repeats=2)
    assert not REGRET.check(bad).ok
    assert not LINEAR.check(bad).ok
