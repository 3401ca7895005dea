"""Access models: what a learner may ask. The transition probabilities stay behind the oracle.

An oracle samples by inversion, from uniforms that the caller draws, so that a block of them can be drawn at once.
Its arrays are jax arrays while a run is going on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mdptk.core import exact
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.constrained import ConservativeMDP, EpisodicCMDP
from mdptk.core.models import MDP, Array, AverageRewardMDP, FiniteHorizonMDP, PolicyEvaluation, is_sparse
from mdptk.core.utilities import UtilityMDP


def cumulative(p: Array) -> Array:
    """Cumulative sums along the last axis, set to 2 from the last possible outcome on: no rounding can pass it."""
    last = p.shape[-1] - 1 - np.argmax(p[..., ::-1] > 0, axis=-1)
    return np.where(np.arange(p.shape[-1]) >= last[..., None], 2.0, np.cumsum(p, -1))


def invert(cdf: Any, u: Any) -> Any:
    """The outcome k with ``cdf[k - 1] <= u < cdf[k]``, for uniforms ``u`` in [0, 1)."""
    return (cdf <= u[..., None]).sum(-1)


def choose(pi: Any, u: Any) -> Any:
    """Actions drawn from the distributions ``pi[..., a]`` with uniforms ``u`` in [0, 1); never one of probability 0."""
    cdf = exact.namespace(pi).cumsum(pi, -1)
    return invert(cdf, u * cdf[..., -1])  # the sum may be off by rounding


@dataclass(frozen=True, eq=False)
class Episodic:
    """Episodes of H stages from the start distribution. Mean rewards ``r[h, s, a]`` are known."""

    model: ClassVar[type] = FiniteHorizonMDP

    r: Any
    _next: Any
    _first: Any

    @classmethod
    def of(cls, problem: FiniteHorizonMDP) -> Episodic:
        """The oracle of `problem`."""
        return cls(problem.r, cumulative(problem.P), cumulative(problem.rho))

    @property
    def H(self) -> int:
        """Number of stages."""
        return self.r.shape[0]

    @property
    def S(self) -> int:
        """Number of states."""
        return self.r.shape[1]

    @property
    def A(self) -> int:
        """Number of actions."""
        return self.r.shape[2]

    def play(self, actions: Any, u: Any) -> tuple[Any, Any]:
        """One episode under ``actions[h, s]`` with uniforms ``u`` of shape (H + 1,).

        Returns the states ``s`` of shape (H + 1,), the last one after the last action, and the actions ``a``, (H,).
        """
        xp = exact.namespace(actions)
        s, a = [invert(self._first, u[0])], []
        for h in range(self.H):
            a.append(actions[h, s[-1]])
            s.append(invert(self._next[h, s[-1], a[-1]], u[h + 1]))
        return xp.stack(s), xp.stack(a)

    def follow(self, pi: Any, u: Any) -> tuple[Any, Any]:
        """Episodes under the randomised policy ``pi[h, s, a]`` with uniforms ``u`` of shape (..., H + 1, 2).

        ``u[..., h, 0]`` draws the state of stage h and ``u[..., h, 1]`` its action. Returns the states, (..., H + 1),
        and the actions, (..., H).
        """
        xp = exact.namespace(pi)
        s, a = [invert(self._first, u[..., 0, 0])], []
        for h in range(self.H):
            a.append(choose(pi[h, s[-1]], u[..., h, 1]))
            s.append(invert(self._next[h, s[-1], a[-1]], u[..., h + 1, 0]))
        return xp.stack(s, -1), xp.stack(a, -1)

    def rewards(self, s: Any, a: Any) -> Any:
        """Mean rewards of episodes, (..., H), from their states (..., H + 1) and actions (..., H)."""
        return self.r[np.arange(self.H), s[..., :-1], a]

    def remembering(self, Z: int) -> Episodic:
        """Episodes of the product with a memory of `Z` states, as in `mdptk.core.memory.with_memory`."""
        xp = exact.namespace(self.r)
        H, S, A = self.r.shape
        z = np.arange(Z)
        until = xp.concatenate([xp.zeros((H, S, A, 1)), self._next[..., :-1]], -1)  # the state before has passed
        cdf = xp.where(z >= z[:, None, None], self._next[:, :, :, None, :, None], until[:, :, :, None, :, None])
        cdf = xp.broadcast_to(cdf[:, :, None], (H, S, Z, A, Z, S, Z)).reshape(H, S * Z, A * Z, S * Z)
        r = xp.broadcast_to(self.r[:, :, None, :, None], (H, S, Z, A, Z)).reshape(H, S * Z, A * Z)
        return Episodic(r, cdf, xp.repeat(self._first, Z))


@dataclass(frozen=True, eq=False)
class EpisodicCosts:
    """Episodes of a constrained problem. Mean rewards, mean costs, budgets and the start distribution are known.

    So are, if there is one, the policy `safe` and what it leaves of the budgets, `slack`.
    """

    model: ClassVar[type] = EpisodicCMDP

    episodes: Episodic
    c: Any
    b: Any
    rho: Any
    safe: Any
    slack: Any

    @classmethod
    def of(cls, problem: EpisodicCMDP) -> EpisodicCosts:
        """The oracle of `problem`."""
        known = (None, None) if problem.safe is None else (problem.safe, problem.slack)
        return cls(Episodic.of(problem.mdp), problem.c, problem.b, problem.mdp.rho, *known)

    @property
    def r(self) -> Any:
        """Mean rewards ``r[h, s, a]``."""
        return self.episodes.r


@dataclass(frozen=True, eq=False)
class EpisodicBaseline:
    """Episodes, and what is known: rewards, the start, a baseline ``baseline[h, s, a]``, the floor of its returns."""

    model: ClassVar[type] = ConservativeMDP

    episodes: Episodic
    rho: Any
    baseline: Any
    floor: Any

    @classmethod
    def of(cls, problem: ConservativeMDP) -> EpisodicBaseline:
        """The oracle of `problem`."""
        return cls(Episodic.of(problem.mdp), problem.mdp.rho, problem.baseline, problem.floor)

    @property
    def r(self) -> Any:
        """Mean rewards ``r[h, s, a]``."""
        return self.episodes.r


@dataclass(frozen=True, eq=False)
class Generative:
    """A simulator that can be asked at any state and action. Mean rewards ``r[s, a]`` and the discount are known."""

    model: ClassVar[type] = MDP

    r: Any
    gamma: Any
    _next: Any

    @classmethod
    def of(cls, problem: MDP) -> Generative:
        """The oracle of `problem`."""
        problem = problem.dense()
        return cls(problem.r, problem.gamma, cumulative(problem.P))

    @property
    def S(self) -> int:
        """Number of states."""
        return self.r.shape[0]

    @property
    def A(self) -> int:
        """Number of actions."""
        return self.r.shape[1]

    def sample(self, s: Any, a: Any, u: Any) -> Any:
        """Next states after ``(s, a)``; `s`, `a` and the uniforms `u` broadcast."""
        return invert(self._next[s, a], u)

    def sample_all(self, u: Any) -> Any:
        """One next state for every pair, shape (S, A), from uniforms of that shape."""
        return invert(self._next, u)


@dataclass(frozen=True, eq=False)
class Stream:
    """One endless stream of experience from the start distribution; nobody resets it. Mean rewards are known."""

    model: ClassVar[type] = AverageRewardMDP

    r: Any
    _next: Any
    _first: Any

    @classmethod
    def of(cls, problem: AverageRewardMDP) -> Stream:
        """The oracle of `problem`."""
        P = problem.P.toarray().reshape(*problem.r.shape, -1) if is_sparse(problem.P) else problem.P
        return cls(problem.r, cumulative(P / P.sum(-1, keepdims=True)), cumulative(problem.rho))

    @property
    def S(self) -> int:
        """Number of states."""
        return self.r.shape[0]

    @property
    def A(self) -> int:
        """Number of actions."""
        return self.r.shape[1]

    def start(self, u: Any) -> Any:
        """The first state."""
        return invert(self._first, u)

    def move(self, s: Any, a: Any, u: Any) -> Any:
        """The state after `a` in `s`: to be called with the state that the stream is in."""
        return invert(self._next[s, a], u)


@dataclass(frozen=True, eq=False)
class Online:
    """One endless stream of experience, as in `Stream`, of a model with a discount, which is known."""

    model: ClassVar[type] = MDP

    stream: Stream
    gamma: Any

    @classmethod
    def of(cls, problem: MDP) -> Online:
        """The oracle of `problem`."""
        problem = problem.dense()
        return cls(Stream(problem.r, cumulative(problem.P), cumulative(problem.rho)), problem.gamma)

    @property
    def r(self) -> Any:
        """Mean rewards ``r[s, a]``."""
        return self.stream.r


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Trajectories of a discounted model from the start distribution, cut off when the learner likes.

    Mean rewards ``r[s, a]`` and the discount are known.
    """

    model: ClassVar[type] = MDP

    r: Any
    gamma: Any
    _next: Any
    _first: Any

    @classmethod
    def of(cls, problem: MDP) -> Trajectories:
        """The oracle of `problem`."""
        problem = problem.dense()
        return cls(problem.r, problem.gamma, cumulative(problem.P), cumulative(problem.rho))

    @property
    def S(self) -> int:
        """Number of states."""
        return self.r.shape[0]

    @property
    def A(self) -> int:
        """Number of actions."""
        return self.r.shape[1]

    def start(self, u: Any) -> Any:
        """The first state of a trajectory."""
        return invert(self._first, u)

    def move(self, s: Any, a: Any, u: Any) -> Any:
        """The state after `a` in `s`: to be called with the state that a trajectory is in."""
        return invert(self._next[s, a], u)

    def follow(self, pi: Any, u: Any) -> tuple[Any, Any]:
        """Trajectories of T steps under the policy ``pi[s, a]`` with uniforms ``u`` of shape (N, T + 1, 2).

        ``u[:, t, 0]`` draws the state at time t and ``u[:, t, 1]`` its action. Returns the states, (N, T + 1), and the
        actions, (N, T).
        """
        return _follow(self._next, self._first, pi, u)


def _follow(after: Any, first: Any, pi: Any, u: Any) -> tuple[Any, Any]:
    import jax
    import jax.numpy as jnp

    def move(s: Any, u: Any) -> Any:
        a = choose(pi[s], u[0][:, 1])
        return invert(after[s, a], u[1][:, 0]), (s, a)

    u = jnp.swapaxes(u, 0, 1)
    last, (s, a) = jax.lax.scan(move, invert(first, u[0, :, 0]), (u[:-1], u[1:]))
    return jnp.concatenate([s, last[None]]).T, a.T


@dataclass(frozen=True, eq=False)
class UtilityTrajectories:
    """Trajectories of a discounted model, as in `Trajectories`; the utility of occupancies is known."""

    model: ClassVar[type] = UtilityMDP

    utility: Any
    gamma: Any
    _next: Any
    _first: Any

    @classmethod
    def of(cls, problem: UtilityMDP) -> UtilityTrajectories:
        """The oracle of `problem`."""
        mdp = problem.mdp
        return cls(problem.utility, mdp.gamma, cumulative(mdp.P), cumulative(mdp.rho))

    @property
    def S(self) -> int:
        """Number of states."""
        return self._next.shape[0]

    @property
    def A(self) -> int:
        """Number of actions."""
        return self._next.shape[1]

    def follow(self, pi: Any, u: Any) -> tuple[Any, Any]:
        """Trajectories of T steps under ``pi[s, a]``: see `Trajectories.follow`."""
        return _follow(self._next, self._first, pi, u)


@dataclass(frozen=True, eq=False)
class Transitions:
    """Independent transitions under a policy that is to be evaluated: s from D, a from pi, s' from P."""

    model: ClassVar[type] = PolicyEvaluation

    Phi: Any
    gamma: Any
    _r: Any
    _D: Any
    _pi: Any
    _next: Any

    @classmethod
    def of(cls, problem: PolicyEvaluation) -> Transitions:
        """The oracle of `problem`."""
        mdp = problem.mdp
        return cls(problem.Phi, mdp.gamma, mdp.r, *map(cumulative, (problem.D, problem.pi, mdp.P)))

    @property
    def n(self) -> int:
        """Number of features."""
        return self.Phi.shape[1]

    def sample(self, u: Any) -> tuple[Any, Any, Any]:
        """``(s, r, s')`` from uniforms ``u`` of shape (..., 3)."""
        s = invert(self._D, u[..., 0])
        a = invert(self._pi[s], u[..., 1])
        return s, self._r[s, a], invert(self._next[s, a], u[..., 2])


@dataclass(frozen=True, eq=False)
class Bandit:
    """Arms that can be pulled, one at a time; only the reward of the arm that is pulled is seen."""

    model: ClassVar[type] = BernoulliBandit

    _means: Any

    @classmethod
    def of(cls, problem: BernoulliBandit) -> Bandit:
        """The oracle of `problem`."""
        return cls(problem.means)

    @property
    def A(self) -> int:
        """Number of arms."""
        return self._means.shape[0]

    def pull(self, a: Any, u: Any) -> Any:
        """The reward of arm `a`, 0 or 1, from a uniform `u`."""
        return (u < self._means[a]) * 1.0
