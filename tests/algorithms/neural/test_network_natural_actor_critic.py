"""Natural actor-critic with networks against loops, with the Fisher matrix in the space of the parameters."""

from __future__ import annotations

import numpy as np

from mdptk import check, run
from mdptk.algorithms.neural.network_natural_actor_critic import ASCENT, NetworkNaturalActorCritic
from mdptk.core.networks import Network
from mdptk.problems.teaching import two_state
from tests.algorithms.neural.loops import (
    add_score,
    critic_steps,
    estimates,
    policy,
    starting_networks,
    trajectory,
)


def reference(alg, oracle, xis):
    """(F + damping I) w = g with the empirical Fisher matrix, written out; Peters and Schaal 2008 with GAE."""
    net, critic, Phi = starting_networks(alg, oracle)
    out = {f"net.{name}": [x.copy()] for name, x in zip(Network._fields, net, strict=True)}
    out |= {f"critic.{name}": [x.copy()] for name, x in zip(Network._fields, critic, strict=True)}
    size = sum(x.size for x in net)
    for xi in xis:
        samples = [trajectory(oracle, policy(net, Phi), u) for u in xi]
        A, targets = estimates(alg, oracle, critic, Phi, samples)
        F, g, known = alg.damping * np.eye(size), np.zeros(size), {}
        for (s, a, _), advantages in zip(samples, A, strict=True):
            for k in range(alg.T):
                if (s[k], a[k]) not in known:
                    parts = [np.zeros(x.shape) for x in net]
                    add_score(parts, net, Phi[s[k]], a[k], 1.0)
                    known[s[k], a[k]] = np.concatenate([x.ravel() for x in parts])
                score = known[s[k], a[k]]
                F += oracle.gamma**k / alg.N * np.outer(score, score)
                g += oracle.gamma**k / alg.N * advantages[k] * score
        w = np.split(np.linalg.solve(F, g), np.cumsum([x.size for x in net])[:-1])
        net = [x + alg.eta * d.reshape(x.shape) for x, d in zip(net, w, strict=True)]
        critic = critic_steps(alg, oracle, critic, Phi, targets)
        for name, x, y in zip(Network._fields, net, critic, strict=True):
            out[f"net.{name}"].append(x.copy())
            out[f"critic.{name}"].append(y.copy())
    return {name: np.array(x) for name, x in out.items()}


def test_it_learns_and_every_step_is_judged():
    result = run(NetworkNaturalActorCritic(), two_state(), 64, repeats=8)
    assert (result["gap"][:, -1] < 0.5 * result["gap"][:, 0]).all()
    assert all(v.ok for v in check(result))


def test_downhill_is_noticed():
    class Downhill(NetworkNaturalActorCritic):
        def step(self, oracle, state, xi):
            done = super().step(oracle, state, xi)
            return done._replace(ascent=-done.ascent)

    assert ASCENT.check(run(Downhill(), two_state(), 8)).ok is False
