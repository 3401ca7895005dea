"""Values and action values of constrained problems, in loops: what the references of this shelf share."""

import numpy as np
from scipy.linalg import null_space
from scipy.optimize import nnls


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


def nearest_occupancy(mdp, y):
    """The projection as least distance programming by non-negative least squares (Lawson and Hanson 1974, ch. 23)."""
    S, A, y = mdp.S, mdp.A, np.asarray(y).ravel()
    flow = np.array([[(s == t) - mdp.gamma * mdp.P[s, a, t] for s in range(S) for a in range(A)] for t in range(S)])
    inside = np.linalg.lstsq(flow, (1 - mdp.gamma) * mdp.rho)[0]
    N = null_space(flow)
    if not N.shape[1]:
        return inside.reshape(S, A)
    h = -(inside + N @ (N.T @ (y - inside)))  # min |u| such that N u >= h
    M = np.vstack([N.T, h])
    target = np.eye(len(M))[-1]
    residual = M @ nnls(M, target, maxiter=1000)[0] - target
    u = -residual[:-1] / residual[-1]
    return (N @ u - h).reshape(S, A)


def project(y):
    """Onto the simplex: the level by bisection."""
    low, high = max(y) - 1, max(y)  # sum max(y - level, 0) is >= 1 at the first, 0 at the second
    for _ in range(100):
        level = (low + high) / 2
        low, high = (level, high) if sum(max(x - level, 0) for x in y) > 1 else (low, level)
    return np.array([max(x - level, 0) for x in y])


def best_policy(mdp, r):
    """Policy improvement, from the largest reward on, where more than rounding is gained."""
    pi = np.eye(mdp.A)[r.argmax(1)]
    while True:
        v = value(mdp, r, pi)
        q = action_value(mdp, r, v)
        better = q.max(1) > v + 1e-9
        if not better.any():
            return pi
        pi[better] = np.eye(mdp.A)[q.argmax(1)][better]
