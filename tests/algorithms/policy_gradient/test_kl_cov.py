"""KL-Cov against loops, and what lies at its ends."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptk import MDP, check, run
from mdptk.algorithms.policy_gradient.kl_cov import MONOTONE, PAID, KLCov
from mdptk.core.surrogates import Marked
from mdptk.problems.garnet import garnet
from mdptk.testing import mdps
from mdptk.theory.stock_entropy import entropies


def reference(alg, mdp, steps):
    """State by state, marked actions first; then the steps, derivatives by hand."""
    S, A, P = mdp.S, mdp.A, mdp.dense().P
    pi, out = np.full((S, A), 1 / A), {"pi": [], "marked": []}
    marked = np.zeros((S, A))
    for _ in range(steps + 1):
        out["pi"].append(pi.copy())
        out["marked"].append(marked.copy())
        v = np.linalg.solve(np.eye(S) - mdp.gamma * np.array([pi[s] @ P[s] for s in range(S)]), (pi * mdp.r).sum(-1))
        new = pi.copy()
        for s in range(S):
            adv = [mdp.r[s, a] + mdp.gamma * P[s, a] @ v - v[s] for a in range(A)]
            entropy = -sum(pi[s, a] * np.log(pi[s, a]) for a in range(A))
            marked[s] = [(np.log(pi[s, a]) + entropy) * adv[a] > alg.omega for a in range(A)]

            def worth(p, old=pi[s], x=marked[s], adv=adv):
                ratio = [p[a] / old[a] for a in range(A)]
                drift = [alg.beta * x[a] * (ratio[a] - 1 - np.log(ratio[a])) for a in range(A)]
                return sum(old[a] * (ratio[a] * adv[a] - drift[a]) for a in range(A))

            theta, size = np.log(pi[s]), alg.step_size
            for _ in range(alg.m):
                p = np.exp(theta) / sum(np.exp(theta))
                slope = np.array([adv[a] - alg.beta * marked[s, a] * (1 - pi[s, a] / p[a]) for a in range(A)])
                g = p * (slope - p @ slope)
                after = np.exp(theta + size * g) / sum(np.exp(theta + size * g))
                while worth(after) < worth(p) - 1e-15 * max(np.abs(adv)):
                    size /= 2
                    after = np.exp(theta + size * g) / sum(np.exp(theta + size * g))
                theta = np.log(after)
            new[s] = np.exp(theta)
        pi = new
    return {name: np.array(x) for name, x in out.items()}


@settings(max_examples=20)
@given(mdps(), st.sampled_from([0.0, 1.0, 50.0]), st.sampled_from([0.0, 0.1]), st.sampled_from([0.5, 20.0]))
def test_theorems(mdp, beta, omega, step):
    for verdict in check(run(KLCov(beta, omega, step), mdp, 8)):
        assert verdict.ok is not False, str(verdict)


def test_all_marked_it_is_the_divergence():
    old, new = np.array([0.2, 0.5, 0.3]), np.array([0.6, 0.3, 0.1])
    drift = Marked(2.0, np.ones(3)).drift(new / old, np.zeros(3))
    np.testing.assert_allclose((old * drift).sum(), 2 * (old * np.log(old / new)).sum())


def test_the_penalty_keeps_entropy():
    free, held = (run(KLCov(beta, 0.01, 5.0), garnet(5, 4, 3, 0.5), 20) for beta in (0.0, 20.0))
    assert held["marked"].any()
    assert entropies(held)[0, -1].mean() > entropies(free)[0, -1].mean() + 0.1


def test_statements_catch_wrong_steps():
    class Downhill(KLCov):
        def step(self, problem, state):
            return KLCov.step(self, MDP(problem.P, -problem.r, problem.gamma, problem.rho), state)

    class Unpaid(KLCov):
        def step(self, problem, state):
            return KLCov(0.0, self.omega, 50.0).step(problem, state)

    assert not MONOTONE.check(run(Downhill(), garnet(), 2)).ok
    assert not PAID.check(run(Unpaid(100.0, 0.01), garnet(), 4)).ok
