"""Episodic problems with a constraint on what is played while learning: with budgets, and with a baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mdptk.core.errors import InvalidModel
from mdptk.core.models import CMDP, FiniteHorizonMDP, _frozen, _set, check_distributions


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
