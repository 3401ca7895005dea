"""Clip-Cov against loops; the covariance formula for the entropy, on plain and natural gradients as well."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.policy_gradient.clip_cov import IMPROVEMENT, SPARED, ClipCov
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.algorithms.policy_gradient.softmax_pg import SoftmaxPG
from mdptk.core import exact
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps
from mdptk.theory.stock_entropy import ENTROPY, covariance, entropies, remainder


def reference(alg, mdp, steps):
    """State by state, action by action."""
    S, A, gamma = mdp.S, mdp.A, mdp.gamma
    log_pi, out = np.full((S, A), -np.log(A)), []
    for _ in range(steps + 1):
        out.append(log_pi.copy())
        pi = np.exp(log_pi)
        v = np.linalg.solve(
            np.eye(S) - gamma * np.array([pi[s] @ mdp.P[s] for s in range(S)]), [pi[s] @ mdp.r[s] for s in range(S)]
        )
        for s in range(S):
            advantage = [mdp.r[s, a] + gamma * mdp.P[s, a] @ v - v[s] for a in range(A)]
            entropy = -pi[s] @ log_pi[s]
            for a in range(A):
                if (log_pi[s, a] + entropy) * advantage[a] <= alg.omega:
                    log_pi[s, a] += alg.eta * advantage[a]
            log_pi[s] -= np.log(np.exp(log_pi[s]).sum())
    return {"log_pi": np.array(out)}


@given(mdps(), st.sampled_from([0.01, 1.0]), st.sampled_from([0.0, 0.1]))
@settings(max_examples=25)
def test_theorems(mdp, eta, omega):
    for verdict in check(run(ClipCov(eta, omega), mdp, 12)):
        assert verdict.ok is not False, str(verdict)


@pytest.mark.parametrize("alg", [NPG(0.1), SoftmaxPG(0.1)], ids=["natural", "plain"])
def test_the_formula_holds_for_other_gradients_and_is_tight_to_first_order(alg):
    result = run(alg, garnet(5, 4, 3, 0.5), 50)
    verdict = ENTROPY.check(result)
    assert verdict.ok
    assert 0.01 < verdict.ratio <= 1
    change = abs(np.diff(entropies(result), axis=1)).max(-1)
    assert (remainder.values(result)[:, 1:] < 0.5 * change).mean() > 0.8


@pytest.mark.parametrize("natural", [True, False])
def test_the_first_order_ratio_is_one(natural):
    """H(pi') - H(pi) over -Cov(log pi, z) is 1 + O(eta), with z = eta A, or eta pi A for the plain gradient."""
    rng = np.random.default_rng(0)
    log_pi, r = exact.log_softmax(rng.normal(size=50)), rng.random(50)
    pi = np.exp(log_pi)
    z = (r - pi @ r) * (1 if natural else pi)
    H = lambda x: -(np.exp(x) * x).sum()  # noqa: E731
    off = [
        abs((H(exact.log_softmax(log_pi + eta * z)) - H(log_pi)) / (-eta * covariance(pi, log_pi, z)) - 1)
        for eta in (1e-2, 1e-3)
    ]
    assert off[1] == pytest.approx(off[0] / 10, rel=0.1)


def test_entropy_may_rise():
    """Where the good action is rare; so no gradient method "collapses" at every step."""
    start = {"theta": [[3.0, 0.0]], "pi": exact.softmax(np.array([[3.0, 0.0]]))}
    result = run(NPG(0.1), MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.0), 10, start=start)
    assert (np.diff(entropies(result)[0, :, 0]) > 0).all()


def test_it_keeps_entropy_and_gains_less():
    plain, clipped = (run(ClipCov(0.5, omega), garnet(5, 4, 3, 0.5), 100) for omega in (1e9, 0.01))
    assert entropies(clipped)[0, -1].min() > entropies(plain)[0, -1].min() + 0.1
    values = [exact.expected_return(plain.problem, x["pi"][0, -1]) for x in (plain, clipped)]
    assert values[0] > values[1]


def test_a_clip_of_the_wrong_side_is_noticed():
    class Wrong(ClipCov):
        def step(self, problem, state):
            advantage = exact.advantage(problem, state.pi)
            x = exact.log_softmax(state.log_pi + self.eta * advantage * np.where(advantage > 0, 2.0, 1.0))
            return state._replace(log_pi=x, pi=np.exp(x))

    class Flipped(ClipCov):
        def step(self, problem, state):
            x = exact.log_softmax(state.log_pi - self.eta * exact.advantage(problem, state.pi))
            return state._replace(log_pi=x, pi=np.exp(x))

    assert not SPARED.check(run(Wrong(), garnet(5, 4, 3, 0.5), 50)).ok
    assert not IMPROVEMENT.check(run(Flipped(), garnet(5, 4, 3, 0.5), 50)).ok
