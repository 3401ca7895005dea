r"""Policy classes: maps from parameters to policies, each with the product of its Jacobian and a gradient.

The gradient of any objective in the parameters is the gradient in the probabilities, from `mdptk.core.gradients`,
pulled back: :math:`\partial J/\partial\theta_i = \sum_{s,a} \frac{\partial \pi(a|s)}{\partial\theta_i}
\frac{\partial J}{\partial\pi(a|s)}`. So a class of policies and a kind of problem are written once each, and every pair
of them has its formula. All of it is numpy or jax; leading axes are free.

>>> import numpy as np
>>> Escort(2.0)(np.array([[1.0, -3.0]]))
array([[0.1, 0.9]])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mdptk.core.errors import InvalidModel
from mdptk.core.exact import namespace, softmax

Array = Any


@runtime_checkable
class PolicyClass(Protocol):
    """A map from parameters to policies."""

    def __call__(self, theta: Array) -> Array:
        """The policy ``pi[..., s, a]`` of parameters `theta`."""
        ...

    def pullback(self, theta: Array, g: Array) -> Array:
        """The gradient in the parameters, of the shape of `theta`, from the gradient `g` in the probabilities."""
        ...


def centred(pi: Array, x: Array) -> Array:
    """``x[..., s, a] - E_pi x``, the mean over the actions of each state taken off."""
    return x - (pi * x).sum(-1, keepdims=True)


@dataclass(frozen=True)
class Direct:
    """The probabilities themselves, ``theta[..., s, a]``; their gradient is not projected onto the simplex."""

    def __call__(self, theta: Array) -> Array:
        """`theta`."""
        return theta

    def pullback(self, theta: Array, g: Array) -> Array:
        """`g`."""
        return g


@dataclass(frozen=True)
class Softmax:
    r""":math:`\pi(a|s) \propto \exp\theta(s, a)`."""

    def __call__(self, theta: Array) -> Array:
        """The policy of logits ``theta[..., s, a]``."""
        return softmax(theta)

    def pullback(self, theta: Array, g: Array) -> Array:
        r""":math:`\pi(a|s)\,(g(s, a) - \langle\pi, g\rangle(s))`."""
        pi = softmax(theta)
        return pi * centred(pi, g)


@dataclass(frozen=True, eq=False)
class LogLinear:
    r""":math:`\pi(a|s) \propto \exp(\phi(s, a) \cdot \theta)` for features ``phi[s, a, i]``.

    Raises
    ------
    InvalidModel
        If `phi` has no axes s, a, i, or a number that is not finite.
    """

    phi: Array

    def __post_init__(self) -> None:
        phi = np.asarray(self.phi, dtype=np.float64)
        if phi.ndim != 3:
            raise InvalidModel(f"phi has shape {phi.shape}, expected phi[s, a, i]")
        if not np.isfinite(phi).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(phi))[0])
            raise InvalidModel(f"phi{list(where)} = {phi[where]} is not finite")
        object.__setattr__(self, "phi", phi)

    def __call__(self, theta: Array) -> Array:
        """The policy of parameters ``theta[..., i]``."""
        return softmax(self.logits(theta))

    def logits(self, theta: Array) -> Array:
        r""":math:`\phi(s, a) \cdot \theta`, (..., S, A)."""
        return (theta[..., None, None, :] * self.phi).sum(-1)

    def score(self, pi: Array) -> Array:
        r""":math:`\nabla_\theta\log\pi(a|s) = \phi(s, a) - \mathbb{E}_{b\sim\pi(s)}\phi(s, b)`, (..., S, A, n)."""
        return self.phi - (pi[..., None] * self.phi).sum(-2, keepdims=True)

    def pullback(self, theta: Array, g: Array) -> Array:
        r""":math:`\sum_{s,a} \pi(a|s)\,(g(s, a) - \langle\pi, g\rangle(s))\,\phi(s, a)`."""
        pi = self(theta)
        return ((pi * centred(pi, g))[..., None] * self.phi).sum((-3, -2))


@dataclass(frozen=True)
class Escort:
    r""":math:`\pi(a|s) \propto |\theta(s, a)|^p`, for p of at least 1.

    Not every parameter has a policy: where a whole row of `theta` is zero there is none. Source: Mei et al. 2020,
    *Escaping the gravitational pull of softmax*.
    """

    p: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.p < np.inf:
            raise InvalidModel(f"p = {self.p!r} is not in [1, inf)")

    def __call__(self, theta: Array) -> Array:
        """The policy of parameters ``theta[..., s, a]``."""
        xp = namespace(theta)
        size = xp.abs(theta)
        weight = (size / size.max(-1, keepdims=True)) ** self.p
        return weight / weight.sum(-1, keepdims=True)

    def pullback(self, theta: Array, g: Array) -> Array:
        r""":math:`p\,|\theta(s,a)|^{p-1}\mathrm{sign}\,\theta(s,a)\,(g(s,a)-\langle\pi,g\rangle(s))/\|\theta(s)\|_p^p`."""
        xp = namespace(theta)
        size = xp.abs(theta)
        top = size.max(-1, keepdims=True)
        total = ((size / top) ** self.p).sum(-1, keepdims=True)
        slope = self.p * (size / top) ** (self.p - 1) * xp.sign(theta) / (top * total)
        return slope * centred(self(theta), g)


@dataclass(frozen=True)
class Mixed:
    r""":math:`\pi = (1 - \epsilon)\,\pi_0 + \epsilon/A`: another class `base`, with uniform exploration."""

    base: PolicyClass
    epsilon: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon <= 1:
            raise InvalidModel(f"epsilon = {self.epsilon!r} is not in [0, 1]")

    def __call__(self, theta: Array) -> Array:
        """The policy of the base's parameters `theta`."""
        pi = self.base(theta)
        return (1 - self.epsilon) * pi + self.epsilon / pi.shape[-1]

    def pullback(self, theta: Array, g: Array) -> Array:
        r""":math:`1 - \epsilon` times that of the base."""
        return (1 - self.epsilon) * self.base.pullback(theta, g)
