"""What is claimed: theorems, the quantities in them, their assumptions, and verdicts."""

from mdptk.theory.lower_bound import LowerBound
from mdptk.theory.quantity import Quantity, initial, previous, so_far
from mdptk.theory.rates import RateFit, power_law, rate, scaling
from mdptk.theory.theorem import (
    Always,
    Assumption,
    Asymptotic,
    Cite,
    Geometric,
    InExpectation,
    Start,
    Theorem,
    Verdict,
    WithProbability,
    check,
)

__all__ = [
    "Always",
    "Assumption",
    "Asymptotic",
    "Cite",
    "Geometric",
    "InExpectation",
    "LowerBound",
    "Quantity",
    "RateFit",
    "Start",
    "Theorem",
    "Verdict",
    "WithProbability",
    "check",
    "initial",
    "power_law",
    "previous",
    "rate",
    "scaling",
    "so_far",
]
