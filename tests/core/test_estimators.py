"""Estimators: identities of advantages, and means and variances by enumeration."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk.core import exact
from mdptk.core.errors import MdptkError
from mdptk.core.estimators import (
    beta_moments,
    beta_normalised,
    beta_variance,
    bootstrap_bias,
    expected_gae,
    gae,
    least_sampled,
    multilevel,
    noise_scale,
    occupancy_regression,
    props_gradient,
    returns_to_go,
    ros_policy,
    score_gradient,
    score_hessian,
    td_errors,
)
from mdptk.testing import episodic_mdps, policies
from tests.algorithms.policy_gradient.episodes import enumerate_episodes, policy, tiny

WEIGHTS = st.sampled_from([0.0, 0.3, 0.9, 1.0])


@given(st.integers(0, 1000), WEIGHTS, WEIGHTS)
@settings(max_examples=25)
def test_generalised_advantages_are_what_they_are_said_to_be(seed, lam, gamma):
    """Means of k-step advantages; temporal differences; returns less a baseline; reshaped rewards."""
    rng = np.random.default_rng(seed)
    H = 5
    r, v = rng.normal(size=H), rng.normal(size=H + 1)
    A = gae(r, v, lam, gamma)
    delta, G = td_errors(r, v, gamma), returns_to_go(r, gamma)
    ahead = [[sum(gamma**k * delta[h + k] for k in range(n)) for n in range(1, H - h + 1)] for h in range(H)]
    for h, n_step in enumerate(ahead):
        rest = lam ** (len(n_step) - 1) * n_step[-1]
        mean = (1 - lam) * sum(lam**k * x for k, x in enumerate(n_step[:-1])) + rest
        assert A[h] == pytest.approx(mean, rel=1e-12, abs=1e-12)
        assert n_step[-1] == pytest.approx(G[h] + gamma ** (H - h) * v[H] - v[h], rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(gae(r, v, 0.0, gamma), delta, rtol=1e-12, atol=1e-12)
    bent = r + gamma * np.append(1 - lam * np.ones(H - 1), 1.0) * v[1:]
    np.testing.assert_allclose(A, returns_to_go(bent, gamma * lam) - v[:-1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("lam", "gamma"), [(0.0, 1.0), (0.6, 1.0), (0.6, 0.7)])
def test_conditional_means_by_enumeration(lam, gamma):
    problem = tiny(3)
    pi = policy(problem)
    v = np.random.default_rng(1).normal(size=(problem.H + 1, problem.S))
    v[-1] = 0  # episodes are enumerated without their last state
    total, mass = np.zeros(pi.shape), np.zeros(pi.shape)
    h = np.arange(problem.H)
    for p, s, a in enumerate_episodes(problem, pi):
        r = problem.r[h, s[:-1], a]
        total[h, s[:-1], a] += p * gae(r, v[np.arange(problem.H + 1), s], lam, gamma)
        mass[h, s[:-1], a] += p
    np.testing.assert_allclose(total / mass, expected_gae(problem, pi, v, lam, gamma), rtol=1e-12, atol=1e-12)


@given(episodic_mdps(max_H=3, max_S=3), st.data(), WEIGHTS)
@settings(max_examples=15)
def test_what_errors_of_the_values_do(problem, data, lam):
    pi = data.draw(policies(problem))
    true = exact.evaluate(problem, pi)
    e = np.random.default_rng(0).normal(size=true.shape)
    e[-1] = 0
    want = exact.advantage(problem, pi) - e[:-1, :, None] + bootstrap_bias(problem, pi, e, lam)
    np.testing.assert_allclose(expected_gae(problem, pi, true + e, lam), want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("lam", [0.0, 0.5, 1.0])
def test_gamma_just(lam):
    """Schulman et al. 2016, Definition 1, with the values of gamma: any lambda gives what A^(pi,gamma) gives."""
    problem, gamma = tiny(3), 0.7
    pi, H = policy(problem), problem.H
    v, q = np.zeros((H + 1, problem.S)), np.zeros(pi.shape)
    for h in reversed(range(H)):
        q[h] = problem.r[h] + gamma * problem.P[h] @ v[h + 1]
        v[h] = (pi[h] * q[h]).sum(-1)
    wrong = v.copy()
    wrong[1:-1] += np.random.default_rng(2).normal(size=(H - 1, problem.S))

    def mean(values):
        out = np.zeros(pi.shape)
        for p, s, a in enumerate_episodes(problem, pi):
            A = gae(problem.r[np.arange(H), s[:-1], a], values[np.arange(H + 1), s], lam, gamma)
            out += p * score_gradient(pi, s[None], a[None], A[None])
        return out

    d = exact.occupancy(problem, pi)[..., None]
    want = d * pi * (q - v[:-1, :, None])
    np.testing.assert_allclose(mean(v), want, rtol=1e-12, atol=1e-14)
    assert np.allclose(mean(wrong), want, rtol=1e-9) == (lam == 1)


@pytest.mark.parametrize("seed", range(2))
def test_second_derivative_by_enumeration(seed):
    """The mean of the estimate is the derivative of the gradient, to the error of a central difference."""
    problem = tiny(2, seed)
    theta, x = np.random.default_rng(seed).normal(size=(2, *problem.r.shape))
    pi, h = exact.softmax(theta), np.arange(problem.H)
    mean = np.zeros(pi.shape)
    for p, s, a in enumerate_episodes(problem, pi):
        w = returns_to_go(problem.r[h, s[:-1], a])
        mean += p * score_hessian(pi, s[None], a[None], w[None], x)
    step = 1e-5
    up, down = (exact.softmax_gradient(problem, exact.softmax(theta + e * x)) for e in (step, -step))
    np.testing.assert_allclose(mean, (up - down) / (2 * step), rtol=0, atol=1e-8)


LEVELS = [1, 2, 3]


@pytest.mark.parametrize("top", LEVELS)
def test_multilevel_mean_and_cost_for_a_markov_chain(top):
    """Over all paths of a slow chain and all levels: the mean of the long average, though the chain starts cold."""
    P, f = np.array([[0.9, 0.1], [0.3, 0.7]]), np.array([0.0, 1.0])
    n, mean, want, cost = 2**top, 0.0, 0.0, 0.0
    for path in product(range(2), repeat=n):
        p = (path[0] == 0) * np.prod([P[s, t] for s, t in pairwise(path)])
        x = f[list(path)]
        want += p * x.mean()
        for J in range(1, top + 2):  # the last stands for all larger ones, which do the same
            q = 2.0 ** -min(J, top)
            mean += p * q * multilevel(x, J)
            cost += p * q * (2**J if top >= J else 1)
    assert mean == pytest.approx(want, rel=1e-12)
    assert cost == pytest.approx(top + 2.0**-top, rel=1e-12)


@pytest.mark.parametrize("top", LEVELS)
def test_multilevel_variance_of_independent_samples(top):
    n, p, second = 2**top, 0.3, 0.0
    for x in product([0.0, 1.0], repeat=n):
        x = np.array(x)
        weight = np.prod(np.where(x > 0, p, 1 - p))
        second += weight * sum(2.0 ** -min(J, top) * (multilevel(x, J) - p) ** 2 for J in range(1, top + 2))
    assert second == pytest.approx(p * (1 - p) * (top - 1 + 2.0 ** (1 - top)), rel=1e-12)


def test_multilevel_of_one_sample_is_the_sample():
    assert multilevel(np.array([[2.0, 3.0]]), 4).tolist() == [2.0, 3.0]


@pytest.mark.parametrize(("b", "B"), [(1, 2), (1, 3)])
def test_noise_scale_is_unbiased(b, B):
    """REINFORCE on a bandit, all batches of B episodes, of which the first b are the small batch."""
    pi, r = np.array([0.2, 0.3, 0.5]), np.array([1.0, 0.4, 0.0])
    g = r[:, None] * (np.eye(3) - pi)
    G = pi @ g
    trace = pi @ (g**2).sum(-1) - G @ G
    mean = np.zeros(2)
    for a in product(range(3), repeat=B):
        small, large = (g[list(a[:k])].mean(0) for k in (b, B))
        mean += np.prod(pi[list(a)]) * np.array(noise_scale(small @ small, large @ large, b, B))
    np.testing.assert_allclose(mean, [G @ G, trace], rtol=1e-12)


PRIORS = [(2.3, 5.1), (1.0, 1.0), (0.5, 4.0)]


@pytest.mark.parametrize(("a", "b"), PRIORS)
def test_the_variance_of_bnpo_and_where_it_is_least(a, b):
    """The closed form is the integral; no pair nearby, nor those of REINFORCE and GRPO, is below 1 + a/3, 1 + b/3."""
    from scipy.integrate import quad
    from scipy.stats import beta as law

    for alpha, beta in ((1.0, 1.0), (1.2, 1.1), (1 + a / 3, 1 + b / 3)):
        want = quad(lambda p: law.pdf(p, a, b) * p * (1 - p) / law.pdf(p, alpha, beta) ** 2, 0, 1)[0]  # noqa: B023
        assert beta_variance(alpha, beta, a, b) == pytest.approx(want, rel=1e-6)
    least = beta_variance(1 + a / 3, 1 + b / 3, a, b)
    near = np.linspace(-0.3, 0.3, 13)
    assert (beta_variance(1 + a / 3 + near[:, None], 1 + b / 3 + near, a, b) >= least).all()
    assert beta_variance(1.5, 1.5, a, b) >= least * (1 - 1e-12)
    assert beta_variance((a + 3) / 2, 1.0, a, b) == np.inf


def test_bnpo_with_scores_of_a_softmax_policy():
    """By enumeration of the two actions the score depends on the reward, and the least variance is elsewhere."""
    from scipy.stats import beta as law

    a, b = 2.0, 2.0
    p = (np.arange(2000) + 0.5) / 2000  # prompts; symmetric, so alpha = beta is best
    prior = law.pdf(p, a, b) / law.pdf(p, a, b).sum()

    def variance(alpha, score):
        A = np.stack([1 - p, -p]) / law.pdf(p, alpha, alpha)
        chance = np.stack([p, 1 - p])
        return prior @ (chance * (A * score) ** 2).sum(0)

    grid = np.linspace(1.0, 2.4, 141)
    of_softmax = np.array([variance(x, np.stack([1 - p, -p])) for x in grid])
    independent = np.array([variance(x, 1.0) for x in grid])
    assert grid[independent.argmin()] == pytest.approx(1 + a / 3, abs=0.011)
    assert abs(grid[of_softmax.argmin()] - (1 + a / 3)) > 0.05


def test_beta_normalised():
    from scipy.stats import beta as law

    R = np.array([[1.0, 0, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
    A = beta_normalised(R, 4 / 3, 5 / 3)
    np.testing.assert_allclose(A.sum(-1), 0, atol=1e-12)
    assert A[0, 0] == pytest.approx(0.75 / law.pdf(0.25, 4 / 3, 5 / 3), rel=1e-12)
    assert not A[2:].any()


def test_beta_normalised_gradients_point_where_those_of_the_success_rates_do():
    """All answers enumerated: the mean is grad p times E[q (1 - q) / f(q)] / (p (1 - p)), with q the sample rate.

    For given the rewards a score has the mean grad p / p where the answer is right, and -grad p / (1 - p) where not.
    """
    from scipy.stats import beta as law
    from scipy.stats import binom

    pi, right, K, (a, b) = np.array([0.2, 0.3, 0.5]), np.array([1.0, 0.0, 1.0]), 4, (2.0, 3.0)
    p, mean = pi @ right, np.zeros(3)
    for answers in product(range(3), repeat=K):
        answers = np.array(answers)
        score = np.eye(3)[answers] - pi
        mean += pi[answers].prod() * (
            beta_normalised(right[answers][None], 1 + a / 3, 1 + b / 3)[0][:, None] * score
        ).mean(0)
    q = np.arange(1, K) / K
    weight = binom.pmf(np.arange(1, K), K, p) @ (q * (1 - q) / law.pdf(q, 1 + a / 3, 1 + b / 3)) / (p * (1 - p))
    np.testing.assert_allclose(mean, weight * pi * (right - p), atol=1e-15)


@pytest.mark.parametrize("n", [2, 4])
def test_occupancy_regression_is_the_projection_on_average(n):
    """Trajectories enumerated; four features are a table, and then it is the visits."""
    problem, gamma = tiny(3), 0.8
    phi = np.random.default_rng(n).normal(size=(2, 2, n))
    pi, mean, visits = policy(problem), np.zeros(n), np.zeros((2, 2))
    for p, s, a in enumerate_episodes(problem, pi):
        mean += p * occupancy_regression(phi, s[None, :-1], a[None], gamma)
        for k in range(3):
            visits[s[k], a[k]] += p * (1 - gamma) * gamma**k
    table = phi.reshape(4, n)
    np.testing.assert_allclose(mean, np.linalg.lstsq(table, visits.ravel(), rcond=None)[0], atol=1e-12)
    if n == 4:
        np.testing.assert_allclose(table @ mean, visits.ravel(), atol=1e-12)


def test_beta_moments():
    a, b = beta_moments(np.array([0.2, 0.4, 0.9]))
    mean, variance = a / (a + b), a * b / ((a + b) ** 2 * (a + b + 1))
    assert (mean, variance) == pytest.approx((0.5, np.var([0.2, 0.4, 0.9])), rel=1e-12)
    with pytest.raises(MdptkError, match=r"no Beta distribution has mean 0\.5 and variance 0\.25, of 2 rates"):
        beta_moments(np.array([0.0, 1.0]))


@given(st.integers(2, 6), st.integers(0, 1000))
@settings(max_examples=15)
def test_the_least_sampled_action_keeps_frequencies_right(A, seed):
    pi = np.random.default_rng(seed).dirichlet(np.ones(A))
    n = np.zeros(A)
    for t in range(1, 120):
        n[least_sampled(pi, n)] += 1
        off = n - t * pi
        assert -(A - 1) - 1e-9 <= off.min() <= off.max() <= 1 + 1e-9


def test_robust_on_policy_sampling():
    """Its correction is minus the gradient of the log-likelihood, by differences; the data are nearer to the policy."""
    rng = np.random.default_rng(0)
    theta, n, step = rng.normal(size=3), np.array([5.0, 1.0, 2.0]), 1e-6
    pi = exact.softmax(theta)
    likelihood = [(n / n.sum()) @ exact.log_softmax(theta + e) for e in (*step * np.eye(3), *-step * np.eye(3))]
    slope = (np.array(likelihood[:3]) - likelihood[3:]) / (2 * step)
    np.testing.assert_allclose(slope, n / n.sum() - pi, atol=1e-8)
    np.testing.assert_allclose(ros_policy(theta, n, 2.0), exact.softmax(theta - 2.0 * slope), rtol=1e-7)
    np.testing.assert_array_equal(ros_policy(theta, np.zeros(3), 2.0), pi)
    assert ros_policy(theta, n, 1e6)[least_sampled(pi, n)] == pytest.approx(1)
    error = {}
    for alpha in (0.0, 20.0):
        counts = np.zeros((200, 3))
        for _ in range(100):
            u = rng.random((200, 1))
            a = (u > np.cumsum(ros_policy(np.tile(theta, (200, 1)), counts, alpha), -1)).sum(-1)
            counts[np.arange(200), np.minimum(a, 2)] += 1
        error[alpha] = ((counts / 100 - pi) ** 2).sum(-1).mean()
    assert error[0.0] == pytest.approx(pi @ (1 - pi) / 100, rel=0.3)  # multinomial; 200 repeats
    assert error[20.0] < error[0.0] / 5


def test_proximal_robust_on_policy_sampling():
    """The gradient by differences on both sides of the clip; at theta it is that of ROS."""
    theta, n, eps, lam, step = np.array([0.5, 0.0, -0.5]), np.array([5.0, 1.0, 2.0]), 0.2, 0.3, 1e-6
    pi = exact.softmax(theta)
    np.testing.assert_allclose(props_gradient(theta, theta, n, eps, lam), pi - n / n.sum(), atol=1e-15)

    def objective(phi):
        ratio = exact.softmax(phi) / pi
        clipped = np.minimum(-ratio, -np.clip(ratio, 1 - eps, 1 + eps))
        return n / n.sum() @ clipped - lam * pi @ (exact.log_softmax(theta) - exact.log_softmax(phi))

    for x in ([-0.1, 0.1, 0.0], [-1.0, 0.5, 0.5], [1.0, -0.5, 0.0]):
        phi = theta + np.array(x)
        want = [(objective(phi + e) - objective(phi - e)) / (2 * step) for e in step * np.eye(3)]
        np.testing.assert_allclose(props_gradient(phi, theta, n, eps, lam), want, atol=1e-8)
