"""Random instances, and the moves by which the search changes one: small steps, and jumps to what is degenerate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, get_args, get_type_hints

import numpy as np

from mdptk.core import exact
from mdptk.core.algorithm import Algorithm, Range
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.constrained import ConservativeMDP, EpisodicCMDP
from mdptk.core.control import Dispatch
from mdptk.core.errors import InvalidHyperparameter
from mdptk.core.inverse import HiddenCosts, HiddenReward, SharedConstraint
from mdptk.core.models import CMDP, MDP, Array, PolicyEvaluation
from mdptk.core.parts import CONTINUOUS, PARTS
from mdptk.core.robust import RobustMDP
from mdptk.falsify.gallery import LONG, SYSTEMS, keeping, system
from mdptk.falsify.instance import GAMES, ONE_STATE, SAFE, SETS, STAGED, UNDISCOUNTED, Instance

Rng = np.random.Generator
Move = Callable[[Rng, Instance, float], Instance]
GAMMAS = (0.0, 0.01, 0.1, 0.5, 0.9, 0.99)
LARGEST_GAMMA = 0.999  # beyond it the exact kernel's own rounding decides
LOWEST_ROW = 1e-12


# random instances -----------------------------------------------------------------------------------------------


def distributions(rng: Rng, shape: tuple[int, ...]) -> Array:
    """Probability vectors along the last axis: spread out, sparse, nearly or exactly deterministic."""
    concentration = rng.choice([0.05, 0.3, 1.0, 10.0])
    p = rng.dirichlet(np.full(shape[-1], concentration), shape[:-1]) + LOWEST_ROW
    point = np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])]
    return np.where(rng.random((*shape[:-1], 1)) < rng.choice([0.0, 0.3, 1.0]), point, p / p.sum(-1, keepdims=True))


def rewards(rng: Rng, shape: tuple[int, ...]) -> Array:
    """Rewards in [0, 1], now and then in [-1, 1]: any, from few values, or the same for all actions."""
    r = rng.random(shape)
    kind = rng.choice(["any", "binary", "halves", "ties", "one"])
    if kind in ("binary", "halves"):
        levels = 1 if kind == "binary" else 2
        r = rng.integers(levels + 1, size=shape) / levels
    elif kind == "ties":
        r = np.repeat(r[..., :1], shape[-1], -1)
    elif kind == "one":
        r = 1.0 * (r == r.max())
    return 2 * r - 1 if rng.random() < 0.3 else r


def sample(rng: Rng, kind: type, shape: tuple[int, ...] | None = None) -> Instance:
    """A random instance, of a given shape of transitions if the algorithm is compiled for each."""
    if kind in CONTINUOUS:
        return _dispatch(rng) if kind is Dispatch else _system(rng)
    if shape is None:
        S, A = int(rng.choice([1, 2, 2, 3, 3, 4, 5])), int(rng.choice([1, 2, 2, 3, 4]))
        S = 1 if kind in ONE_STATE else S
        A = A * int(rng.choice([1, 2, 2, 3])) if kind in GAMES else A
        shape = (int(rng.integers(1, 4)), S, A, S) if kind in STAGED else (S, A, S)
    S, A = shape[-1], shape[-2]
    stages = shape[:-3]
    P, r = distributions(rng, (S, A, S)), rewards(rng, (S, A))
    rho = distributions(rng, (S,)) if rng.random() < 0.5 else np.full(S, 1 / S)
    P, r = np.broadcast_to(P, shape), np.broadcast_to(r, (*stages, S, A))  # the same at every stage
    g = gamma(rng)
    x = Instance(kind, P, r, rho, 0.0 if kind in UNDISCOUNTED else g)
    if kind is PolicyEvaluation:
        return replace(x, pi=distributions(rng, (S, A)), Phi=shortened(features(rng, S)))
    if kind in SAFE:
        pi = np.broadcast_to(distributions(rng, (S, A)), r.shape)
        some = rng.choice([1, 1, 2]) if kind is EpisodicCMDP else 0
        c = np.stack([np.broadcast_to(abs(rewards(rng, (S, A))), r.shape) for _ in range(some)]) if some else None
        slack = 10 ** rng.uniform(-3, 0) * len(r)
        x = keeping(replace(x, pi=pi, c=c, b=np.zeros(max(some, 1))), slack)
        x = replace(x, b=x.b + slack) if some else x  # type: ignore[operator]
        return replace(x, pi=None) if some and rng.random() < 0.3 else x
    if kind is CMDP:
        x = replace(x, c=np.stack([abs(rewards(rng, (S, A))) for _ in range(rng.choice([1, 1, 2, 3]))]))
        return replace(x, b=spent(rng, x))
    if kind is RobustMDP:
        return replace(x, **ambiguity(rng, x))
    if kind in PARTS:
        return x.having(**_of_parts(rng, x))
    if kind in GAMES:
        return replace(x, B=int(rng.choice([B for B in range(1, A + 1) if A % B == 0])))
    return replace(x, r=abs(x.r)) if kind is BernoulliBandit else x


def spent(rng: Rng, x: Instance) -> Array:
    """Budgets that some policy meets: what a random one spends, with a slack of any order of magnitude."""
    assert x.c is not None
    pi = distributions(rng, (x.S, x.A))
    budgets = exact.returns(replace(x, b=np.zeros(len(x.c))).model(), pi)[1:]
    return budgets + 10 ** rng.uniform(-3, 0) / (1 - x.gamma)


def ambiguity(rng: Rng, x: Instance) -> dict[str, Any]:
    """An ambiguity set around the transitions: a ball, intervals, or a few kernels; from nothing to everything."""
    size = float(rng.choice([0.0, 0.01, 0.2, 1.0, 2.0]))
    match rng.choice(["L1", "interval", "finite"]):
        case "L1":
            return {"radius": size * rng.choice([1.0, 0.5, 0.0], size=(x.S, x.A), p=[0.7, 0.2, 0.1])}
        case "interval":
            return {"lower": np.maximum(x.P - size, 0), "upper": np.minimum(x.P + size, 1)}
        case _:
            return {"kernels": distributions(rng, (int(rng.integers(1, 3)), *x.P.shape))}


def size(rng: Rng, low: float, high: float) -> Array:
    """A positive number, of any order of magnitude between these powers of ten."""
    return np.array(10 ** rng.uniform(low, high))


def _of_parts(rng: Rng, x: Instance) -> dict[str, Array]:
    """What a model needs to become a problem of its kind: features and prices, tasks and experts, a utility."""
    n, m = (int(rng.choice([1, 1, 2, 3])) for _ in range(2))
    phi, c = rewards(rng, (n, x.S, x.A)), abs(rewards(rng, (m, x.S, x.A)))
    hidden = abs(rng.normal(size=m)) * (rng.random(m) < 0.7) * size(rng, -1, 1)
    if x.kind is HiddenCosts:
        return {"phi": c, "prices": hidden, "tau": size(rng, -1.5, 0.5)}
    if x.kind is HiddenReward:
        spare = rng.random(m) * (hidden == 0)
        return {"phi": phi, "w": rng.normal(size=n), "c": c, "xi": hidden, "spare": spare, "tau": size(rng, -1.5, 0.5)}
    if x.kind is SharedConstraint:
        experts = distributions(rng, (n, x.S, x.A))
        return {"rewards": phi, "experts": experts, "cost": c[0]}
    pi = distributions(rng, (x.S, x.A))
    target = exact.occupancy(replace(x, kind=MDP).model(), pi)[:, None] * pi
    target = target if rng.random() < 0.7 else rng.random((x.S, x.A))
    match rng.integers(4):
        case 0:
            return {"sigma": size(rng, -2, 0.5)}
        case 1:
            return {"target": target}
        case 2:
            return {"target": target, "sigma": size(rng, -2, 0.5)}
        case _:
            return {"pay": x.r, "c": c, "b": rng.random(m) * c.max((1, 2)), "beta": size(rng, -1, 2)}


def _system(rng: Rng) -> Instance:
    """A system that is pushed at random, with limits that some controller keeps to."""
    name = list(SYSTEMS)[rng.integers(len(SYSTEMS))]
    n = len(SYSTEMS[name][0])
    w = rng.normal(size=(LONG, n)) * (rng.random((LONG, n)) < rng.choice([0.1, 1.0])) * size(rng, -2, 0)
    x = system(name, w, np.zeros(LONG), h=int(rng.integers(1, 4)))
    radius, weights = size(rng, -1, 0.5), 10 ** rng.uniform(-1, 1, LONG)
    x = x.having(q=weights if rng.random() < 0.5 else np.ones(LONG), e=rng.normal(size=n), radius=radius)
    there, move = x.model().response
    M = rng.normal(size=move.shape[-1])
    M *= radius * rng.random() / np.linalg.norm(M)
    return x.having(limit=(there + move @ M)[:, :n] @ x.more["e"] + size(rng, -3, 0))


def _dispatch(rng: Rng) -> Instance:
    """Inflows and demands of any size, prices in an order that makes sense."""
    scenarios, T = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    inflow = rng.random((scenarios, T)) * (rng.random((scenarios, T)) < 0.7) * size(rng, -1, 0.5)
    full, price = float(size(rng, -1, 0.7)), float(size(rng, -1, 0.5))
    numbers = {"start": full * rng.random(), "full": full, "burn": rng.random(), "price": price}
    numbers |= {"shed": price * 3 * float(size(rng, 0, 1)), "miss": float(size(rng, -1, 1))}
    return Instance.of(Dispatch(inflow, rng.random(T) * float(size(rng, -1, 0.5)), **numbers))


def features(rng: Rng, S: int) -> Array:
    """A table, or random features; not yet of norm at most one."""
    return np.eye(S) if rng.random() < 0.5 else rng.normal(size=(S, int(rng.integers(1, S + 1))))


def shortened(Phi: Array) -> Array:
    """Features cut to length one where they are longer."""
    return Phi / np.maximum(1.0, np.linalg.norm(Phi, axis=1, keepdims=True) * (1 + 1e-15))


def gamma(rng: Rng) -> float:
    """A discount: one of few, or with a random order of magnitude of the gap to 0 or to 1."""
    if rng.random() < 0.5:
        return float(rng.choice(GAMMAS))
    gap = 10 ** rng.uniform(-3, 0)
    return float(min(LARGEST_GAMMA, gap if rng.random() < 0.2 else 1 - gap))


# moves ----------------------------------------------------------------------------------------------------------
# Each draws what it changes; `size` scales the small steps. Leading axes (stages) change alike where they are alike.


def _rows(rng: Rng, p: Array, size: float) -> Array:
    """A step on the logits of some rows: zeros stay zero."""
    chosen = rng.random((*p.shape[-3:-1], 1)) < rng.choice([0.3, 1.0])
    logits = np.log(p) + size * chosen * rng.normal(size=p.shape[-3:])
    w = np.exp(logits - logits.max(-1, keepdims=True))
    return w / w.sum(-1, keepdims=True)


def _one_row(rng: Rng, p: Array, row: Array) -> Array:
    """`row` in place of one row of ``p[..., s']``."""
    out = p.copy()
    where = tuple(int(rng.integers(n)) for n in p.shape[max(0, p.ndim - 3) : -1])
    out[(..., *where, slice(None))] = row
    return out


def step_P(rng: Rng, x: Instance, size: float) -> Instance:
    """Small: logits of transitions."""
    return replace(x, P=_rows(rng, x.P, size))


def snap_P(rng: Rng, x: Instance, size: float) -> Instance:
    """A row becomes a vertex."""
    return replace(x, P=_one_row(rng, x.P, np.eye(x.S)[rng.integers(x.S)]))


def fresh_P(rng: Rng, x: Instance, size: float) -> Instance:
    """A row is drawn anew, so that what was zero comes back."""
    return replace(x, P=_one_row(rng, x.P, distributions(rng, (x.S,))))


def leak_P(rng: Rng, x: Instance, size: float) -> Instance:
    """A row becomes a vertex but for a small leak."""
    leak = 10 ** rng.uniform(-6, -1)
    p = np.eye(x.S)[rng.integers(x.S)] * (1 - leak) + np.eye(x.S)[rng.integers(x.S)] * leak
    return replace(x, P=_one_row(rng, x.P, p))


def step_r(rng: Rng, x: Instance, size: float) -> Instance:
    """Small: rewards, clipped, so that the boundary is reached."""
    chosen = rng.random(x.r.shape[-2:]) < rng.choice([0.3, 1.0])
    low = -1.0 if (x.r < 0).any() else 0.0
    return replace(x, r=np.clip(x.r + size * chosen * rng.normal(size=x.r.shape[-2:]), low, 1.0))


def snap_r(rng: Rng, x: Instance, size: float) -> Instance:
    """A reward becomes an end of the range, or the same as another one."""
    low = -1.0 if (x.r < 0).any() else 0.0
    value = rng.choice([low, 0.0, 1.0, float(rng.choice(x.r.ravel()))])
    r = x.r.copy()
    r[..., rng.integers(x.S), rng.integers(x.A)] = value
    return replace(x, r=r)


def copy_action(rng: Rng, x: Instance, size: float) -> Instance:
    """An action becomes a copy of another one in a state, exactly or but for its reward."""
    s, a, b = rng.integers(x.S), rng.integers(x.A), rng.integers(x.A)
    P, r = x.P.copy(), x.r.copy()
    P[..., s, a, :] = P[..., s, b, :]
    r[..., s, a] = r[..., s, b] if rng.random() < 0.5 else r[..., s, a]
    return replace(x, P=P, r=r)


def absorb(rng: Rng, x: Instance, size: float) -> Instance:
    """A state becomes absorbing."""
    P, s = x.P.copy(), rng.integers(x.S)
    P[..., s, :, :] = np.eye(x.S)[s]
    return replace(x, P=P)


def rational(rng: Rng, x: Instance, size: float) -> Instance:
    """Everything becomes a multiple of a simple fraction."""
    k = int(rng.choice([1, 2, 3, 4, 10]))
    return replace(x, P=rounded_rows(x.P, k), r=np.round(x.r * k) / k)


def move_rho(rng: Rng, x: Instance, size: float) -> Instance:
    """The start: a small step, uniform, nearly or exactly a point."""
    point = np.eye(x.S)[rng.integers(x.S)]
    leak = 10 ** rng.uniform(-6, -1)
    choices = (_rows(rng, x.rho[None, None], size)[0, 0], np.full(x.S, 1 / x.S), point, (1 - leak) * point + leak / x.S)
    return replace(x, rho=choices[rng.integers(len(choices))])


def move_pi(rng: Rng, x: Instance, size: float) -> Instance:
    """The policy that is evaluated: a small step, or a row drawn anew."""
    assert x.pi is not None
    step = _rows(rng, x.pi[None], size)[0]
    return replace(x, pi=step if rng.random() < 0.6 else _one_row(rng, x.pi, distributions(rng, (x.A,))))


def move_Phi(rng: Rng, x: Instance, size: float) -> Instance:
    """The features: a small step, the same ones on the unit sphere, or others."""
    assert x.Phi is not None
    step = x.Phi + size * rng.normal(size=x.Phi.shape)
    unit = x.Phi / np.maximum(np.linalg.norm(x.Phi, axis=1, keepdims=True), 1e-9)
    choices = (step, step, unit, features(rng, x.S))
    Phi = shortened(choices[rng.integers(len(choices))])
    return replace(x, Phi=Phi, start=None if x.start is None else np.resize(x.start, Phi.shape[1]))


def move_c(rng: Rng, x: Instance, size: float) -> Instance:
    """One of the costs: a small step, the reward or what is left of it, another cost, an end of the range, anew."""
    assert x.c is not None
    i, c, s, a = rng.integers(len(x.c)), x.c.copy(), rng.integers(x.S), rng.integers(x.A)
    match rng.integers(6):
        case 0 | 1:
            c[i] = np.clip(c[i] + size * rng.normal(size=c[i].shape[-2:]), min(0.0, c.min()), 1.0)
        case 2:
            c[i] = abs(x.r) if rng.random() < 0.5 else 1 - abs(x.r)
        case 3:
            c[i] = c[rng.integers(len(c))]
        case 4:
            c[i, ..., s, a] = rng.choice([0.0, 1.0])
        case _:
            c[i] = abs(rewards(rng, c[i].shape[-2:]))
    return replace(x, c=c)


def move_b(rng: Rng, x: Instance, size: float) -> Instance:
    """The budgets: a step of some of them in proportion, or what a random policy spends."""
    assert x.b is not None
    if x.P.ndim == 3 and rng.random() < 0.3:
        return replace(x, b=spent(rng, x))
    scale = np.maximum(abs(x.b), 1e-3) * 10 ** rng.uniform(-2, 0)
    return replace(x, b=x.b + size * scale * (rng.random(x.b.shape) < 0.7) * rng.normal(size=x.b.shape))


def move_set(rng: Rng, x: Instance, size: float) -> Instance:
    """The ambiguity set: larger, smaller or none in places, or another one."""
    if rng.random() < 0.2:
        return replace(x, **(dict.fromkeys(SETS) | ambiguity(rng, x)))
    s, a, factor = rng.integers(x.S), rng.integers(x.A), float(np.exp(size * rng.normal()))
    if x.radius is not None:
        radius = x.radius * factor if rng.random() < 0.5 else x.radius.copy()
        radius[s, a] = rng.choice([0.0, 2.0, radius[s, a]])
        return replace(x, radius=radius)
    if x.lower is not None and x.upper is not None:
        lower = np.maximum(x.P - factor * (x.P - x.lower), 0)
        upper = np.minimum(x.P + factor * (x.upper - x.P), 1)
        if rng.random() < 0.3:
            lower[s, a], upper[s, a] = (x.P[s, a], x.P[s, a]) if rng.random() < 0.5 else (0.0, 1.0)
        return replace(x, lower=lower, upper=upper)
    assert x.kernels is not None
    return replace(x, kernels=_one_row(rng, x.kernels, distributions(rng, (x.S,)))) if len(x.kernels) else x


def copy_strategy(rng: Rng, x: Instance, size: float) -> Instance:
    """A strategy of one of the players becomes a copy of another, everywhere, or better by a constant."""
    n = x.A // x.B
    P, r = (y.reshape(x.S, n, x.B, -1).copy() for y in (x.P, x.r))
    axis = rng.integers(2)
    i, j = rng.integers((n, x.B)[axis], size=2)
    of, to = ((slice(None),) * (1 + axis) + (k,) for k in (i, j))
    P[to], r[to] = P[of], r[of] + rng.choice([0.0, 0.1, -0.1])
    return replace(x, P=P.reshape(x.P.shape), r=r.reshape(x.r.shape))


def move_more(rng: Rng, x: Instance, size: float) -> Instance:
    """One of the arrays in `more`: a small step in proportion, one entry becomes another one, 0 or 1, or a row anew."""
    names = [name for name, a in x.more.items() if a.size and PARTS[x.kind][name].what != "fixed"]
    name = names[rng.integers(len(names))]
    part, a = PARTS[x.kind][name], x.more[name]
    if part.what == "rows":
        step = np.stack([_rows(rng, one, size) for one in a[:, None]])[:, 0]
        return x.having(**{name: step if rng.random() < 0.6 else _one_row(rng, a, distributions(rng, a.shape[-1:]))})
    if a.ndim == 0:
        return tidied(x.having(**{name: a * np.exp(size * rng.normal()) if part.low >= 0 else a + size * rng.normal()}))
    if rng.random() < 0.3:
        b = a.copy()
        b.flat[rng.integers(b.size)] = rng.choice([0.0, 1.0, *rng.choice(a.ravel(), 2)])
        return tidied(x.having(**{name: b}))
    scale = np.maximum(abs(a), 1e-3) if rng.random() < 0.5 else max(float(abs(a).max()), 1e-3)
    return tidied(x.having(**{name: a + size * scale * (rng.random(a.shape) < 0.7) * rng.normal(size=a.shape)}))


def tidied(x: Instance) -> Instance:
    """With the arrays in `more` cut off at their ranges, and made to go together."""
    parts = PARTS.get(x.kind, {})
    more = {name: np.clip(a, parts[name].low, parts[name].high) for name, a in x.more.items()}
    if x.kind is HiddenReward:
        more["spare"] = np.where(more["xi"] > 0, 0.0, more["spare"])
    if x.kind is Dispatch:
        more["start"] = np.minimum(more["start"], more["full"])
    return x.having(**more)


OF_KIND: dict[type, tuple[Move, ...]] = {
    PolicyEvaluation: (move_pi, move_pi, move_Phi, move_Phi),
    CMDP: (move_c, move_c, move_c, move_b, move_b, move_b),
    EpisodicCMDP: (move_c, move_c, move_b, move_b),
    ConservativeMDP: (move_pi, move_pi, move_b),
    RobustMDP: (move_set,) * 4,
    **dict.fromkeys(PARTS, (move_more,) * 6),
} | dict.fromkeys(GAMES, (copy_strategy,) * 2)
MOVES: tuple[Move, ...] = (
    *(step_P, step_P, step_r, step_r, snap_P, fresh_P, leak_P, snap_r, snap_r),
    *(copy_action, absorb, rational, move_rho),
)


def start(rng: Rng, shape: tuple[int, ...], near: Array) -> Array:
    """Free numbers of a first state, of any size: normal, in {-1, 0, 1}, or all the same; half around `near`."""
    size = 10 ** rng.uniform(-3, 2)
    base = near if rng.random() < 0.5 else np.zeros(shape)
    choices = (rng.normal(size=shape), rng.integers(-1, 2, size=shape), np.full(shape, rng.choice([-1.0, 1.0])))
    return base + size * choices[rng.integers(len(choices))]


def move_start(rng: Rng, x: Instance, size: float) -> Instance:
    """The first state: a step of some of its numbers in proportion to their size, or one number becomes another."""
    if x.start is None:
        return x
    if rng.random() < 0.2:
        out = x.start.copy()
        out.flat[rng.integers(out.size)] = rng.choice([0.0, *x.start.ravel()])
        return replace(x, start=out)
    scale = max(float(abs(x.start).max()), 1e-3) * 10 ** rng.uniform(-2, 0)
    chosen = rng.random(x.start.shape) < rng.choice([0.3, 1.0])
    return replace(x, start=x.start + size * scale * chosen * rng.normal(size=x.start.shape))


def mutate(rng: Rng, x: Instance, size: float) -> Instance:
    """One to three moves."""
    moves = (*(() if x.kind in CONTINUOUS else MOVES), *OF_KIND.get(x.kind, ()))
    moves = moves if x.start is None else (*moves, *[move_start] * 6)
    with np.errstate(divide="ignore"):  # the logit of an impossible transition
        for _ in range(int(rng.choice([1, 1, 2, 3]))):
            x = moves[rng.integers(len(moves))](rng, x, size)
    return keeping(x) if x.kind in SAFE else x


def move_gamma(rng: Rng, g: float, size: float) -> float:
    """A step on log(1 - gamma) or log gamma, or a new discount."""
    if rng.random() < 0.3 or g == 0:
        return gamma(rng)
    factor = float(np.exp(size * rng.normal()))
    near = 1 - (1 - g) * factor if rng.random() < 0.7 else g * factor
    return float(np.clip(near, 0.0, LARGEST_GAMMA))


def rounded_rows(p: Array, k: int) -> Array:
    """Probability vectors with entries that are multiples of 1/k; the largest entry takes up the rest."""
    n = np.round(p * k)
    top = p.argmax(-1)[..., None]
    rest = k - n.sum(-1, keepdims=True) + np.take_along_axis(n, top, -1)
    np.put_along_axis(n, top, np.maximum(rest, 0), -1)
    return n / n.sum(-1, keepdims=True)


# hyperparameters ------------------------------------------------------------------------------------------------


def ranges(cls: type[Algorithm]) -> dict[str, tuple[Any, Range]]:
    """The hyperparameters that have a range, by name: type and range."""
    hints = get_type_hints(cls, include_extras=True)
    marks = {f.name: getattr(hints[f.name], "__metadata__", ()) for f in fields(cls)}
    kinds = {name: get_args(hints[name])[0] for name in marks if marks[name]}
    kinds = {name: (get_args(kind) or (kind,))[0] for name, kind in kinds.items()}  # int | None: a number
    return {name: (kinds[name], m) for name in marks for m in marks[name] if isinstance(m, Range)}


def configure(rng: Rng, alg: Algorithm) -> Algorithm:
    """The algorithm with hyperparameters drawn from their ranges, or with its defaults."""
    if rng.random() < 0.4:
        return type(alg)()
    return changed(type(alg)(), {name: _draw(rng, kind, mark) for name, (kind, mark) in ranges(type(alg)).items()})


def changed(alg: Algorithm, values: dict[str, Any]) -> Algorithm:
    """The algorithm with other hyperparameters; as it is if they do not go together."""
    try:
        return replace(alg, **values)
    except InvalidHyperparameter:
        return alg


def extremes(alg: Algorithm) -> list[Algorithm]:
    """The algorithm with all its hyperparameters small, and with all of them large."""
    known = ranges(type(alg)).items()
    if not known:
        return []
    both = ({name: _extreme(kind, mark, large) for name, (kind, mark) in known} for large in (False, True))
    return [changed(type(alg)(), values) for values in both]


def _extreme(kind: Any, mark: Range, large: bool) -> float | int:
    if kind is int:
        return int(min(mark.low + 20 * large, mark.high))
    if np.isinf(mark.low):
        return _inside(mark, 1000.0 if large else -1000.0)
    if np.isinf(mark.high):
        return _inside(mark, mark.low + (1000.0 if large else 0.001))
    return _inside(mark, mark.low + (mark.high - mark.low) * (0.99 if large else 0.01))


def _draw(rng: Rng, kind: Any, mark: Range) -> float | int:
    if kind is int:
        return int(min(mark.low + rng.choice([0, 1, 2, 4, 9]), mark.high))
    if np.isinf(mark.low):
        return _inside(mark, float(rng.choice([-1.0, 1.0]) * 10 ** rng.uniform(-3, 3)))
    if np.isinf(mark.high):
        return _inside(mark, mark.low + 10 ** rng.uniform(-3, 3))
    return _inside(mark, mark.low + (mark.high - mark.low) * rng.random())


def _inside(mark: Range, x: float) -> float:
    """`x`, or the middle of a range that it left; its end, nearly, where it has one only."""
    if x in mark:
        return float(x)
    if np.isinf(mark.low):
        return float(mark.high - 1e-3 * (1 + abs(mark.high)))
    return (mark.low + mark.high) / 2


def move_hyperparameters(rng: Rng, alg: Algorithm, size: float) -> Algorithm:
    """A step on the logarithm of one hyperparameter, or new ones."""
    known = ranges(type(alg))
    if not known or rng.random() < 0.3:
        return configure(rng, alg)
    name = list(known)[rng.integers(len(known))]
    kind, mark = known[name]
    now = getattr(alg, name)
    if kind is int or now is None:
        return changed(alg, {name: _draw(rng, kind, mark)})
    if np.isinf(mark.low):
        return changed(alg, {name: _inside(mark, now + size * max(abs(now), 1e-3) * rng.normal())})
    return changed(alg, {name: _inside(mark, mark.low + (now - mark.low) * float(np.exp(2 * size * rng.normal())))})
