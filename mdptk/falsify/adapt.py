r"""Steps that learn which directions go together: evolution with covariance adaptation, on logits and logarithms.

Moves of one number at a time stop in a narrow valley where two numbers have to change together. Here a normal cloud of
candidates is drawn, the better half moves its centre, its length and its covariance. Constants and their derivation:
Hansen 2016, "The CMA evolution strategy: a tutorial".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mdptk.core.models import Array
from mdptk.core.parts import PARTS
from mdptk.falsify.moves import LARGEST_GAMMA, changed, ranges, shortened, tidied
from mdptk.falsify.score import Candidate, Score

FIRST_STEP = 0.3  # of logits, logarithms and rewards
LEAST_STEP = 1e-9
ROWS = ("P", "rho", "pi", "kernels")  # arrays of distributions
Found = tuple[Score, Candidate]


def adapt(
    judge: Callable[[list[Candidate]], list[Found]],
    rng: np.random.Generator,
    found: Found,
    *,
    generations: int,
    settings: bool = True,
) -> Found:
    """The best of the candidates that evolution from `found` came across, or `found` itself.

    Parameters
    ----------
    judge
        Returns those of some candidates that can be judged, with their scores.
    settings
        Whether discount and hyperparameters move, too; where they stay, the candidates are one batch.
    """
    best = found
    code = Code(found[1], settings)
    centre = code.encode()
    n = len(centre)
    if n == 0:
        return found
    many = 4 + int(3 * np.log(n))
    weights = np.log(many / 2 + 0.5) - np.log(np.arange(1, many // 2 + 1))
    weights /= weights.sum()
    mass = 1 / (weights**2).sum()
    c_step, c_path = (mass + 2) / (n + mass + 5), (4 + mass / n) / (n + 4 + 2 * mass / n)
    c_one = 2 / ((n + 1.3) ** 2 + mass)
    c_rank = min(1 - c_one, 2 * (mass - 2 + 1 / mass) / ((n + 2) ** 2 + mass))
    damping = 1 + 2 * max(0, np.sqrt((mass - 1) / (n + 1)) - 1) + c_step
    length = np.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))  # the mean length of a normal vector
    step, C, path, turn = FIRST_STEP, np.eye(n), np.zeros(n), np.zeros(n)
    for _ in range(generations):
        spread, axes = np.linalg.eigh(C)
        spread = np.sqrt(np.maximum(spread, 1e-20))
        cloud = rng.normal(size=(many, n)) * spread @ axes.T
        points = code.inside(centre + step * cloud)
        cloud = (points - centre) / step
        children = [code.decode(point) for point in points]
        scores = {id(c): s for s, c in judge(children)}
        keys = {k: scores[id(c)].key for k, c in enumerate(children) if id(c) in scores}
        order = sorted(keys, key=lambda k: keys[k], reverse=True)
        if len(order) < len(weights) or step < LEAST_STEP:
            break
        first = children[order[0]]
        if scores[id(first)].key > best[0].key:
            best = scores[id(first)], first
        parents = cloud[order[: len(weights)]]
        mean = weights @ parents
        centre = centre + step * mean
        turn = (1 - c_step) * turn + np.sqrt(c_step * (2 - c_step) * mass) * (axes / spread @ axes.T @ mean)
        path = (1 - c_path) * path + np.sqrt(c_path * (2 - c_path) * mass) * mean
        C = (1 - c_one - c_rank) * C + c_one * np.outer(path, path) + c_rank * (weights * parents.T) @ parents
        step *= float(np.exp(min(1.0, c_step / damping * (np.linalg.norm(turn) / length - 1))))
    return best


@dataclass(frozen=True, eq=False)
class Code:
    """A candidate as a vector of numbers without limits, and back.

    Of the entries of a distribution that are positive the logits are numbers, of rewards, costs, budgets, radii,
    features and starts themselves, of one minus the discount and of hyperparameters the logarithms.
    """

    c: Candidate
    settings: bool

    @property
    def _arrays(self) -> list[tuple[str, Array]]:
        x = self.c.instance
        names = ("P", "rho", "pi", "kernels", "r", "Phi", "c", "b", "radius", "start")
        arrays = [(name, getattr(x, name)) for name in names if getattr(x, name) is not None]
        if x.P.ndim == 4:  # the same at every stage, as the moves keep it
            arrays = [(name, a[0] if name in ("P", "r") else a[:, 0] if name == "c" else a) for name, a in arrays]
        free = [(name, a) for name, a in x.more.items() if PARTS[x.kind][name].what == "numbers"]
        return arrays + [(f"more {name}", a) for name, a in free]

    @property
    def _hyperparameters(self) -> list[str]:
        known = ranges(type(self.c.alg)) if self.settings else {}
        return [
            name
            for name, (kind, mark) in known.items()
            if isinstance(getattr(self.c.alg, name), float) and kind is not int and np.isfinite(mark.low)
        ]

    @property
    def _discounted(self) -> bool:
        return self.settings and self.c.instance.gamma > 0

    def encode(self) -> Array:
        """The vector of the candidate."""
        parts = [np.log(a[_mixed(a)]) if name in ROWS else a.ravel() / _unit(name, a) for name, a in self._arrays]
        marks = ranges(type(self.c.alg))
        logs = [np.log(max(getattr(self.c.alg, name) - marks[name][1].low, 1e-12)) for name in self._hyperparameters]
        logs += [np.log(1 - self.c.instance.gamma)] if self._discounted else []
        return np.concatenate([*parts, np.array(logs)])

    def inside(self, vectors: Array) -> Array:
        """Vectors with their rewards cut off at the range, so that what is learned from them is about what was run."""
        sizes = [_mixed(a).sum() if name in ROWS else a.size for name, a in self._arrays]
        names = [name for name, _ in self._arrays]
        at = int(sum(sizes[: names.index("r")]))
        out = vectors.copy()
        part = slice(at, at + sizes[names.index("r")])
        out[:, part] = np.clip(out[:, part], self._lowest, 1.0)
        return out

    @property
    def _lowest(self) -> float:
        return -1.0 if (self.c.instance.r < 0).any() else 0.0

    def _cut(self, name: str, a: Array) -> Array:
        match name:
            case "r":
                return np.clip(a, self._lowest, 1.0)
            case "c":
                return np.clip(a, min(0.0, float(self.c.instance.c.min())), 1.0)  # type: ignore[union-attr]
            case "radius":
                return np.maximum(a, 0.0)
            case _:
                return shortened(a) if name == "Phi" else a

    def decode(self, vector: Array) -> Candidate:
        """The candidate with these numbers, cut off at the ranges of rewards, hyperparameters and discount."""
        x, at = self.c.instance, 0
        new: dict[str, Any] = {}
        for name, a in self._arrays:
            if name in ROWS:
                mixed = _mixed(a)
                numbers = vector[at : at + mixed.sum()]
                new[name] = _distributions(a, mixed, numbers)
                at += len(numbers)
                continue
            b = np.asarray(vector[at : at + a.size].reshape(a.shape) * _unit(name, a))  # of a number, too
            at += a.size
            new[name] = self._cut(name, b)
        alg, marks = self.c.alg, ranges(type(self.c.alg))
        for name in self._hyperparameters:
            mark = marks[name][1]
            value = float(mark.low + np.exp(np.clip(vector[at], -30, 30)))
            alg = changed(alg, {name: value}) if value in mark else alg
            at += 1
        if self._discounted:
            new["gamma"] = float(np.clip(1 - np.exp(min(vector[at], 0.0)), 0.0, LARGEST_GAMMA))
        if x.P.ndim == 4:
            new |= {name: np.broadcast_to(new[name], getattr(x, name).shape) for name in ("P", "r")}
            new |= {} if x.c is None else {"c": np.broadcast_to(new["c"][:, None], x.c.shape)}
        more = {name.removeprefix("more "): new.pop(name) for name in list(new) if name.startswith("more ")}
        return replace(self.c, alg=alg, instance=tidied(replace(x, **new).having(**more)), origin="adapted")


def _unit(name: str, a: Array) -> float:
    return max(float(abs(a).max()), 1e-3) if name == "start" else 1.0


def _mixed(p: Array) -> Array:
    """The positive entries of rows that have several."""
    return (p > 0) & ((p > 0).sum(-1, keepdims=True) > 1)


def _distributions(p: Array, mixed: Array, logits: Array) -> Array:
    full = np.where(mixed, 0.0, -np.inf)
    full[mixed] = logits
    rows = mixed.any(-1, keepdims=True)
    top = np.where(rows, full.max(-1, keepdims=True), 0.0)
    w = np.exp(full - top)
    return np.where(rows, w / np.where(rows, w.sum(-1, keepdims=True), 1.0), p)
