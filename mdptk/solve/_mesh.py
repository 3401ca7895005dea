r"""Beyond one machine: value iteration and modified policy iteration over a mesh of JAX devices, on one host or many.

The states are cut into one block per device. A device holds the rows of ``P`` of its block and the values of its block;
a backup gathers the values of all and is then local:

.. math:: v^{(k)} \leftarrow \max_a \big(r^{(k)} + \gamma P^{(k)} v\big), \qquad v = (v^{(1)}, \dots, v^{(n)}).

Sparse rows are padded to one length (ELL), which devices like; what is longer than twice the mean goes into a list of
triplets beside them. Every decision is made on numbers that were reduced over all devices, so all hosts agree on it.

The devices only guess. The bounds are those of `certificates`, computed by every host from its own rows in the widest
float: the extremes over all hosts are five numbers per block.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mdptk.core.errors import InvalidHyperparameter, InvalidModel, MdptkError, NotConverged
from mdptk.core.exact import one_hot
from mdptk.core.models import MDP, Array, check_discount, check_distributions, check_rows, is_sparse
from mdptk.solve.certificates import WIDE, _shift, _up, float_above, float_below, moduli, rounding
from mdptk.solve.solution import Solution, Unsupported

if TYPE_CHECKING:
    from jax.sharding import Mesh

METHODS = {"vi": (0, 1_000_000), "mpi": (100, 10_000)}  # sweeps under one policy, and greedy backups, at most
FLATTER = 0.01  # sweeps under a policy stop when the residual is this much flatter than the greedy one was
PATIENCE = 100  # greedy backups without progress: float64 has given what it can
SILENCE = 20  # seconds of silence after which a process is taken for dead
LONG = 2  # rows longer than this many times the mean are not padded to


@dataclass(frozen=True, eq=False)
class ShardedMDP:
    """A discounted model that no host has to hold: each asks for the rows of its own states.

    Parameters
    ----------
    S, A, gamma
        Number of states, number of actions, discount in [0, 1).
    load
        ``load(states) -> (P, r)`` for a range of consecutive states: ``P[s, a, s']`` of these, dense of shape
        (n, A, S) or sparse of shape (n * A, S), and ``r[s, a]``, shape (n, A). It is called once for every device of
        this host; which states that will be, `states_of` tells beforehand.

    Examples
    --------
    >>> import numpy as np
    >>> def ring(states):  # stay, or go to the next of 6 states; 5 pays
    ...     P = np.zeros((len(states), 2, 6))
    ...     for i, s in enumerate(states):
    ...         P[i, 0, s] = P[i, 1, (s + 1) % 6] = 1
    ...     return P, np.array([[float(s == 5)] * 2 for s in states])
    >>> on_mesh(ShardedMDP(6, 2, 0.5, ring)).value.round(4)
    array([0.0625, 0.125 , 0.25  , 0.5   , 1.    , 2.    ])
    """

    S: int
    A: int
    gamma: float
    load: Callable[[range], tuple[Any, Any]]

    def __post_init__(self) -> None:
        check_discount(self.gamma)
        for name in ("S", "A"):
            if getattr(self, name) < 1:
                raise InvalidModel(f"{name} = {getattr(self, name)}: a model needs at least one state and one action")

    def __repr__(self) -> str:
        return f"ShardedMDP(S={self.S}, A={self.A}, gamma={self.gamma:g})"


def states_of(S: int, k: int, n: int) -> range:
    """The states of block `k` of `n`: blocks of one size, the last ones shorter.

    Examples
    --------
    >>> [states_of(10, k, 4) for k in range(4)]
    [range(0, 3), range(3, 6), range(6, 9), range(9, 10)]
    """
    size = -(-S // n)
    return range(min(S, k * size), min(S, (k + 1) * size))


def on_mesh(problem: Any, *, tol: float = 1e-8, method: str = "mpi", mesh: Mesh | None = None) -> Solution:
    """Solve a discounted model on many devices, with the same proof as `solve`.

    Where several hosts take part (`jax.distributed` is initialised, by `join` or by a launcher of your own), all of
    them make this call with the same arguments, and all get the same answer. Results do not depend on the number of
    devices but for rounding, and the bounds include that.

    Parameters
    ----------
    problem
        One `MDP`, dense or sparse, of which each host uses its rows only; or a `ShardedMDP`, of which each host loads
        its rows only. A host keeps them twice, as given and on its devices.
    tol
        Largest distance of the bounds, positive, in the units of the value.
    method
        ``"mpi"`` (modified policy iteration) or ``"vi"`` (value iteration).
    mesh
        The devices, in whatever shape; all that there are if None.

    Raises
    ------
    NotConverged
        If the bounds did not come within `tol`: values are kept in float64 here, and `solve` may get further.
    InvalidModel
        If the loaded rows are no rows of a model.
    InvalidHyperparameter
        If `tol` is not positive or `method` is unknown.
    Unsupported
        For other types of problem.

    Examples
    --------
    >>> from mdptk.problems.teaching import two_state
    >>> on_mesh(two_state(gamma=0.75)).value.round(9)
    array([3., 4.])
    """
    start = time.perf_counter()
    if not isinstance(problem, MDP | ShardedMDP):
        raise Unsupported(f"on_mesh solves MDP and ShardedMDP, not {type(problem).__name__}")
    if isinstance(problem, MDP) and problem.batch:
        raise InvalidModel(f"on_mesh takes one model at a time, not {problem!r}")
    if not 0 < tol < np.inf:
        raise InvalidHyperparameter(f"tol = {tol} is not a positive number")
    if method not in METHODS:
        raise InvalidHyperparameter(f"method = {method!r} is not one of {', '.join(METHODS)}")
    import jax  # only where something is solved on devices

    with jax.enable_x64(True), np.errstate(over="ignore", invalid="ignore"):
        devices = np.asarray(jax.devices() if mesh is None else mesh.devices).ravel()
        work = _Work(problem, devices)
        lower, upper, actions, iterations = work.solve(tol, *METHODS[method])
    value, policy = lower + (upper - lower) / 2, one_hot(actions, problem.A)
    for x in (value, policy, lower, upper):
        x.setflags(write=False)
    hosts = len({d.process_index for d in devices})
    reason = f"asked for; {len(devices)} devices on {hosts} host{'s' * (hosts > 1)}"
    return Solution(value, policy, lower, upper, iterations, time.perf_counter() - start, method, reason)


@contextmanager
def join(hosts: Sequence[str], rank: int, timeout: int = 300) -> Iterator[None]:
    """Connect this process with the others for the time of a ``with`` block: ``mdptk solve --hosts``.

    It comes before anything else that JAX does, in a process that has nothing else to do: Ctrl-C ends it at once,
    because a process that waits for the others inside JAX hears of nothing else; an error of this process alone is
    printed and ends it, because the end that JAX has in mind waits for the others; and where another one dies or does
    not come within `timeout` seconds, JAX ends this one with a message of its own.

    Parameters
    ----------
    hosts
        Every process as ``"host:port"``, the same list for all. They meet at the first one, which listens on that port.
    rank
        Which of them this process is, from 0 on.

    Raises
    ------
    InvalidHyperparameter
        If the list or the rank make no sense.
    """
    if not 0 <= rank < len(hosts):
        raise InvalidHyperparameter(f"rank = {rank} is none of the {len(hosts)} hosts, which count from 0")
    name, _, port = hosts[0].rpartition(":")
    if not name or not port.isdigit() or not 0 < int(port) < 2**16:
        raise InvalidHyperparameter(f"the first host is {hosts[0]!r}, expected host:port with a port below 65536")
    import jax
    from jax.experimental.multihost_utils import sync_global_devices

    jax.config.update("jax_enable_preemption_service", False)  # it would catch SIGTERM
    with _dying_of_interrupts():
        try:
            with _standard_output_to_errors():  # where Gloo says that it is connected
                jax.distributed.initialize(
                    hosts[0],
                    len(hosts),
                    rank,
                    initialization_timeout=timeout,
                    heartbeat_timeout_seconds=SILENCE,
                )
                sync_global_devices("join")
            yield
        except NotConverged:  # an answer that all have got
            jax.distributed.shutdown()
            raise
        except (RuntimeError, OSError, MdptkError) as error:
            print(f"process {rank} of {len(hosts)}: {error}", file=sys.stderr, flush=True)  # noqa: T201
            os._exit(2)
        jax.distributed.shutdown()


@contextmanager
def _dying_of_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


@contextmanager
def _standard_output_to_errors() -> Iterator[None]:
    """For what is not written by Python."""
    keep = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(keep, 1)
        os.close(keep)


# on the host -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Block:
    """The rows of one device, as the host keeps them; `moduli` takes it for a model."""

    states: range
    P: Any  # (n * A, S), dense or CSR
    r: Array  # (n, A)
    gamma: float


def _block(problem: MDP | ShardedMDP, states: range) -> _Block:
    S, A = problem.S, problem.A
    rows = slice(states.start * A, states.stop * A)
    if isinstance(problem, MDP):
        P = problem.P[rows] if problem.sparse else problem.P.reshape(S * A, S)[rows]
        return _Block(states, P, problem.r[states.start : states.stop], problem.gamma)
    if not states:  # a device too many: it gets no state of the last
        b = _block(problem, range(S - 1, S))
        return _Block(states, b.P[:0], b.r[:0], b.gamma)
    P, r = problem.load(states)
    r = np.asarray(r, dtype=np.float64)
    n, first = len(states), states.start
    if r.shape != (n, A) or not np.isfinite(r).all():
        raise InvalidModel(f"r of {states} has shape {r.shape}, expected ({n}, {A}) of finite numbers")
    if is_sparse(P):
        P = P.tocsr().astype(np.float64)
    else:
        P = np.asarray(P, dtype=np.float64)
        P = P.reshape(-1, P.shape[-1]) if P.shape == (n, A, S) else P
    if P.shape != (n * A, S):
        raise InvalidModel(f"P of {states} has shape {P.shape}, expected ({n}, {A}, {S}), or ({n * A}, {S}) if sparse")
    if is_sparse(P):
        check_rows(P, A, first)
    else:
        check_distributions(P.reshape(n, A, S), f"in {states}, counted from 0: P")
    return _Block(states, P, r, problem.gamma)


class _Work:
    """A model on a mesh."""

    def __init__(self, problem: MDP | ShardedMDP, devices: Array) -> None:
        import jax
        from jax.sharding import Mesh, NamedSharding, PartitionSpec

        self.S, self.A, self.gamma, self.n = problem.S, problem.A, problem.gamma, len(devices)
        self.size = -(-self.S // self.n)  # of a block
        self.mesh = Mesh(devices, ("rows",))
        self.sharding = NamedSharding(self.mesh, PartitionSpec("rows"))
        mine = [k for k, d in enumerate(devices) if d.process_index == jax.process_index()]
        if not mine:
            raise MdptkError(f"no device of process {jax.process_index()} is on the mesh {self.mesh}")
        self.blocks = {k: _block(problem, states_of(self.S, k, self.n)) for k in mine}
        self._moduli()
        self.rows = self._on_devices()
        self.greedy, self.improve, self.everywhere = _compiled(self.mesh)

    def _moduli(self) -> None:
        def of(b: _Block) -> list[Any]:
            low, high = moduli(b) if b.states else (np.inf, -np.inf)
            return [-low, high]

        low, high = self._maxima(of)
        self.low, self.high = -low, high
        if not high < 1:
            raise NotConverged(
                f"gamma = {self.gamma!r} times the largest row sum of P may reach {float(high)!r}: no contraction",
                float("inf"),
            )

    def _maxima(self, of: Callable[[_Block], list[Any]]) -> Array:
        """The maxima over all blocks of all hosts of some numbers, each rounded up to float64."""
        return self._all(lambda b: float_above(np.array(of(b), WIDE))[None], 1).max(0).astype(WIDE)

    def _put(self, make: Callable[[_Block], Array], size: int) -> Any:
        """An array on the mesh, of the parts that `make` makes, each of length `size`."""
        import jax

        parts = {k: make(b) for k, b in self.blocks.items()}
        some = next(iter(parts.values()))
        shape = (self.n * size, *some.shape[1:])

        def part(index: Any) -> Array:
            return parts[(index[0].start or 0) // size]

        return jax.make_array_from_callback(shape, self.sharding, part, dtype=some.dtype)

    def _all(self, make: Callable[[_Block], Array], size: int) -> Array:
        """The same array on every host, as numpy."""
        return np.asarray(_compiled(self.mesh).everywhere(self._put(make, size)))

    def _on_devices(self) -> Any:
        """The model for the devices, padded to blocks of one size with states that pay nothing."""
        S, A, size = self.S, self.A, self.size
        sparse, longest, transitions = self._all(lambda b: np.array([_facts(b)]), 1).T
        if sparse.min() != sparse.max():
            raise InvalidModel("some blocks of rows are dense and some are sparse")
        r = self._put(lambda b: _padded(b.r, size), size)
        real = self._put(lambda b: np.arange(size) < len(b.states), size)
        if not sparse.any():
            return _Dense(self._put(lambda b: _padded(b.P.reshape(-1, A, S), size), size), r, real)
        width = int(min(longest.max(), np.ceil(LONG * transitions.sum() / (S * A))))
        ell = {b: _ell(b, width) for b in self.blocks.values()}
        tail = int(self._all(lambda b: np.array([float(len(ell[b][2]))]), 1).max())
        sizes = (size, size, tail, tail, tail) if tail else (size, size)
        return _Sparse(r, real, *(self._put(lambda b: _padded(ell[b][j], n), n) for j, n in enumerate(sizes)))  # noqa: B023

    def solve(self, tol: float, most: int, limit: int) -> tuple[Array, Array, Array, int]:
        """Bounds that are `tol` apart, greedy actions, and the number of greedy backups."""
        gamma, size = self.gamma, self.size
        v = self._put(lambda b: _padded(b.r.max(1, initial=-np.inf), size), size)
        flat, ask = (1 - gamma) * tol / 4, tol / 2
        reached, least, idle, k = np.inf, np.inf, 0, 0
        for k in range(1, limit):
            w, actions, low, high = self.greedy(self.rows, gamma, v)
            low, high = float(low), float(high)
            span = high - low
            if not np.isfinite(span):
                break
            least, idle = (span, 0) if span < least else (least, idle + 1)
            if gamma * span <= (1 - gamma) * ask or idle >= PATIENCE:
                guess = np.asarray(self.everywhere(v))[: self.S] + (low + high) / (2 * (1 - gamma))
                lower, upper, best = self._bounds(guess)
                width = float((upper - lower).max())
                reached = min(reached, width) if width >= 0 else reached
                if width <= tol:
                    return lower, upper, best, k
                if idle >= PATIENCE or span == 0:
                    break
                ask /= 4
            v = self.improve(self.rows, gamma, w, actions, low, high, max(FLATTER * span, flat), most)
        raise NotConverged(f"bounds {reached:.3g} apart after {k} backups over the mesh, tol = {tol:.3g}", reached)

    def _bounds(self, v: Array) -> tuple[Array, Array, Array]:
        """Those of `bracket`, whose maxima here go over all hosts."""
        v, S, size = v.astype(WIDE), self.S, self.size
        q = {b: b.r + self.gamma * (b.P @ v).reshape(b.r.shape) for b in self.blocks.values()}
        w = {b: x.max(-1) for b, x in q.items()}

        def of(b: _Block) -> list[Any]:
            if not b.states:
                return [-np.inf] * 3
            residual = w[b] - v[b.states.start : b.states.stop]
            return [rounding(b.P, b.r, v), residual.max(), (-residual).max()]

        noise, top, bottom = self._maxima(of)
        above, below = (_shift(x, noise, self.low, self.high) for x in (top, bottom))
        upper = self._all(lambda b: _padded(float_above(_up(_up(w[b] + noise) + above)), size), size)
        lower = self._all(lambda b: _padded(float_below(-_up(_up(noise - w[b]) + below)), size), size)
        actions = self._all(lambda b: _padded(q[b].argmax(-1), size), size)
        return lower[:S].copy(), upper[:S].copy(), actions[:S]


def _facts(b: _Block) -> tuple[float, float, float]:
    """Whether it is sparse; then the length of the longest row, and the number of transitions."""
    if not is_sparse(b.P):
        return 0.0, 0.0, 0.0
    return 1.0, float(np.diff(b.P.indptr).max(initial=0)), float(b.P.nnz)


def _padded(x: Array, n: int) -> Array:
    """`x` with zeros behind, of length `n`."""
    out = np.zeros((n, *x.shape[1:]), x.dtype)
    out[: len(x)] = x
    return out


def _ell(b: _Block, width: int) -> tuple[Array, Array, Array, Array, Array]:
    """Columns and weights (n, A, width) of the first entries of the rows; row, column, weight (k,) of the others."""
    rows = b.P.shape[0]
    place = np.arange(b.P.nnz) - np.repeat(b.P.indptr[:-1], np.diff(b.P.indptr))
    row = np.repeat(np.arange(rows), np.diff(b.P.indptr))
    columns, weights = np.zeros((rows, width), b.P.indices.dtype), np.zeros((rows, width))
    first = place < width
    columns[row[first], place[first]] = b.P.indices[first]
    weights[row[first], place[first]] = b.P.data[first]
    shape = (*b.r.shape, width)
    return columns.reshape(shape), weights.reshape(shape), row[~first], b.P.indices[~first], b.P.data[~first]


# on the devices --------------------------------------------------------------------------------------------------


class _Dense(NamedTuple):
    P: Any  # (n, A, S)
    r: Any  # (n, A)
    real: Any  # (n,): not padding

    def q(self, v: Any) -> Any:
        """``P v``, shape (n, A)."""
        n, A, S = self.P.shape
        return (self.P.reshape(n * A, S) @ v[:S]).reshape(n, A)

    def under(self, actions: Any) -> Callable[[Any], Any]:
        """The function from `v` to ``P_pi v``, shape (n,)."""
        import jax.numpy as jnp

        P = jnp.take_along_axis(self.P, actions[:, None, None], 1)[:, 0]
        return lambda v: P @ v[: P.shape[1]]


class _Sparse(NamedTuple):
    r: Any
    real: Any
    columns: Any  # (n, A, width)
    weights: Any
    row: Any = None  # (k,): s * A + a, counted from the block's first; None if no row is longer than the width
    column: Any = None
    weight: Any = None

    def q(self, v: Any) -> Any:
        """``P v``, shape (n, A)."""
        import jax

        n, A = self.r.shape
        q = (self.weights * v[self.columns]).sum(-1)
        if self.row is None:
            return q
        return q + jax.ops.segment_sum(self.weight * v[self.column], self.row, n * A).reshape(n, A)

    def under(self, actions: Any) -> Callable[[Any], Any]:
        """The function from `v` to ``P_pi v``, shape (n,)."""
        import jax
        import jax.numpy as jnp

        n, A = self.r.shape
        columns, weights = (
            jnp.take_along_axis(x, actions[:, None, None], 1)[:, 0] for x in (self.columns, self.weights)
        )
        if self.row is None:
            return lambda v: (weights * v[columns]).sum(-1)
        state = self.row // A
        weight = jnp.where(actions[state] == self.row % A, self.weight, 0.0)
        return lambda v: (weights * v[columns]).sum(-1) + jax.ops.segment_sum(weight * v[self.column], state, n)


class _Compiled(NamedTuple):
    greedy: Callable[..., Any]
    improve: Callable[..., Any]
    everywhere: Callable[..., Any]


@lru_cache(maxsize=16)
def _compiled(mesh: Mesh) -> _Compiled:
    import jax
    import jax.numpy as jnp
    from jax.sharding import NamedSharding, PartitionSpec

    cut, whole = PartitionSpec("rows"), PartitionSpec()
    gathered = partial(jax.lax.all_gather, axis_name="rows", tiled=True)

    def extremes(d: Any, real: Any) -> tuple[Any, Any]:
        low = jax.lax.pmin(jnp.where(real, d, jnp.inf).min(), "rows")
        return low, jax.lax.pmax(jnp.where(real, d, -jnp.inf).max(), "rows")

    def greedy(rows: Any, gamma: Any, v: Any) -> Any:
        q = rows.r + gamma * rows.q(gathered(v))
        w = q.max(-1)
        return w, q.argmax(-1), *extremes(w - v, rows.real)

    def improve(rows: Any, gamma: Any, w: Any, actions: Any, low: Any, high: Any, flat: Any, most: Any) -> Any:
        """Sweeps under the greedy policy, between two shifts to where they lead."""
        r, P = jnp.take_along_axis(rows.r, actions[:, None], 1)[:, 0], rows.under(actions)

        def shift(v: Any, low: Any, high: Any) -> Any:
            return v + gamma / (1 - gamma) * (low + high) / 2

        def sweep(carry: Any) -> Any:
            k, v, _, _ = carry
            w = r + gamma * P(gathered(v))
            return k + 1, w, *extremes(w - v, rows.real)

        start = (0, shift(w, low, high), low, high)
        k, v, low, high = jax.lax.while_loop(lambda c: (c[0] < most) & (c[3] - c[2] > flat), sweep, start)
        return jnp.where(k > 0, shift(v, low, high), v)

    def sharded(f: Callable[..., Any], inputs: Any, outputs: Any) -> Callable[..., Any]:
        return jax.jit(jax.shard_map(f, mesh=mesh, in_specs=inputs, out_specs=outputs, check_vma=False))

    return _Compiled(
        sharded(greedy, (cut, whole, cut), (cut, cut, whole, whole)),
        sharded(improve, (cut, whole, cut, cut, whole, whole, whole, whole), cut),
        jax.jit(lambda x: x, out_shardings=NamedSharding(mesh, whole)),
    )
