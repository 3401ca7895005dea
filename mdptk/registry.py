"""What there is: algorithms, theorems, problems and experiments, found by walking the packages."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import walk_packages
from types import ModuleType
from typing import Any

import mdptk.algorithms
import mdptk.lower_bounds
import mdptk.problems
from mdptk.core import models
from mdptk.core.algorithm import Algorithm, Learner, Solver
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.constrained import ConservativeMDP, EpisodicCMDP
from mdptk.core.control import Dispatch, OnlineControl
from mdptk.core.errors import MdptkError
from mdptk.core.games import MarkovGame, MatrixGame
from mdptk.core.inverse import HiddenCosts, HiddenReward, SharedConstraint
from mdptk.core.models import MDP, FiniteHorizonMDP, PolicyEvaluation
from mdptk.core.robust import RobustMDP
from mdptk.core.total import TotalRewardMDP
from mdptk.core.utilities import UtilityMDP
from mdptk.theory import Theorem
from mdptk.theory.lower_bound import LowerBound

MODELS = {
    kind.__name__: kind
    for kind in (
        MDP,
        FiniteHorizonMDP,
        models.AverageRewardMDP,
        TotalRewardMDP,
        models.CMDP,
        EpisodicCMDP,
        ConservativeMDP,
        HiddenCosts,
        HiddenReward,
        SharedConstraint,
        OnlineControl,
        Dispatch,
        PolicyEvaluation,
        BernoulliBandit,
        RobustMDP,
        MatrixGame,
        MarkovGame,
        UtilityMDP,
    )
}
FEW, EACH = 4, 2  # problems of a learner, and of each shape, for which it is compiled: what five minutes hold


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for info in walk_packages(package.__path__, package.__name__ + "."):
        if not info.name.rpartition(".")[2].startswith("_"):
            yield import_module(info.name)


@cache
def find() -> dict[str, type[Algorithm]]:
    """Every algorithm, by class name: the concrete subclasses of Solver and Learner under `mdptk.algorithms`.

    Raises
    ------
    MdptkError
        If two algorithms have the same name.
    """
    found: dict[str, type[Algorithm]] = {}
    for module in _modules(mdptk.algorithms):
        members: list[tuple[str, Any]] = inspect.getmembers(module, inspect.isclass)
        for name, cls in members:
            mine = issubclass(cls, Solver | Learner) and cls.__module__ == module.__name__
            if mine and not inspect.isabstract(cls):
                if name in found:
                    raise MdptkError(f"two algorithms are called {name}: {found[name].__module__}, {module.__name__}")
                found[name] = cls
    return dict(sorted(found.items()))


def algorithm(name: str) -> type[Algorithm]:
    """The algorithm of that name, capitals ignored.

    Raises
    ------
    MdptkError
        If there is none; the message lists the names.
    """
    for known, cls in find().items():
        if known.lower() == name.lower():
            return cls
    raise MdptkError(f"no algorithm is called {name!r}; there are {', '.join(find())}")


def theorem(name: str) -> tuple[type[Algorithm], Theorem]:
    """The theorem called ``Algorithm.theorem``, as in ``NPG.global-convergence``; a unique part of it will do.

    Raises
    ------
    MdptkError
        If there is none or several.
    """
    owner, _, wanted = name.partition(".")
    cls = algorithm(owner)
    exact = [th for th in cls.theorems if th.slug == wanted]
    matches = exact or [th for th in cls.theorems if wanted and wanted.lower() in th.slug.lower()]
    if len(matches) != 1:
        names = ", ".join(f"{cls.__name__}.{th.slug}" for th in cls.theorems)
        raise MdptkError(f"{len(matches)} theorems match {name!r}; there are {names}")
    return cls, matches[0]


@cache
def lower_bounds() -> dict[str, LowerBound]:
    """Every lower bound under `mdptk.lower_bounds`, by the name of its claim with hyphens."""
    found = [x for module in _modules(mdptk.lower_bounds) for x in vars(module).values() if isinstance(x, LowerBound)]
    return {bound.claim.slug: bound for bound in sorted(found, key=lambda bound: bound.claim.slug)}


def subject_to(bound: LowerBound) -> dict[str, type[Algorithm]]:
    """The algorithms that a lower bound is held against: they see its oracle and measure their loss.

    Those whose steps take more than there is need a smaller batch: ``bound.check(REINFORCE(N=2))``.
    """
    able = {name: cls for name, cls in find().items() if cls.sees is bound.sees and bound.measured_by(cls)}
    return {name: cls for name, cls in able.items() if bound.within(cls())}


def shelf(cls: type[Algorithm]) -> str:
    """The shelf and file of an algorithm, as in ``policy_gradient/npg``."""
    return cls.__module__.removeprefix("mdptk.algorithms.").replace(".", "/")


@cache
def problem_factories() -> dict[str, tuple[type, Callable[[], Any]]]:
    """Every named problem: its model type and the function that makes it with default arguments."""
    found = {}
    for module in _modules(mdptk.problems):
        for name, make in vars(module).items():
            if inspect.isfunction(make) and make.__module__ == module.__name__ and not name.startswith("_"):
                kind = MODELS.get(str(make.__annotations__.get("return")))
                if kind is not None:
                    found[name] = (kind, make)
    return dict(sorted(found.items()))


@cache
def problems(kind: type) -> dict[str, Any]:
    """The standard problems of a model type, made with their defaults.

    A problem of another type that has a natural view of this type is included: an MDP cut off after a few stages, or
    with the uniform policy to be evaluated. FrozenLake is among them where gymnasium is installed. Constrained problems
    are the discounted ones.
    """
    found = {name: make() for name, (made, make) in problem_factories().items() if made is kind}
    if kind is models.CMDP:  # methods for these see a discounted model
        found = {name: x for name, x in found.items() if isinstance(x.mdp, MDP)}
    mdps = found if kind is MDP else problems(MDP)
    if kind is MDP and find_spec("gymnasium") is not None:
        from mdptk.io import load

        found["gymnasium:FrozenLake-v1"] = load("gymnasium:FrozenLake-v1", gamma=0.95)
    if kind is FiniteHorizonMDP:
        found |= {f"{name}, H=4": mdp.episodic(4) for name, mdp in mdps.items() if mdp.S <= 6}
    if kind is PolicyEvaluation:
        found |= {f"{name}, uniform policy": PolicyEvaluation(mdp) for name, mdp in mdps.items() if mdp.S <= 6}
    return found


def shape(problem: Any) -> tuple[int | None, ...]:
    """The sizes for which a learner is compiled: H, S, A and n, None where a problem has no such size."""
    return tuple(getattr(problem, name, None) for name in "HSAn")


def standard(cls: type[Algorithm]) -> dict[str, Any]:
    """The problems on which the theorems of an algorithm are checked when nothing else is said.

    For a learner, which is compiled for each shape, a few of a few shapes: the shapes that most problems have, then
    those of problems that are no views of others, small ones first.
    """
    found = problems(cls.model())
    if not issubclass(cls, Learner):
        return found
    by_shape: dict[Any, list[str]] = {}
    for name, problem in found.items():
        by_shape.setdefault(shape(problem), []).append(name)
    shapes = sorted(by_shape.values(), key=lambda names: (-len(names), "," in names[0], found[names[0]].S))
    few = [name for names in shapes for name in names[:EACH]][:FEW]
    return {name: problem for name, problem in found.items() if name in few}


@cache
def experiments() -> dict[str, ModuleType]:
    """The modules of the ``experiments`` folder that lies beside the package in a source checkout.

    Raises
    ------
    MdptkError
        If mdptk is installed without its source checkout.
    """
    if find_spec("experiments") is None:
        raise MdptkError("experiments are part of the source checkout of mdptk: install it with pip install -e .")
    found = {module.__name__.partition(".")[2]: module for module in _modules(import_module("experiments"))}
    return dict(sorted(found.items()))


def trial(cls: type[Algorithm]) -> dict[str, int]:
    """Steps and repeats with which the theorems of an algorithm are checked when nothing else is said."""
    return {"steps": 200} if issubclass(cls, Solver) else {"steps": 512, "repeats": 32}


def stride(cls: type[Algorithm], steps: int) -> int:
    """Steps between the records on which the theorems are judged: 4 of a learner's, unless they compare neighbours."""
    every = 4 if issubclass(cls, Learner) and not any(th.consecutive for th in cls.theorems) else 1
    return every if steps % every == 0 else 1
