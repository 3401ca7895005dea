"""What a worst-case analysis returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any


@dataclass(frozen=True, eq=False)
class WorstCase:
    """The most that a method can lose on a class of instances.

    Attributes
    ----------
    value
        As the solver found it, in float64.
    upper
        A bound that holds for every instance of the class; a rational number if `certified`.
    certified
        Whether `upper` was derived in exact arithmetic from the dual solution: multipliers rounded to rationals, what
        they lack paid for, positive semidefiniteness by an exact elimination. Otherwise `upper` is the solver's word.
    lower
        What the method loses on `instance`, by running it in float64; nan if there is no instance.
    instance
        The worst instance, of a type that depends on the class; None if it was not extracted.
    dual
        The multipliers of the certificate, by the inequality that they belong to.
    """

    value: float
    upper: Fraction | float
    certified: bool
    lower: float = float("nan")
    instance: Any = field(default=None, repr=False)
    dual: dict[Any, Fraction] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        word = "certified" if self.certified else "not certified"
        return f"WorstCase({self.value:.10g}, in [{self.lower:.10g}, {float(self.upper):.10g}], {word})"
