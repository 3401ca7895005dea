"""REINFORCE with a network against loops; the true gradient; what is measured, from the recorded networks."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from mdptk import check, run
from mdptk.algorithms.neural.network_reinforce import NetworkREINFORCE
from mdptk.core import exact
from mdptk.core.networks import Network, features, log_policy
from mdptk.problems.garnet import garnet
from mdptk.problems.teaching import two_state
from mdptk.theory.stock_networks import true_gradient
from tests.algorithms.neural.loops import add_score, policy, trajectory


def reference(alg, oracle, xis):
    """Williams 1992 with discount, on a network, from the parameters that the key of the learner gives."""
    with jax.enable_x64(True):
        start = alg.init(oracle, jax.random.fold_in(jax.random.key(0), 0))
    net, Phi = [np.array(x) for x in start.net], np.array(start.Phi)
    out = {f"net.{name}": [x.copy()] for name, x in zip(Network._fields, net, strict=True)}
    for xi in xis:
        g, pi = [np.zeros(x.shape) for x in net], policy(net, Phi)
        for u in xi:
            s, a, r = trajectory(oracle, pi, u)
            for k in range(alg.T):
                earned = sum(oracle.gamma ** (j - k) * r[j] for j in range(k, alg.T))
                add_score(g, net, Phi[s[k]], a[k], oracle.gamma**k * earned / alg.N)
        net = [x + alg.eta * d for x, d in zip(net, g, strict=True)]
        for name, x in zip(Network._fields, net, strict=True):
            out[f"net.{name}"].append(x.copy())
    return {name: np.array(x) for name, x in out.items()}


@pytest.mark.parametrize("n", [None, 3])
def test_true_gradient_is_the_jacobian_times_the_gradient_in_the_policy(n):
    mdp = garnet(5, 3, 3, 0.9)
    Phi = features(mdp.S, n)
    with jax.enable_x64(True):
        net = NetworkREINFORCE(n=n).init(NetworkREINFORCE.sees.of(mdp), jax.random.key(1)).net
        jacobian = jax.jacrev(lambda net: jax.numpy.exp(log_policy(net, Phi)))(net)
        got = true_gradient(mdp, net, Phi)
    pi = policy([np.asarray(x) for x in net], np.asarray(Phi))
    g = exact.gradient(mdp, pi)
    for x, J in zip(got, jacobian, strict=True):
        want = np.tensordot(g, np.asarray(J), 2)
        np.testing.assert_allclose(x, want, rtol=1e-10, atol=1e-12)


def test_it_learns_and_every_step_is_judged():
    result = run(NetworkREINFORCE(eta=0.3, N=32, T=32), two_state(), 64, repeats=4)
    assert (result["gap"][:, -1] < 0.5 * result["gap"][:, 0]).all()
    assert all(v.ok for v in check(result))
    np.testing.assert_allclose(result["gain"][:, 1:], -np.diff(result["gap"], axis=1), atol=1e-9)
