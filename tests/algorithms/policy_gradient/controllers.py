"""What the tests of improper learners share: the walk and the critic in loops."""

from __future__ import annotations

import numpy as np

from tests.algorithms.policy_gradient.episodes import draw


def first(oracle):
    """The state that the run starts from: the conformance suite makes it with this key."""
    import jax

    with jax.enable_x64(True):
        key = jax.random.fold_in(jax.random.key(0), 0)
        return draw(oracle._first, float(jax.random.uniform(key)))


def pick(p, u):
    """An outcome of the probabilities p."""
    total = [sum(p[: k + 1]) for k in range(len(p))]
    return draw(total, u * total[-1])


def transitions(oracle, w, s, xi):
    """Constant actions: the controller is the action. Returns (m, s, r, s') of each transition, and where it ends."""
    seen = []
    for row in xi:
        m = pick(w, row[0])
        s2 = draw(oracle._next[s, m], row[2])
        seen.append((m, s, oracle.r[s, m], s2))
        s = s2 if row[3] < oracle.gamma else draw(oracle._first, row[4])
    return seen, s


def learn(alg, oracle, v, seen):
    """Rounds of TD(0), each with a batch of its own; what is left over is for the actor."""
    for k in range(alg.m):
        change = np.zeros(len(v))
        for _, s, r, s2 in seen[k * alg.N : (k + 1) * alg.N]:
            change[s] += alg.beta / alg.N * (r + oracle.gamma * v[s2] - v[s])
        v = v + change
    return v, seen[alg.m * alg.N :]


def constant_actions(S, A):
    K = np.zeros((A, S, A))
    for m in range(A):
        for s in range(S):
            K[m, s, m] = 1
    return K
