r"""What a constrained problem is made of: the occupancies of a class of models, and bounds on what policies earn.

In each class the occupancies :math:`x \ge 0` are a polytope, :math:`E^\top x = e`, with a return that is linear on it;
they are normalised to sum to one, so that a return is :math:`\langle r, x\rangle` over a constant, `share`:

* discounted: :math:`x = (1-\gamma)\sum_t \gamma^t \Pr(s_t, a_t)`, share :math:`1-\gamma`;
* H stages: :math:`x_h = \frac1H \Pr(s_h, a_h)`, share :math:`\frac1H`;
* average reward: the long-run frequencies, share 1. Here alone not every point of the polytope belongs to a stationary
  policy. Each does if every stationary policy has one recurrent class (a unichain model), and then the gain does not
  depend on the first state; elsewhere what is found may be certified, or not.

Sources: chapters 3 and 4 of Altman [altman1999constrained]; for stages section 4.3, for average reward sections 8.8 and
8.9 of Puterman [puterman1994markov].
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from mdptk.core.errors import NotConverged
from mdptk.core.exact import one_hot
from mdptk.core.models import MDP, AverageRewardMDP, FiniteHorizonMDP, expect, is_sparse, stationary_distribution
from mdptk.solve._linear_program import flow
from mdptk.solve._modified_policy_iteration import modified_policy_iteration
from mdptk.solve._policy_iteration import policy_iteration
from mdptk.solve.certificates import (
    TINY,
    WIDE,
    U,
    _shift,
    _up,
    bracket,
    bracket_gain,
    bracket_stages,
    float_above,
    float_below,
    moduli,
    rounding,
    row_sums,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction

    from mdptk.core.models import Array

FACTOR = 500  # states up to which policies are evaluated by dense elimination
KEPT = 3  # factorisations
STEPS = 100  # of policy iteration for the average reward, from a guess that is optimal up to 1e-10


@runtime_checkable
class Occupancies(Protocol):
    """One class of models; policies and rewards are arrays of the shape of the model's `r`."""

    share: float
    start: Array  # e, one number for each column of E
    caveat: str  # added to an error where bounds do not meet

    def flow(self) -> Any:
        """``E`` as CSR, one row for each entry of `r`."""
        ...

    def q(self, v: Array, r: Array) -> Array:
        """Action values from the values `v`, one for each column of ``E``."""
        ...

    def relaxed(self, r: Array, tol: float, v: Array) -> tuple[Array, Array, Array]:
        """Weights and numbers, whose product bounds the best return from above, and a policy that has it; from `v`."""
        ...

    def bounds(self, rewards: Sequence[Array], pi: Array) -> list[tuple[float, float]]:
        """Bounds on the return of the policy ``pi / pi.sum(-1)``, for each of some rewards."""
        ...

    def occupancy(self, pi: Array) -> Array:
        """``x`` of a policy."""
        ...

    def completed(self, pi: Array, other: Array) -> Array:
        """`pi`, in states where it is empty `other`, or whatever leads back to where it is not."""
        ...

    def exact(self, rewards: Array, pi: Array) -> list[Fraction]:
        """The exact returns of a policy, rows divided by their sums, of small models."""
        ...


def occupancies(model: Any) -> Occupancies:
    """Those of a model.

    Raises
    ------
    NotConverged
        If nothing is known to contract.
    """
    if isinstance(model, FiniteHorizonMDP):
        return Stages(model)
    return Average(model) if isinstance(model, AverageRewardMDP) else Discounted(model)


def dot(x: Array, y: Array) -> tuple[Any, Any]:
    """Bounds on ``x @ y`` in the widest float."""
    x, y = x.astype(WIDE), y.astype(WIDE)
    slack = (len(x) + 4) * U * (abs(x) @ abs(y))
    if slack > 0:
        slack += TINY
    return x @ y - slack, x @ y + slack


def conditional(x: Array, otherwise: Array) -> Array:
    """The policy with occupancy `x`; where `x` never comes, `otherwise`."""
    total = x.sum(-1, keepdims=True)
    return np.where(total > 0, x / np.where(total > 0, total, 1), otherwise)


def _filled(pi: Array, other: Array) -> Array:
    return np.where(pi.any(-1, keepdims=True), pi, other)


def _csr(P: Any) -> Any:
    """A kernel as CSR of shape (S * A, S)."""
    import scipy.sparse as sp

    return P if is_sparse(P) else sp.csr_array(P.reshape(-1, P.shape[-1]))


def _chain(P: Any, pi: Array) -> Any:
    """``P_pi`` as CSR, from a kernel as CSR."""
    import scipy.sparse as sp

    S, A = pi.shape
    return sp.csr_array((pi.ravel(), np.arange(S * A), np.arange(0, S * A + 1, A)), shape=(S, S * A)) @ P


def _factored(M: Any) -> Callable[..., Array]:
    """A function that solves with a sparse matrix, or with ``transpose=True`` its transpose."""
    from scipy.linalg import lu_factor, lu_solve
    from scipy.sparse.linalg import splu

    if M.shape[0] <= FACTOR:
        dense = lu_factor(M.toarray())
        return lambda b, transpose=False: lu_solve(dense, b, trans=int(transpose))
    lu = splu(M.tocsc())
    return lambda b, transpose=False: lu.solve(b, trans="T" if transpose else "N")


class Discounted:
    """The occupancies of an `MDP`."""

    caveat = ""

    def __init__(self, model: MDP) -> None:
        bracket(model, np.zeros(model.S))  # raises if nothing contracts
        self.model, self.share = model, 1 - model.gamma
        self.start = self.share * model.rho
        self._factors: dict[bytes, Callable[..., Array]] = {}

    def flow(self) -> Any:
        return flow(self.model)

    def q(self, v: Array, r: Array) -> Array:
        return r + self.model.gamma * expect(self.model.P, v, self.model.A)

    def relaxed(self, r: Array, tol: float, v: Array) -> tuple[Array, Array, Array]:
        relaxed = replace(self.model, r=r)

        def solve(tol: float) -> Any:
            small = self.model.S <= FACTOR
            return policy_iteration(relaxed, tol, v)[0] if small else modified_policy_iteration(relaxed, tol)[0]

        try:
            b = solve(tol)
        except NotConverged as error:
            if error.reached is None or not np.isfinite(error.reached):
                raise
            b = solve(1.001 * error.reached)  # as close as floats go; the gap will tell if it will do
        return self.model.rho, b.upper, one_hot(b.actions, self.model.A)

    def bounds(self, rewards: Sequence[Array], pi: Array) -> list[tuple[float, float]]:
        solve = self._factor(pi)
        return [self._bounds(r, pi, solve) for r in rewards]

    def _bounds(self, r: Array, pi: Array, solve: Callable[[Array], Array]) -> tuple[float, float]:
        mdp = self.model
        if not r.any():
            return 0.0, 0.0  # exactly: there is nothing to round
        low, high = moduli(mdp)
        weights, total = pi.astype(WIDE), pi.sum(1, dtype=WIDE)
        v = q = w = np.zeros(mdp.S, WIDE)
        for k in range(4):  # a solve and two refinements
            v = v + solve((w - v).astype(np.float64)) if k else v
            q = self.q(v, r)
            w = (weights * q).sum(1) / total
        noise = rounding(mdp.P, r, v) + (2 * mdp.A + 8) * U * abs(q).max()
        above = _up(_up(w + noise) + _shift((w - v).max(), noise, low, high))  # as for the maximum over all policies
        below = -_up(_up(noise - w) + _shift((v - w).max(), noise, low, high))
        return float(float_below(dot(mdp.rho, below)[0])), float(float_above(dot(mdp.rho, above)[1]))

    def _factor(self, pi: Array) -> Callable[..., Array]:
        """Of the last few policies: what a policy spends, and how often it is where, are asked one after the other."""
        import scipy.sparse as sp

        key = pi.tobytes()
        if key not in self._factors:
            M = sp.eye_array(self.model.S) - self.model.gamma * _chain(_csr(self.model.P), pi)
            self._factors = dict([*self._factors.items()][-KEPT + 1 :]) | {key: _factored(M)}
        return self._factors[key]

    def occupancy(self, pi: Array) -> Array:
        return np.maximum(self._factor(pi)(self.start, transpose=True), 0)[:, None] * pi

    def completed(self, pi: Array, other: Array) -> Array:
        return _filled(pi, other)

    def exact(self, rewards: Array, pi: Array) -> list[Fraction]:
        from mdptk.solve._exact_rational import returns

        return returns(self.model, rewards, pi)


class Stages:
    """The occupancies of a `FiniteHorizonMDP`; the columns of ``E`` are (stage, state)."""

    caveat = ""

    def __init__(self, model: FiniteHorizonMDP) -> None:
        self.model, self.share = model, 1 / model.H
        self.start = np.zeros((model.H, model.S))
        self.start[0] = self.share * model.rho
        self.start = self.start.ravel()

    def flow(self) -> Any:
        import scipy.sparse as sp

        H, S, A = self.model.r.shape
        leave = sp.kron(sp.eye_array(H * S), np.ones((A, 1)), format="csr")
        arrive = sp.block_diag([_csr(P) for P in self.model.P], format="csr")  # in the stage itself: one too early
        later = sp.eye_array(H * S, k=S, format="csr") if H > 1 else sp.csr_array((S, S))
        return (leave - arrive @ later).tocsr()

    def q(self, v: Array, r: Array) -> Array:
        later = np.concatenate([v.reshape(r.shape[:2])[1:], np.zeros((1, r.shape[1]))])
        return r + expect(self.model.P, later, self.model.A)

    def relaxed(self, r: Array, tol: float, v: Array) -> tuple[Array, Array, Array]:
        b = bracket_stages(replace(self.model, r=r))
        return self.model.rho, b.upper[0], one_hot(b.actions, self.model.A)

    def bounds(self, rewards: Sequence[Array], pi: Array) -> list[tuple[float, float]]:
        return [self._bounds(r, pi.astype(WIDE)) for r in rewards]

    def _bounds(self, r: Array, pi: Array) -> tuple[float, float]:
        """Backward on both bounds at once: ``r + P v`` is monotone in `v`."""
        model = self.model
        if not r.any():
            return 0.0, 0.0
        ends = []
        for sign in (1, -1):  # from above, and of -r from above
            v = np.zeros(model.S, WIDE)
            for P, reward, p in zip(model.P[::-1], sign * r[::-1], pi[::-1], strict=True):
                q = reward + expect(P, v, model.A)
                noise = rounding(P, reward, v) + (2 * model.A + 8) * U * abs(q).max()
                v = _up(_up((p * q).sum(-1) / p.sum(-1)) + noise)
            ends.append(float(float_above(dot(model.rho, v)[1])))
        return -ends[1], ends[0]

    def occupancy(self, pi: Array) -> Array:
        model = self.model
        x, d = np.empty_like(pi), self.share * model.rho
        for h in range(model.H):
            x[h] = d[:, None] * pi[h]
            d = x[h].ravel() @ model.P[h].reshape(-1, model.S)
        return x

    def completed(self, pi: Array, other: Array) -> Array:
        return _filled(pi, other)

    def exact(self, rewards: Array, pi: Array) -> list[Fraction]:
        from mdptk.solve._exact_rational import stage_returns

        return stage_returns(self.model, rewards, pi)


class Average:
    """The occupancies of an `AverageRewardMDP`, rows of ``P`` divided by their sums; the last column of ``E`` is one.

    In the values `v` its place is taken by the gain, and the others hold the bias.
    """

    caveat = (
        "; for average reward that is to be expected where a policy that is needed has several recurrent classes, or "
        "the optimal gain depends on the first state: unichain models have neither"
    )

    def __init__(self, model: AverageRewardMDP) -> None:
        import scipy.sparse as sp

        self.model, self.share = model, 1.0
        self.start = np.append(np.zeros(model.S), 1.0)
        self.total = row_sums(model.P).reshape(model.r.shape)
        self.P = sp.csr_array(sp.diags_array(1 / self.total.ravel().astype(np.float64)) @ _csr(model.P))

    def flow(self) -> Any:
        import scipy.sparse as sp

        S, A = self.model.r.shape
        leave = sp.kron(sp.eye_array(S), np.ones((A, 1)), format="csr")
        return sp.hstack([leave - self.P, np.ones((S * A, 1))]).tocsr()

    def q(self, v: Array, r: Array) -> Array:
        return r + expect(self.model.P, v[: self.model.S], self.model.A) / self.total

    def relaxed(self, r: Array, tol: float, v: Array) -> tuple[Array, Array, Array]:
        """By policy iteration, in states where that is not possible by a lazy step of relative value iteration."""
        relaxed, h = replace(self.model, r=r), np.array(v[: self.model.S], WIDE)
        best, greedy, idle, least = np.inf, np.empty(0), 0, np.inf
        for _ in range(STEPS):
            b = bracket_gain(relaxed, h)
            upper, width = float(b.upper[0]), b.width
            if upper < best or not len(greedy):
                best, greedy = upper, one_hot(b.actions, self.model.A)
            least, idle = (width, 0) if width < least else (least, idle + 1)
            if width <= tol or idle >= 5:
                break
            h = self._bias(r, one_hot(b.actions, self.model.A), h, b.residual)
        return np.ones(1), np.array([best]), greedy

    def _bias(self, r: Array, pi: Array, h: Array, residual: Array) -> Array:
        """The bias of `pi`, or a step towards it if `pi` has several recurrent classes."""
        chain = _chain(self.P, pi)
        if _classes(chain) > 1:
            return h + (residual - residual[0]) / 2
        solve = _poisson(chain)
        step = solve(residual.astype(np.float64))
        step[0] = 0.0
        return h + step

    def bounds(self, rewards: Sequence[Array], pi: Array) -> list[tuple[float, float]]:
        chain = _chain(self.P, pi)
        here = _reached(chain, self.model.rho)
        chain = chain[here][:, here]
        if _classes(chain) > 1:
            return [(float(r[here].min()), float(r[here].max())) for r in rewards]
        solve = _poisson(chain)
        return [self._bounds(r, pi, here, solve) for r in rewards]

    def _bounds(self, r: Array, pi: Array, here: Array, solve: Callable[..., Array]) -> tuple[float, float]:
        """The extremes of ``r + P h - h``, which averages to the gain along every run."""
        if not r.any():
            return 0.0, 0.0
        model = self.model
        weights, total = pi.astype(WIDE), pi.sum(1, dtype=WIDE)
        h, q, d = np.zeros(model.S, WIDE), np.zeros(0), np.zeros(0)
        for k in range(4):
            if k:
                step = solve(d.astype(np.float64))
                step[0] = 0.0
                h[here] += step
            q = self.q(h, r)
            d = ((weights * q).sum(1) / total - h)[here]
        noise = 3 * rounding(model.P, r, h) + (2 * model.A + 8) * U * abs(q).max()
        return float(float_below(-_up(_up((-d).max()) + noise))), float(float_above(_up(_up(d.max()) + noise)))

    def occupancy(self, pi: Array) -> Array:
        chain = _chain(self.P, pi)
        here = _reached(chain, self.model.rho)
        inside = chain[here][:, here]
        d = np.zeros(self.model.S)
        if _classes(inside) > 1:
            d = stationary_distribution(chain.toarray(), self.model.rho)
        else:
            d[here] = np.maximum(_poisson(inside)(np.eye(1, len(here))[0], transpose=True), 0)
        return d[:, None] * pi

    def completed(self, pi: Array, other: Array) -> Array:
        """Elsewhere, an action that may lead nearer to where `pi` is not empty."""
        pi, S, A = pi.copy(), self.model.S, self.model.A
        near = pi.any(1)
        if not near.any():
            return other
        while not near.all():
            hit = (self.P @ near.astype(float)).reshape(S, A)
            new = ~near & (hit > 0).any(1)
            if not new.any():
                break
            pi[new] = one_hot(hit[new].argmax(1), A)
            near = near | new
        return _filled(pi, other)

    def exact(self, rewards: Array, pi: Array) -> list[Fraction]:
        from mdptk.solve._exact_rational import gains

        return gains(self.model, rewards, pi)


def _reached(chain: Any, rho: Array) -> Array:
    """The states that a chain comes to, in order."""
    seen = rho > 0
    while True:
        more = seen | (chain.T @ seen.astype(float) > 0)
        if (more == seen).all():
            return np.flatnonzero(seen)
        seen = more


def _classes(chain: Any) -> int:
    """The number of recurrent classes of a chain."""
    from scipy.sparse.csgraph import connected_components

    count, label = connected_components(chain, directed=True, connection="strong")
    rows, columns = chain.nonzero()
    return count - len(np.unique(label[rows][label[rows] != label[columns]]))


def _poisson(chain: Any) -> Callable[..., Array]:
    """Solves ``h + g - P h = r`` with ``h[0] = 0`` and `g` in its place; transposed and for (1, 0, ..) ``d P = d``."""
    import scipy.sparse as sp

    n = chain.shape[0]
    M = (sp.eye_array(n) - chain).tolil()
    M[:, 0] = np.ones((n, 1))
    return _factored(sp.csr_array(M))


def reachable(model: AverageRewardMDP) -> Array:
    """The states that some policy comes to, in order."""
    return _reached(_chain(_csr(model.P), np.ones(model.r.shape)), model.rho)
