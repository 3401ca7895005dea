r"""Surrogates of policy optimisation in the ratio :math:`\rho = p(a|s)/\pi(a|s)`, and ascent on them in the logits.

Each is what an action promises, :math:`\rho A`, less a *drift* that is not negative and is zero, with zero slope, at
:math:`\rho = 1`. So its gradient where it is made is the policy gradient, and what it promises is never too much.

>>> Clipped(0.2).drift(np.array([1.1, 1.5, 0.5]), np.array([1.0, 1.0, 1.0]))
array([0. , 0.3, 0. ])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from mdptk.core.exact import log_softmax
from mdptk.core.models import Array
from mdptk.core.parameterisations import centred


@runtime_checkable
class Drift(Protocol):
    """What is taken off the promise of an action."""

    def drift(self, ratio: Array, advantage: Array) -> Array:
        """The drift, not negative."""
        ...

    def slope(self, ratio: Array, advantage: Array) -> Array:
        """Its derivative in the ratio."""
        ...


@dataclass(frozen=True)
class Clipped:
    r""":math:`(\rho - \mathrm{clip}(\rho, 1 \pm \epsilon)) A` where that is positive: proximal policy optimisation."""

    epsilon: Any

    def drift(self, ratio: Array, advantage: Array) -> Array:
        """What clipping takes off."""
        return np.maximum((ratio - np.clip(ratio, 1 - self.epsilon, 1 + self.epsilon)) * advantage, 0.0)

    def slope(self, ratio: Array, advantage: Array) -> Array:
        """The advantage outside, on the side where it pays to go; zero inside."""
        outside = np.where(advantage > 0, ratio > 1 + self.epsilon, ratio < 1 - self.epsilon)
        return np.where(outside, advantage, 0.0)


@dataclass(frozen=True)
class Squared:
    r""":math:`\frac{|A|}{2\epsilon}(\rho - 1)^2`: simple policy optimisation."""

    epsilon: Any

    def drift(self, ratio: Array, advantage: Array) -> Array:
        """A parabola; without a constraint the best ratio is 1 + sign(A) epsilon."""
        return abs(advantage) * (ratio - 1) ** 2 / (2 * self.epsilon)

    def slope(self, ratio: Array, advantage: Array) -> Array:
        """Linear: it pulls back wherever the ratio is, where clipping lets go."""
        return abs(advantage) * (ratio - 1) / self.epsilon


@dataclass(frozen=True)
class Discovered:
    r"""What was found by search: :math:`\max(0, x - \alpha\tanh(x/\alpha))` with :math:`x = (\rho-1)A`, for A >= 0.

    For A < 0 it has :math:`x = A \log\rho` and beta in place of alpha. Source: Lu et al. 2022, from their code.
    """

    alpha: float = 2.0
    beta: float = 0.6

    def drift(self, ratio: Array, advantage: Array) -> Array:
        """The drift."""
        good, bad = self._arguments(ratio, advantage)
        up = np.maximum(good - self.alpha * np.tanh(good / self.alpha), 0.0)
        down = np.maximum(bad - self.beta * np.tanh(bad / self.beta), 0.0)
        return np.where(advantage >= 0, up, down)

    def slope(self, ratio: Array, advantage: Array) -> Array:
        """Its derivative, by the chain rule."""
        good, bad = self._arguments(ratio, advantage)
        up = np.where(good > 0, np.tanh(good / self.alpha) ** 2, 0.0) * advantage
        down = np.where(bad > 0, np.tanh(bad / self.beta) ** 2, 0.0) * advantage / ratio
        return np.where(advantage >= 0, up, down)

    def _arguments(self, ratio: Array, advantage: Array) -> tuple[Array, Array]:
        return (ratio - 1) * advantage, np.log(ratio) * advantage


@dataclass(frozen=True, eq=False)
class Marked:
    r""":math:`\beta\,(\rho - 1 - \log\rho)` for what is marked, else 0: part of KL(pi || p).

    Of all actions together the drift of a state is beta times the divergence.
    """

    beta: float
    marked: Array  # (..., S, A), 0 or 1

    def drift(self, ratio: Array, advantage: Array) -> Array:
        """The drift; the advantage has had its say in what is marked."""
        return self.beta * self.marked * (ratio - 1 - np.log(ratio))

    def slope(self, ratio: Array, advantage: Array) -> Array:
        """Without bound as the ratio goes to zero: no marked action is given up in one step."""
        return self.beta * self.marked * (1 - 1 / ratio)


SMALLEST = 1e-300  # a ratio that underflows is taken for this


def promised(drift: Drift, old: Array, new: Array, advantage: Array) -> Any:
    r""":math:`\mathbb{E}_{a \sim \pi}[\rho A - \mathrm{drift}(\rho, A)]`, (..., S), from log-probabilities."""
    ratio = np.maximum(np.exp(new - old), SMALLEST)
    return (np.exp(new) * advantage).sum(-1) - (np.exp(old) * drift.drift(ratio, advantage)).sum(-1)


class Ascent(NamedTuple):
    """Where an ascent ended."""

    log_pi: Array  # (..., S, A)
    step: Array  # (..., S): the step size that was left in each state


def ascend(drift: Drift, old: Array, advantage: Array, *, m: int, step: Any) -> Ascent:
    """`m` gradient steps on `promised` in the logits of each state, from ``old[..., s, a]``.

    A step that would lower the surrogate of its state by more than rounding is halved until it does not, at most 60
    times; the state stays where it is then.
    """
    x, size = old, np.full(old.shape[:-1], float(step))
    slack, here = 1e-15 * abs(advantage).max(-1), promised(drift, old, old, advantage)
    for _ in range(m):
        p, ratio = np.exp(x), np.maximum(np.exp(x - old), SMALLEST)
        slope = advantage - drift.slope(ratio, advantage)
        g = p * (slope - (p * slope).sum(-1, keepdims=True))
        there, new, worse = x, here, np.zeros(size.shape, dtype=bool)
        for _ in range(60):
            there = log_softmax(x + size[..., None] * g)
            new = promised(drift, old, there, advantage)
            worse = new < here - slack
            if not worse.any():
                break
            size = np.where(worse, size / 2, size)
        x, here = np.where(worse[..., None], x, there), np.where(worse, here, new)
    return Ascent(x, size)


def inner_steps(old: Array, advantage: Array, weight: Array, *, eta: float, m: int, alpha: Any) -> tuple[Array, Any]:
    r"""`m` gradient steps in logits on :math:`D(s)\,[\langle p, A\rangle - \mathrm{KL}(p \| \pi)/\eta](s)`.

    Of size `alpha`, from log-probabilities ``old[..., s, a]`` of pi, with the weights ``D[..., s]``. Returns those of
    p, and the least :math:`D(s) p(a|s)` on the way, (...).
    """
    x, least = old, np.inf
    for _ in range(m):
        seen = weight[..., None] * np.exp(x)
        least = np.minimum(least, seen.min((-2, -1)))
        x = log_softmax(x + alpha * seen * centred(np.exp(x), advantage - (x - old) / eta))
    return x, least
