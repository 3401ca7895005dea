"""Many runs: `sweep` over algorithms, problems and seeds, and the jobs of `mdptk verify`."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from mdptk.sweep._compare import Comparison, Line, compare
from mdptk.sweep._grid import Rows, Said, Trial, finals, grid, sweep, verdicts
from mdptk.sweep._jobs import (
    COUNTEREXAMPLE,
    DENSE_LIMIT,
    POINTS,
    BoundJob,
    Job,
    Row,
    Sides,
    bound_jobs,
    check_job,
    check_jobs,
    cores,
    corrected,
    counterexample_jobs,
    each_job,
    sides,
    standard_jobs,
    view,
)

__all__ = [
    "COUNTEREXAMPLE",
    "DENSE_LIMIT",
    "POINTS",
    "BoundJob",
    "Comparison",
    "Job",
    "Line",
    "Row",
    "Rows",
    "Said",
    "Sides",
    "Trial",
    "bound_jobs",
    "check_job",
    "check_jobs",
    "compare",
    "cores",
    "corrected",
    "counterexample_jobs",
    "each_job",
    "finals",
    "grid",
    "sides",
    "standard_jobs",
    "sweep",
    "verdicts",
    "view",
]


class _CallablePackage(ModuleType):
    """`mdptk.sweep` names this package and, by design, the function: importing the one must not hide the other."""

    def __call__(self, *args: Any, **kwargs: Any) -> Rows:
        return sweep(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
