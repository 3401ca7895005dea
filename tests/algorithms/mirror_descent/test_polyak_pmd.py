"""Mirror descent with Polyak's step against loops, and what the step does to the rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.mirror_descent.polyak_pmd import DESCENT, MONOTONE, OWN, RATE, PolyakPMD
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def reference(alg, mdp, steps):
    """Values by sweeps in loops, V* too; weights multiplied one by one."""
    S, A, P = mdp.S, mdp.A, mdp.dense().P
    sweeps = int(40 / (1 - mdp.gamma)) + 1
    best = np.zeros(S)
    for _ in range(sweeps):
        for s in range(S):
            best[s] = max(mdp.r[s, a] + mdp.gamma * P[s, a] @ best for a in range(A))
    pi, out = np.full((S, A), 1 / A), []
    for _ in range(steps + 1):
        out.append(pi)
        v = np.zeros(S)
        for _ in range(sweeps):
            for s in range(S):
                v[s] = sum(pi[s, a] * (mdp.r[s, a] + mdp.gamma * P[s, a] @ v) for a in range(A))
        q = np.array([[mdp.r[s, a] + mdp.gamma * P[s, a] @ v for a in range(A)] for s in range(S)])
        C = max(max(q[s]) - min(q[s]) for s in range(S))
        gap = sum(mdp.rho[s] * (best[s] - v[s]) for s in range(S))
        eta = 4 * alg.c * (1 - mdp.gamma) * gap / C**2 if C > 1e-12 else 0.0
        pi = np.array([[pi[s, a] * np.exp(eta * (q[s, a] - v[s])) for a in range(A)] for s in range(S)])
        pi = np.array([pi[s] / sum(pi[s]) for s in range(S)])
    return {"pi": np.array(out)}


@given(mdps(), st.sampled_from([0.1, 1.0, 1.9]))
@settings(max_examples=12)
def test_theorems(mdp, c):
    for verdict in check(run(PolyakPMD(c), mdp, 8)):
        assert verdict.ok, str(verdict)


def test_the_gap_of_a_bandit_is_one_over_four_t():
    """Two arms, 1 and 0: the difference x of the logits grows by 4/(1 + e^x), so that e^x is 4t, and the gap e^-x."""
    arms = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.0)
    result = run(PolyakPMD(), arms, 2000)
    assert 2000 * result["pi"][0, -1, 0, 1] == pytest.approx(1 / 4, rel=5e-3)
    assert run(NPG(), arms, 100)["pi"][0, -1, 0, 1] < 1e-40  # a constant step is long done
    verdict = DESCENT.check(result)
    assert verdict.ok
    assert verdict.ratio > 0.99


def test_bounds_say_something():
    result = run(PolyakPMD(), garnet(), 300)
    for theorem in (RATE, OWN):
        verdict = theorem.check(result)
        assert verdict.ok
        assert not verdict.vacuous
    assert (OWN.sides(result)[1] <= RATE.sides(result)[1] * (1 + 1e-12)).all()


def test_statements_catch_a_step_downhill_and_a_short_one():
    class Downhill(PolyakPMD):
        def step(self, problem, state):
            return PolyakPMD.step(self, MDP(problem.P, -problem.r, problem.gamma, problem.rho), state)

    class Short(PolyakPMD):
        def step(self, problem, state):
            return PolyakPMD(0.1).step(problem, state)

    assert not MONOTONE.check(run(Downhill(), garnet(), 3)).ok
    assert not DESCENT.check(run(Short(), garnet(), 3)).ok
