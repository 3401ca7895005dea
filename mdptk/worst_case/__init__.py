"""Worst cases of a method over a whole class of instances, exact, with a certificate.

Where `mdptk.falsify` searches among instances, here a linear or semidefinite program, or exact enumeration, goes over
all of them at once. ``Class(...).worst_case(method)`` returns a `WorstCase`: the value, the worst instance, and a bound
that was derived from the dual solution in rational arithmetic.
"""

from mdptk.worst_case.games import BilinearGames
from mdptk.worst_case.hilbert import Contractions, SmoothConvex
from mdptk.worst_case.losses import BinaryLosses, Hedge, ProjectedDescent
from mdptk.worst_case.max_norm import BellmanOperators, MaxNormContractions
from mdptk.worst_case.methods import (
    Method,
    anchored,
    averaged,
    extragradient,
    gradient,
    momentum,
    nesterov,
    optimistic,
    picard,
)
from mdptk.worst_case.projected import ConstrainedSmoothConvex, ProjectedGradient
from mdptk.worst_case.result import WorstCase

__all__ = [
    "BellmanOperators",
    "BilinearGames",
    "BinaryLosses",
    "ConstrainedSmoothConvex",
    "Contractions",
    "Hedge",
    "MaxNormContractions",
    "Method",
    "ProjectedDescent",
    "ProjectedGradient",
    "SmoothConvex",
    "WorstCase",
    "anchored",
    "averaged",
    "extragradient",
    "gradient",
    "momentum",
    "nesterov",
    "optimistic",
    "picard",
]
