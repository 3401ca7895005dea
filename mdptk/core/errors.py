"""The errors that mdptk raises; all share the base class `MdptkError`."""

from __future__ import annotations


class MdptkError(Exception):
    """Base class of every error that mdptk raises on purpose."""


class InvalidModel(MdptkError, ValueError):
    """The arrays do not describe a model; the message names the entry and shows its value."""


class InvalidHyperparameter(MdptkError, ValueError):
    """A hyperparameter lies outside its range; the message names it and shows its value."""


class InvalidStart(MdptkError, ValueError):
    """A state to start from does not fit the algorithm; the message names the field and shows its value."""


class Infeasible(MdptkError):
    """The problem has no feasible policy; `certificate` proves it."""

    def __init__(self, message: str, certificate: object = None) -> None:
        super().__init__(message)
        self.certificate = certificate


class Unbounded(MdptkError):
    """The optimal value is plus infinity; `states` is a component in which more is earned than lost for ever."""

    def __init__(self, message: str, states: object = None) -> None:
        super().__init__(message)
        self.states = states


class NotConverged(MdptkError):
    """A tolerance was not reached; `reached` is what was reached, in the units of the tolerance."""

    def __init__(self, message: str, reached: float | None = None) -> None:
        super().__init__(message)
        self.reached = reached


class AssumptionViolated(MdptkError):
    """A theorem was asked about a run that does not meet its assumptions."""
