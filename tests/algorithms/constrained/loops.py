"""Values and action values of constrained problems, in loops: what the references of this shelf share."""

import numpy as np


def value(mdp, r, pi):
    """V^pi of the reward r, by Gauss-Seidel sweeps."""
    v = np.zeros(mdp.S)
    for _ in range(int(40 / (1 - mdp.gamma)) + 1):
        for s in range(mdp.S):
            v[s] = sum(pi[s, a] * (r[s, a] + mdp.gamma * mdp.P[s, a] @ v) for a in range(mdp.A))
    return v


def action_value(mdp, r, v):
    """Q[s, a] of the reward r, when v is what comes after."""
    return np.array([[r[s, a] + mdp.gamma * mdp.P[s, a] @ v for a in range(mdp.A)] for s in range(mdp.S)])


def spent(cmdp, pi):
    """V_c(rho) for each cost."""
    return np.array([cmdp.mdp.rho @ value(cmdp.mdp, c, pi) for c in cmdp.c])


def priced(cmdp, lam):
    """The reward at the prices lam."""
    return cmdp.mdp.r - sum(lam[i] * cmdp.c[i] for i in range(cmdp.m))
