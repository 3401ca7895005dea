"""Constrained IRL against loops; the certificate; the counterexample to generalisation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mdptk import check, run
from mdptk.algorithms.inverse.constrained_irl import ConstrainedIRL
from mdptk.algorithms.inverse.mce_icrl import MCEICRL
from mdptk.core import exact
from mdptk.core.errors import InvalidModel
from mdptk.core.inverse import HiddenReward
from mdptk.problems.demonstrations import dear_actions, hidden_garnet
from mdptk.theory.rationalise import rationalising
from tests.algorithms.inverse.test_mce_icrl import features, soft_policy


def goal(problem, w, xi):
    return sum(x * f for x, f in zip(w, problem.phi, strict=True)) - sum(
        x * f for x, f in zip(xi, problem.c, strict=True)
    )


def reference(alg, problem, steps):
    """Soft planning, then a step down for the weights and a projected one for the multipliers."""
    mdp, both = problem.mdp, [*problem.phi, *problem.c]
    spread = max(max(f.max(), 0) - min(f.min(), 0) for f in both)
    eta = 1 / (len(both) * max(abs(f).max() for f in both) * spread / (2 * problem.tau * (1 - mdp.gamma) ** 3))
    expert = soft_policy(mdp, goal(problem, problem.w, problem.xi), problem.tau)
    seen, b = features(mdp, expert, problem.phi), features(mdp, expert, problem.c) + problem.spare
    w, xi, out = np.zeros(problem.n), np.zeros(problem.m), {"w": [], "xi": [], "log_pi": []}
    for _ in range(steps + 1):
        log_pi = soft_policy(mdp, goal(problem, w, xi), problem.tau)
        for name, x in zip(out, (w, xi, log_pi), strict=True):
            out[name].append(x)
        w = w - eta * (features(mdp, log_pi, problem.phi) - seen)
        xi = np.maximum(xi + eta * (features(mdp, log_pi, problem.c) - b), 0)
    return out


def test_what_is_found_lies_in_the_cone():
    """The reward that was learnt comes nearer to the set of all that explain the expert; the hidden one is in it."""
    problem = hidden_garnet()
    cone = rationalising(problem.mdp, np.exp(problem.expert), problem.tau, problem.c, problem.b)
    weights, left = cone.explain(problem.reward)
    assert left < 1e-12
    assert weights == pytest.approx([0.8])  # of the one constraint that is active: its multiplier
    assert cone.ambiguity == problem.S + 1
    result = run(ConstrainedIRL(), problem, 2000, every=500)
    distance = [cone.distance(np.tensordot(w, problem.phi, 1)) for w in result["w"][0]]
    assert distance[-1] < 0.01 < 0.1 < distance[0]
    without = rationalising(problem.mdp, np.exp(problem.expert), problem.tau)
    assert without.ambiguity == problem.S
    assert without.distance(problem.reward) > 0.1  # the constraint is part of why


def test_an_active_constraint_is_taken_for_the_reward():
    """The counterexample: two rewards explain the expert under its budget, and one is wrong when it is lifted."""
    base = hidden_garnet()
    problem = HiddenReward(base.mdp, np.stack([base.phi[0], base.c[0]]), [1.0, 0.0], base.c[:1], [0.8], [0.0], base.tau)
    cone = rationalising(problem.mdp, np.exp(problem.expert), problem.tau, problem.c, problem.b)
    wrong = problem.reward - 0.8 * problem.c[0]  # the price is taken for distaste
    assert cone.distance(wrong) < 1e-12
    assert cone.distance(problem.reward) < 1e-12
    free = [exact.soft_optimal(replace(problem.mdp, r=r), problem.tau).log_pi for r in (problem.reward, wrong)]
    spent = [float(problem.spent(log_pi, problem.c)[0]) for log_pi in free]
    assert spent[0] > spent[1] + 0.05  # without the budget the hidden reward asks for more of it
    shaped = problem.reward + np.arange(4.0)[:, None] - problem.gamma * problem.mdp.P @ np.arange(4.0)
    again = exact.soft_optimal(replace(problem.mdp, r=shaped), problem.tau).log_pi
    np.testing.assert_allclose(again, free[0], atol=1e-9)  # shaping alone does no harm


def test_without_entropy_the_cone_is_that_of_ng_and_russell():
    """A reward is in the cone exactly if the greedy expert is optimal for it."""
    rng = np.random.default_rng(0)
    mdp = hidden_garnet().mdp
    for _ in range(10):
        r = rng.normal(size=(4, 3))
        best = exact.optimal(replace(mdp, r=r)).pi
        cone = rationalising(mdp, best)
        assert cone.distance(r) < 1e-9
        other = np.roll(best, 1, axis=1)
        assert rationalising(mdp, other).distance(r) > 1e-6
        advantage = exact.advantage(replace(mdp, r=r), best)
        weights, _ = cone.explain(r)
        np.testing.assert_allclose(weights, -advantage[best == 0], atol=1e-8)  # the rays' weights are the advantages


@pytest.mark.parametrize(("gamma", "tau"), [(0.0, 0.1), (0.3, 0.5), (0.9, 0.2)])
def test_theorems_on_random_problems(gamma, tau):
    """Without a future, with little entropy, with a long one."""
    for seed in (1, 2):
        verdicts = check(run(ConstrainedIRL(), hidden_garnet(gamma=gamma, tau=tau, seed=seed), 15))
        verdicts += check(run(MCEICRL(), dear_actions(gamma=gamma, tau=tau, seed=seed), 15))
        assert all(v.ok for v in verdicts)


def test_what_is_refused():
    problem = hidden_garnet()
    with pytest.raises(InvalidModel, match=r"xi\[0\] = 1 prices a budget of which spare\[0\] = 2 is left"):
        HiddenReward(problem.mdp, problem.phi, problem.w, problem.c[:1], [1.0], [2.0], 1.0)
    with pytest.raises(InvalidModel, match=r"expert\[0, 0\] = 0 at the temperature"):
        rationalising(problem.mdp, np.eye(3)[[1, 1, 1, 1]], 0.5)
    with pytest.raises(InvalidModel, match=r"the expert spends .* of the budget b\[0\] = 0"):
        rationalising(problem.mdp, np.full((4, 3), 1 / 3), 0.5, problem.c[:1], [0.0])
