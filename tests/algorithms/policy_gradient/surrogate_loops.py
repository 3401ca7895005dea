"""Ascent on a surrogate in loops, for the references of the methods that do it."""

from __future__ import annotations

import numpy as np


def ascended(alg, mdp, steps, objective, derivative):
    """Policies, one state after the other, one step after the other.

    ``objective(alg, ratio, a)`` is what an action of advantage a is worth, `derivative` its derivative in the ratio.
    """
    S, A, P = mdp.S, mdp.A, mdp.dense().P
    pi, out = np.full((S, A), 1 / A), []

    def value(old, p, adv):
        return sum(old[a] * objective(alg, p[a] / old[a], adv[a]) for a in range(A))

    for _ in range(steps + 1):
        out.append(pi.copy())
        v = np.linalg.solve(np.eye(S) - mdp.gamma * np.array([pi[s] @ P[s] for s in range(S)]), (pi * mdp.r).sum(-1))
        new = pi.copy()
        for s in range(S):
            adv = [mdp.r[s, a] + mdp.gamma * P[s, a] @ v - v[s] for a in range(A)]
            theta, size = np.log(pi[s]), alg.step_size
            for _ in range(alg.m):
                p = np.exp(theta) / sum(np.exp(theta))
                slope = np.array([derivative(alg, p[a] / pi[s, a], adv[a]) for a in range(A)])
                g = p * (slope - p @ slope)
                after = np.exp(theta + size * g) / sum(np.exp(theta + size * g))
                while value(pi[s], after, adv) < value(pi[s], p, adv) - 1e-15 * max(np.abs(adv)):
                    size /= 2
                    after = np.exp(theta + size * g) / sum(np.exp(theta + size * g))
                theta = np.log(after)
            new[s] = np.exp(theta)
        pi = new
    return {"pi": np.array(out)}
