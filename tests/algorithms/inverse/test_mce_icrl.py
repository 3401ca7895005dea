"""MCE-ICRL against loops; its gradient against differences; what is recovered, and what is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mdptk import MDP, check, run
from mdptk.algorithms.inverse.mce_icrl import MCEICRL
from mdptk.core.errors import InvalidModel
from mdptk.core.inverse import HiddenCosts
from mdptk.problems.demonstrations import dear_actions, dear_cells


def soft_policy(mdp, r, tau):
    """Soft value iteration, until the discount leaves nothing."""
    V = np.zeros(mdp.S)
    for _ in range(int(40 / (1 - mdp.gamma))):
        Q = np.array([[r[s, a] + mdp.gamma * mdp.P[s, a] @ V for a in range(mdp.A)] for s in range(mdp.S)])
        V = np.array([q.max() + tau * np.log(np.exp((q - q.max()) / tau).sum()) for q in Q])
    return (Q - V[:, None]) / tau


def features(mdp, log_pi, phi):
    """Discounted sums of features, by rolling the state distribution forward."""
    total, d, weight = np.zeros(len(phi)), mdp.rho.copy(), 1.0
    while weight > 1e-17:
        x = d[:, None] * np.exp(log_pi)
        total += weight * np.array([(x * f).sum() for f in phi])
        d = np.einsum("sa,sat->t", x, mdp.P)
        weight *= mdp.gamma
    return total


def reference(alg, problem, steps):
    """Soft planning at the prices, then a projected step along the difference of features."""
    mdp, phi, lam = problem.mdp, problem.phi, np.zeros(problem.n)
    spread = max(max(f.max(), 0) - min(f.min(), 0) for f in phi)
    eta = 1 / (problem.n * abs(phi).max() * spread / (2 * problem.tau * (1 - mdp.gamma) ** 3))
    expert = features(
        mdp, soft_policy(mdp, mdp.r - sum(p * f for p, f in zip(problem.prices, phi, strict=True)), problem.tau), phi
    )
    out = {"lam": [], "log_pi": []}
    for _ in range(steps + 1):
        log_pi = soft_policy(mdp, mdp.r - sum(p * f for p, f in zip(lam, phi, strict=True)), problem.tau)
        out["lam"].append(lam)
        out["log_pi"].append(log_pi)
        lam = np.maximum(lam + eta * (features(mdp, log_pi, phi) - expert), 0)
    return out


def test_gradient_of_the_dual():
    """The difference of features is what central differences of the dual give."""
    problem = dear_actions()
    lhs = MCEICRL.theorems[0].lhs
    lam = np.array([0.3, 0.7])
    alg = MCEICRL()

    def dual(x):
        from mdptk.algorithms.inverse.mce_icrl import _state

        return float(lhs.of(run(alg, problem, 0, start=_state(problem, x)))[0, 0])

    slope = [(dual(lam + 1e-5 * e) - dual(lam - 1e-5 * e)) / 2e-5 for e in np.eye(2)]
    log_pi = soft_policy(problem.mdp, problem.mdp.r - np.tensordot(lam, problem.phi, 1), problem.tau)
    wanted = features(problem.mdp, problem.expert, problem.phi) - features(problem.mdp, log_pi, problem.phi)
    np.testing.assert_allclose(slope, wanted, atol=1e-8)


def test_dear_cells_are_found():
    """The two cells that the expert avoids get the two highest prices, and the policy is the expert's."""
    problem = dear_cells()
    result = run(MCEICRL(eta=2.0), problem, 300, every=300)
    lam = result["lam"][0, -1]
    assert set(np.argsort(lam)[-2:]) == {1, 4}
    assert abs(np.exp(result["log_pi"][0, -1]) - np.exp(problem.expert)).max() < 0.05


def test_prices_transfer_to_another_start():
    """With the learnt prices and another start, less is spent in the dear cells than without."""
    problem = dear_cells()
    lam = run(MCEICRL(eta=2.0), problem, 100, every=100)["lam"][0, -1]
    moved = replace(problem.mdp, rho=np.eye(9)[7])
    spent = [
        features(moved, soft_policy(moved, moved.r - np.tensordot(p, problem.phi, 1), problem.tau), problem.phi)[4]
        for p in (lam, np.zeros(9))
    ]
    assert spent[0] < 0.9 * spent[1]


def test_a_step_too_long():
    """The theorems on descent say that they do not speak of it."""
    words = {v.theorem.name: v.word for v in check(run(MCEICRL(eta=50.0), dear_actions(), 20), skip_unmet=True)}
    assert words["descent"] == "n/a"
    assert words["the dual is the likelihood"] == "holds"


def test_what_is_refused():
    mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.5)
    with pytest.raises(InvalidModel, match=r"prices\[0\] = -1 is less than 0"):
        HiddenCosts(mdp, [[[0.0, 1.0]]], [-1.0], 1.0)
    with pytest.raises(InvalidModel, match="tau = 0"):
        HiddenCosts(mdp, [[[0.0, 1.0]]], [1.0], 0.0)
    with pytest.raises(InvalidModel, match="phi has shape"):
        HiddenCosts(mdp, [[0.0, 1.0]], [1.0], 1.0)
