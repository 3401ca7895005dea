"""FixPO against loops; the region holds whatever the first phase did."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import check, run
from mdptk.algorithms.policy_gradient.fixpo import ENDS, TRUST, FixPO
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps


def reference(alg, mdp, steps):
    """Both phases one state and one step at a time."""
    S, A, P = mdp.S, mdp.A, mdp.dense().P
    pi, beta, out, betas = np.full((S, A), 1 / A), 1.0, [], []
    for _ in range(steps + 1):
        out.append(pi.copy())
        betas.append(beta)
        v = np.linalg.solve(np.eye(S) - mdp.gamma * np.array([pi[s] @ P[s] for s in range(S)]), (pi * mdp.r).sum(-1))
        new, largest = np.zeros((S, A)), 0.0
        for s in range(S):
            adv = np.array([mdp.r[s, a] + mdp.gamma * P[s, a] @ v - v[s] for a in range(A)])
            theta = np.log(pi[s])
            for _ in range(alg.m):
                p = np.exp(theta) / sum(np.exp(theta))
                for a in range(A):
                    theta[a] += alg.step_size / (1 + beta) * (p[a] * (adv[a] - p @ adv) + beta * (pi[s, a] - p[a]))
            p = np.exp(theta) / sum(np.exp(theta))
            kl = sum(pi[s, a] * np.log(pi[s, a] / p[a]) for a in range(A))
            largest = max(largest, kl)
            while kl > alg.radius:
                theta = theta - (p - pi[s])
                p = np.exp(theta) / sum(np.exp(theta))
                kl = sum(pi[s, a] * np.log(pi[s, a] / p[a]) for a in range(A))
            new[s] = p
        beta, pi = max(0.0, beta + alg.kappa * (3 * largest - alg.radius)), new
    return {"pi": np.array(out), "beta": np.array(betas)}


@settings(max_examples=25)
@given(mdps(), st.sampled_from([1e-3, 0.1]), st.sampled_from([0.1, 3.0]), st.sampled_from([0.0, 1.0]))
def test_theorems(mdp, radius, step, kappa):
    for verdict in check(run(FixPO(radius, step, 5, kappa), mdp, 6)):
        assert verdict.ok is not False, str(verdict)


def test_the_multiplier_leaves_little_to_fix():
    """Without it the second phase works while there is anything to gain; with it, after the first step, in none."""
    mdp = garnet(seed=1)
    without, adapts = run(FixPO(kappa=0.0, step_size=2.0), mdp, 60), run(FixPO(kappa=20.0, step_size=2.0), mdp, 60)
    assert without["fixes"][0, 1:10].min() > 0
    assert adapts["fixes"].sum() < without["fixes"].sum() / 3
    assert TRUST.check(without).ratio > 0.5
    assert ENDS.check(without).ratio > 0.01


def test_short_steps_need_no_multiplier():
    beta = run(FixPO(radius=0.1, step_size=1e-3, kappa=2.0), garnet(seed=1), 12)["beta"][0]
    assert (np.diff(beta) <= 0).all()
    assert beta[0] == 1
    assert beta[-1] == 0


def test_statements_catch_a_phase_that_is_left_out():
    class Unfixed(FixPO):
        def step(self, problem, state):
            new = FixPO(radius=100.0, step_size=self.step_size).step(problem, state)
            return new._replace(fixes=new.far / self.radius)

    result = run(Unfixed(step_size=3.0), garnet(), 2)
    assert not TRUST.check(result).ok
    assert not ENDS.check(result).ok
