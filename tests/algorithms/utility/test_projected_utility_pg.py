"""Projected gradients for utilities against loops; smoothness in the policy; steps that the lemma excludes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.utility.projected_utility_pg import ASCENT, ProjectedUtilityPG
from mdptk.core.utilities import gradient, worth
from mdptk.problems.utilities import imitate_garnet
from mdptk.testing import policies, utility_mdps


def project(y):
    """The nearest probability vector, by bisection on the level."""
    low, high = min(y) - 1, max(y)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(max(z - middle, 0) for z in y) > 1 else (low, middle)
    return [max(z - high, 0) for z in y]


def reference(alg, problem, steps):
    """Visits and action values by summing over time, the reward made anew at every step."""
    S, A, gamma, P, u = problem.S, problem.A, problem.gamma, problem.mdp.P, problem.utility
    L = A * (2 * gamma * u.span + u.smoothness) / (1 - gamma) ** 2
    eta = 1 / L if alg.eta is None else alg.eta
    pi, out = np.full((S, A), 1 / A), []
    horizon = int(60 / (1 - gamma))
    for _ in range(steps + 1):
        out.append(pi.copy())
        chance, d = problem.mdp.rho.copy(), np.zeros(S)
        for t in range(horizon):
            d += (1 - gamma) * gamma**t * chance
            chance = np.array([sum(chance[s] * pi[s] @ P[s, :, z] for s in range(S)) for z in range(S)])
        r, v = u.gradient(d[:, None] * pi), np.zeros(S)
        for _ in range(horizon):
            v = np.array([sum(pi[s, a] * (r[s, a] + gamma * P[s, a] @ v) for a in range(A)) for s in range(S)])
        for s in range(S):
            q = [r[s, a] + gamma * P[s, a] @ v for a in range(A)]
            pi[s] = project([pi[s, a] + eta * d[s] * q[a] for a in range(A)])
    return {"pi": np.array(out)}


@given(utility_mdps(), st.sampled_from([None, 1e-3, 1.0]))
@settings(max_examples=10)
def test_theorems(problem, eta):
    for verdict in check(run(ProjectedUtilityPG(eta), problem, 10), skip_unmet=True):
        assert verdict.ok is not False, str(verdict)


@given(utility_mdps(), st.data(), st.sampled_from([1e-3, 1.0]))
@settings(max_examples=25)
def test_smooth_in_the_policy(problem, data, size):
    """f(p) >= f(pi) + <g, p - pi> - L/2 |p - pi|^2, near and far."""
    pi, other = data.draw(policies(problem.mdp)), data.draw(policies(problem.mdp))
    p, u = (1 - size) * pi + size * other, problem.utility
    L = problem.A * (2 * problem.gamma * u.span + u.smoothness) / (1 - problem.gamma) ** 2
    least = worth(problem, pi) + (gradient(problem, pi) * (p - pi)).sum() - L / 2 * ((p - pi) ** 2).sum()
    assert worth(problem, p) >= least - 1e-10 * (1 + u.span) / (1 - problem.gamma) ** 2


def test_it_explores():
    result = run(ProjectedUtilityPG(eta=0.5), imitate_garnet(), 400)
    gap = check(result, skip_unmet=True)[-1].theorem.lhs.values(result)[0]
    assert gap[-1] < 0.01 * gap[0]
    assert gap[0] == pytest.approx(result.truth.optimum.value - worth(imitate_garnet(), result["pi"][0, 0]), rel=1e-12)


def test_downhill_is_noticed():
    class Downhill(ProjectedUtilityPG):
        def step(self, problem, state):
            ahead = super().step(problem, state).pi
            return state._replace(
                pi=np.maximum(2 * state.pi - ahead, 0) / np.maximum(2 * state.pi - ahead, 0).sum(-1, keepdims=True)
            )

    assert not ASCENT.check(run(Downhill(), imitate_garnet(), 4)).ok
