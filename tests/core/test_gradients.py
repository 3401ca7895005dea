"""Every gradient formula against jax.grad of the exact value, for every class of policies, degenerate ones too.

The values that are differentiated are written here again in jax, without the formulas under test: linear solves,
backward induction, the classes of a chain taken apart, and for robust problems the adversary's own recursion.
"""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from mdptk import MDP, InvalidModel
from mdptk.core import exact
from mdptk.core.gradients import gradient, utility_gradient
from mdptk.core.models import AverageRewardMDP, FiniteHorizonMDP
from mdptk.core.parameterisations import Direct, Escort, LogLinear, Mixed, Softmax
from mdptk.core.robust import Finite, RobustMDP

S, A, N, H = 3, 2, 2, 3  # one shape, so that each function is compiled once
PHI = np.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, -1.0], [1.0, -1.0]], [[0.5, 2.0], [0.0, 0.0]]])  # a tie in one state
CLASSES = {
    "direct": Direct(),
    "softmax": Softmax(),
    "log-linear": LogLinear(PHI),
    "escort": Escort(3.0),
    "escort of index one": Escort(1.0),
    "softmax with exploration": Mixed(Softmax(), 0.2),
}


def close(got, want, scale=1.0):
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10 * scale)


def parameters(name, seed, stages=(), scale=1.0):
    """Parameters of each class: positive, near deterministic, of both signs."""
    rng = np.random.default_rng(seed)
    if name == "direct":
        return rng.dirichlet(np.full(A, 0.5), (*stages, S)) * 0.98 + 0.01
    return rng.normal(size=(*stages, N) if name == "log-linear" else (*stages, S, A)) * scale


seeds = st.tuples(st.integers(0, 1000), st.sampled_from([0.3, 1.0, 8.0]))
each_class = pytest.mark.parametrize("name", sorted(CLASSES))  # with every kind of problem below: a full matrix


@st.composite
def arrays(draw, *lead):
    """P, r and rho of the one shape: spread out, sparse, deterministic; absorbing, unreachable, tied, a point start."""
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    points = np.eye(S)[rng.integers(S, size=(*lead, S, A))]
    spread = rng.dirichlet(np.full(S, draw(st.sampled_from([1.0, 0.2]))), (*lead, S, A)) + 1e-4
    spread /= spread.sum(-1, keepdims=True)
    P = np.where(rng.random((*lead, S, A, 1)) < draw(st.sampled_from([0.0, 0.4, 1.0])), points, spread)
    if draw(st.booleans()):
        P[..., -1, :, :] = np.eye(S)[-1]
    if draw(st.booleans()):
        P[..., 1:, :, -1] += P[..., 1:, :, 0]
        P[..., 1:, :, 0] = 0
    r = rng.random((*lead, S, A)) * draw(st.sampled_from([1.0, 0.0, -3.0]))
    r = np.repeat(r[..., :1], A, axis=-1) if draw(st.booleans()) else r
    return P, r, draw(st.sampled_from([np.full(S, 1 / S), np.eye(S)[0], rng.dirichlet(np.ones(S))]))


shaped = st.builds(lambda x, gamma: MDP(x[0], x[1], gamma, x[2]), arrays(), st.sampled_from([0.0, 0.3, 0.9, 0.99]))


def solve(P, r, gamma, rho, pi):
    P_pi = jnp.einsum("sa,sat->st", pi, P)
    return rho @ jnp.linalg.solve(jnp.eye(S) - gamma * P_pi, (pi * r).sum(-1))


@cache
def discounted(name):
    return jax.jit(jax.grad(lambda theta, P, r, gamma, rho: solve(P, r, gamma, rho, CLASSES[name](theta))))


@each_class
@settings(max_examples=12)
@given(mdp=shaped, seed=seeds)
def test_discounted(mdp, name, seed):
    theta = parameters(name, *seed[:1], scale=seed[1])
    got = CLASSES[name].pullback(theta, gradient(mdp, CLASSES[name](theta)))
    with jax.enable_x64(True):
        want = discounted(name)(theta, mdp.P, mdp.r, mdp.gamma, mdp.rho)
    close(got, want, 1 / (1 - mdp.gamma) ** 2)


@cache
def staged(name):
    def value(theta, P, r, rho):
        pi, v = CLASSES[name](theta), jnp.zeros(S)
        for h in reversed(range(H)):
            v = (pi[h] * (r[h] + P[h] @ v)).sum(-1)
        return rho @ v

    return jax.jit(jax.grad(value))


@each_class
@settings(max_examples=12)
@given(problem=arrays(H).map(lambda x: FiniteHorizonMDP(*x)), seed=seeds)
def test_finite_horizon(problem, name, seed):
    theta = parameters(name, seed[0], (H,), seed[1])
    got = CLASSES[name].pullback(theta, gradient(problem, CLASSES[name](theta)))
    with jax.enable_x64(True):
        want = staged(name)(theta, problem.P, problem.r, problem.rho)
    close(got, want)


@cache
def averaged(name):
    """The gain, from the structure of the chain: which states are transient, and which are in each closed class."""

    def value(theta, P, r, rho, transient, closed):
        pi = CLASSES[name](theta)
        pi = pi / pi.sum(-1, keepdims=True)  # of the direct class: a matrix with other sums has no long run
        P_pi, r_pi = jnp.einsum("sa,sat->st", pi, P), (pi * r).sum(-1)
        among = P_pi * transient[:, None] * transient
        ends = rho + (rho * transient) @ jnp.linalg.solve(jnp.eye(S) - among, P_pi * transient[:, None])

        def gain(inside):
            first = jnp.arange(S) == jnp.argmax(inside)
            M = jnp.eye(S) - (P_pi * inside[:, None] * inside).T
            M = jnp.where((first * inside)[:, None] > 0, inside, M)  # one equation says instead that d sums to one
            return jnp.linalg.solve(M, first * inside) @ r_pi * (ends * inside).sum()

        return sum(gain(inside) for inside in closed)

    return jax.jit(jax.grad(value))


@each_class
@settings(max_examples=12)
@given(x=arrays(), seed=st.integers(0, 1000), scale=st.sampled_from([0.3, 1.0]))
def test_average_reward(x, name, seed, scale):
    """Of any structure, multichain and periodic: for classes of policies that do not change their support."""
    problem, theta = AverageRewardMDP(*x), parameters(name, seed, scale=scale)
    pi = CLASSES[name](theta)
    P_pi = np.einsum("sa,sat->st", pi, problem.P)
    count, label = connected_components(P_pi > 0, directed=True, connection="strong")
    members = np.array([1.0 * (label == k) for k in range(count)] + [np.zeros(S)] * (S - count))
    closed = members * ~np.array([(P_pi[m > 0][:, m == 0] > 0).any() for m in members])[:, None]
    got = CLASSES[name].pullback(theta, gradient(problem, pi))
    with jax.enable_x64(True):
        want = averaged(name)(theta, problem.P, problem.r, problem.rho, 1 - closed.sum(0), closed)
    condition = abs(np.linalg.inv(np.eye(S) - P_pi + exact.limiting_occupancy(problem, pi, np.eye(S)))).sum(-1).max()
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10 + 1e-14 * condition**2)


def test_average_reward_between_classes():
    """From state 0 the actions lead to two absorbing states: the whole gradient is in the second term."""
    P = np.zeros((S, A, S))
    P[0, 0, 1] = P[0, 1, 2] = P[1, :, 1] = P[2, :, 2] = 1
    problem = AverageRewardMDP(P, [[0.0, 0.0], [1.0, 1.0], [0.25, 0.25]], [1.0, 0.0, 0.0])
    pi = np.array([[0.3, 0.7], [0.5, 0.5], [0.5, 0.5]])
    got = gradient(problem, pi)
    assert got[0, 0] - got[0, 1] == pytest.approx(0.75, rel=1e-14)
    assert abs(got[1:] - got[1:, :1]).max() == 0
    limit = (1e-9 * exact.gradient(problem.discounted(1 - 1e-9), pi))[0]  # the vanishing discount
    assert limit[0] - limit[1] == pytest.approx(0.75, rel=1e-6)


@cache
def robust(name):
    def value(theta, kernels, r, gamma, rho):
        pi = CLASSES[name](theta)
        sweep = lambda v, _: ((pi * (r + gamma * (kernels @ v).min(0))).sum(-1), None)  # noqa: E731
        return rho @ jax.lax.scan(sweep, jnp.zeros(S), length=400)[0]

    return jax.jit(jax.grad(value))


@each_class
@settings(max_examples=8)
@given(which=st.integers(0, 1000), seed=seeds, gamma=st.sampled_from([0.0, 0.5, 0.9]))
def test_robust(which, name, seed, gamma):
    """Finitely many kernels, the adversary's choice differentiated through 400 of its own sweeps: 0.9^400 < 1e-18."""
    rng = np.random.default_rng(which)
    kernels, r, rho = rng.dirichlet(np.full(S, 0.5), (3, S, A)), rng.random((S, A)), rng.dirichlet(np.ones(S))
    problem = RobustMDP(MDP(kernels[0], r, gamma, rho), Finite(list(kernels)))
    theta = parameters(name, seed[0], scale=seed[1])
    got = CLASSES[name].pullback(theta, gradient(problem, CLASSES[name](theta)))
    with jax.enable_x64(True):
        want = robust(name)(theta, kernels, r, gamma, rho)
    close(got, want, 1 / (1 - gamma) ** 2)


def test_robust_with_one_kernel_is_the_nominal_gradient():
    mdp = MDP(np.random.default_rng(0).dirichlet(np.ones(S), (S, A)), np.random.default_rng(1).random((S, A)), 0.9)
    pi = np.full((S, A), 1 / A)
    np.testing.assert_allclose(gradient(RobustMDP(mdp, Finite([mdp.P])), pi), gradient(mdp, pi), rtol=1e-13)


# Utilities of an occupancy x: each as F and its gradient.
CENTRE = np.random.default_rng(5).dirichlet(np.ones(S * A)).reshape(S, A)
UTILITIES = {
    "entropy of the states": (
        lambda x: -(x.sum(-1) * jnp.log(x.sum(-1))).sum(),
        lambda x: np.broadcast_to(-np.log(x.sum(-1, keepdims=True)) - 1, x.shape),
    ),
    "distance to a demonstration": (lambda x: -((x - CENTRE) ** 2).sum() / 2, lambda x: CENTRE - x),
    "risk": (lambda x: jnp.exp(3 * (x * CENTRE).sum()), lambda x: 3 * CENTRE * np.exp(3 * (x * CENTRE).sum())),
}


@cache
def useful(name, utility):
    def value(theta, P, gamma, rho):
        pi = CLASSES[name](theta)
        M = jnp.eye(S) - gamma * jnp.einsum("sa,sat->st", pi, P)
        return UTILITIES[utility][0]((1 - gamma) * jnp.linalg.solve(M.T, rho)[:, None] * pi)

    return jax.jit(jax.grad(value))


@each_class
@settings(max_examples=12)
@given(mdp=shaped, utility=st.sampled_from(sorted(UTILITIES)), seed=seeds)
def test_utility(mdp, name, utility, seed):
    mdp = MDP(mdp.P, mdp.r, mdp.gamma, 0.9 * mdp.rho + 0.1 / S)  # the entropy has no gradient where nobody goes
    theta = parameters(name, seed[0], scale=seed[1])
    policies = CLASSES[name]
    got = policies.pullback(theta, utility_gradient(mdp, policies(theta), UTILITIES[utility][1]))
    with jax.enable_x64(True):
        want = useful(name, utility)(theta, mdp.P, mdp.gamma, mdp.rho)
    close(got, want, 1 / (1 - mdp.gamma) ** 2)


@given(shaped, seeds)
def test_a_linear_utility_is_a_return(mdp, seed):
    pi = exact.softmax(parameters("softmax", seed[0], scale=seed[1]))
    got = utility_gradient(mdp, pi, lambda x: mdp.r)
    np.testing.assert_allclose(got, (1 - mdp.gamma) * gradient(mdp, pi), rtol=1e-11, atol=1e-15)


def test_shortcuts_of_the_kernel_are_these_formulas():
    rng = np.random.default_rng(3)
    mdp = MDP(rng.dirichlet(np.ones(S), (S, A)), rng.random((S, A)), 0.9)
    theta = rng.normal(size=(S, A))
    pi = exact.softmax(theta)
    np.testing.assert_allclose(
        Softmax().pullback(theta, gradient(mdp, pi)), exact.softmax_gradient(mdp, pi), rtol=1e-12
    )
    episode = mdp.episodic(H)
    stages = np.stack([theta, -theta, 2 * theta])
    pi = exact.softmax(stages)
    got = Softmax().pullback(stages, gradient(episode, pi))
    np.testing.assert_allclose(got, exact.softmax_gradient(episode, pi), rtol=1e-12)


def test_leading_axes_are_free():
    rng = np.random.default_rng(4)
    mdp = MDP(rng.dirichlet(np.ones(S), (S, A)), rng.random((S, A)), 0.9)
    for name, policies in CLASSES.items():
        theta = np.stack([parameters(name, i) for i in range(3)])
        together = policies.pullback(theta, gradient(mdp, policies(theta)))
        slope = UTILITIES["distance to a demonstration"][1]
        useful_together = utility_gradient(mdp, policies(theta), slope)
        for i in range(3):
            alone = policies.pullback(theta[i], gradient(mdp, policies(theta[i])))
            np.testing.assert_allclose(together[i], alone, rtol=1e-12, atol=1e-15)
            one = utility_gradient(mdp, policies(theta[i]), slope)
            np.testing.assert_allclose(useful_together[i], one, rtol=1e-11, atol=1e-15)


def test_scores_are_those_of_log_probabilities():
    theta, policies = np.array([0.3, -0.7]), LogLinear(PHI)
    with jax.enable_x64(True):
        want = jax.jacobian(lambda x: jnp.log(policies(x)))(jnp.asarray(theta))
    np.testing.assert_allclose(policies.score(policies(theta)), want, atol=1e-14)


def test_one_hot_features_are_a_table():
    theta = np.random.default_rng(0).normal(size=(S, A))
    table = LogLinear(np.eye(S * A).reshape(S, A, S * A))
    np.testing.assert_array_equal(table(theta.ravel()), Softmax()(theta))


def test_errors_show_the_value():
    with pytest.raises(InvalidModel, match=r"shape \(3, 2\)"):
        LogLinear(np.zeros((3, 2)))
    with pytest.raises(InvalidModel, match=r"phi\[0, 1, 0\] = nan"):
        LogLinear([[[0.0], [np.nan]]])
    with pytest.raises(InvalidModel, match=r"p = 0.5"):
        Escort(0.5)
    with pytest.raises(InvalidModel, match=r"epsilon = 2"):
        Mixed(Softmax(), 2)
