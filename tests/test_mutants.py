"""Deliberately broken copies of the algorithms of the foundation: the checks must catch every one of them.

Each mutant has one mistake of the kind that people make. "theorem" mutants must be caught by the theorems alone, on the
problems given; all must be caught by the whole of `check_algorithm` with the pseudo-code in loops.
"""

from __future__ import annotations

from importlib import import_module

import jax.numpy as jnp
import numpy as np
import pytest

from mdptk import MDP, FiniteHorizonMDP, PolicyEvaluation, check, registry, run
from mdptk.algorithms.bandits import thompson_sampling, ucb1
from mdptk.algorithms.bandits.thompson_sampling import ThompsonSampling
from mdptk.algorithms.bandits.ucb1 import UCB1
from mdptk.algorithms.exploration import ucbvi
from mdptk.algorithms.exploration.ucbvi import UCBVI
from mdptk.algorithms.mirror_descent import euclidean_pmd, geometric_pmd
from mdptk.algorithms.mirror_descent.euclidean_pmd import EuclideanPMD
from mdptk.algorithms.mirror_descent.geometric_pmd import GeometricPMD
from mdptk.algorithms.planning import modified_policy_iteration, policy_iteration, value_iteration
from mdptk.algorithms.planning.modified_policy_iteration import ModifiedPolicyIteration
from mdptk.algorithms.planning.policy_iteration import PolicyIteration
from mdptk.algorithms.planning.value_iteration import ValueIteration
from mdptk.algorithms.policy_gradient import (
    conservative_policy_iteration,
    entropy_npg,
    npg,
    projected_pg,
    softmax_pg,
)
from mdptk.algorithms.policy_gradient.conservative_policy_iteration import ConservativePolicyIteration
from mdptk.algorithms.policy_gradient.entropy_npg import EntropyNPG
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.algorithms.policy_gradient.projected_pg import ProjectedPG
from mdptk.algorithms.policy_gradient.softmax_pg import SoftmaxPG
from mdptk.algorithms.td import mean_path_td, td_zero
from mdptk.algorithms.td.mean_path_td import MeanPathTD
from mdptk.algorithms.td.td_zero import TDZero
from mdptk.core import exact
from mdptk.core.bandits import BernoulliBandit
from mdptk.problems.bandits import two_arms
from mdptk.problems.evaluation import random_walk
from mdptk.problems.garnet import garnet
from mdptk.problems.riverswim import riverswim
from mdptk.problems.teaching import coins
from mdptk.testing import check_algorithm, check_exact_statement, check_theorems


def mutate(cls, name, **methods):
    """A copy of `cls` with some methods replaced."""
    return type(name, (cls,), methods | {"__doc__": name, "__module__": cls.__module__})


# planning -------------------------------------------------------------------------------------------------------


def _vi(f):
    return lambda self, problem, state: value_iteration.State(f(problem, state.v))


def _pi_step(choose, value):
    def step(self, problem, state):
        pi = exact.greedy(choose(problem, state))
        return policy_iteration.State(pi, value(problem, pi))

    return step


def _mpi_step(choose, sweeps, gamma_power=1):
    def step(self, problem, state):
        q = problem.q(state.v)
        pi = exact.greedy(choose(q))
        P, r = exact.chain(problem, pi)
        v = state.v
        for _ in range(sweeps(self.m)):
            v = r + problem.gamma**gamma_power * (P @ v)
        return modified_policy_iteration.State(v, pi)

    return step


# policy gradient ------------------------------------------------------------------------------------------------


def _npg(scale):
    def step(self, problem, state):
        pi = exact.softmax(state.theta + scale(self, problem) * exact.advantage(problem, state.pi))
        return npg.State(state.theta + scale(self, problem) * exact.advantage(problem, state.pi), pi)

    return step


def _pg(direction):
    def step(self, problem, state):
        theta = state.theta + self.step_size(problem) * direction(problem, state.pi)
        theta = theta - theta.max(-1, keepdims=True)
        return softmax_pg.State(theta, exact.softmax(theta))

    return step


def _projected(direction):
    def step(self, problem, state):
        ahead = state.pi + self.step_size(problem) * direction(problem, state.pi)
        return projected_pg.State(exact.project_simplex(ahead))

    return step


def _entropy(scale, forget=True):
    def step(self, problem, state):
        k = scale(self, problem)
        q = problem.q(exact.soft_evaluate(problem, state.log_pi, self.tau))
        log_pi = exact.log_softmax((1 - k * self.tau if forget else 1) * state.log_pi + k * q)
        return entropy_npg.State(log_pi, np.exp(log_pi))

    return step


def _mixing(size, sign=1):
    def step(self, problem, state):
        A = sign * exact.advantage(problem, state.pi)
        alpha = size(problem, (exact.occupancy(problem, state.pi) * A.max(-1)).sum(-1))
        return conservative_policy_iteration.State((1 - alpha) * state.pi + alpha * exact.greedy(A))

    return step


# mirror descent -------------------------------------------------------------------------------------------------


def _euclid(direction):
    def step(self, problem, state):
        return euclidean_pmd.State(exact.project_simplex(state.pi + self.eta * direction(problem, state.pi)))

    return step


def _cooling(sign=1, memory=None, growth=None):
    def step(self, problem, state):
        gamma = problem.gamma
        x = (gamma if memory is None else memory) * state.x + sign * exact.action_values(problem, state.pi)
        pi = exact.softmax(x / state.tau[..., None, None])
        return geometric_pmd.State(x, (gamma if growth is None else growth) * state.tau, pi)

    return step


# exploration ----------------------------------------------------------------------------------------------------


def _ucbvi_plan(bonus, caps=True):
    def plan(self, r, N, Q):
        H, S, A = r.shape
        n = N.sum(-1)
        m = jnp.maximum(n, 1)
        left = jnp.arange(H, 0, -1.0)[:, None, None]
        b = bonus(self, left, m, S * A * H) * jnp.ones_like(Q)
        V, rows = jnp.zeros(S), []
        for h in reversed(range(H)):
            rows.append(jnp.where(n > 0, jnp.minimum(Q[h], r[h] + (N / m[..., None] * V).sum(-1) + b[h]), Q[h]))
            V = rows[-1].max(-1)
        return ucbvi.State(N, jnp.stack(rows[::-1]), b)

    return plan


def _right_bonus(self, left, m, SAH):
    return (left - 1) * jnp.sqrt(jnp.log(SAH * m * (m + 1) / self.delta) / (2 * m))


def _ucbvi_count(where):
    def step(self, oracle, state, xi):
        s, a = oracle.play(state.Q.argmax(-1), xi)
        return self._plan(oracle.r, state.N.at[where(s, a)].add(1.0), state.Q)

    return step


# temporal differences -------------------------------------------------------------------------------------------


def _mean_path(move):
    def step(self, problem, state):
        theta, average, t = state
        new = theta + self.step_size(problem) * move(problem, theta)
        return mean_path_td.State(new, average + (theta - average) / (t + 1), t + 1)

    return step


def _sampled(error, average=lambda old, new: old):
    def step(self, oracle, state, xi):
        theta, mean, t = state
        s, r, s2 = oracle.sample(xi)
        v, v2 = oracle.Phi[s] @ theta, oracle.Phi[s2] @ theta
        new = theta + self.alpha * error(r, oracle.gamma, v, v2) * oracle.Phi[s]
        return td_zero.State(new, mean + (average(theta, new) - mean) / (t + 1), t + 1)

    return step


def _fixed(problem):
    return exact.fixed_point(problem)


MDPS = {"garnet": garnet(), "riverswim": riverswim()}
COINS = {"coins": coins().episodic(4)}


# bandits --------------------------------------------------------------------------------------------------------


def _ucb1(index):
    def step(self, oracle, state, xi):
        n = state.n.at[state.a].add(1.0)
        x = state.x.at[state.a].add(oracle.pull(state.a, xi))
        return ucb1.State(n, x, index(n, x, jnp.maximum(n, 1)).argmax())

    return step


def _thompson(gain, prior):
    def step(self, oracle, state, xi):
        n = state.n.at[state.a].add(1.0)
        x = state.x.at[state.a].add(gain(oracle.pull(state.a, xi[0])))
        k = jnp.stack([prior + x, 1 + n - x])
        g, h = thompson_sampling._gamma(k, *xi[1:].reshape(2, 2, oracle.A, thompson_sampling.ATTEMPTS))
        return thompson_sampling.State(n, x, (g / (g + h)).argmax())

    return step


PROBLEMS = {
    MDP: MDPS,
    FiniteHorizonMDP: COINS,
    PolicyEvaluation: {"random_walk": random_walk()},
    BernoulliBandit: {"two_arms": two_arms()},
}

THEOREM = {  # caught by the theorems alone
    "VI, wrong sign": mutate(ValueIteration, "M", step=_vi(lambda p, v: (p.r - p.gamma * (p.P @ v)).max(-1))),
    "VI, worst action": mutate(ValueIteration, "M", step=_vi(lambda p, v: p.q(v).min(-1))),
    "VI, discount forgotten": mutate(ValueIteration, "M", step=_vi(lambda p, v: (p.r + p.P @ v).max(-1))),
    "VI, mean action": mutate(ValueIteration, "M", step=_vi(lambda p, v: p.q(v).mean(-1))),
    "PI, worst action": mutate(PolicyIteration, "M", step=_pi_step(lambda p, s: -p.q(s.v), exact.evaluate)),
    "PI, greedy in the reward": mutate(PolicyIteration, "M", step=_pi_step(lambda p, s: p.r, exact.evaluate)),
    "PI, one sweep of evaluation": mutate(
        PolicyIteration, "M", step=_pi_step(lambda p, s: p.q(s.v), lambda p, pi: (pi * p.r).sum(-1))
    ),
    "MPI, worst action": mutate(ModifiedPolicyIteration, "M", step=_mpi_step(lambda q: -q, lambda m: m)),
    "MPI, discount squared": mutate(
        ModifiedPolicyIteration, "M", step=_mpi_step(lambda q: q, lambda m: m, gamma_power=2)
    ),
    "MPI, one sweep short": mutate(ModifiedPolicyIteration, "M", step=_mpi_step(lambda q: q, lambda m: m - 1)),
    "NPG, descent": mutate(NPG, "M", step=_npg(lambda alg, p: -alg.eta / (1 - p.gamma))),
    "NPG, horizon factor forgotten": mutate(NPG, "M", step=_npg(lambda alg, p: alg.eta)),
    "SoftmaxPG, descent": mutate(SoftmaxPG, "M", step=_pg(lambda p, pi: -exact.softmax_gradient(p, pi))),
    "SoftmaxPG, direct gradient": mutate(SoftmaxPG, "M", step=_pg(lambda p, pi: -exact.gradient(p, pi))),
    "SoftmaxPG, horizon factor forgotten": mutate(
        SoftmaxPG, "M", step=_pg(lambda p, pi: (1 - p.gamma) * exact.softmax_gradient(p, pi))
    ),
    "ProjectedPG, descent": mutate(ProjectedPG, "M", step=_projected(lambda p, pi: -exact.gradient(p, pi))),
    "ProjectedPG, horizon factor forgotten": mutate(
        ProjectedPG, "M", step=_projected(lambda p, pi: (1 - p.gamma) * exact.gradient(p, pi))
    ),
    "ProjectedPG, softmax gradient": mutate(ProjectedPG, "M", step=_projected(exact.softmax_gradient)),
    "EntropyNPG, horizon factor forgotten": mutate(EntropyNPG, "M", step=_entropy(lambda alg, p: alg.eta)),
    "EntropyNPG, nothing forgotten": mutate(
        EntropyNPG, "M", step=_entropy(lambda alg, p: alg.eta / (1 - p.gamma), forget=False)
    ),
    "CPI, worst action": mutate(
        ConservativePolicyIteration, "M", step=_mixing(lambda p, A: (1 - p.gamma) ** 2 / 4 * A, sign=-1)
    ),
    "CPI, horizon factor squared": mutate(
        ConservativePolicyIteration, "M", step=_mixing(lambda p, A: (1 - p.gamma) ** 4 / 4 * A)
    ),
    "EuclideanPMD, descent": mutate(EuclideanPMD, "M", step=_euclid(lambda p, pi: -exact.action_values(p, pi))),
    "EuclideanPMD, rewards in place of Q": mutate(EuclideanPMD, "M", step=_euclid(lambda p, pi: p.r)),
    "EuclideanPMD, gradient in place of Q": mutate(EuclideanPMD, "M", step=_euclid(exact.gradient)),
    "GeometricPMD, descent": mutate(GeometricPMD, "M", step=_cooling(sign=-1)),
    "GeometricPMD, steps do not grow": mutate(GeometricPMD, "M", step=_cooling(growth=1.0)),
    "UCBVI, bonus without its logarithm": mutate(
        UCBVI, "M", _plan=_ucbvi_plan(lambda self, left, m, SAH: (left - 1) * jnp.sqrt(1 / (2 * m)))
    ),
    "UCBVI, bonus subtracted": mutate(UCBVI, "M", _plan=_ucbvi_plan(lambda *args: -_right_bonus(*args))),
    "UCBVI, horizon in the bonus forgotten": mutate(
        UCBVI, "M", _plan=_ucbvi_plan(lambda self, left, m, SAH: _right_bonus(self, left, m, SAH) / 4)
    ),
    "UCBVI, next state miscounted": mutate(UCBVI, "M", step=_ucbvi_count(lambda s, a: (s[:-1], a, s[:-1]))),
    "UCB1, worst mean": mutate(
        UCB1, "M", step=_ucb1(lambda n, x, m: jnp.where(n > 0, -x / m + jnp.sqrt(2 * jnp.log(n.sum()) / m), jnp.inf))
    ),
    "ThompsonSampling, losses counted as wins": mutate(ThompsonSampling, "M", step=_thompson(lambda x: 1 - x, 1)),
    "MeanPathTD, wrong sign": mutate(MeanPathTD, "M", step=_mean_path(lambda p, x: _fixed(p).A @ x - _fixed(p).b)),
    "MeanPathTD, half a step": mutate(
        MeanPathTD, "M", step=_mean_path(lambda p, x: (_fixed(p).b - _fixed(p).A @ x) / 2)
    ),
    "TDZero, wrong sign": mutate(TDZero, "M", step=_sampled(lambda r, g, v, v2: v - r - g * v2)),
    "TDZero, next value forgotten": mutate(TDZero, "M", step=_sampled(lambda r, g, v, v2: r - v)),
}

LOOPS = {  # an index too many or too few: no bound notices, the pseudo-code does
    "VI, starts one sweep late": mutate(
        ValueIteration, "M", init=lambda self, problem: value_iteration.State(problem.r.max(-1))
    ),
    "PI, evaluates the policy before": mutate(
        PolicyIteration,
        "M",
        step=lambda self, p, s: policy_iteration.State(exact.greedy(p.q(s.v)), exact.evaluate(p, s.pi)),
    ),
    "MPI, one sweep too many": mutate(ModifiedPolicyIteration, "M", step=_mpi_step(lambda q: q, lambda m: m + 1)),
    "NPG, step twice as long": mutate(NPG, "M", step=_npg(lambda alg, p: 2 * alg.eta / (1 - p.gamma))),
    "SoftmaxPG, starts off uniform": mutate(
        SoftmaxPG,
        "M",
        init=lambda self, p: softmax_pg.State(
            np.zeros(p.r.shape) - np.eye(p.A)[0], exact.softmax(np.zeros(p.r.shape) - np.eye(p.A)[0])
        ),
    ),
    "ProjectedPG, step half as long": mutate(
        ProjectedPG, "M", step=_projected(lambda p, pi: exact.gradient(p, pi) / 2)
    ),
    "EntropyNPG, step twice as long": mutate(
        EntropyNPG, "M", step=_entropy(lambda alg, p: 2 * alg.eta / (1 - p.gamma))
    ),
    "CPI, horizon factor forgotten": mutate(
        ConservativePolicyIteration, "M", step=_mixing(lambda p, A: (1 - p.gamma) / 4 * A)
    ),
    "EuclideanPMD, step twice as long": mutate(
        EuclideanPMD, "M", step=_euclid(lambda p, pi: 2 * exact.action_values(p, pi))
    ),
    "GeometricPMD, no memory": mutate(GeometricPMD, "M", step=_cooling(memory=0.0)),
    "UCBVI, n + 1 in place of n": mutate(
        UCBVI, "M", _plan=_ucbvi_plan(lambda self, left, m, SAH: _right_bonus(self, left, m + 1, SAH))
    ),
    "UCB1, half the bonus": mutate(
        UCB1, "M", step=_ucb1(lambda n, x, m: jnp.where(n > 0, x / m + jnp.sqrt(jnp.log(n.sum()) / m), jnp.inf))
    ),
    "ThompsonSampling, prior of one win": mutate(ThompsonSampling, "M", step=_thompson(lambda x: x, 2)),
    "MeanPathTD, average one step late": mutate(
        MeanPathTD,
        "M",
        step=lambda self, p, s: mean_path_td.State(
            *MeanPathTD.step(self, p, s)[:1], s.average + (s.theta - s.average) / (s.t + 2), s.t + 1
        ),
    ),
    "TDZero, average one step early": mutate(
        TDZero, "M", step=_sampled(lambda r, g, v, v2: r + g * v2 - v, average=lambda old, new: new)
    ),
}


@pytest.mark.parametrize("name", THEOREM)
def test_caught_by_theorems(name):
    mutant = THEOREM[name]
    with pytest.raises(
        AssertionError, match=r" on (garnet|riverswim|coins|random_walk|two_arms): "
    ):  # that is, violated
        check_theorems(mutant(), PROBLEMS[mutant.model()])


@pytest.mark.parametrize("name", LOOPS)
def test_caught_by_the_pseudo_code(name):
    mutant = LOOPS[name]
    *shelf, file = registry.shelf(mutant).split("/")
    reference = import_module(".".join(["tests", "algorithms", *shelf, f"test_{file}"])).reference
    with pytest.raises(AssertionError, match="differs from the loops"):
        check_exact_statement(mutant(), PROBLEMS[mutant.model()], reference)
    with pytest.raises(AssertionError, match="M fails "):
        check_algorithm(mutant, problems=PROBLEMS[mutant.model()], reference=reference)


ORIGINALS = [cls for cls in registry.find().values() if any(issubclass(m, cls) for m in THEOREM.values())]


@pytest.mark.parametrize("cls", ORIGINALS)
def test_the_originals_pass_where_the_mutants_fail(cls):
    """A check that also accuses the true algorithm proves nothing; conformance runs them on all problems."""
    for problem in PROBLEMS[cls.model()].values():
        verdicts = check(run(cls(), problem, **registry.trial(cls)), skip_unmet=True)
        assert all(v.ok is not False for v in verdicts if v.theorem.status == "proved")
