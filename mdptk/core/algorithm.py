"""What an algorithm is: a frozen bag of hyperparameters with `init` and `step`, and the theorems about it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar, get_args, get_type_hints

import numpy as np

from mdptk.core.errors import InvalidHyperparameter
from mdptk.core.exact import namespace

Problem = TypeVar("Problem")
State = TypeVar("State")


@dataclass(frozen=True)
class Range:
    """The range of a hyperparameter, written beside its type: ``eta: Annotated[float, Range(0, inf)]``."""

    low: float
    high: float
    closed: Literal["neither", "low", "high", "both"] = "neither"

    def __contains__(self, x: float) -> bool:
        above = x >= self.low if self.closed in ("low", "both") else x > self.low
        below = x <= self.high if self.closed in ("high", "both") else x < self.high
        return bool(above and below)

    def __str__(self) -> str:
        left = "[" if self.closed in ("low", "both") else "("
        right = "]" if self.closed in ("high", "both") else ")"
        return f"{left}{self.low:g}, {self.high:g}{right}"


Positive = Annotated[float, Range(0, np.inf)]
NonNegative = Annotated[float, Range(0, np.inf, "low")]
Fraction = Annotated[float, Range(0, 1)]  # a confidence level or a mixing weight strictly inside (0, 1)
Count = Annotated[int, Range(1, np.inf, "low")]


@dataclass(frozen=True)
class Measure:
    """A number that the driver computes with the true model at every step, which the algorithm never sees.

    Parameters
    ----------
    name
        Key in `Run.out`.
    of
        Function of (`Truth`, state) that returns a scalar (or an array of fixed shape).
    reduce
        What a record at step t holds: the value ``"now"``, the ``"sum"`` over the states before t, or the ``"max"``
        or ``"min"`` over all states up to and including t. Reductions see every step, also under thinning.
    """

    name: str
    of: Callable[[Any, Any], Any]
    reduce: Literal["now", "sum", "max", "min"] = "now"

    def start(self, value: Any) -> Any:
        """The record at step 0, from the value there."""
        return 0.0 * value if self.reduce == "sum" else value

    def update(self, record: Any, before: Any, now: Any) -> Any:
        """The record one step later, from the values before and after the step."""
        match self.reduce:
            case "now":
                return now
            case "sum":
                return record + before
            case "max":
                return namespace(now).maximum(record, now)
            case "min":
                return namespace(now).minimum(record, now)


@dataclass(frozen=True)
class Algorithm(ABC, Generic[Problem, State]):
    """Base of `Solver` and `Learner`. The fields of a subclass are its hyperparameters, all with defaults.

    Attributes
    ----------
    sees
        What the algorithm may look at: the type of a model (Solver) or of an oracle (Learner).
    theorems
        The theorems about it, judged by `mdptk.check`.
    measures
        What is measured with the true model while it runs.
    """

    sees: ClassVar[type]
    theorems: ClassVar[tuple[Any, ...]] = ()
    measures: ClassVar[tuple[Measure, ...]] = ()

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self), include_extras=True)
        for f in fields(self):
            value = getattr(self, f.name)
            for mark in getattr(hints[f.name], "__metadata__", ()):
                kind = get_args(hints[f.name])[0]
                kind, *optional = get_args(kind) or (kind,)  # Annotated[float | None, Range]: None is always allowed
                if value is None and optional:
                    continue
                whole = kind is not int or (isinstance(value, int | np.integer) and not isinstance(value, bool))
                if not whole or value not in mark:
                    name = f"{type(self).__name__}({f.name}={value!r})"
                    raise InvalidHyperparameter(f"{name}: {f.name} must be {kind.__name__} in {mark}")

    @classmethod
    def model(cls) -> type:
        """The type of the problems that it runs on."""
        return getattr(cls.sees, "model", cls.sees)


@dataclass(frozen=True)
class Solver(Algorithm[Problem, State]):
    """A deterministic method that sees the model, in numpy; states are NamedTuples of arrays, leading axes free."""

    @abstractmethod
    def init(self, problem: Problem) -> State:
        """The state before the first step."""

    @abstractmethod
    def step(self, problem: Problem, state: State) -> State:
        """One update, without side effects."""


@dataclass(frozen=True)
class Learner(Algorithm[Problem, State]):
    """A randomised method that sees an oracle, in JAX: compiled once, run on many seeds at a time.

    `keep` names the fields of the state that are recorded; measurements always are. `width` is the number of repeats
    in one compiled program: more for small steps, 1 for steps that fill the machine by themselves. `batch` is the
    number of episodes of one step, or the name of the hyperparameter that is, where all of them follow the policy that
    the state stands for; 0 where it is otherwise.
    """

    keep: ClassVar[tuple[str, ...]] = ()
    width: ClassVar[int] = 16
    batch: ClassVar[str | int] = 0

    @abstractmethod
    def init(self, oracle: Problem, key: Any) -> State:
        """The state before the first step."""

    def draw(self, oracle: Problem, key: Any) -> Any:
        """The randomness of one step, a pytree of arrays made from `key`; drawn in blocks, ahead of the steps.

        The default hands the key through; a method that draws uniforms here runs many times faster.
        """
        return key

    @abstractmethod
    def step(self, oracle: Problem, state: State, xi: Any) -> State:
        """One update with the randomness `xi` that `draw` returned."""
