"""The probability to reach a set of states, as a problem of total reward."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mdptk.core.errors import InvalidModel
from mdptk.core.structure import pattern
from mdptk.core.total import TotalRewardMDP
from mdptk.solve.dispatch import solve

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from mdptk.core.models import MDP, Array, AverageRewardMDP
    from mdptk.solve.solution import Solution


def reachability(
    model: MDP | AverageRewardMDP | TotalRewardMDP,
    targets: ArrayLike,
    *,
    minimise: bool = False,
    tol: float = 1e-8,
    method: str = "auto",
) -> Solution:
    r"""The largest (or smallest) probability with which a policy ever reaches `targets`, between proved bounds.

    It is the total reward of a reward of 1 (or a cost of 1) that the first visit to a target pays, after which the run
    ends.

    Parameters
    ----------
    model
        One model, dense or sparse. Only its transitions count, rows divided by their sums.
    targets
        States, as numbers or as a mask of shape (S,). A run that starts in one has reached it.
    minimise
        Whether policies avoid the targets rather than seek them.
    tol, method
        As for `solve` of a `TotalRewardMDP`.

    Returns
    -------
    Solution
        Probabilities ``value[s]`` with bounds, and a policy that attains the bound on its side: `lower` if it seeks,
        `upper` if it avoids.

    Raises
    ------
    InvalidModel
        If `targets` are not states of the model, or it is a batch of models.
    NotConverged, InvalidHyperparameter
        As `solve`.

    Examples
    --------
    >>> from mdptk.core.models import MDP
    >>> mdp = MDP(P=[[[0, 0.25, 0.75], [0.5, 0, 0.5]], [[0, 1, 0]] * 2, [[0, 0, 1]] * 2], r=np.zeros((3, 2)), gamma=0)
    >>> reachability(mdp, [1]).value.round(9), reachability(mdp, [1], minimise=True).value.round(9)
    (array([0.25, 1.  , 0.  ]), array([0., 1., 0.]))
    """
    if model.r.ndim != 2:
        raise InvalidModel(f"reachability takes one model at a time, not {model!r}")
    mask = _mask(targets, model.S)
    answer = solve(_paid(model, mask, -1.0 if minimise else 1.0), tol=tol, method=method)
    low, high = answer.lower[:-1], answer.upper[:-1]
    low, high = (-high, -low) if minimise else (low, high)
    lower, upper = np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)  # probabilities, so these are bounds, too
    lower[mask], upper[mask] = 1.0, 1.0
    value, policy = lower + (upper - lower) / 2, answer.policy[:-1].copy()
    for x in (value, policy, lower, upper):
        x.setflags(write=False)
    return replace(answer, value=value, policy=policy, lower=lower, upper=upper)


def _mask(targets: ArrayLike, S: int) -> Array:
    x = np.asarray(targets)
    if x.dtype == bool and x.shape == (S,):
        return x
    if x.ndim != 1 or not (np.issubdtype(x.dtype, np.integer) or not x.size):
        raise InvalidModel(f"targets are a list of states or a mask of shape ({S},), not {targets!r}")
    bad = (x < 0) | (x >= S)
    if bad.any():
        raise InvalidModel(f"target {x[bad][0]} is not one of the {S} states")
    return np.isin(np.arange(S), x)


def _paid(model: Any, mask: Array, reward: float) -> TotalRewardMDP:
    """The model with one more state, last, to which targets lead for `reward`."""
    import scipy.sparse as sp

    S, A = model.S, model.A
    P, owner = pattern(model)
    keep = sp.diags_array(1.0 * ~mask[owner])
    ends = sp.csr_array((1.0 * mask[owner], (np.arange(S * A), np.zeros(S * A, int))), shape=(S * A, 1))
    stay = sp.csr_array((np.ones(A), (np.arange(A), np.full(A, S))), shape=(A, S + 1))
    rows = sp.vstack([sp.hstack([keep @ P, ends]), stay]).tocsr()
    r = np.zeros((S + 1, A))
    r[:-1][mask] = reward
    return TotalRewardMDP(rows, r)
