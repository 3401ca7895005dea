r"""Constrained planning from logged data: a guardian for what was not seen, and budgets for single trajectories.

`guarded` is OGSRL's problem in a table: the counted model, with the budget of the safety cost lowered by a margin and a
second budget for leaving the pairs that were seen often enough. For every policy, with its normalised occupancy
:math:`\hat d` in the counted model,

.. math:: V_c^\pi(P) - V_c^\pi(\hat P) = \tfrac{\gamma}{1-\gamma} \sum_{s,a} \hat d(s,a)\,
   \big((P - \hat P) V_c^\pi(P)\big)(s,a)
   \leq \frac{\gamma\,\mathrm{span}(c)}{(1-\gamma)^2} \Big(\tfrac12 \max_{G} \|P - \hat P\|_1 + \hat d(G^c)\Big),

which is `violation_slack`: as a margin it makes what the guarded problem allows safe in the true model.

`tilted` is the distribution that real-time budgets ask for, :math:`p(\tau) \propto p_\beta(\tau) e^{\alpha R(\tau)}
1[C(\tau) \leq b]`, as a policy that looks at what is left of the budget. In a deterministic model it is what is played.
In others it is not: the tilt also asks for luck, which no policy has.

Sources: Yan et al. [yan2025offline] and Lin et al. [lin2023safe], from their abstracts; the statements are derived.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mdptk.core.errors import InvalidModel
from mdptk.core.models import CMDP, MDP, Array, FiniteHorizonMDP


def counted(N: Any) -> Array:
    """The empirical model of counts ``N[s, a, s']``, uniform where nothing was seen."""
    N = np.asarray(N, dtype=np.float64)
    n = N.sum(-1, keepdims=True)
    return np.where(n > 0, N / np.maximum(n, 1), 1 / N.shape[-1])


def guarded(problem: CMDP, N: Any, *, least: float = 1, leave: float = 0.01, margin: Any = 0.0) -> CMDP:
    r"""The problem that is solved in place of `problem` when all that is known of its transitions are counts.

    Parameters
    ----------
    problem
        A discounted problem; its rewards, costs and budgets are known, its transitions are not looked at.
    N
        Counts ``N[s, a, s']`` of logged transitions.
    least
        Visits that make a pair (s, a) known.
    leave
        The share of the (discounted) time, in (0, 1), that may be spent in pairs that are not.
    margin
        What the budgets are lowered by, a number or (m,), in units of discounted cost.

    Returns
    -------
    CMDP
        With the counted model, the lowered budgets, and one more cost and budget for what is not known.

    Examples
    --------
    >>> problem = CMDP(MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.5), c=[[0.0, 1.0]], b=1.0)
    >>> guarded(problem, [[[5], [0]]], margin=0.1).b
    array([0.9 , 0.02])
    """
    mdp, N = problem.mdp, np.asarray(N, dtype=np.float64)
    if not isinstance(mdp, MDP):
        raise InvalidModel(f"guarded takes a discounted problem, not {problem!r}")
    if N.shape != (mdp.S, mdp.A, mdp.S) or N.min() < 0:
        raise InvalidModel(f"N has shape {N.shape} and least entry {N.min():g}, expected counts N[s, a, s']")
    if not 0 < leave < 1:
        raise InvalidModel(f"leave = {leave} is not in (0, 1)")
    unknown = 1.0 * (N.sum(-1) < least)
    b = np.append(problem.b - margin, leave / (1 - mdp.gamma))
    return CMDP(MDP(counted(N), mdp.r, mdp.gamma, mdp.rho), np.concatenate([problem.c, unknown[None]]), b)


def violation_slack(problem: CMDP, error: float, leave: float) -> Array:
    r"""What a policy may spend more in the true model than in the guarded one, (m,).

    Parameters
    ----------
    problem
        The problem that was guarded.
    error
        A bound on :math:`\|P - \hat P\|_1` of the known pairs.
    leave
        As for `guarded`.
    """
    g, span = problem.gamma, problem.c.max((1, 2)) - problem.c.min((1, 2))
    return g * span / (1 - g) ** 2 * (error / 2 + leave)


class Tilted(NamedTuple):
    """A policy that looks at what is left, and what the tilt is worth."""

    pi: Array  # (H, S, b + 1, A): with the budget x left; zeros where nothing is allowed
    log_Z: Array  # (H + 1, S, b + 1): logarithms of the normalisers, -inf where nothing is allowed


def tilted(mdp: FiniteHorizonMDP, behaviour: Any, c: Any, b: int, alpha: float) -> Tilted:
    r"""The trajectories of `behaviour`, tilted to reward by `alpha` and cut off at the budget, as a policy.

    .. math:: Z_h(s, x) = \sum_a \beta_h(a|s)\, e^{\alpha r_h(s, a)} 1[c_h(s,a) \leq x]
       \sum_{s'} P_h(s'|s,a) Z_{h+1}(s', x - c_h(s,a)), \qquad Z_{H+1} = 1,

    and the policy is each action's part of it. The distribution of :math:`\tau` would also tilt the transitions, by
    :math:`Z_{h+1}(s')`: nothing is tilted where the next state is certain.

    Parameters
    ----------
    mdp
        The model.
    behaviour
        The policy ``behaviour[h, s, a]`` of the data.
    c
        Costs ``c[h, s, a]``, whole numbers that are not negative.
    b
        The budget of a trajectory, a whole number.
    alpha
        Strength of the tilt.
    """
    beta, c = np.asarray(behaviour, dtype=np.float64), np.asarray(c)
    if beta.shape != mdp.r.shape or c.shape != mdp.r.shape:
        raise InvalidModel(f"behaviour and c have shapes {beta.shape} and {c.shape}, expected {mdp.r.shape}")
    if (c < 0).any() or (c != c.astype(int)).any() or b != int(b) or b < 0:
        raise InvalidModel(f"costs and budget are whole numbers >= 0; b = {b}, least cost {c.min()}")
    c, x = c.astype(int), np.arange(int(b) + 1)
    log_Z, rows = [np.zeros((mdp.S, len(x)))], []
    with np.errstate(divide="ignore", invalid="ignore"):
        for h in reversed(range(mdp.H)):
            left = x - c[h][..., None]  # [s, a, x]
            top = np.max(log_Z[-1], initial=-np.inf)
            top = top if np.isfinite(top) else 0.0
            later = np.log(np.einsum("sat,tx->sax", mdp.P[h], np.exp(log_Z[-1] - top))) + top
            later = np.take_along_axis(later, np.maximum(left, 0), -1)
            q = np.where(left >= 0, np.log(beta[h])[..., None] + alpha * mdp.r[h][..., None] + later, -np.inf)
            high = q.max(1, keepdims=True)
            weights = np.exp(q - np.where(np.isfinite(high), high, 0))
            total = weights.sum(1, keepdims=True)
            rows.append(np.swapaxes(np.where(total > 0, weights / np.where(total > 0, total, 1), 0), 1, 2))
            log_Z.append((np.log(total) + np.where(np.isfinite(high), high, 0))[:, 0])
    return Tilted(np.stack(rows[::-1]), np.stack(log_Z[::-1]))


def played(mdp: FiniteHorizonMDP, found: Tilted, c: Any) -> tuple[float, float, float]:
    """What a tilted policy earns and spends when it is played, and the probability that it gets stuck.

    It is stuck where the budget that is left allows nothing: then it stops, before it would overspend.
    """
    c, b = np.asarray(c).astype(int), found.pi.shape[2] - 1
    d = np.zeros((mdp.S, b + 1))
    d[:, b] = mdp.rho
    earned = spent = 0.0
    for h in range(mdp.H):
        x = d[:, :, None] * found.pi[h]  # [s, x, a]; stuck where the policy is zero
        earned += float((x * mdp.r[h][:, None]).sum())
        spent += float((x * c[h][:, None]).sum())
        d = np.zeros_like(d)
        for s, a in np.ndindex(mdp.S, mdp.A):
            k = c[h, s, a]
            if k <= b:
                d[:, : b + 1 - k] += mdp.P[h, s, a][:, None] * x[s, k:, a]
    return earned, spent, 1 - float(d.sum())
