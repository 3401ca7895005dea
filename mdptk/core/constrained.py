"""Constraints on what is played: in episodes, under budgets or above a baseline; and to be unlike what is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mdptk.core.errors import InvalidModel
from mdptk.core.models import CMDP, MDP, FiniteHorizonMDP, _frozen, _set, check_distributions


def _policy(pi: Any, mdp: FiniteHorizonMDP, name: str) -> Any:
    pi = _frozen(pi, name)
    if pi.shape != mdp.r.shape:
        raise InvalidModel(f"{name} has shape {pi.shape}, expected {mdp.r.shape} = {name}[h, s, a]")
    check_distributions(pi, name)
    return pi


@dataclass(frozen=True, eq=False)
class EpisodicCMDP(CMDP):
    r"""Constrained problem of H stages, for learners: a `CMDP` with stages, and a policy that is known to be safe.

    Parameters
    ----------
    mdp, c, b
        As for `CMDP`; `mdp` is a `FiniteHorizonMDP`.
    safe
        A policy ``safe[h, s, a]`` that spends less than every budget, which learners may know; None if nobody does.

    Raises
    ------
    InvalidModel
        If `safe` does not spend less than the budgets.

    Examples
    --------
    >>> mdp = FiniteHorizonMDP([[[[1.0], [1.0]]]], [[[0.0, 1.0]]])
    >>> EpisodicCMDP(mdp, c=[[[0.0, 1.0]]], b=0.5, safe=[[[1.0, 0.0]]])
    EpisodicCMDP(FiniteHorizonMDP(H=1, S=1, A=2), m=1)
    """

    safe: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.mdp, FiniteHorizonMDP):
            raise InvalidModel(f"an EpisodicCMDP has a FiniteHorizonMDP, not {self.mdp!r}")
        if self.safe is None:
            return
        _set(self, safe=_policy(self.safe, self.mdp, "safe"))
        slack = self.slack
        if not (slack > 0).all():
            i = int(slack.argmin())
            raise InvalidModel(f"safe spends {self.b[i] - slack[i]:.9g} of the budget b[{i}] = {self.b[i]:.9g}")

    @property
    def H(self) -> int:
        """Number of stages."""
        return self.mdp.H

    @property
    def slack(self) -> Any:
        """What `safe` leaves of each budget, (m,)."""
        from mdptk.core import exact

        return self.b - exact.returns(self, self.safe)[..., 1:]

    def __repr__(self) -> str:
        return f"EpisodicCMDP({self.mdp!r}, m={self.m})"


@dataclass(frozen=True, eq=False)
class ConservativeMDP:
    r"""Episodic problem in which every policy that is played must earn at least `floor`, as a known baseline does.

    Parameters
    ----------
    mdp
        The model, a `FiniteHorizonMDP`.
    baseline
        A policy ``baseline[h, s, a]`` with :math:`V^{\pi_b}(\rho) \ge` `floor`.
    floor
        What every episode's policy must earn in expectation.

    Raises
    ------
    InvalidModel
        If the baseline earns less than the floor.

    Examples
    --------
    >>> mdp = FiniteHorizonMDP([[[[1.0], [1.0]]]], [[[0.5, 1.0]]])
    >>> ConservativeMDP(mdp, baseline=[[[1.0, 0.0]]], floor=0.25)
    ConservativeMDP(FiniteHorizonMDP(H=1, S=1, A=2), floor=0.25)
    """

    mdp: FiniteHorizonMDP
    baseline: Any
    floor: Any

    def __post_init__(self) -> None:
        from mdptk.core import exact

        if not isinstance(self.mdp, FiniteHorizonMDP):
            raise InvalidModel(f"a ConservativeMDP has a FiniteHorizonMDP, not {self.mdp!r}")
        floor = _frozen(self.floor, "floor")
        if floor.shape:
            raise InvalidModel(f"floor has shape {floor.shape}, expected a number")
        _set(self, baseline=_policy(self.baseline, self.mdp, "baseline"), floor=floor)
        earned = float(exact.expected_return(self.mdp, self.baseline))
        if earned < floor:
            raise InvalidModel(f"the baseline earns {earned:.9g}, less than the floor {float(floor):.9g}")

    @property
    def H(self) -> int:
        """Number of stages."""
        return self.mdp.H

    @property
    def S(self) -> int:
        """Number of states."""
        return self.mdp.S

    @property
    def A(self) -> int:
        """Number of actions."""
        return self.mdp.A

    @property
    def kappa(self) -> float:
        """What the baseline earns above the floor."""
        from mdptk.core import exact

        return float(exact.expected_return(self.mdp, self.baseline)) - float(self.floor)

    def __repr__(self) -> str:
        return f"ConservativeMDP({self.mdp!r}, floor={np.float64(self.floor):g})"


def novel(mdp: MDP, known: Any, least: float) -> CMDP:
    r"""Do well, but not as it has been done: a policy that differs from each of the known ones.

    The cost j is :math:`c_j(s, a) = \pi_j(a|s)` with the budget :math:`(1 - r_0)/(1-\gamma)`: in the states that it
    comes to, a policy and the known one :math:`\pi_j` choose the same action with probability :math:`1 - r_0` at most.
    For a deterministic :math:`\pi_j` that is the total variation

    .. math:: \mathbb{E}_{s \sim d^\pi} \|\pi(\cdot|s) - \pi_j(\cdot|s)\|_{TV} \geq r_0,

    and otherwise total variation is at most that probability of a difference. In Sun et al. [sun2020novel] the states
    are drawn from a mixture that does not depend on the policy, which makes the distance a metric.

    Parameters
    ----------
    mdp
        The model.
    known
        Policies ``known[j, s, a]``.
    least
        :math:`r_0` in [0, 1].

    Examples
    --------
    >>> novel(MDP([[[1.0], [1.0]]], [[0.5, 1.0]], 0.5), known=[[[0.0, 1.0]]], least=0.75).b
    array([0.5])
    """
    if not 0 <= least <= 1:
        raise InvalidModel(f"least = {least!r} is not in [0, 1]")
    known = _frozen(known, "known")
    if known.ndim != 3 or known.shape[1:] != mdp.r.shape:
        raise InvalidModel(f"known has shape {known.shape}, expected (n, {mdp.S}, {mdp.A}) = known[j, s, a]")
    check_distributions(known, "known")
    return CMDP(mdp, known, np.full(len(known), (1 - least) / (1 - mdp.gamma)))
