"""Problems that hold more than a model, taken apart into a model and arrays by name, and put together again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mdptk.core.control import Dispatch, OnlineControl
from mdptk.core.errors import InvalidModel
from mdptk.core.inverse import HiddenCosts, HiddenReward, SharedConstraint
from mdptk.core.models import MDP, Array
from mdptk.core.utilities import Divergence, Exploration, Imitation, Penalty, UtilityMDP


class Part(NamedTuple):
    """What an array of a problem is like.

    Attributes
    ----------
    axes
        A letter for each axis: s and a of states and actions, others of things of which there may be fewer. A number
        has none, and neither has an array whose shape is to stay.
    low, high
        The range of its entries.
    what
        ``"numbers"``, ``"rows"`` of distributions along the last axis, or ``"fixed"``: not to be changed.
    """

    axes: str = ""
    low: float = -np.inf
    high: float = np.inf
    what: str = "numbers"


LEAST = 1e-3  # of a number that has to be positive, where searches stop
POSITIVE = Part(low=LEAST)
UTILITIES: dict[type, dict[str, Part]] = {
    Exploration: {"sigma": POSITIVE},
    Imitation: {"target": Part("sa")},
    Divergence: {"target": Part("sa", 0.0), "sigma": POSITIVE},
    Penalty: {"pay": Part("sa"), "c": Part("isa"), "b": Part("i"), "beta": POSITIVE},
}
PARTS: dict[type, dict[str, Part]] = {
    HiddenCosts: {"phi": Part("isa"), "prices": Part("i", 0.0), "tau": POSITIVE},
    HiddenReward: {
        "phi": Part("isa"),
        "w": Part("i"),
        "c": Part("jsa"),
        "xi": Part("j", 0.0),
        "spare": Part("j", 0.0),
        "tau": POSITIVE,
    },
    SharedConstraint: {
        "rewards": Part("ksa"),
        "experts": Part("ksa", 0.0, 1.0, "rows"),
        "cost": Part("sa", 0.0, 1.0),
    },
    UtilityMDP: {name: part for parts in UTILITIES.values() for name, part in parts.items()},
    OnlineControl: {
        **dict.fromkeys(("F", "G", "K", "h"), Part(what="fixed")),
        "w": Part(),
        "q": POSITIVE,
        "e": Part(),
        "limit": Part(),
        "radius": POSITIVE,
        "D": Part(what="fixed"),
        "b": Part(),
    },
    Dispatch: {
        "inflow": Part("kt", 0.0),
        "demand": Part("t", 0.0),
        "start": Part(low=0.0),
        "full": Part(low=0.0),
        **{name: Part(low=0.0) for name in ("burn", "price", "shed", "miss")},
    },
}
CONTINUOUS = (OnlineControl, Dispatch)  # without states and actions that could be counted


def take_apart(problem: Any) -> tuple[MDP | None, dict[str, Array]]:
    """The model in a problem of one of the kinds in `PARTS`, if it has one, and its other arrays by name."""
    if isinstance(problem, UtilityMDP):
        u = problem.utility
        if type(u) not in UTILITIES:
            raise InvalidModel(f"{u!r} is no utility whose arrays are known")
        arrays = {name: getattr(u, "r" if name == "pay" else name) for name in UTILITIES[type(u)]}
    elif isinstance(problem, SharedConstraint):
        arrays = {"rewards": problem.rewards, "experts": problem.experts, "cost": problem.c}
    else:
        arrays = {name: getattr(problem, name) for name in PARTS[type(problem)]}
    mdp = None if isinstance(problem, CONTINUOUS) else problem.mdp
    return mdp, {name: np.asarray(x, dtype=np.float64) for name, x in arrays.items()}


def put_together(kind: type, mdp: MDP | None, arrays: Mapping[str, Any]) -> Any:
    """The problem; the inverse of `take_apart`.

    Raises
    ------
    InvalidModel
        If the arrays make none.
    """
    x = {name: float(a) if np.ndim(a) == 0 else a for name, a in arrays.items()}
    if kind is UtilityMDP:
        utility = next((u for u, parts in UTILITIES.items() if set(parts) == set(x)), None)
        if utility is None:
            raise InvalidModel(f"{', '.join(x)} are the arrays of no utility")
        return UtilityMDP(mdp, utility(**{"r" if name == "pay" else name: a for name, a in x.items()}))  # type: ignore[arg-type]
    if kind is SharedConstraint:
        return SharedConstraint(mdp, x["rewards"], x["experts"], x["cost"])  # type: ignore[arg-type]
    if kind is OnlineControl:
        return OnlineControl(**{**x, "h": int(x["h"])})
    return kind(**x) if mdp is None else kind(mdp, **x)
