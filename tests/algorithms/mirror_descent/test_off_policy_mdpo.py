"""Off-policy MDPO against loops; what the buffer changes, and what it does not. See also test_mdpo."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.mirror_descent.mdpo import MDPO
from mdptk.algorithms.mirror_descent.off_policy_mdpo import INNER, OffPolicyMDPO
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def reference(alg, mdp, steps):
    """The divergence from its definition, one logit at a time; the buffer as a list."""
    S, A, P = mdp.S, mdp.A, mdp.dense().P
    alpha = 1 / (1 / (1 - mdp.gamma) + 1 / alg.eta)
    theta, buffer, out = np.zeros((S, A)), [], {"pi": [], "D": [np.zeros(S)]}
    for _ in range(steps + 1):
        pi = np.array([np.exp(theta[s]) / sum(np.exp(theta[s])) for s in range(S)])
        out["pi"].append(pi)
        M = np.eye(S) - mdp.gamma * np.array([pi[s] @ P[s] for s in range(S)])
        v = np.linalg.solve(M, (pi * mdp.r).sum(-1))
        buffer.append((1 - mdp.gamma) * np.linalg.solve(M.T, mdp.rho))
        D = sum(buffer) / len(buffer)
        out["D"].append(D)
        for s in range(S):
            weight = [pi[s, a] * np.exp(alg.eta * (mdp.r[s, a] + mdp.gamma * P[s, a] @ v - v[s])) for a in range(A)]
            for _ in range(alg.m):
                p = np.exp(theta[s]) / sum(np.exp(theta[s]))
                slope = [np.log(p[a] * sum(weight) / weight[a]) for a in range(A)]
                mean = sum(p[a] * slope[a] for a in range(A))
                theta[s] = [theta[s, a] - alpha / alg.eta * D[s] * p[a] * (slope[a] - mean) for a in range(A)]
    return {"pi": np.array(out["pi"]), "D": np.array(out["D"][:-1])}


@settings(max_examples=15)
@given(mdps(), st.sampled_from([0.01, 1.0, 100.0]), st.sampled_from([1, 8]))
def test_theorems(mdp, eta, m):
    for verdict in check(run(OffPolicyMDPO(eta, m), mdp, 5)):
        assert verdict.ok is not False, str(verdict)


def test_a_state_that_is_no_longer_visited_is_still_updated():
    """A reward leads away from state 1, and soon for ever; what to do there is still learned."""
    P = np.zeros((3, 2, 3))
    P[0, 0, 2] = P[0, 1, 1] = P[1, :, 2] = P[2, :, 2] = 1
    mdp = MDP(P, [[1.0, 0.0], [0.5, 0.0], [0.0, 0.0]], 0.5, [1.0, 0.0, 0.0])
    on, off = (run(method(eta=10.0, m=20), mdp, 60)["pi"][0, -1] for method in (MDPO, OffPolicyMDPO))
    assert off[1, 1] < 0.5 * on[1, 1]
    np.testing.assert_allclose(run(MDPO(m=5), mdp, 1)["pi"], run(OffPolicyMDPO(m=5), mdp, 1)["pi"], rtol=1e-14)


def test_inner_convergence_catches_steps_that_are_left_out():
    class Idle(OffPolicyMDPO):
        def step(self, problem, state):
            return OffPolicyMDPO(self.eta, 1).step(problem, state)

    assert not INNER.check(run(Idle(m=50), garnet(), 2)).ok
