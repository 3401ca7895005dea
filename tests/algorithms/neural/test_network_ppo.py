"""PPO with networks against loops; its first gradient; what clipping does to a sample, and what it does not do."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mdptk import check, run
from mdptk.algorithms.neural.network_ppo import RATIO, NetworkPPO
from mdptk.core.networks import Network, log_policy, values
from mdptk.core.oracles import Trajectories
from mdptk.problems.teaching import two_state
from tests.algorithms.neural.loops import critic_steps, estimates, gradient, policy, starting_networks, trajectory


def reference(alg, oracle, xis):
    """Algorithm 1 of Schulman et al. 2017 with one minibatch, on networks, with discounted weights."""
    net, critic, Phi = starting_networks(alg, oracle)
    out = {f"net.{name}": [x.copy()] for name, x in zip(Network._fields, net, strict=True)}
    out |= {f"critic.{name}": [x.copy()] for name, x in zip(Network._fields, critic, strict=True)}
    for xi in xis:
        old = policy(net, Phi)
        samples = [trajectory(oracle, old, u) for u in xi]
        A, targets = estimates(alg, oracle, critic, Phi, samples)
        for _ in range(alg.K):
            pi, weight = policy(net, Phi), np.zeros(oracle.r.shape)
            for (s, a, _), advantages in zip(samples, A, strict=True):
                for k in range(alg.T):
                    ratio = pi[s[k], a[k]] / old[s[k], a[k]]
                    up, down = (
                        advantages[k] >= 0 and ratio > 1 + alg.epsilon,
                        advantages[k] < 0 and ratio < 1 - alg.epsilon,
                    )
                    if not up and not down:
                        weight[s[k], a[k]] += oracle.gamma**k * ratio * advantages[k] / alg.N
            net = [x + alg.eta * d for x, d in zip(net, gradient(net, Phi, weight), strict=True)]
        critic = critic_steps(alg, oracle, critic, Phi, targets)
        for name, x, y in zip(Network._fields, net, critic, strict=True):
            out[f"net.{name}"].append(x.copy())
            out[f"critic.{name}"].append(y.copy())
    return {name: np.array(x) for name, x in out.items()}


def test_the_first_gradient_is_that_of_the_policy_when_the_sample_is_everything():
    """With lam = 1 the critic is a baseline: two steps, enumerated, give the gradient of what they earn."""
    mdp, alg = two_state(), NetworkPPO(lam=1.0, N=1, T=2, K=1)
    with jax.enable_x64(True):
        oracle = jax.tree.map(jnp.asarray, Trajectories.of(mdp))
        state = alg.init(oracle, jax.random.key(3))
        net, Phi = state.net, state.Phi
        pi = np.asarray(jnp.exp(log_policy(net, Phi)))
        v = np.asarray(values(state.critic, Phi, mdp.gamma))
        cells = jnp.array(
            [[s0, a0, s1, a1, s2] for s0 in (0, 1) for a0 in (0, 1) for s1 in (0, 1) for a1 in (0, 1) for s2 in (0, 1)]
        )

        class Given(Trajectories):
            def follow(self, pi, u):
                return u[None, 0::2].astype(int), u[None, 1::2].astype(int)

        given = Given(*(getattr(oracle, name) for name in ("r", "gamma", "_next", "_first")))
        g = jax.jit(jax.vmap(lambda cell: alg.step(given, state, cell).g))(cells)
        s0, a0, s1, a1, s2 = np.asarray(cells).T
        chance = mdp.rho[s0] * pi[s0, a0] * mdp.P[s0, a0, s1] * pi[s1, a1] * mdp.P[s1, a1, s2]
        assert chance.sum() == pytest.approx(1, rel=1e-12)

        def two_steps(net):
            """What two steps earn, and then the values of the critic."""
            pi, later = jnp.exp(log_policy(net, Phi)), jnp.asarray(v)
            for _ in range(2):
                later = (pi * (mdp.r + mdp.gamma * mdp.P @ later)).sum(-1)
            return (mdp.rho * later).sum()

        want = jax.grad(two_steps)(net)
    for x, y in zip(g, want, strict=True):
        np.testing.assert_allclose(np.tensordot(chance, np.asarray(x), 1), y, rtol=1e-9, atol=1e-12)


def test_it_learns_and_every_step_is_judged():
    result = run(NetworkPPO(eta=0.2), two_state(), 64, repeats=8)
    assert np.median(result["gap"][:, -1]) < 0.1 * np.median(result["gap"][:, 0])  # now and then one gets stuck
    assert all(v.ok for v in check(result) if v.theorem is not RATIO)
    np.testing.assert_allclose(result["gain"][:, 1:], -np.diff(result["gap"], axis=1), atol=1e-9)


def test_clipping_does_not_keep_the_ratio():
    made = RATIO.counterexample()
    assert RATIO.check(made).ok is False
    assert made["max_ratio"].max() > 1.3
