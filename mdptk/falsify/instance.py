"""A model taken apart into arrays that moves can change, and put together again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mdptk.core import exact
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.constrained import ConservativeMDP, EpisodicCMDP
from mdptk.core.errors import MdptkError
from mdptk.core.games import MarkovGame, MatrixGame
from mdptk.core.models import CMDP, MDP, Array, AverageRewardMDP, FiniteHorizonMDP, PolicyEvaluation
from mdptk.core.parts import CONTINUOUS, PARTS, put_together, take_apart
from mdptk.core.robust import L1, Finite, Interval, RobustMDP
from mdptk.core.total import TotalRewardMDP

GAMES = (MatrixGame, MarkovGame)
ONE_STATE = (MatrixGame, BernoulliBandit)
PLAIN = (AverageRewardMDP, TotalRewardMDP)  # transitions, rewards and a start, nothing else
SAFE = (EpisodicCMDP, ConservativeMDP)  # with a policy that is known to keep what is asked for, in `pi`
STAGED = (FiniteHorizonMDP, *SAFE)
UNDISCOUNTED = (*STAGED, *PLAIN, *ONE_STATE, *CONTINUOUS)
KINDS = (MDP, FiniteHorizonMDP, PolicyEvaluation, CMDP, RobustMDP, *GAMES, BernoulliBandit, *PLAIN, *SAFE, *PARTS)
SETS = ("centre", "radius", "lower", "upper", "kernels")  # of a RobustMDP
ARRAYS = ("P", "r", "rho", "pi", "Phi", "D", "c", "b", *SETS, "start")


@dataclass(frozen=True, eq=False)
class Instance:
    """The arrays of a model of type `kind`; those that its type does not have are None.

    ``P[..., s, a, s']`` and ``r[..., s, a]`` have a leading stage axis for a model with stages, none otherwise. In a
    game `a` stands for the actions of both players, ``a * B + b``; a bandit is one state with its means as rewards.
    `D` is None where it is stationary, so that it follows the transitions when they are changed; so does the centre of
    a ball that is None, and intervals are widened until the transitions are between them. `kernels` are those of a
    finite set besides `P`; the floor of a ConservativeMDP is the only number in `b`. `start` has the free numbers of
    the first state (`mdptk.theory.Start`), None where `init` chooses them. `more` has the arrays of the kinds in
    `mdptk.core.parts` by name; those without states and actions have a model of one state all the same.
    """

    kind: type
    P: Array
    r: Array
    rho: Array
    gamma: float = 0.0
    pi: Array | None = None
    Phi: Array | None = None
    D: Array | None = None
    c: Array | None = None
    b: Array | None = None
    centre: Array | None = None
    radius: Array | None = None
    lower: Array | None = None
    upper: Array | None = None
    kernels: Array | None = None
    B: int = 0
    start: Array | None = None
    more: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.lower is not None and self.upper is not None:
            object.__setattr__(self, "lower", np.minimum(self.lower, self.P))
            object.__setattr__(self, "upper", np.maximum(self.upper, self.P))

    @property
    def S(self) -> int:
        """Number of states."""
        return self.r.shape[-2]

    @property
    def A(self) -> int:
        """Number of actions; in a game, of pairs of them."""
        return self.r.shape[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the transitions: what models of one batch, or of one compiled program, share."""
        return self.P.shape

    def having(self, **more: Any) -> Instance:
        """With these in place of the arrays in `more` of the same names."""
        return replace(self, more={**self.more, **{name: np.asarray(a, dtype=np.float64) for name, a in more.items()}})

    def model(self) -> Any:
        """The model; raises InvalidModel if the arrays make none."""
        S, B = self.S, self.B
        if self.kind is MatrixGame:
            return MatrixGame(self.r.reshape(-1, B))
        if self.kind is MarkovGame:
            return MarkovGame(self.P.reshape(S, -1, B, S), self.r.reshape(S, -1, B), self.gamma, self.rho)
        if self.kind is BernoulliBandit:
            return BernoulliBandit(self.r[0])
        if self.kind in CONTINUOUS:
            return put_together(self.kind, None, self.more)
        if self.kind in (FiniteHorizonMDP, *PLAIN):
            return self.kind(self.P, self.r, self.rho)
        if self.kind is EpisodicCMDP:
            return EpisodicCMDP(FiniteHorizonMDP(self.P, self.r, self.rho), self.c, self.b, self.pi)
        if self.kind is ConservativeMDP and self.b is not None:
            return ConservativeMDP(FiniteHorizonMDP(self.P, self.r, self.rho), self.pi, self.b[0])
        if self.kind is CMDP and self.P.ndim == 4:
            return CMDP(FiniteHorizonMDP(self.P, self.r, self.rho), self.c, self.b)
        mdp = MDP(self.P, self.r, self.gamma, self.rho)
        if self.kind in PARTS:
            return put_together(self.kind, mdp, self.more)
        if self.kind is CMDP:
            return CMDP(mdp, self.c, self.b)
        if self.kind is RobustMDP:
            return RobustMDP(mdp, self._ambiguity())
        return PolicyEvaluation(mdp, self.pi, self.Phi, self.D) if self.kind is PolicyEvaluation else mdp

    def _ambiguity(self) -> L1 | Interval | Finite:
        if self.radius is not None:
            return L1(self.P if self.centre is None else self.centre, self.radius)
        if self.kernels is not None:
            return Finite([self.P, *self.kernels])
        return Interval(self.lower, self.upper)

    @classmethod
    def of(cls, problem: Any) -> Instance:
        """The arrays of a model.

        Raises
        ------
        MdptkError
            If it is not made of arrays that are known here.
        """
        kind = type(problem)
        if kind in PARTS:
            mdp, more = take_apart(problem)
            return replace(one_state(kind, np.zeros(1)) if mdp is None else cls(kind, **_inner(mdp)), more=more)
        match problem:
            case BernoulliBandit():
                return one_state(kind, problem.means)
            case MatrixGame():
                return one_state(kind, problem.R.ravel(), problem.B)
            case MarkovGame():
                S, A, B = problem.r.shape
                P, r = problem.P.reshape(S, A * B, S), problem.r.reshape(S, A * B)
                return cls(kind, P, r, problem.rho, problem.gamma, B=B)
            case FiniteHorizonMDP():
                return cls(kind, problem.P, problem.r, problem.rho)
            case AverageRewardMDP() | TotalRewardMDP():
                return cls(kind, problem.discounted(0.0).dense().P, problem.r, problem.rho)
            case PolicyEvaluation():
                P, _ = exact.chain(problem.mdp, problem.pi)
                drift = abs(problem.D @ P - problem.D).sum()
                D = problem.D if drift > 1e-12 * problem.S else None
                return cls(kind, **_inner(problem.mdp), pi=problem.pi, Phi=problem.Phi, D=D)
            case EpisodicCMDP():
                return cls(kind, **_inner(problem.mdp), c=problem.c, b=problem.b, pi=problem.safe)
            case ConservativeMDP():
                return cls(kind, **_inner(problem.mdp), b=np.atleast_1d(problem.floor), pi=problem.baseline)
            case CMDP(mdp=MDP() | FiniteHorizonMDP()):
                return cls(kind, **_inner(problem.mdp), c=problem.c, b=problem.b)
            case RobustMDP(ambiguity=L1() | Interval() | Finite()):
                return cls(kind, **_inner(problem.nominal), **_set(problem))
            case MDP():
                return cls(kind, **_inner(problem))
        raise MdptkError(f"the falsifier has no instances of {problem!r} yet")


def _inner(mdp: MDP | FiniteHorizonMDP) -> dict[str, Any]:
    if isinstance(mdp, FiniteHorizonMDP):
        return {"P": mdp.P, "r": mdp.r, "rho": mdp.rho}
    return {"P": mdp.dense().P, "r": mdp.r, "rho": mdp.rho, "gamma": mdp.gamma}


def _set(problem: RobustMDP) -> dict[str, Any]:
    U, P = problem.ambiguity, problem.nominal.P
    if isinstance(U, L1):
        return {"radius": U.radius, "centre": None if np.array_equal(U.P, P) else U.P}
    if isinstance(U, Interval):
        return {"lower": U.lower, "upper": U.upper}
    first = next((k for k, one in enumerate(U.P) if np.array_equal(one, P)), -1)
    return {"kernels": np.delete(U.P, first, axis=0) if first >= 0 else U.P}


def one_state(kind: type, r: Array, B: int = 0) -> Instance:
    """A bandit with the means `r`, or a matrix game with these payoffs, row by row."""
    return Instance(kind, np.ones((1, len(r), 1)), np.asarray(r, dtype=np.float64)[None], np.ones(1), B=B)


def batch(instances: list[Instance]) -> MDP:
    """One model with a leading axis, from instances of kind MDP with one shape and one discount."""
    P, r, rho = (np.stack([getattr(x, name) for x in instances]) for name in ("P", "r", "rho"))
    return MDP(P, r, instances[0].gamma, rho)
