"""Problems with continuous states: a linear system under constraints that change, and water that is stored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mdptk.core.errors import InvalidModel
from mdptk.core.models import Array, _frozen, _set


@dataclass(frozen=True, eq=False)
class OnlineControl:
    r"""A linear system :math:`x_{t+1} = F x_t + G u_t + w_t` from zero, with costs and limits that an adversary chose.

    In step t it costs :math:`\tfrac12 q_t (\|x_t\|^2 + \|u_t\|^2)`, and :math:`e \cdot x_t` must not exceed
    :math:`\ell_t`. Controllers are :math:`u_t = -K x_t + \sum_{i \le h} M_i w_{t-i}`, with parameters
    ``M[i, :, :]`` of Frobenius norm at most `radius`, and a K that brings the state to zero in finitely many steps.

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

    def __post_init__(self) -> None:
        for name in ("F", "G", "K", "w", "q", "e", "limit"):
            _set(self, **{name: _frozen(getattr(self, name), name)})
        n, d = self.G.shape
        wanted = {"F": (n, n), "K": (d, n), "w": (len(self.w), n), "e": (n,)}
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
        """Number of steps."""
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

    def __repr__(self) -> str:
        return f"OnlineControl(n={self.S}, d={self.A}, T={self.T}, h={self.h})"


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
