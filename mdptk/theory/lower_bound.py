"""What no algorithm can do: a statement about a family of problems, and about every algorithm with the same access."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from mdptk.core.algorithm import Algorithm, Learner
from mdptk.core.errors import AssumptionViolated, MdptkError
from mdptk.core.models import Array
from mdptk.core.run import run
from mdptk.theory import statistics
from mdptk.theory.quantity import latex
from mdptk.theory.symbols import CLOCK
from mdptk.theory.theorem import InExpectation, Theorem, Verdict


@dataclass(frozen=True, eq=False)
class LowerBound:
    r"""On average over a family of problems, every algorithm that sees this oracle loses at least so much.

    An algorithm may be made for one problem of the family, but not for all of them. If the average is at least the
    right side then so is the largest, so this is a bound on the worst case of every algorithm, too.

    Parameters
    ----------
    claim
        The statement as a `Theorem`: a loss, ``>=``, a function of the sizes, in expectation.
    sees
        The oracle: the claim is about every learner that sees it, whoever wrote it, with one step for each tick of the
        clock, or with as many ticks as its `batch` says.
    family
        Function of the sizes (as keywords, clock included) that returns the problems, all equally likely.
    most
        The largest loss that there can be, a sympy expression in the sizes: what a test needs to know to bet on small
        losses.
    sizes
        Sizes at which it is checked when nothing else is said; the clock (``t`` or ``K``) is one of them.
    least
        Function of the sizes that computes the least average loss of all algorithms, if that is possible: what the
        claim is held against without trying one algorithm.
    loss
        Name of the `Measure` that the left side reads. Only the author of a learner knows what it plays, so a learner
        without this measure cannot be judged, unless it has the next one.
    rate
        Name of the `Measure` of what one tick loses with the policy of the state, if there is one: what learners with a
        `batch` are judged by, whose loss is the sum of it.
    luck
        How far below zero a loss can be, by luck; an expression in the sizes.
    repeats
        How many repeats a check has when nothing else is said; None for as many as `repeats_needed` says, which a large
        family cannot afford.
    """

    claim: Theorem
    sees: type
    family: Callable[..., Sequence[Any]]
    most: Any
    sizes: tuple[dict[str, float], ...]
    least: Callable[..., float] | None = None
    loss: str = "regret"
    rate: str = ""
    luck: Any = 0
    repeats: int | None = None

    def __post_init__(self) -> None:
        if self.claim.relation != ">=" or not isinstance(self.claim.holds, InExpectation):
            raise ValueError(f"lower bound {self.claim.name!r}: the claim must be >= and in expectation")

    @property
    def name(self) -> str:
        """What people call it."""
        return self.claim.name

    @property
    def latex(self) -> str:
        """The statement in LaTeX."""
        mean = r"\frac{1}{|\mathcal{M}|} \sum_{M \in \mathcal{M}} \mathbb{E}_M"
        return rf"{mean}\left[{latex(self.claim.lhs)}\right] \geq {latex(self.claim.rhs)}"

    def bound(self, **sizes: float) -> float:
        """The right side at these sizes."""
        return _value(self.claim.rhs, sizes)

    def losses(self, alg: Algorithm, *, repeats: int, seed: int = 0, **sizes: float) -> Array:
        """The loss in each repeat on average over the family, shape (repeats,).

        Raises
        ------
        AssumptionViolated
            If the algorithm does not see the oracle that the claim is about, or does not measure its loss.
        MdptkError
            If a loss is out of range.
        """
        if not isinstance(alg, Learner) or type(alg).sees is not self.sees:
            sees = getattr(type(alg), "sees", type(None)).__name__
            raise AssumptionViolated(
                f"{self.name!r} is about learners that see {self.sees.__name__}; {type(alg).__name__} sees {sees}"
            )
        if not self.measured_by(type(alg)):
            raise AssumptionViolated(
                f"{self.name!r} is about the {self.loss}, which {type(alg).__name__} has no measure of"
            )
        ticks = int(sizes[_clock(sizes)])
        family, batch = self.family(**sizes), self._batch(alg)
        if ticks % (batch or 1):
            raise MdptkError(f"{_clock(sizes)} = {ticks} is no multiple of the {batch} episodes of a step of {alg!r}")
        total = np.zeros(repeats)
        for problem in family:
            if batch:
                result = run(alg, problem, ticks // batch, seed=seed, repeats=repeats)
                total += batch * result[self.rate][:, :-1].sum(1)
            else:
                result = run(alg, problem, ticks, seed=seed, repeats=repeats, every=ticks)
                total += self.claim.lhs.values(result)[:, -1]
        x, low, most = total / len(family), 0 - _value(self.luck, sizes), _value(self.most, sizes)
        if not ((x >= low - 1e-9 * most) & (x <= most * (1 + 1e-9))).all():
            raise MdptkError(f"{type(alg).__name__} lost {x.min():.6g} to {x.max():.6g}, outside [{low:g}, {most:.6g}]")
        return np.clip(x, low, most)

    def measured_by(self, cls: type[Algorithm]) -> bool:
        """Whether a class of algorithms measures the loss that the claim is about, or what its batches lose."""
        names = {measure.name for measure in cls.measures}
        return self.loss in names or (self.rate in names and bool(getattr(cls, "batch", 0)))

    def _batch(self, alg: Algorithm) -> int:
        """Ticks of a step of a learner that is judged by what its batches lose; 0 for one that measures its loss."""
        if any(measure.name == self.loss for measure in type(alg).measures):
            return 0
        batch = getattr(type(alg), "batch", 0)
        return int(getattr(alg, batch) if isinstance(batch, str) else batch)

    def within(self, alg: Algorithm) -> bool:
        """Whether a step of the learner fits into the first sizes; of larger ones little is claimed."""
        return self._batch(alg) <= self.sizes[0][_clock(self.sizes[0])]

    def fitted(self, alg: Algorithm, **sizes: float) -> dict[str, float]:
        """The sizes with the clock at the next multiple of what a step of the learner takes."""
        clock, batch = _clock(sizes), self._batch(alg) or 1
        return sizes | {clock: -(-int(sizes[clock]) // batch) * batch}

    def repeats_needed(self, **sizes: float) -> int:
        """Repeats after which an algorithm that knows the problem, and loses nothing, is noticed."""
        b, most = self.bound(**sizes), _value(self.most, sizes)
        return 1 if b <= 0 else statistics.bets_needed(most / (most - b))

    def check(
        self, alg: Algorithm, *, repeats: int | None = None, seed: int = 0, sizes: dict[str, float] | None = None
    ) -> Verdict:
        """Judge the claim on one algorithm, at one size of the family.

        The mean loss is tested by betting against the claim. The verdict is *informative* if an algorithm that knows
        the problem would have been caught with as many repeats, and *vacuous* if the bound is not positive. Its ratio
        is the bound over the mean loss: 1 if no algorithm can do better.

        Parameters
        ----------
        alg
            A learner that sees the oracle.
        repeats
            Runs on each problem of the family; `self.repeats`, or else `repeats_needed`, if None.
        sizes
            The sizes; the first of `self.sizes` if None, with the clock `fitted` to the learner.

        Raises
        ------
        AssumptionViolated
            If the algorithm does not see the oracle that the claim is about.
        """
        sizes = self.fitted(alg, **self.sizes[0]) if sizes is None else sizes
        b, most = self.bound(**sizes), _value(self.most, sizes)
        n = repeats or self.repeats or self.repeats_needed(**sizes)
        x = self.losses(alg, repeats=n, seed=seed, **sizes)
        p = statistics.mean_exceeds((most - x)[:, None], np.array([most - b]))
        clairvoyant = statistics.mean_exceeds(np.full((n, 1), most), np.array([most - b]))
        at = ", ".join(f"{name} = {value:g}" for name, value in sizes.items())
        note = f"{at}: mean loss {x.mean():.4g} of {n} repeats, bound {b:.4g}, p = {p:.2g}"
        return Verdict(
            theorem=self.claim,
            ok=p > statistics.SIGNIFICANCE,
            ratio=b / x.mean() if x.mean() > 0 else float("inf" if b > 0 else "nan"),
            informative=clairvoyant <= statistics.SIGNIFICANCE,
            vacuous=b <= 0,
            slack=0.0,
            note=note,
            p=p,
        )


def _clock(sizes: dict[str, float]) -> str:
    return next(name for name in CLOCK if name in sizes)


def _value(expr: Any, sizes: dict[str, float]) -> float:
    expr = sympy.sympify(expr)
    unknown = {s.name for s in expr.free_symbols} - set(sizes)
    if unknown:
        raise MdptkError(f"sizes {sizes} lack {', '.join(sorted(unknown))}")
    return float(expr.subs({s: sizes[s.name] for s in expr.free_symbols}))
