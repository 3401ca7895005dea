"""Certified answers: `solve` returns bounds on the optimal value that hold in spite of rounding, or raises."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from mdptk.solve._constrained import FarkasRay
from mdptk.solve._exact_rational import Certificate, certify
from mdptk.solve._front import Front, front
from mdptk.solve._mesh import ShardedMDP, on_mesh, states_of
from mdptk.solve._reachability import reachability
from mdptk.solve.dispatch import solve
from mdptk.solve.solution import (
    AverageSolution,
    ConstrainedSolution,
    ExactGameSolution,
    ExactSolution,
    GameSolution,
    RobustSolution,
    Solution,
    UtilitySolution,
)

__all__ = [
    "AverageSolution",
    "Certificate",
    "ConstrainedSolution",
    "ExactGameSolution",
    "ExactSolution",
    "FarkasRay",
    "Front",
    "GameSolution",
    "RobustSolution",
    "ShardedMDP",
    "Solution",
    "UtilitySolution",
    "certify",
    "front",
    "on_mesh",
    "reachability",
    "solve",
    "states_of",
]


class _CallablePackage(ModuleType):
    """`mdptk.solve` names this package and, by design, the function: importing the one must not hide the other."""

    def __call__(self, *args: Any, **kwargs: Any) -> Solution:
        return solve(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
