"""Frank-Wolfe for utilities against its definition in loops; its bound is met where it says something."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings

from mdptk import check, run
from mdptk.algorithms.utility.utility_frank_wolfe import CONVERGENCE, UtilityFrankWolfe
from mdptk.core.utilities import visits
from mdptk.problems.utilities import imitate_garnet
from mdptk.testing import utility_mdps


def reference(alg, problem, steps):
    """The best deterministic policy for the gradient, of all of them; mixed in with 2/(t + 2)."""
    S, A = problem.S, problem.A
    if A**S > 100:  # too many to enumerate: value iteration
        return reference_by_sweeps(problem, steps)
    every = [visits(problem.mdp, np.eye(A)[list(a)]) for a in product(range(A), repeat=S)]
    return mixed(problem, steps, lambda g: max(every, key=lambda y: (g * y).sum()))


def reference_by_sweeps(problem, steps):
    P, gamma = problem.mdp.P, problem.gamma

    def best(g):
        v = np.zeros(problem.S)
        for _ in range(int(60 / (1 - gamma))):
            q = g + gamma * P @ v
            v = q.max(1)
        return visits(problem.mdp, np.eye(problem.A)[q.argmax(1)])

    return mixed(problem, steps, best)


def mixed(problem, steps, best):
    x, out = visits(problem.mdp, np.full((problem.S, problem.A), 1 / problem.A)), []
    for t in range(steps + 1):
        out.append(x)
        x = x + 2 / (t + 2) * (best(problem.utility.gradient(x)) - x)
    return {"x": np.array(out)}


@given(utility_mdps())
@settings(max_examples=10)
def test_theorems(problem):
    for verdict in check(run(UtilityFrankWolfe(), problem, 12)):
        assert verdict.ok, str(verdict)


def test_the_bound_says_something():
    verdict = CONVERGENCE.check(run(UtilityFrankWolfe(), imitate_garnet(), 200))
    assert verdict.ok
    assert verdict.informative
    assert not verdict.vacuous


def test_a_policy_that_is_worst_for_the_gradient_is_noticed():
    class Worst(UtilityFrankWolfe):
        def step(self, problem, state):
            ahead = super().step(problem, state)
            x = np.maximum(2 * state.x - ahead.x, 0)
            x = visits(problem.mdp, x / x.sum(-1, keepdims=True))
            return ahead._replace(x=x, pi=x / x.sum(-1, keepdims=True))

    assert not CONVERGENCE.check(run(Worst(), imitate_garnet(), 200)).ok
