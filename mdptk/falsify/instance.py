"""A model taken apart into arrays that moves can change, and put together again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.errors import MdptkError
from mdptk.core.models import MDP, Array, FiniteHorizonMDP, PolicyEvaluation

KINDS = (MDP, FiniteHorizonMDP, PolicyEvaluation)  # what can be searched
ARRAYS = ("P", "r", "rho", "pi", "Phi", "D", "start")


@dataclass(frozen=True, eq=False)
class Instance:
    """The arrays of a model of type `kind`; those that its type does not have are None.

    ``P[..., s, a, s']`` and ``r[..., s, a]`` have a leading stage axis for a FiniteHorizonMDP, none otherwise. `D` is
    None where it is stationary, so that it follows the transitions when they are changed. `start` has the free numbers
    of the first state (`mdptk.theory.Start`), None where `init` chooses them.
    """

    kind: type
    P: Array
    r: Array
    rho: Array
    gamma: float = 0.0
    pi: Array | None = None
    Phi: Array | None = None
    D: Array | None = None
    start: Array | None = None

    @property
    def S(self) -> int:
        """Number of states."""
        return self.r.shape[-2]

    @property
    def A(self) -> int:
        """Number of actions."""
        return self.r.shape[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the transitions: what models of one batch, or of one compiled program, share."""
        return self.P.shape

    def model(self) -> Any:
        """The model; raises InvalidModel if the arrays make none."""
        if self.kind is FiniteHorizonMDP:
            return FiniteHorizonMDP(self.P, self.r, self.rho)
        mdp = MDP(self.P, self.r, self.gamma, self.rho)
        return PolicyEvaluation(mdp, self.pi, self.Phi, self.D) if self.kind is PolicyEvaluation else mdp

    @classmethod
    def of(cls, problem: Any) -> Instance:
        """The arrays of a model."""
        if isinstance(problem, FiniteHorizonMDP):
            return cls(FiniteHorizonMDP, problem.P, problem.r, problem.rho)
        if isinstance(problem, PolicyEvaluation):
            mdp = problem.mdp
            P, _ = exact.chain(mdp, problem.pi)
            drift = abs(problem.D @ P - problem.D).sum()
            D = problem.D if drift > 1e-12 * problem.S else None
            return cls(PolicyEvaluation, mdp.P, mdp.r, mdp.rho, mdp.gamma, problem.pi, problem.Phi, D)
        if not isinstance(problem, MDP):
            raise MdptkError(f"the falsifier has no instances of {type(problem).__name__} yet")
        mdp = problem.dense()
        return cls(MDP, mdp.P, mdp.r, mdp.rho, mdp.gamma)


def batch(instances: list[Instance]) -> MDP:
    """One model with a leading axis, from instances of kind MDP with one shape and one discount."""
    P, r, rho = (np.stack([getattr(x, name) for x in instances]) for name in ("P", "r", "rho"))
    return MDP(P, r, instances[0].gamma, rho)
