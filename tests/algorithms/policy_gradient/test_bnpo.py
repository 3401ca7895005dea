"""BNPO against loops; by enumeration where it points on average, and what REINFORCE and GRPO have to do with it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import lgamma

import numpy as np
import pytest

from mdptk import MDP, InvalidHyperparameter, run
from mdptk.algorithms.policy_gradient import bnpo
from mdptk.algorithms.policy_gradient.bnpo import BNPO
from mdptk.core import exact
from mdptk.core.estimators import beta_density, beta_normalised, beta_weight
from tests.algorithms.policy_gradient.episodes import add_score, enumerate_episodes, policy, roll, softmax, tiny


def reference(alg, oracle, xis):
    """Prompts, answers and stages in loops; the moments of the rates, and the density, written out."""
    theta, d, a, b = np.zeros(oracle.r.shape), np.zeros(oracle.r.shape), 0.0, 0.0
    out = {"theta": [theta], "d": [d], "a": [a], "b": [b], "alpha": [1.0], "beta": [1.0]}
    for xi in xis:
        theta = theta + alg.eta * d
        pi, d, answers, q = softmax(theta), np.zeros(oracle.r.shape), [], []
        for prompt in xi:
            episodes = [roll(oracle, pi, u) for u in prompt]
            right = [float(u[-1, 1] < sum(r) / oracle.H) for (_, _, r), u in zip(episodes, prompt, strict=True)]
            answers.append((episodes, right))
            q.append(sum(right) / alg.K)
        m = sum(q) / alg.M
        v = sum((x - m) ** 2 for x in q) / alg.M
        known = len(set(q)) > 1 and any(0 < x < 1 for x in q)
        a, b = (m * (m * (1 - m) / v - 1), (1 - m) * (m * (1 - m) / v - 1)) if known else (0.0, 0.0)
        for (episodes, right), rate in zip(answers, q, strict=True):
            if not 0 < rate < 1:
                continue  # all right or all wrong: nothing to compare
            constant = lgamma(1 + a / 3) + lgamma(1 + b / 3) - lgamma(2 + (a + b) / 3)
            f = np.exp(a / 3 * np.log(rate) + b / 3 * np.log(1 - rate) - constant)
            for (s, act, _), R in zip(episodes, right, strict=True):
                for h in range(oracle.H):
                    add_score(d, pi, h, s[h], act[h], (R - rate) / f / (alg.M * alg.K))
        for name, x in zip(out, (theta, d, a, b, 1 + a / 3, 1 + b / 3), strict=True):
            out[name].append(x)
    return {name: np.array(x) for name, x in out.items()}


def outcomes(problem, pi, s):
    """(probability, states, actions, success) of an answer to the prompt s."""
    for p, states, actions in enumerate_episodes(problem, pi):
        if states[0] == s and p:
            chance = sum(problem.r[h, states[h], actions[h]] for h in range(problem.H)) / problem.H
            for R in (0.0, 1.0):
                yield p / problem.rho[s] * (chance if R else 1 - chance), states, actions, R


def rate_gradient(problem, pi, s):
    """The success rate of a prompt, and its gradient in the logits."""
    there = type(problem)(problem.P, problem.r, np.eye(problem.S)[s])
    return exact.evaluate(there, pi)[0, s] / problem.H, exact.softmax_gradient(there, pi) / problem.H


def test_on_average_it_is_a_sum_of_gradients_with_weights_that_the_rewards_decide():
    """Two prompts, two answers to each, the density fitted to what succeeded; all of it enumerated."""
    rng = np.random.default_rng(1)
    problem = MDP(np.full((2, 2, 2), 0.5), rng.random((2, 2)), 0.0, [0.3, 0.7]).episodic(1)
    pi, alg = policy(problem, 1), BNPO(M=2, K=2)
    answers = [list(outcomes(problem, pi, s)) for s in range(2)]
    mean, want, fits = np.zeros(pi.shape), np.zeros(pi.shape), set()
    for prompts in product(range(2), repeat=2):
        for batch in product(*(product(answers[s], repeat=2) for s in prompts)):
            chance = np.prod([problem.rho[s] for s in prompts]) * np.prod([x[0] for k in batch for x in k])
            s, a, R = (np.array([[x[i] for x in k] for k in batch]) for i in (1, 2, 3))
            d, fit, *_ = alg.estimate(pi, s, a, R)
            fits.add(round(float(fit), 6))
            mean += chance * d
    for prompts in product(range(2), repeat=2):
        for R in product(range(3), repeat=2):  # successes of each prompt
            rates = [rate_gradient(problem, pi, s) for s in prompts]
            chance = np.prod([problem.rho[s] for s in prompts])
            chance *= np.prod([[1, 2, 1][n] * p**n * (1 - p) ** (2 - n) for n, (p, _) in zip(R, rates, strict=True)])
            q = np.array(R) / 2
            f = beta_density(q, *(1 + x / 3 for x in alg.fit(q)))
            for x, density, (p, gradient) in zip(q, f, rates, strict=True):
                want += chance / 2 * x * (1 - x) / density / (p * (1 - p)) * gradient
    assert len(fits) > 1
    np.testing.assert_allclose(mean, want, atol=1e-15)


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("law", [(1.0, 1.0), (1.5, 1.5), (1.2, 2.0)])
def test_with_a_density_that_is_held_another_objective_is_ascended(law, K):
    """Two stages; the mean is the sum over prompts of rho(s) Phi'(p_s) grad p_s, with f = 1 that of REINFORCE."""
    problem = tiny(2, 3)
    pi, mean, want = policy(problem, 3), np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
    for s in range(2):
        p, gradient = rate_gradient(problem, pi, s)
        want += problem.rho[s] * beta_weight(p, K, *law) * gradient
        one = [0.0, 0.0], [np.zeros(pi.shape), np.zeros(pi.shape)]  # answers matter by success and mean score only
        for chance, states, actions, R in outcomes(problem, pi, s):
            one[0][int(R)] += chance
            for h in range(2):
                add_score(one[1][int(R)], pi, h, states[h], actions[h], chance)
        for R in product(range(2), repeat=K):
            A = beta_normalised(np.array([R], dtype=float), *law)[0]
            chance = np.prod([one[0][x] for x in R])
            mean += problem.rho[s] * chance / K * sum(w * one[1][x] / one[0][x] for w, x in zip(A, R, strict=True))
    np.testing.assert_allclose(mean, want, atol=1e-15)
    if law == (1.0, 1.0):
        np.testing.assert_allclose(mean, (1 - 1 / K) * exact.softmax_gradient(problem, pi) / 2, atol=1e-15)


def test_grpo_and_reinforce_are_two_of_its_densities():
    R = (np.arange(8) < np.arange(1, 8)[:, None]) * 1.0
    q = R.mean(-1, keepdims=True)
    np.testing.assert_array_equal(beta_normalised(R, 1.0, 1.0), R - q)
    grpo = (R - q) / np.sqrt(q * (1 - q))
    np.testing.assert_allclose(beta_normalised(R, 1.5, 1.5), np.pi / 8 * grpo, rtol=1e-13)
    many = beta_weight(np.array([0.1, 0.5, 0.8]), 4000, 1.5, 1.5)  # the slope of 2 arcsin(root p), times pi / 8
    np.testing.assert_allclose(many, np.pi / 8 / np.sqrt(np.array([0.09, 0.25, 0.16])), rtol=1e-2)


def test_the_variance_is_what_the_density_is_chosen_for():
    """Prompts whose reward has nothing to do with the action; K = 1 with the rate known, answers enumerated."""
    p, prior = np.array([0.2, 0.5, 0.9]), np.array([0.3, 0.5, 0.2])
    for law in ((1.0, 1.0), (1.3, 1.7)):
        f = beta_density(p, *law)
        square = 0.0
        for i, action, R in product(range(3), range(2), range(2)):
            score = np.eye(2)[action] - 0.5
            chance = prior[i] * 0.5 * (p[i] if R else 1 - p[i])
            square += chance * (((R - p[i]) / f[i] * score) ** 2).sum()
        assert square == pytest.approx(0.5 * prior @ (p * (1 - p) / f**2), rel=1e-13)


def test_rates_without_a_beta_distribution_are_taken_as_they_are():
    for q in ([0.5, 0.5, 0.5], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]):
        assert [float(x) for x in BNPO().fit(np.array(q))] == [0.0, 0.0]
    a, b = BNPO().fit(np.array([0.2, 0.4, 0.9]))
    assert (a / (a + b), a * b / ((a + b) ** 2 * (a + b + 1))) == pytest.approx((0.5, np.var([0.2, 0.4, 0.9])))
    with pytest.raises(InvalidHyperparameter, match="K must be int in"):
        BNPO(K=1)


def test_theorems_notice_other_densities_and_other_steps():
    class Backwards(BNPO):
        def step(self, oracle, state, xi):
            return BNPO.step(self, oracle, state._replace(d=-state.d), xi)

    def with_density(alpha, beta):
        return replace(result, out=result.out | {"alpha": alpha, "beta": beta}, cache={})

    problem = tiny(2)
    result = run(BNPO(), problem, 64, repeats=2)
    a, b, one = result["a"], result["b"], np.ones_like(result["a"])
    assert (a > 0).any()
    for theorem in BNPO.theorems:
        assert theorem.check(result).ok
    assert not bnpo.ASCENT.check(run(Backwards(), problem, 64, repeats=2)).ok
    assert bnpo.REINFORCE.check(with_density(one, one)).ratio == pytest.approx(1, abs=1e-9)
    assert not bnpo.GRPO.check(with_density(one, one)).ok
    assert not bnpo.REINFORCE.check(with_density(1 + 2 * a / 3, 1 + 2 * b / 3)).ok
