"""The same search for a counterexample to every statement about an exact policy gradient or mirror descent method.

``python -m tests.algorithms.exact_methods 600`` gives each of them ten minutes, and prints a line as soon as it is
done: theorem, status, the worst ratio of its two sides, how many instances were tried. ``... 10 KLCov PPO`` does it for
some methods only. It fails if a statement that is called proved is broken, or a refuted one never was.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from mdptk import registry
from mdptk.core.algorithm import Solver
from mdptk.falsify import Counterexample, falsify
from mdptk.falsify.instance import KINDS
from mdptk.theory import Theorem

SHELVES = ("policy_gradient", "mirror_descent")


def statements(methods: Sequence[str] = ()) -> Iterator[tuple[str, Theorem]]:
    """Names and theorems of the exact methods on these shelves, or of some of them."""
    for name, cls in registry.find().items():
        shelf = cls.__module__.split(".")[2]
        if shelf not in SHELVES or not issubclass(cls, Solver) or cls.model() not in KINDS:
            continue
        if methods and name not in methods:
            continue
        yield from ((f"{name}.{th.slug}", th) for th in cls.theorems if not th.order_only)


def say(line: str) -> None:
    """A line, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(args: Sequence[str]) -> int:
    """The table; 1 if what was found contradicts a status."""
    budget, surprising = float(args[0]), []
    say(f"{'theorem':<64} {'status':<9} {'worst':>11} {'of':<8} {'runs':>7}")
    for name, theorem in statements(args[1:]):
        found = falsify(name, budget=budget)
        broken = isinstance(found, Counterexample)
        if broken == (theorem.status == "proved"):
            surprising.append(name)
        told = "  BROKEN" if broken else ""
        runs = found.about.runs
        say(f"{name:<64} {theorem.status:<9} {found.ratio:>11.4g} {found.unit:<8} {runs:>7}{told}")
    if surprising:
        say(" ".join(["not as it is said to be:", *surprising]))
    return int(bool(surprising))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
