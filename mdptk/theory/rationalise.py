r"""Which rewards make an expert optimal: a cone, and what of it data can never tell apart.

An occupancy :math:`\mu_E` is optimal for r, with entropy or without, under the constraints
:math:`\langle c_j, \mu\rangle \le b_j` exactly if

.. math:: r \in \nabla f(\mu_E) + \mathrm{im}(E) + \mathrm{cone}\{c_j : \langle c_j, \mu_E\rangle = b_j\}
   - \mathrm{cone}\{e_{sa} : \mu_E(s, a) = 0\},

with :math:`\nabla f(\mu_E) = \tau \log \pi_E` and the potential shapings :math:`E v = v(s) - \gamma P v(s, a)`. With
entropy nothing is never done, and the last cone is empty; without constraints that leaves shaping alone, so an expert
seen under enough different transitions gives the reward away up to a constant. With active constraints it does not: any
multiple of the cost may be part of the reward. Without entropy the cone is that of Ng and Russell.

Source: Schlaginhaufen and Kamgarpour [schlaginhaufen2023identifiability], from memory; that the normal cone is what
optimality means is convex analysis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.errors import InvalidModel
from mdptk.core.models import MDP, Array

TIGHT = 1e-9  # relative: a budget of which so little is left is spent


@dataclass(frozen=True, eq=False)
class Rewards:
    """A set of rewards: `base`, plus combinations of `lines`, plus combinations of `rays` with weights >= 0.

    Attributes
    ----------
    base
        One of them, (S * A,).
    lines
        Rows that may be added and taken away, (k, S * A): potential shapings, of rank S.
    rays
        Rows that may be added, (l, S * A).
    """

    base: Array
    lines: Array
    rays: Array

    def distance(self, r: Any) -> float:
        """The Euclidean distance of the reward ``r[s, a]`` from the set."""
        return self.explain(r)[1]

    def explain(self, r: Any) -> tuple[Array, float]:
        """The weights of the rays that explain ``r[s, a]`` best, and the distance that is left."""
        from scipy.optimize import nnls

        _, s, V = np.linalg.svd(self.lines)
        rest = V[int((s > len(V) * np.finfo(float).eps * s[0]).sum()) :]  # what shaping cannot reach
        y = rest @ (np.asarray(r, dtype=np.float64).ravel() - self.base)
        if not len(self.rays):
            return np.zeros(0), float(np.linalg.norm(y))
        weights, left = nnls(rest @ self.rays.T, y)
        return weights, float(left)

    @property
    def ambiguity(self) -> int:
        """The dimension of the set: how many numbers of the reward the expert leaves open."""
        return int(np.linalg.matrix_rank(np.concatenate([self.lines, self.rays])))


def rationalising(mdp: MDP, expert: Any, tau: float = 0.0, c: Any = None, b: Any = None) -> Rewards:
    r"""The rewards for which `expert` is optimal at the temperature `tau`, among policies that spend at most `b`.

    Parameters
    ----------
    mdp
        The model; its own reward is not used.
    expert
        A policy ``expert[s, a]`` that visits every state, and takes every action if tau is positive.
    tau
        Temperature; 0 is without entropy.
    c, b
        Costs ``c[j, s, a]`` and budgets, in discounted cost; None if there are none.

    Raises
    ------
    InvalidModel
        If the expert exceeds a budget, never visits a state, or never takes an action although tau is positive.

    Examples
    --------
    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 0.0]], 0.5)
    >>> found = rationalising(mdp, np.array([[0.0, 1.0]]))
    >>> found.distance([[0.0, 1.0]]), round(found.distance([[1.0, 0.0]]), 4)
    (0.0, 0.7071)
    """
    expert = np.asarray(expert, dtype=np.float64)
    exact.check_policy(mdp, expert)
    d = exact.occupancy(mdp, expert)
    if not (d > 0).all():
        raise InvalidModel(f"the expert never visits state {int(d.argmin())}")
    never = expert.ravel() == 0
    if tau > 0 and never.any():
        s, a = divmod(int(never.argmax()), mdp.A)
        raise InvalidModel(f"expert[{s}, {a}] = 0 at the temperature tau = {tau:g}: with entropy nothing is never done")
    base = (
        tau * np.log(expert, out=np.zeros_like(expert), where=expert > 0).ravel() if tau > 0 else 0.0 * expert.ravel()
    )
    rays = -np.eye(expert.size)[never]
    if c is not None:
        c, b = np.asarray(c, dtype=np.float64), np.atleast_1d(np.asarray(b, dtype=np.float64))
        spent = (d[:, None] * expert * c).sum((1, 2)) / (1 - mdp.gamma)
        scale = np.maximum(1.0, abs(c).max((1, 2)) / (1 - mdp.gamma))
        if (spent - b > TIGHT * scale).any():
            j = int((spent - b).argmax())
            raise InvalidModel(f"the expert spends {spent[j]:.9g} of the budget b[{j}] = {b[j]:.9g}")
        rays = np.concatenate([rays, c[b - spent <= TIGHT * scale].reshape(-1, expert.size)])
    return Rewards(base, exact.occupancy_flow(mdp).T, rays)
