"""Policy dual averaging against loops; with a step that stays it would be natural policy gradient."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.mirror_descent.dual_averaging import IDENTITY, RATE, DualAveraging
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.core import exact
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def reference(alg, mdp, steps):
    """The argmax from scratch at every step: all action values are kept, and weighed again."""
    S, A, P = mdp.S, mdp.A, mdp.dense().P
    values, out = [], []
    for t in range(steps + 1):
        pi, size = np.zeros((S, A)), alg.eta / (t + 1) ** 0.5
        for s in range(S):
            score = [size * sum(q[s, a] for q in values) for a in range(A)]
            weight = [np.exp(x - max(score)) for x in score]
            pi[s] = np.array(weight) / sum(weight)
        out.append(pi)
        M = np.eye(S) - mdp.gamma * np.array([pi[s] @ P[s] for s in range(S)])
        v = np.linalg.solve(M, (pi * mdp.r).sum(-1))
        values.append(np.array([[mdp.r[s, a] + mdp.gamma * P[s, a] @ v for a in range(A)] for s in range(S)]))
    return {"pi": np.array(out)}


@settings(max_examples=25)
@given(mdps(), st.sampled_from([0.01, 1.0, 100.0]))
def test_theorems(mdp, eta):
    for verdict in check(run(DualAveraging(eta), mdp, 12)):
        assert verdict.ok is not False, str(verdict)


def test_the_first_step_is_natural_policy_gradient():
    mdp = garnet(4, 3, 2, 0.8, seed=1)
    one = run(DualAveraging(eta=0.5), mdp, 1)["pi"]
    two = run(NPG(eta=float(0.5 / np.sqrt(2) * (1 - mdp.gamma))), mdp, 1)["pi"]
    np.testing.assert_allclose(one, two, rtol=1e-12)


def test_the_bound_says_something():
    """In a bandit with gap one, at the step size that is best for it."""
    bandit = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.0)
    verdict = RATE.check(run(DualAveraging(eta=float(2 * np.sqrt(np.log(2)))), bandit, 100))
    assert verdict.informative
    assert verdict.ratio > 0.3


def test_statements_catch_a_step_that_does_not_shrink():
    class Constant(DualAveraging):
        def step(self, problem, state):
            new = super().step(problem, state)
            return new._replace(pi=exact.softmax(self.eta * new.total))

    assert not IDENTITY.check(run(Constant(), garnet(), 4)).ok


def test_steps_after_which_probabilities_are_no_floats_any_more():
    """An instance that a search found: what is best now had a probability that was zero."""
    P = [[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]]
    problem = MDP(P, [[1.0, 1.0], [0.4, 0.63], [0.0, 1.0]], 0.8)
    assert IDENTITY.check(run(DualAveraging(eta=5000.0), problem, 2)).ok
