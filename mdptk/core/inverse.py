"""Inverse problems: somebody acted well under rewards or constraints that are not known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mdptk.core.errors import InvalidModel
from mdptk.core.models import MDP, Array, _frozen, _set, check_distributions


def _features(phi: Any, mdp: MDP, name: str) -> Array:
    phi = _frozen(phi, name)
    if phi.ndim != 3 or not len(phi) or phi.shape[1:] != mdp.r.shape:
        raise InvalidModel(f"{name} has shape {phi.shape}, expected (n, {mdp.S}, {mdp.A}) = {name}[i, s, a]")
    return phi


def _weights(x: Any, n: int, name: str, low: float) -> Array:
    x = np.atleast_1d(_frozen(x, name))
    if x.shape != (n,):
        raise InvalidModel(f"{name} has shape {x.shape}, expected ({n},)")
    if (x < low).any():
        i = int(x.argmin())
        raise InvalidModel(f"{name}[{i}] = {x[i]:.6g} is less than {low:g}")
    x.setflags(write=False)
    return x


class _Demonstrated(ABC):
    """What an expert does with entropy: the soft optimal policy for `goal` at the temperature `tau`."""

    mdp: MDP
    tau: float

    @property
    def S(self) -> int:
        """Number of states."""
        return self.mdp.S

    @property
    def A(self) -> int:
        """Number of actions."""
        return self.mdp.A

    @property
    def gamma(self) -> float:
        """Discount."""
        return self.mdp.gamma

    @property
    @abstractmethod
    def goal(self) -> Array:
        """The reward that the expert acts for, (S, A)."""

    @cached_property
    def expert(self) -> Array:
        """Logarithms of the expert's probabilities, (S, A)."""
        from mdptk.core import exact

        return exact.soft_optimal(replace(self.mdp, r=self.goal), self.tau).log_pi

    def spent(self, log_pi: Array, phi: Array) -> Array:
        r"""Discounted sums of features ``phi[i, s, a]`` of policies ``log_pi[..., s, a]``, (..., i)."""
        from mdptk.core import exact

        pi = np.exp(log_pi)
        x = exact.occupancy(self.mdp, pi)[..., None] * pi / (1 - self.gamma)
        return np.einsum("...sa,isa->...i", x, phi)


def _check_tau(tau: float) -> float:
    tau = float(tau)
    if not 0 < tau < np.inf:
        raise InvalidModel(f"tau = {tau} is not a positive number")
    return tau


@dataclass(frozen=True, eq=False)
class HiddenCosts(_Demonstrated):
    r"""An expert who earns a known reward and pays hidden prices for known features.

    Parameters
    ----------
    mdp
        The model with the known reward.
    phi
        Features ``phi[i, s, a]`` that may cost something, shape (n, S, A).
    prices
        What they cost, (n,), not negative: hidden from the learner.
    tau
        Temperature: the expert maximises :math:`V_{r - \lambda\cdot\phi}(\rho)` and tau times its causal entropy.

    Examples
    --------
    >>> HiddenCosts(MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.5), phi=[[[0.0, 1.0]]], prices=[2.0], tau=0.5)
    HiddenCosts(MDP(S=1, A=2, gamma=0.5), n=1, tau=0.5)
    """

    mdp: MDP
    phi: Any
    prices: Any
    tau: float

    def __post_init__(self) -> None:
        phi = _features(self.phi, self.mdp, "phi")
        _set(self, phi=phi, prices=_weights(self.prices, len(phi), "prices", 0.0), tau=_check_tau(self.tau))

    @property
    def n(self) -> int:
        """Number of features."""
        return len(self.prices)

    @property
    def goal(self) -> Array:
        """The reward less the hidden prices, (S, A)."""
        return self.mdp.r - np.tensordot(self.prices, self.phi, 1)

    def __repr__(self) -> str:
        return f"HiddenCosts({self.mdp!r}, n={self.n}, tau={self.tau:g})"


@dataclass(frozen=True, eq=False)
class HiddenReward(_Demonstrated):
    r"""An expert who earns a hidden reward under known constraints.

    Parameters
    ----------
    mdp
        The model; its own reward is not used.
    phi
        Features ``phi[i, s, a]`` of the reward, shape (n, S, A).
    w
        Their weights, (n,): hidden from the learner.
    c
        Known costs ``c[j, s, a]``, shape (m, S, A).
    xi
        The multipliers of the expert's problem, (m,), not negative: hidden.
    spare
        What the expert leaves of each budget, (m,), not negative; zero where the multiplier is positive. The budgets
        :math:`b` are what the expert spends and what is spare: so the expert, soft optimal for
        :math:`w\cdot\phi - \xi\cdot c`, is optimal for :math:`w\cdot\phi` among all that meet them.
    tau
        Temperature.

    Examples
    --------
    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.5)
    >>> HiddenReward(mdp, phi=[[[0.0, 1.0]]], w=[1.0], c=[[[0.0, 1.0]]], xi=[0.5], spare=[0.0], tau=0.5)
    HiddenReward(MDP(S=1, A=2, gamma=0.5), n=1, m=1, tau=0.5)
    """

    mdp: MDP
    phi: Any
    w: Any
    c: Any
    xi: Any
    spare: Any
    tau: float

    def __post_init__(self) -> None:
        phi, c = _features(self.phi, self.mdp, "phi"), _features(self.c, self.mdp, "c")
        w = _weights(self.w, len(phi), "w", -np.inf)
        xi, spare = (_weights(getattr(self, name), len(c), name, 0.0) for name in ("xi", "spare"))
        if (xi * spare).any():
            j = int((xi * spare).argmax())
            raise InvalidModel(f"xi[{j}] = {xi[j]:.6g} prices a budget of which spare[{j}] = {spare[j]:.6g} is left")
        _set(self, phi=phi, w=w, c=c, xi=xi, spare=spare, tau=_check_tau(self.tau))

    @property
    def n(self) -> int:
        """Number of features."""
        return len(self.w)

    @property
    def m(self) -> int:
        """Number of constraints."""
        return len(self.xi)

    @property
    def reward(self) -> Array:
        """The hidden reward, (S, A)."""
        return np.tensordot(self.w, self.phi, 1)

    @property
    def goal(self) -> Array:
        """The hidden reward less the prices of the constraints, (S, A)."""
        return self.reward - np.tensordot(self.xi, self.c, 1)

    @cached_property
    def b(self) -> Array:
        """Budgets, (m,), in units of discounted cost."""
        return self.spent(self.expert, self.c) + self.spare

    def __repr__(self) -> str:
        return f"HiddenReward({self.mdp!r}, n={self.n}, m={self.m}, tau={self.tau:g})"


@dataclass(frozen=True, eq=False)
class SharedConstraint:
    r"""Several tasks in one model, each with an expert who keeps to a constraint that nobody knows.

    Parameters
    ----------
    mdp
        The model; its own reward is not used.
    rewards
        Known rewards ``rewards[k, s, a]`` of the tasks, shape (K, S, A).
    experts
        Their policies ``experts[k, s, a]``.
    c
        The cost ``c[s, a]`` in [0, 1] that they have in common: hidden from the learner.

    Examples
    --------
    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.5)
    >>> SharedConstraint(mdp, rewards=[[[0.0, 1.0]]], experts=[[[1.0, 0.0]]], c=[[0.0, 1.0]])
    SharedConstraint(MDP(S=1, A=2, gamma=0.5), K=1)
    """

    mdp: MDP
    rewards: Any
    experts: Any
    c: Any

    def __post_init__(self) -> None:
        rewards = _features(self.rewards, self.mdp, "rewards")
        experts = _features(self.experts, self.mdp, "experts")
        check_distributions(experts, "experts")
        if len(experts) != len(rewards):
            raise InvalidModel(f"there are {len(rewards)} rewards and {len(experts)} experts")
        c = _features(_frozen(self.c, "c")[None], self.mdp, "c")[0]
        if c.min() < 0 or c.max() > 1:
            raise InvalidModel(f"c lies in [{c.min():.6g}, {c.max():.6g}], not in [0, 1]")
        _set(self, rewards=rewards, experts=experts, c=c)

    @property
    def S(self) -> int:
        """Number of states."""
        return self.mdp.S

    @property
    def A(self) -> int:
        """Number of actions."""
        return self.mdp.A

    @property
    def tasks(self) -> int:
        """Number of tasks."""
        return len(self.rewards)

    @cached_property
    def occupancies(self) -> Array:
        """Those of the experts, normalised to one, (K, S, A)."""
        from mdptk.core import exact

        return exact.occupancy(self.mdp, self.experts)[..., None] * self.experts

    def __repr__(self) -> str:
        return f"SharedConstraint({self.mdp!r}, K={self.tasks})"
