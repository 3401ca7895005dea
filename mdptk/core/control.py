"""Problems with continuous states: a linear system under constraints that change, and water that is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from mdptk.core.errors import Infeasible, InvalidModel, NotConverged
from mdptk.core.models import Array, _frozen, _set

TIGHT = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11}  # of a projection


@dataclass(frozen=True, eq=False)
class OnlineControl:
    r"""A linear system :math:`x_{t+1} = F x_t + G u_t + w_t` from zero, with costs and limits that an adversary chose.

    In step t it costs :math:`\tfrac12 q_t (\|x_t\|^2 + \|u_t\|^2)`, and :math:`e \cdot x_t` must not exceed
    :math:`\ell_t`, which is known afterwards. Known before, and the same in every step, are static constraints,
    :math:`D (x_t, u_t) \leq b`. Controllers are :math:`u_t = -K x_t + \sum_{i \le h} M_i w_{t-i}`, with parameters
    ``M[i, :, :]`` of Frobenius norm at most `radius`, and a K that brings the state to zero in finitely many stepsilon.

    Parameters
    ----------
    F, G, K
        Matrices (n, n), (n, d) and (d, n), with :math:`(F - GK)^n = 0`: the state then depends on the last n inputs
        and disturbances alone, exactly.
    w
        Disturbances ``w[t, :]``, (T, n).
    q
        Weights ``q[t]`` of the cost, positive.
    e, limit
        Direction (n,) and limits ``limit[t]`` of the constraint.
    h
        Number of disturbances that a controller remembers.
    radius
        Bound on the norm of its parameters.
    D, b
        Static constraints, (j, n + d) and (j,): none if not given.
    """

    F: Any
    G: Any
    K: Any
    w: Any
    q: Any
    e: Any
    limit: Any
    h: int = 3
    radius: float = 2.0
    D: Any = None
    b: Any = None

    def __post_init__(self) -> None:
        for name in ("F", "G", "K", "w", "q", "e", "limit"):
            _set(self, **{name: _frozen(getattr(self, name), name)})
        n, d = self.G.shape
        if self.D is None or np.size(self.D) == np.size(self.b) == 0:  # as printed: [] has no second axis
            _set(self, D=_frozen(np.zeros((0, n + d)), "D"), b=_frozen([], "b"))
        else:
            _set(self, D=_frozen(self.D, "D"), b=_frozen(self.b, "b"))
        wanted = {"F": (n, n), "K": (d, n), "w": (len(self.w), n), "e": (n,), "D": (len(np.atleast_1d(self.b)), n + d)}
        wanted |= {"q": (len(self.w),), "limit": (len(self.w),)}
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise InvalidModel(f"{name} has shape {getattr(self, name).shape}, expected {shape}")
        left = abs(np.linalg.matrix_power(self.F - self.G @ self.K, n)).max()
        if left > 1e-12:
            raise InvalidModel(f"(F - G K)^{n} has an entry of size {left:.3g}: K must bring the state to zero")
        if self.q.min() <= 0:
            raise InvalidModel(f"q[{int(self.q.argmin())}] = {self.q.min():.6g} is not positive")

    @property
    def S(self) -> int:
        """Dimension of the state."""
        return self.G.shape[0]

    @property
    def A(self) -> int:
        """Dimension of the input."""
        return self.G.shape[1]

    @property
    def T(self) -> int:
        """Number of stepsilon."""
        return len(self.w)

    @cached_property
    def response(self) -> tuple[Array, Array]:
        """State and input of each step as functions of constant parameters: (T, n + d), and (T, n + d, h * d * n)."""
        n, d = self.G.shape
        closed = self.F - self.G @ self.K
        past = np.concatenate([np.zeros((n + self.h + 1, n)), self.w])  # past[t + n + h + 1] is w_t
        at = np.arange(self.T) + n + self.h + 1
        # v_t = sum_i M_i w_{t-i} is linear in M: v_t = Phi_t M
        Phi = np.zeros((self.T + n, d, self.h, d, n))  # of times -n .. T - 1
        for i in range(self.h):
            for j in range(d):
                Phi[:, j, i, j] = past[np.arange(-n, self.T) + n + self.h + 1 - (i + 1)]
        Phi = Phi.reshape(self.T + n, d, -1)
        x0, X, power = np.zeros((self.T, n)), np.zeros((self.T, n, Phi.shape[-1])), np.eye(n)
        for k in range(n):
            x0 += past[at - 1 - k] @ power.T
            X += np.einsum("ij,tjm->tim", power @ self.G, Phi[np.arange(self.T) + n - 1 - k])
            power = power @ closed
        u0, U = -x0 @ self.K.T, Phi[n:] - np.einsum("ij,tjm->tim", self.K, X)
        return np.concatenate([x0, u0], 1), np.concatenate([X, U], 1)

    def room(self, z: Array) -> float:
        """What a state and input (n + d,) leave of the static constraint that they come closest to; 0 without any."""
        return float((self.b - self.D @ z).min()) if len(self.b) else 0.0

    @property
    def W(self) -> float:
        """The largest disturbance in one coordinate, which a controller knows: static constraints hold up to it."""
        return float(abs(self.w).max(initial=0.0))

    @cached_property
    def pulses(self) -> tuple[Array, Array]:
        """What D (x, u) answers to a unit of w, 1 .. n + h steps later, lags first: (j, l), and (j, l, h * d * n)."""
        n, L = self.S, self.S + self.h + 1
        answers = []
        for i in range(n):
            w = np.zeros((L, n))
            w[0, i] = 1.0
            answers.append(replace(self, w=w, q=np.ones(L), limit=np.zeros(L)).response)
        there, move = (np.stack([x[part][1:] for x in answers], 1) for part in (0, 1))  # (l, n, n + d, ...)
        there, move = there.reshape(-1, there.shape[2]), move.reshape(-1, *move.shape[2:])
        return np.einsum("jz,lz->jl", self.D, there), np.einsum("jz,lzm->jlm", self.D, move)

    def worst(self, M: Array) -> Array:
        """By how much constant parameters exceed each static constraint under the worst disturbances up to W, (j,)."""
        there, move = self.pulses
        return self.W * abs(there + move @ M).sum(-1) - self.b

    def worst_of(self, M: Any) -> list[Any]:
        """The same of a cvxpy variable: convex expressions."""
        import cvxpy as cp

        rows = zip(*self.pulses, self.b, strict=True)
        return [self.W * cp.norm1(one + more @ M) - b for one, more, b in rows]

    @cached_property
    def reach(self) -> Array:
        """How much the k + 1st last parameters, off by a unit of norm, move each static constraint: at most (j, n)."""
        n, out, power = self.S, [], np.eye(self.S)
        for _ in range(n):
            out.append(np.linalg.norm(self.D @ np.concatenate([power, -self.K @ power]) @ self.G, axis=-1))
            power = (self.F - self.G @ self.K) @ power
        return self.W * np.sqrt(self.h * n) * np.stack(out, -1)

    def nearest(self, M: Array, epsilon: float = 0.0) -> Array:
        """The nearest parameters in the ball of the radius that keep `epsilon` from static constraints, at worst.

        Raises
        ------
        Infeasible
            If there are none.
        NotConverged
            If the solver does not find them as exactly as `TIGHT` asks.
        """
        scaled = M * min(1.0, self.radius / max(float(np.linalg.norm(M)), 1e-300))
        if not len(self.b) or self.worst(scaled).max() <= -epsilon:
            return scaled  # nearest in the ball, and allowed
        program, x, to, spare = self._program
        to.value, spare.value = M, np.array(epsilon)
        with catch_warnings():
            simplefilter("ignore")  # what it would warn of is an error here
            program.solve(solver="CLARABEL", **TIGHT)
        if program.status == "infeasible":
            raise Infeasible(
                f"no parameters of norm {self.radius:g} keep epsilon = {epsilon:g} from the static constraints of "
                f"{self!r} under disturbances up to {self.W:.6g}: worst(0) = {self.worst(0 * M).tolist()}"
            )
        if program.status != "optimal":
            raise NotConverged(f"the projection on what {self!r} allows: {program.status}")
        return np.asarray(x.value)

    @cached_property
    def _program(self) -> tuple[Any, Any, Any, Any]:
        """The projection as a program, and its variable and parameters."""
        import cvxpy as cp

        n = self.pulses[1].shape[-1]
        x, to, spare = cp.Variable(n), cp.Parameter(n), cp.Parameter()
        rules = [cp.norm(x) <= self.radius, *(left + spare <= 0 for left in self.worst_of(x))]
        return cp.Problem(cp.Minimize(cp.sum_squares(x - to)), rules), x, to, spare

    def __repr__(self) -> str:
        static = f", static={len(self.b)}" if len(self.b) else ""
        return f"OnlineControl(n={self.S}, d={self.A}, T={self.T}, h={self.h}{static})"


@dataclass(frozen=True, eq=False)
class Dispatch:
    r"""Hydrothermal dispatch with one reservoir: burn, release, or store for later.

    In stage t of T the inflow :math:`\omega_t` comes, and release u and thermal power g meet the demand,
    :math:`u + g \ge D_t`, with :math:`0 \le g \le` `burn` at a cost `price` in the first half of it and thrice that in
    the second; what is left is unserved at `shed`. The storage stays in [0, `full`], what is too much is spilt. A rule
    names targets for the storage at the end of each stage; missing one costs `miss` per unit.

    Parameters
    ----------
    inflow
        Scenarios ``inflow[k, t]``, equally likely.
    demand
        ``demand[t]``.
    start, full
        First and largest storage.
    burn, price, shed, miss
        As above.

    Examples
    --------
    >>> Dispatch(inflow=[[1.0, 0.0]], demand=[1.0, 1.0])
    Dispatch(scenarios=1, T=2)
    """

    inflow: Any
    demand: Any
    start: float = 1.0
    full: float = 3.0
    burn: float = 1.0
    price: float = 1.0
    shed: float = 10.0
    miss: float = 4.0

    def __post_init__(self) -> None:
        inflow, demand = _frozen(self.inflow, "inflow"), _frozen(self.demand, "demand")
        if inflow.ndim != 2 or demand.shape != inflow.shape[1:]:
            raise InvalidModel(
                f"inflow and demand have shapes {inflow.shape} and {demand.shape}, expected (K, T) and (T,)"
            )
        if inflow.min() < 0 or demand.min() < 0:
            raise InvalidModel(f"least inflow {inflow.min():.6g}, least demand {demand.min():.6g}: negative")
        if not 0 <= self.start <= self.full:
            raise InvalidModel(f"start = {self.start} is not in [0, full = {self.full}]")
        _set(self, inflow=inflow, demand=demand)

    @property
    def S(self) -> int:
        """Dimension of the state: one reservoir."""
        return 1

    @property
    def A(self) -> int:
        """Dimension of the action: one release."""
        return 1

    @property
    def T(self) -> int:
        """Number of stages."""
        return len(self.demand)

    @cached_property
    def features(self) -> Array:
        """What an affine rule sees at each stage: 1 and the inflow so far, (scenarios, T, 2)."""
        return np.stack([np.ones_like(self.inflow), np.cumsum(self.inflow, 1)], -1)

    @cached_property
    def program(self) -> tuple[Array, Any, Array, Any]:
        """Costs, equality rows, their right side, and bounds, of all scenarios: the last rows are the targets'.

        Variables of a scenario and stage: storage, release, spill, cheap power, dear power, shed, above and below the
        target. Rows: the balance of water, the demand, and the target, which is missing on the
        right side.
        """
        import scipy.sparse as sp

        N, T = self.inflow.shape
        one = sp.eye_array(N * T, format="csr")
        store = sp.eye_array(T, format="csr") - sp.eye_array(T, k=-1, format="csr")
        store = sp.kron(sp.eye_array(N), store, format="csr")
        no = sp.csr_array((N * T, N * T))
        rows = sp.vstack([
            sp.hstack([store, one, one, no, no, no, no, no]),
            sp.hstack([no, one, no, one, one, one, no, no]),
            sp.hstack([one, no, no, no, no, no, -one, one]),
        ]).tocsr()  # fmt: skip
        water = self.inflow.copy()
        water[:, 0] += self.start
        right = np.concatenate([water.ravel(), np.tile(self.demand, N)])
        prices = [0.0, 0.0, 0.0, self.price, 3 * self.price, self.shed, self.miss, self.miss]
        tops = [self.full, None, None, self.burn / 2, self.burn / 2, None, None, None]
        bounds = [(0, top) for top in tops for _ in range(N * T)]
        return np.repeat(prices, N * T) / N, rows, right, bounds

    def __repr__(self) -> str:
        return f"Dispatch(scenarios={len(self.inflow)}, T={self.T})"
