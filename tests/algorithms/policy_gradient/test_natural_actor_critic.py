"""The natural actor-critic against loops; the regret lemma with critics of any kind."""

from __future__ import annotations

import numpy as np

from mdptk import run
from mdptk.algorithms.policy_gradient.natural_actor_critic import REGRET, NaturalActorCritic
from mdptk.problems.teaching import two_state
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
    assert not REGRET.check(run(_Backwards(), problem, 256, repeats=2)).ok
