r"""General utilities: maximise a concave function of how often each state and action is visited.

.. math::

   \max_\pi F(x^\pi), \qquad x^\pi(s, a) = (1-\gamma) \sum_t \gamma^t \Pr(s_t = s, a_t = a).

With a linear F it is the usual problem. Exploration, imitation and soft constraints are not linear, so no reward says
what they ask for; but at every occupancy the gradient of F is a reward, and two things follow. The gradient in the
policy is a policy gradient for that reward (chain rule). And concavity makes it a certificate, the dual function at
:math:`r = \nabla F(x)`:

.. math::

   \max_{y \in K} F(y) = \min_r \Big[\max_{y \in K} \langle r, y\rangle + \max_y (F(y) - \langle r, y\rangle)\Big]
   \leq F(x) + \max_{y \in K} \langle \nabla F(x), y - x\rangle,

with the set K of all occupancies. Occupancies are normalised to one throughout, so rewards are per step and weighted
with :math:`1-\gamma`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from mdptk.core import exact
from mdptk.core.errors import InvalidModel, NotConverged
from mdptk.core.exact import Array, namespace
from mdptk.core.models import MDP


@runtime_checkable
class Utility(Protocol):
    r"""A concave function F of occupancies ``x[..., s, a]``; leading axes are free.

    `smoothness` is a number L with :math:`F(x) + \langle\nabla F(x), y - x\rangle - F(y) \leq \tfrac L2 \|y - x\|_1^2`
    for all x, y in the simplex; `span` bounds :math:`\max_{s,a} \nabla F(x) - \min_{s,a} \nabla F(x)` there.
    """

    @property
    def smoothness(self) -> Any: ...

    @property
    def span(self) -> Any: ...

    def value(self, x: Any) -> Any:
        """``F(x)``, of the shape of the leading axes."""
        ...

    def gradient(self, x: Any) -> Any:
        """The reward that F is worth at x, of the shape of x."""
        ...

    def express(self, x: Any) -> Any:
        """F of a cvxpy variable ``x[s, a]``, in a form that is known to be concave."""
        ...

    def check(self, shape: tuple[int, int]) -> None:
        """Raise InvalidModel if it is no function of ``x[s, a]`` of that shape."""
        ...


def _array(x: Any, name: str) -> Array:
    x = np.array(x, dtype=np.float64)
    if not np.isfinite(x).all():
        k = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise InvalidModel(f"{name}{list(k) if k else ''} = {x[k]} is not finite")
    x.setflags(write=False)
    return x


def _positive(x: float, name: str) -> None:
    if not 0 < x < np.inf:
        raise InvalidModel(f"{name} = {x} is not a positive number")


def _shaped(x: Array, name: str, shape: tuple[int, ...]) -> None:
    if x.shape[-2:] != shape:
        raise InvalidModel(f"{name} has shape {x.shape}; the model has (S, A) = {shape}")


@dataclass(frozen=True, eq=False)
class Exploration:
    r"""The smoothed entropy of the states that are visited, :math:`-\sum_s d(s) \log(d(s) + \sigma)`.

    Source: Hazan et al. 2019, section 4; the second derivative lies between :math:`-2/\sigma` and 0. Where d is
    negative (estimates may be) it is continued by its Taylor parabola at 0.
    """

    sigma: float = 0.1

    def __post_init__(self) -> None:
        _positive(self.sigma, "sigma")

    @property
    def smoothness(self) -> float:
        return 2 / self.sigma

    @property
    def span(self) -> float:
        return np.log((1 + self.sigma) / self.sigma) + 1 / (1 + self.sigma)

    def value(self, x: Any) -> Any:
        d, below = _parts(x.sum(-1))
        log = namespace(d).log
        return -(d * log(d + self.sigma) + below * log(0 * d + self.sigma) + below**2 / self.sigma).sum(-1)

    def gradient(self, x: Any) -> Any:
        d, below = _parts(x.sum(-1))
        xp = namespace(d)
        g = -xp.log(d + self.sigma) - d / (d + self.sigma) - 2 * below / self.sigma
        return xp.broadcast_to(g[..., None], x.shape)

    def express(self, x: Any) -> Any:
        import cvxpy as cp

        d = cp.sum(x, axis=1) + self.sigma
        return cp.sum(cp.entr(d) + self.sigma * cp.log(d))

    def check(self, shape: tuple[int, int]) -> None:
        pass


@dataclass(frozen=True, eq=False)
class Imitation:
    r"""How near the occupancy is to one that was shown, :math:`-\tfrac12 \|x - x_E\|_2^2`, ``target[s, a]``."""

    target: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", _array(self.target, "target"))

    @property
    def smoothness(self) -> float:
        return 1.0

    @property
    def span(self) -> Any:
        return 1 + self.target.max() - self.target.min()

    def value(self, x: Any) -> Any:
        return -((x - self.target) ** 2).sum((-2, -1)) / 2

    def gradient(self, x: Any) -> Any:
        return self.target - x

    def express(self, x: Any) -> Any:
        import cvxpy as cp

        return -cp.sum_squares(x - self.target) / 2

    def check(self, shape: tuple[int, int]) -> None:
        _shaped(self.target, "target", shape)


@dataclass(frozen=True, eq=False)
class Divergence:
    r"""Likelihood of what was shown, :math:`\sum_{s,a} x_E(s, a) \log(x(s, a) + \sigma)`, ``target[s, a] >= 0``.

    Up to a constant and the smoothing it is minus the relative entropy of x from the target. Where x is negative
    (estimates may be) it is continued by its Taylor parabola at 0.
    """

    target: Any
    sigma: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", _array(self.target, "target"))
        _positive(self.sigma, "sigma")
        if (self.target < 0).any():
            k = tuple(int(i) for i in np.argwhere(self.target < 0)[0])
            raise InvalidModel(f"target{list(k)} = {self.target[k]} is negative")

    @property
    def smoothness(self) -> Any:
        return self.target.max() / self.sigma**2

    @property
    def span(self) -> Any:
        return self.target.max() / self.sigma

    def value(self, x: Any) -> Any:
        x, below = _parts(x)
        part = below / self.sigma
        return (self.target * (namespace(x).log(x + self.sigma) + part - part**2 / 2)).sum((-2, -1))

    def gradient(self, x: Any) -> Any:
        x, below = _parts(x)
        return self.target * (1 / (x + self.sigma) - below / self.sigma**2)

    def express(self, x: Any) -> Any:
        import cvxpy as cp

        return cp.sum(cp.multiply(self.target, cp.log(x + self.sigma)))

    def check(self, shape: tuple[int, int]) -> None:
        _shaped(self.target, "target", shape)


@dataclass(frozen=True, eq=False)
class Penalty:
    r"""Reward less a quadratic penalty, :math:`\langle r, x\rangle - \tfrac\beta2 \|[\langle c, x\rangle - b]_+\|_2^2`.

    Rewards ``r[s, a]``, costs ``c[i, s, a]``, budgets ``b[i]`` per step (weighted with :math:`1-\gamma`).
    """

    r: Any
    c: Any
    b: Any
    beta: float = 10.0

    def __post_init__(self) -> None:
        r, c, b = _array(self.r, "r"), _array(self.c, "c"), np.atleast_1d(_array(self.b, "b"))
        c = c[None] if c.ndim == 2 else c
        if c.shape != (len(b), *r.shape):
            raise InvalidModel(f"c has shape {c.shape}, expected (m, S, A) = {(len(b), *r.shape)}")
        _positive(self.beta, "beta")
        for name, x in (("r", r), ("c", c), ("b", b)):
            object.__setattr__(self, name, x)

    @property
    def smoothness(self) -> Any:
        return self.beta * (_span(self.c) ** 2).sum() / 4  # <c, y - x> is at most span(c) / 2 times |y - x|_1

    @property
    def span(self) -> Any:
        over = namespace(self.c).maximum(self.c.max((-2, -1)) - self.b, 0)
        return _span(self.r) + self.beta * (over * _span(self.c)).sum()

    def _over(self, x: Any) -> Any:
        xp = namespace(x)
        return xp.maximum(xp.einsum("...sa,isa->...i", x, self.c) - self.b, 0)

    def value(self, x: Any) -> Any:
        return (x * self.r).sum((-2, -1)) - self.beta / 2 * (self._over(x) ** 2).sum(-1)

    def gradient(self, x: Any) -> Any:
        return self.r - self.beta * namespace(x).einsum("...i,isa->...sa", self._over(x), self.c)

    def express(self, x: Any) -> Any:
        import cvxpy as cp

        over = [cp.pos(cp.sum(cp.multiply(c, x)) - b) for c, b in zip(self.c, self.b, strict=True)]
        return cp.sum(cp.multiply(self.r, x)) - self.beta / 2 * sum(cp.square(z) for z in over)

    def check(self, shape: tuple[int, int]) -> None:
        _shaped(self.r, "r", shape)


def _parts(x: Any) -> tuple[Any, Any]:
    """The parts above and below zero: estimates of occupancies may be negative, and there F is its Taylor parabola."""
    xp = namespace(x)
    return xp.maximum(x, 0), xp.minimum(x, 0)


def _span(x: Any) -> Any:
    return x.max((-2, -1)) - x.min((-2, -1))


@dataclass(frozen=True, eq=False)
class UtilityMDP:
    """A discounted model and the utility of its occupancies. The rewards of the model are not used.

    Examples
    --------
    >>> UtilityMDP(MDP(P=[[[1.0]]], r=[[0.0]], gamma=0.5), Exploration(sigma=0.1))
    UtilityMDP(MDP(S=1, A=1, gamma=0.5), Exploration)
    """

    mdp: MDP
    utility: Any

    def __post_init__(self) -> None:
        if not isinstance(self.mdp, MDP) or self.mdp.batch or self.mdp.sparse:
            raise InvalidModel(f"a UtilityMDP has one dense MDP, not {self.mdp!r}")
        if not isinstance(self.utility, Utility):
            raise InvalidModel(
                f"{self.utility!r} is no Utility: it needs value, gradient, express, check and two bounds"
            )
        self.utility.check((self.S, self.A))

    @property
    def S(self) -> int:
        """Number of states."""
        return self.mdp.S

    @property
    def A(self) -> int:
        """Number of actions."""
        return self.mdp.A

    @property
    def gamma(self) -> Any:
        """Discount."""
        return self.mdp.gamma

    def linear(self, x: Array) -> MDP:
        """The model whose reward is the gradient of the utility at ``x[..., s, a]``, but for its middle; or a batch."""
        r = self.utility.gradient(x)
        r = r - (r.max((-2, -1), keepdims=True) + r.min((-2, -1), keepdims=True)) / 2  # common to all: it costs digits
        P, rho = (np.broadcast_to(y, (*r.shape[:-2], *y.shape)) for y in (self.mdp.P, self.mdp.rho))
        return MDP(P, r, self.gamma, rho)

    def __repr__(self) -> str:
        return f"UtilityMDP({self.mdp!r}, {type(self.utility).__name__})"


class UtilityOptimum(NamedTuple):
    """What is optimal up to ``upper - value``: the yardstick of a run."""

    value: Any  # F of x, attained
    upper: Any  # no policy has more
    x: Array  # (S, A)
    pi: Array  # (S, A), the policy of x
    r: Array  # (S, A), the reward for which pi is optimal: the solution of the dual


def visits(mdp: MDP, pi: Array) -> Array:
    """The occupancy ``x[..., s, a]`` of a policy, normalised to one."""
    return exact.occupancy(mdp, pi)[..., None] * pi


def worth(problem: UtilityMDP, pi: Array) -> Array:
    """``F(x)`` of a policy, shape of the leading axes."""
    return problem.utility.value(visits(problem.mdp, pi))


def gradient(problem: UtilityMDP, pi: Array) -> Array:
    r""":math:`\partial F(x^\pi)/\partial\pi(a|s) = d^\pi(s)\, Q(s, a)` for the reward :math:`\nabla F`, (..., S, A).

    Source: Zhang et al. 2020, the chain rule.
    """
    d, q = _visits_and_q(problem, pi)
    return d[..., None] * q


def softmax_gradient(problem: UtilityMDP, pi: Array) -> Array:
    r"""Gradient of :math:`F(x^\pi)` in the logits, :math:`d^\pi(s)\,\pi(a|s)\,A(s, a)` for reward :math:`\nabla F`."""
    d, q = _visits_and_q(problem, pi)
    return d[..., None] * pi * (q - (pi * q).sum(-1, keepdims=True))


def _visits_and_q(problem: UtilityMDP, pi: Array) -> tuple[Array, Array]:
    mdp = problem.mdp
    d = exact.occupancy(mdp, pi)
    r = problem.utility.gradient(d[..., None] * pi)
    P, _ = exact.chain(mdp, pi)
    xp = namespace(P)  # the reward has the leading axes of pi, so no MDP is made of it
    v = xp.linalg.solve(xp.eye(mdp.S) - mdp.gamma * P, (pi * r).sum(-1)[..., None])[..., 0]
    return d, r + mdp.gamma * xp.einsum("sat,...t->...sa", mdp.P, v)


def certificate(problem: UtilityMDP, pi: Array) -> Any:
    r"""How much more than a policy any other can have: :math:`\max_y \langle\nabla F(x), y - x\rangle`, not negative.

    The dual function at the reward :math:`\nabla F(x)`, minus F(x); by policy iteration in the exact kernel.
    """
    linear = problem.linear(visits(problem.mdp, pi))
    return (1 - problem.gamma) * exact.performance_gap(linear, exact.optimal(linear), pi)


@lru_cache(maxsize=256)
def utility_optimal(problem: UtilityMDP) -> UtilityOptimum:
    """The best occupancy, by a conic solver and Newton steps; its policy is evaluated exactly, certified by the dual.

    Raises
    ------
    NotConverged
        If the certificate is worse than 1e-6 of the size of the utility.
    """
    import cvxpy as cp

    mdp, utility = problem.mdp, problem.utility
    x = cp.Variable((mdp.S, mdp.A), nonneg=True)
    flow = [exact.occupancy_flow(mdp).T @ cp.vec(x, order="C") == (1 - mdp.gamma) * mdp.rho]
    tight = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-11)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "may be inaccurate": the certificate tells how much
            cp.Problem(cp.Maximize(utility.express(x)), flow).solve(solver=cp.CLARABEL, **tight)
    except cp.SolverError as error:
        raise NotConverged(f"the conic solver gave up: {error}", None) from None
    if x.value is None:
        raise NotConverged("the conic solver found no occupancy", None)
    first = np.maximum(x.value, 0)
    found = [exact.conditional(y) for y in (first, _newton(problem, first))]
    more, pi = min(((float(certificate(problem, pi)), pi) for pi in found), key=lambda pair: pair[0])
    if not more <= 1e-6 * max(1.0, float(utility.span)):
        raise NotConverged(f"the best occupancy that was found may lack {more:.3g} of the optimum", more)
    x = visits(mdp, pi)
    value = float(utility.value(x))
    return UtilityOptimum(value, value + more, x, pi, utility.gradient(x))


def _newton(problem: UtilityMDP, x: Array, steps: int = 3) -> Array:
    """Newton's method on the support of x: solvers of exponential cones leave half of the digits."""
    mdp, used = problem.mdp, x.ravel() > 1e-7
    E, n, h = exact.occupancy_flow(mdp)[used], int(used.sum()), 1e-6
    around = h * np.eye(x.size)[used].reshape(n, *x.shape)
    for _ in range(steps):
        ahead, behind = (problem.utility.gradient(x + side).reshape(n, -1)[:, used] for side in (around, -around))
        H, g = (ahead - behind) / (2 * h), problem.utility.gradient(x).ravel()[used]
        off = (1 - mdp.gamma) * mdp.rho - x.ravel()[used] @ E
        K = np.block([[H, E], [E.T, np.zeros((mdp.S, mdp.S))]])
        step = np.linalg.lstsq(K, np.concatenate([-g, off]), rcond=1e-9)[0][:n]
        new = np.zeros(x.size)
        new[used] = np.maximum(x.ravel()[used] + step, 0)
        x = new.reshape(x.shape)
    return x
