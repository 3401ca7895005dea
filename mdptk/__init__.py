"""mdptk: theorems of reinforcement learning that you can run.

The names below are loaded when they are first used, so importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mdptk.core.errors import (
        AssumptionViolated,
        Infeasible,
        InvalidHyperparameter,
        InvalidModel,
        InvalidStart,
        MdptkError,
        NotConverged,
        Unbounded,
    )
    from mdptk.core.games import MarkovGame, MatrixGame
    from mdptk.core.matrix_free import MatrixFree
    from mdptk.core.models import CMDP, MDP, AverageRewardMDP, FiniteHorizonMDP, PolicyEvaluation
    from mdptk.core.robust import RobustMDP
    from mdptk.core.run import Run, run
    from mdptk.core.structure import classify
    from mdptk.core.total import TotalRewardMDP
    from mdptk.io import from_gymnasium, load, save
    from mdptk.plotting import plot
    from mdptk.solve import Solution, reachability, solve
    from mdptk.sweep import sweep
    from mdptk.theory import Theorem, Verdict, check

__all__ = [
    "CMDP",
    "MDP",
    "AssumptionViolated",
    "AverageRewardMDP",
    "FiniteHorizonMDP",
    "Infeasible",
    "InvalidHyperparameter",
    "InvalidModel",
    "InvalidStart",
    "MarkovGame",
    "MatrixFree",
    "MatrixGame",
    "MdptkError",
    "NotConverged",
    "PolicyEvaluation",
    "RobustMDP",
    "Run",
    "Solution",
    "Theorem",
    "TotalRewardMDP",
    "Unbounded",
    "Verdict",
    "check",
    "classify",
    "from_gymnasium",
    "load",
    "plot",
    "reachability",
    "run",
    "save",
    "solve",
    "sweep",
]

_HOME = {
    "mdptk.core.matrix_free": ("MatrixFree",),
    "mdptk.core.errors": (
        "AssumptionViolated",
        "Infeasible",
        "InvalidHyperparameter",
        "InvalidModel",
        "InvalidStart",
        "MdptkError",
        "NotConverged",
        "Unbounded",
    ),
    "mdptk.core.games": ("MarkovGame", "MatrixGame"),
    "mdptk.core.models": ("CMDP", "MDP", "AverageRewardMDP", "FiniteHorizonMDP", "PolicyEvaluation"),
    "mdptk.core.robust": ("RobustMDP",),
    "mdptk.core.run": ("Run", "run"),
    "mdptk.core.structure": ("classify",),
    "mdptk.core.total": ("TotalRewardMDP",),
    "mdptk.io": ("from_gymnasium", "load", "save"),
    "mdptk.plotting": ("plot",),
    "mdptk.solve": ("Solution", "reachability", "solve"),
    "mdptk.sweep": ("sweep",),
    "mdptk.theory": ("Theorem", "Verdict", "check"),
}
_WHERE = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'mdptk' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_WHERE]
