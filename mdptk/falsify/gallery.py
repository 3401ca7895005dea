"""First stage: the standard problems, and a family of degenerate models that random ones never come near."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from mdptk import registry
from mdptk.core import exact
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.constrained import ConservativeMDP, EpisodicCMDP
from mdptk.core.control import Dispatch, OnlineControl
from mdptk.core.games import MarkovGame, MatrixGame
from mdptk.core.inverse import HiddenCosts, HiddenReward, SharedConstraint
from mdptk.core.models import CMDP, MDP, Array, FiniteHorizonMDP, PolicyEvaluation
from mdptk.core.parts import CONTINUOUS
from mdptk.core.robust import RobustMDP
from mdptk.core.utilities import UtilityMDP
from mdptk.falsify.instance import GAMES, PLAIN, UNDISCOUNTED, Instance, one_state

LARGEST = 64  # states of a standard problem that is tried
DISCOUNTS = (0.0, 0.001, 0.5, 0.9, 0.99)
FEW = (0.5, 0.0, 0.9)  # where an instance takes a linear program, or is one of several views of a model
ARMS = 4  # of a degenerate bandit, at most: each number of them is a compilation


def gallery(kind: type, gamma: float | None = None) -> Iterator[tuple[str, Instance]]:
    """(where it comes from, instance), standard problems first, small before large; one discount if it is given."""
    yield from standard(kind)
    many = DISCOUNTS if kind in (MDP, PolicyEvaluation) else FEW
    discounts = (0.0,) if kind in UNDISCOUNTED else many if gamma is None else (gamma,)
    for (name, x), g in product(degenerate(), discounts):
        for view, y in views(replace(x, gamma=g), kind):
            yield ", ".join(filter(None, (name, view, "" if kind in UNDISCOUNTED else f"gamma = {g:g}"))), y
    if kind in GAMES:
        for (name, R), g in product(games(), discounts):
            x = one_state(MatrixGame, R.ravel(), R.shape[1])
            yield name, replace(x, kind=kind, gamma=g)
    if kind in CONTINUOUS:
        yield from dispatches() if kind is Dispatch else systems()


def standard(kind: type) -> Iterator[tuple[str, Instance]]:
    """The standard problems of the registry that are not too large."""
    known = registry.problems(kind)
    for name in sorted(known, key=lambda name: known[name].S):
        if known[name].S <= LARGEST:
            yield name, Instance.of(known[name])


def views(x: Instance, kind: type, H: int = 2) -> Iterator[tuple[str, Instance]]:
    """A discounted model as instances of another kind, each with a word for it; none if it has no such view.

    Cut off after `H` stages, its uniform policy evaluated, with an adversary, with costs, as a game, or its rewards as
    the means of arms.
    """
    if kind is FiniteHorizonMDP:
        yield "", Instance.of(x.model().episodic(H))
    elif kind is PolicyEvaluation:
        yield "", replace(x, kind=kind, pi=np.full((x.S, x.A), 1 / x.A), Phi=np.eye(x.S))
    elif kind is RobustMDP:
        yield "radius 0.5", replace(x, kind=kind, radius=np.full((x.S, x.A), 0.5))
        yield "any kernel", replace(x, kind=kind, lower=np.zeros_like(x.P), upper=np.ones_like(x.P))
        yield "two kernels", replace(x, kind=kind, kernels=np.roll(x.P, 1, axis=-1)[None])
    elif kind is CMDP:
        most = 1 / (1 - x.gamma)  # of a cost of one in each step
        last = np.zeros((1, x.S, x.A))
        last[..., -1] = 1.0
        yield "the reward costs", replace(x, kind=kind, c=x.r[None], b=np.array([most / 2]))
        yield "the last action costs", replace(x, kind=kind, c=last, b=np.array([most / 4]))
        yield "no cost", replace(x, kind=kind, c=np.zeros((1, x.S, x.A)), b=np.array([most / 2]))
        yield "two costs", replace(x, kind=kind, c=np.stack([x.r, 1 - x.r]), b=np.full(2, 0.6 * most))
    elif kind is EpisodicCMDP:
        y = replace(next(views(x, FiniteHorizonMDP, H))[1], kind=kind)
        last, first = (np.zeros((1, H, x.S, x.A)) for _ in range(2))
        last[..., -1], first[..., 0] = 1.0, 1.0
        yield "the reward costs", replace(y, c=y.r[None], b=np.array([0.6 * H]))
        if x.A > 1:
            yield "the last action costs", replace(y, c=last, b=np.array([0.25 * H]), pi=first[0])
    elif kind is ConservativeMDP:
        y = replace(next(views(x, FiniteHorizonMDP, H))[1], kind=kind, b=np.array([-1.0 * H]))
        first = np.broadcast_to(np.eye(x.A)[0], (H, x.S, x.A))
        yield "above a uniform baseline", keeping(replace(y, pi=np.full((H, x.S, x.A), 1 / x.A)), 0.1)
        yield "no less than the first action", keeping(replace(y, pi=first), 1e-9)
    elif kind is BernoulliBandit:
        if x.r.min() >= 0 and x.r.size <= ARMS:
            yield "", one_state(kind, x.r.ravel())
    elif kind in (HiddenCosts, HiddenReward, SharedConstraint, UtilityMDP):
        yield from _parts(x, kind)
    elif kind in CONTINUOUS:
        pass
    elif kind in GAMES:
        if kind is MarkovGame or x.S == 1:
            yield from ((word, replace(y, kind=kind)) for word, y in _players(x))
    else:
        yield "", replace(x, kind=kind, gamma=0.0 if kind in PLAIN else x.gamma)


def keeping(x: Instance, room: float = 0.0) -> Instance:
    """What the known policy of an instance keeps: budgets no lower, and a floor no higher, than it leaves `room` for.

    With `room` a floor is set to that, whatever it was.
    """
    if x.pi is None or x.b is None:
        return x
    model = FiniteHorizonMDP(x.P, x.r, x.rho)
    if x.kind is ConservativeMDP:
        earned = float(exact.expected_return(model, x.pi))
        return replace(x, b=np.array([earned - room if room else min(float(x.b[0]), earned)]))
    spends = exact.returns(CMDP(model, x.c, x.b), x.pi)[1:]
    return replace(x, b=np.maximum(x.b, spends + 1e-3))


def _parts(x: Instance, kind: type) -> Iterator[tuple[str, Instance]]:
    """A model whose reward is a feature, hidden or known, and whose last action costs something."""
    one, last = np.ones(1), np.zeros((1, x.S, x.A))
    last[..., -1] = 1.0
    uniform = np.full((1, x.S, x.A), 1 / x.A)
    tau = np.array(0.5)
    y = replace(x, kind=kind)
    if kind is HiddenCosts:
        yield "the last action is dear", y.having(phi=last, prices=2 * one, tau=tau)
        yield "nothing is dear", y.having(phi=last, prices=0 * one, tau=tau)
        yield "what it pays it costs", y.having(phi=x.r[None], prices=one, tau=tau)
    elif kind is HiddenReward:
        known = {"phi": x.r[None], "w": one, "c": last, "tau": tau}
        yield "the last action is dear", y.having(**known, xi=0.5 * one, spare=0 * one)
        yield "no budget binds", y.having(**known, xi=0 * one, spare=0.1 * one)
    elif kind is SharedConstraint:
        yield "one task", y.having(rewards=x.r[None], experts=uniform, cost=last[0])
        both = np.concatenate([uniform, last])
        yield "two tasks", y.having(rewards=np.stack([x.r, -x.r]), experts=both, cost=np.ones_like(x.r))
    else:
        x_uniform = exact.occupancy(x.model(), uniform[0])[:, None] * uniform[0]
        yield "explore", y.having(sigma=np.array(0.1))
        yield "imitate", y.having(target=x_uniform)
        yield "imitate what nobody can do", y.having(target=last[0])
        yield "likely", y.having(target=x_uniform, sigma=np.array(0.1))
        yield "a penalty", y.having(pay=x.r, c=last, b=0.25 * one, beta=np.array(10.0))


SYSTEMS = {  # F, G and a K that brings the state to zero
    "a cart": ([[1.0, 1.0], [0.0, 1.0]], [[0.0], [1.0]], [[1.0, 2.0]]),
    "a number that forgets": ([[0.0]], [[1.0]], [[0.0]]),
    "a number that stays": ([[1.0]], [[1.0]], [[1.0]]),
    "a number that grows": ([[1.5]], [[1.0]], [[1.5]]),
    "two numbers that swap": ([[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]),
}
LONG = 50  # steps of a control problem, as many as the search ever makes


def system(name: str, w: Array, limit: Array, h: int = 2) -> Instance:
    """One of the `SYSTEMS`, with constant weights, and limits for the sum of its state."""
    F, G, K = (np.array(x) for x in SYSTEMS[name])
    problem = OnlineControl(F, G, K, w, np.ones(len(w)), np.ones(len(F)), limit, h=h)
    return Instance.of(problem)


def systems() -> Iterator[tuple[str, Instance]]:
    """Nothing happens; a push at every step, under a limit that is far, or just where the feedback alone comes.

    Then between stops a little beyond that, for the worst pushes, and with a push to and fro.
    """
    for name, (F, _, K) in SYSTEMS.items():
        n = len(F)
        yield f"{name}, at rest", system(name, np.zeros((LONG, n)), np.ones(LONG))
        pushed = system(name, np.full((LONG, n), 0.5), np.full(LONG, 1e3))
        yield f"{name}, pushed", pushed
        there = pushed.model().response[0][:, :n].sum(1)
        yield f"{name}, pushed to the limit", pushed.having(limit=there)
        rows = np.concatenate([np.eye(n, n + len(K)), -np.eye(n, n + len(K))])  # the state between stops
        stopped = pushed.having(D=rows, b=np.zeros(2 * n)).model()
        yield f"{name}, between stops", pushed.having(D=rows, b=0.1 + stopped.worst(np.zeros(stopped.h * len(K) * n)))
        yield f"{name}, pushed to and fro", system(name, np.resize([[1.0] * n, [-1.0] * n], (LONG, n)), np.ones(LONG))


def dispatches() -> Iterator[tuple[str, Instance]]:
    """No water, no demand, no room, too much of everything, one stage; and nothing to pay for a missed target."""
    for name, x in {
        "no water": Dispatch([[0.0, 0.0]], [1.0, 1.0], start=0.0),
        "no demand": Dispatch([[1.0, 0.5]], [0.0, 0.0]),
        "no room": Dispatch([[1.0, 0.0], [0.0, 1.0]], [1.0, 1.0], start=0.0, full=0.0),
        "a flood": Dispatch([[5.0, 5.0]], [1.0, 1.0]),
        "one stage": Dispatch([[0.5], [1.5]], [1.0]),
        "targets are free": Dispatch([[1.0, 0.0]], [1.0, 1.0], miss=0.0),
        "nothing to burn": Dispatch([[0.0, 2.0]], [1.0, 1.0], burn=0.0),
    }.items():
        yield name, Instance.of(x)


def _players(x: Instance) -> Iterator[tuple[str, Instance]]:
    yield "the second has no choice", replace(x, B=1)
    yield "the first has no choice", replace(x, B=x.A)
    r = x.r[:, :, None] - x.r[:, None]
    P = (x.P[:, :, None] + x.P[:, None]) / 2
    yield "against itself", replace(x, P=P.reshape(x.S, -1, x.S), r=r.reshape(x.S, -1), B=x.A)


def games() -> Iterator[tuple[str, Array]]:
    """Payoffs with a mixed equilibrium, a saddle, ties, strategies that are never or nearly never played."""
    yield "matching pennies", np.eye(2)
    yield "pennies of both signs", 2 * np.eye(2) - 1
    yield "rock, paper, scissors", np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    yield "a saddle", np.array([[0.5, 0.0], [1.0, 0.25]])
    yield "nothing at stake", np.zeros((2, 2))
    yield "rows alike", np.array([[0.0, 1.0], [0.0, 1.0]])
    yield "columns alike", np.array([[0.0, 0.0], [1.0, 1.0]])
    yield "many equilibria", np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    yield "nearly a tie", np.array([[1.0, 1e-9], [0.0, 1.0]])
    yield "a rare strategy", np.array([[1.0, 0.0], [0.0, 1e-3]])
    yield "one against three", np.array([[0.0, 0.5, 1.0]])


def degenerate() -> Iterator[tuple[str, Instance]]:
    """Ties, one action, absorbing and unreachable states, a Dirac start, leaks, fractions, sparse supports."""
    eye = np.eye(2)
    stay_or_go = np.stack([np.stack([eye[s], eye[1 - s]]) for s in (0, 1)])  # P[s, a, s']
    yield "one state, one action", _mdp(np.ones((1, 1, 1)), [[1.0]])
    yield "one state, the first action is worse", _mdp(np.ones((1, 2, 1)), [[0.0, 1.0]])
    yield "one state, a tie", _mdp(np.ones((1, 3, 1)), [[0.5, 1.0, 1.0]])
    yield "nothing pays", _mdp(stay_or_go, np.zeros((2, 2)))
    yield "everything pays", _mdp(stay_or_go, np.ones((2, 2)))
    yield "rewards of both signs", _mdp(stay_or_go, [[0.0, 0.0], [1.0, -1.0]])
    yield "stay or go, a tie between the actions", _mdp(stay_or_go, [[0.5, 0.5], [0.5, 0.5]])
    yield "go to where it pays", _mdp(stay_or_go, [[0.0, 0.0], [1.0, 0.0]])
    yield "a small reward on the way away", _mdp(stay_or_go, [[0.1, 0.0], [1.0, 0.0]])
    yield "absorbing states", _mdp(np.stack([eye, [eye[1], eye[1]]]), [[0.0, 0.5], [1.0, 1.0]])
    yield "an unreachable state", _mdp(np.stack([[eye[1], eye[1]]] * 2), [[1.0, 0.0], [0.0, 0.5]])
    yield "a Dirac start", _mdp(stay_or_go, [[0.0, 0.0], [1.0, 0.0]], [1.0, 0.0])
    yield "nearly a Dirac start", _mdp(stay_or_go, [[0.0, 0.0], [1.0, 0.0]], [1 - 1e-6, 1e-6])
    yield "a tie now, opposite fortunes later", _fortunes()
    for leak in (1e-3, 1e-9):
        yield f"a leak of {leak:g}", _mdp((1 - leak) * stay_or_go + leak / 2, [[0.0, 0.0], [1.0, 0.0]])
        yield f"rewards that differ by {leak:g}", _mdp(stay_or_go, [[0.0, leak], [leak, 0.0]])
    third = np.array([[1, 2, 0], [0, 1, 2], [2, 0, 1]]) / 3
    yield "thirds", _mdp(np.stack([third, third[::-1]], 1), np.array([[0, 1], [1, 2], [2, 0]]) / 3)
    for n in (3, 6):
        yield f"a corridor of {n}", _corridor(n)
        yield f"a sparse support of {n}", _sparse(n)


def _mdp(P: Array, r: object, rho: object = None) -> Instance:
    return Instance.of(MDP(P, np.asarray(r, dtype=float), 0.0, None if rho is None else np.asarray(rho)))


def _fortunes() -> Instance:
    """State 0 leads to 1 or 2, these to 3 and 4, which are absorbing and pay -1 and 1: one sweep does not see it."""
    P = np.eye(5)[[[1, 2], [3, 3], [4, 4], [3, 3], [4, 4]]]
    return _mdp(P, [[0, 0], [0, 0], [0, 0], [-1, -1], [1, 1]])


def _corridor(n: int) -> Instance:
    """Back to the start, or one step on; only the last state pays."""
    eye = np.eye(n)
    P = np.stack([np.stack([eye[0], eye[min(s + 1, n - 1)]]) for s in range(n)])
    r = np.zeros((n, 2))
    r[-1, 1] = 1.0
    return _mdp(P, r)


def _sparse(n: int) -> Instance:
    """Two successors for each pair, rewards in few states."""
    rng = np.random.default_rng(n)
    P = np.zeros((n, 2, n))
    for s, a in product(range(n), range(2)):
        P[s, a, rng.choice(n, 2, replace=False)] = 0.5
    return _mdp(P, 1.0 * (rng.random((n, 2)) < 0.3))
