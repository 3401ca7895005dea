"""Episodic problems with constraints on what a learner plays."""

from __future__ import annotations

import numpy as np

from mdptk.core import exact
from mdptk.core.constrained import ConservativeMDP, EpisodicCMDP
from mdptk.core.models import MDP
from mdptk.problems.riverswim import riverswim


def dear_reward(b: float = 0.5) -> EpisodicCMDP:
    r"""Two states, two actions, three stages: the reward is in the second state, and going there costs.

    In state 0, the start, action 1 moves to state 1 with probability 1/2 and costs 1; in state 1 action 0 pays 1 and
    costs nothing, and both stay there. Action 0 stays in state 0 for nothing: the safe policy. An attempt in the first
    stage brings 1 on average, one in the second half of that, so for budgets b up to 1 the optimum is b.

    Parameters
    ----------
    b
        Budget, in costs of an episode.

    Examples
    --------
    >>> dear_reward()
    EpisodicCMDP(FiniteHorizonMDP(H=3, S=2, A=2), m=1)
    """
    P = [[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.0, 1.0]]]
    mdp = MDP(P, [[0.0, 0.0], [1.0, 0.0]], 0.5, [1.0, 0.0]).episodic(3)
    c = np.broadcast_to([[0.0, 1.0], [0.0, 0.0]], mdp.r.shape)
    return EpisodicCMDP(mdp, c[None], b, exact.one_hot(np.zeros((3, 2), dtype=int), 2))


def tiring_swim(S: int = 2, H: int = 3, b: float = 1.5) -> EpisodicCMDP:
    """RiverSwim where every stroke to the right costs 1, with a budget of half the strokes.

    Drifting left costs nothing, so that is the safe policy; see `riverswim` for the model. The best policy swims at
    first and then tosses a coin whether to go on.

    Source: after Strehl and Littman [strehl2008analysis]; the costs are ours.

    Parameters
    ----------
    S, H
        Numbers of places (at least 2) and stages.
    b
        Budget, in strokes of an episode.

    Examples
    --------
    >>> tiring_swim()
    EpisodicCMDP(FiniteHorizonMDP(H=3, S=2, A=2), m=1)
    """
    mdp = riverswim(S).episodic(H)
    c = np.broadcast_to([0.0, 1.0], mdp.r.shape)
    return EpisodicCMDP(mdp, c[None], b, exact.one_hot(np.zeros((H, S), dtype=int), 2))


def random_budget(S: int = 2, A: int = 2, H: int = 3, share: float = 0.5, *, seed: int = 0) -> EpisodicCMDP:
    """A small random model with random costs; the budget lies between what the cheapest and the best policy spend.

    Transitions are uniform on the simplex, rewards and costs uniform in [0, 1], the same at every stage. The cheapest
    policy is the safe one.

    Parameters
    ----------
    S, A, H
        Numbers of states, actions and stages.
    share
        Where the budget lies, in (0, 1): 0 is what the cheapest policy spends.
    seed
        Seed of the instance.

    Examples
    --------
    >>> random_budget()
    EpisodicCMDP(FiniteHorizonMDP(H=3, S=2, A=2), m=1)
    """
    rng = np.random.default_rng(seed)
    mdp = MDP(rng.dirichlet(np.ones(S), (S, A)), rng.random((S, A)), 0.5).episodic(H)
    c = np.broadcast_to(rng.random((S, A)), mdp.r.shape)
    cheap = exact.optimal(MDP(mdp.P[0], -c[0], 0.5).episodic(H)).pi
    spent = exact.returns(EpisodicCMDP(mdp, c[None], float(H)), np.stack([cheap, exact.optimal(mdp).pi]))[:, 1]
    return EpisodicCMDP(mdp, c[None], (1 - share) * spent[0] + share * spent[1], cheap)


def swim_or_drift(S: int = 2, H: int = 3, share: float = 0.5) -> ConservativeMDP:
    """RiverSwim with a swimmer who tosses coins, and at least a share of what that earns.

    The baseline swims right with probability 1/2 everywhere; the floor is `share` of its return. See `riverswim`.

    Source: after Strehl and Littman [strehl2008analysis]; baseline and floor are ours.

    Parameters
    ----------
    S, H
        Numbers of places (at least 2) and stages.
    share
        Of the baseline's return, in [0, 1].

    Examples
    --------
    >>> swim_or_drift()
    ConservativeMDP(FiniteHorizonMDP(H=3, S=2, A=2), floor=0.153)
    """
    mdp = riverswim(S).episodic(H)
    baseline = np.full(mdp.r.shape, 0.5)
    return ConservativeMDP(mdp, baseline, share * float(exact.expected_return(mdp, baseline)))


def steady_income(share: float = 0.2) -> ConservativeMDP:
    """A sure half in every stage, or a move to where all is earned.

    In state 0, the start, action 0 pays 1/2 and stays, and action 1 moves to state 1 with probability 0.9 for nothing.
    In state 1 action 0 pays 1, action 1 nothing, and both stay. Three stages. The baseline takes action 0 and earns
    3/2, the optimum moves at once and earns 1.9; the floor is a share of what the baseline earns.

    Parameters
    ----------
    share
        Of the baseline's return, in [0, 1].

    Examples
    --------
    >>> steady_income()
    ConservativeMDP(FiniteHorizonMDP(H=3, S=2, A=2), floor=0.3)
    """
    P = [[[1.0, 0.0], [0.1, 0.9]], [[0.0, 1.0], [0.0, 1.0]]]
    mdp = MDP(P, [[0.5, 0.0], [1.0, 0.0]], 0.5, [1.0, 0.0]).episodic(3)
    baseline = exact.one_hot(np.zeros((3, 2), dtype=int), 2)
    return ConservativeMDP(mdp, baseline, share * float(exact.expected_return(mdp, baseline)))
