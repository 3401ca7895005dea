"""MAC against loops. Mean, cost and variance of multi-level means by enumeration: tests/core/test_estimators.py."""

from __future__ import annotations

import numpy as np
import pytest

from mdptk.algorithms.policy_gradient.multi_level_actor_critic import MultiLevelActorCritic
from mdptk.problems.jao import jao
from mdptk.testing import check_exact_statement
from tests.algorithms.policy_gradient.episodes import draw, softmax


def level(x, J, top):
    """The multi-level mean as printed, from as many samples as the level asks for."""
    if top < J:
        return x[0]
    fine, coarse = sum(x[: 2**J]) / 2**J, sum(x[: 2 ** (J - 1)]) / 2 ** (J - 1)
    return x[0] + 2**J * (fine - coarse)


def reference(alg, oracle, xis):
    """Suttle et al. 2023, with a table for a critic; loops over the samples, of which none is drawn in vain."""
    S, A = oracle.r.shape
    theta, g, w, n, spent = np.zeros((S, A)), 0.0, np.zeros(S), 1.0, 0.0
    out = {"theta": [theta], "g": [g], "w": [w], "n": [n], "samples": [spent]}
    s = None
    for xi in xis:
        if s is None:
            s = first(oracle)
        J, u = 1, xi[0, 0]
        while 1 - u <= 2.0**-J:
            J += 1
        used = 2**J if alg.levels >= J else 1
        pi, gain, value, actor = softmax(theta), [], [], []
        for k in range(1, used + 1):
            total = np.cumsum(pi[s])
            a = draw(total, xi[k, 0] * total[-1])
            s2 = draw(oracle._next[s, a], xi[k, 1])
            delta = oracle.r[s, a] - g + w[s2] - w[s]
            gain.append(oracle.r[s, a] - g)
            value.append(delta * np.eye(S)[s])
            actor.append(delta * np.eye(S)[s][:, None] * (np.eye(A)[a] - pi[s]))
            s = s2
        h = level(actor, J, alg.levels)
        w = w + alg.beta * level(value, J, alg.levels)
        w = w * min(1, alg.R / np.linalg.norm(w)) if w.any() else w
        g = g + alg.beta * level(gain, J, alg.levels)
        n, spent = n + (h**2).sum(), spent + used
        theta = theta + alg.alpha / np.sqrt(n) * h
        for name, x in zip(out, (theta, g, w, n, spent), strict=True):
            out[name].append(x)
    return {k: np.array(x) for k, x in out.items()}


def first(oracle):
    """The state that the run starts from: the conformance suite makes it with this key."""
    import jax

    with jax.enable_x64(True):
        key = jax.random.fold_in(jax.random.key(0), 0)
        return draw(oracle._first, float(jax.random.uniform(key)))


def test_the_critic_is_kept_in_its_ball():
    """With a ball so small that the loops project, too."""
    kept = []

    def watched(*args):
        out = reference(*args)
        kept.append(np.linalg.norm(out["w"], axis=-1).max())
        return out

    check_exact_statement(MultiLevelActorCritic(R=0.05), {"jao": jao()}, watched)
    assert kept[0] == pytest.approx(0.05, rel=1e-12)
