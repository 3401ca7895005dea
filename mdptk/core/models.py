r"""Exact models of decision problems: arrays, validated once, read-only afterwards.

Conventions, everywhere in mdptk: ``P[s, a, s']`` are probabilities, ``r[s, a]`` expected rewards per step,
``rho[s]`` the distribution of the first state (uniform if not given). Stage-dependent arrays carry a leading ``h``.
Dense models may carry further leading axes: a batch of models of one shape and one discount. Constructors take
array-likes, hence `Any` in the fields: after construction each is a float64 array.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mdptk.core.errors import InvalidModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

Array = np.ndarray
ROW_SUM_TOLERANCE = 1e-9  # rows read from a file of decimals sum to one only this well; nothing is renormalised
CHUNK = 2**18  # rows of a sparse kernel that are summed at a time


@dataclass(frozen=True)
class Grid:
    """How the states of a model lie on a grid, for drawing: state ``s`` is cell ``divmod(s, columns)``.

    `arrows` has one character per action; `first` states are cells, later ones (such as the absorbing state that
    a converter adds) are not.
    """

    rows: int
    columns: int
    arrows: tuple[str, ...]


def is_sparse(P: Any) -> bool:
    """Whether `P` is a scipy sparse matrix or array (without importing scipy)."""
    return hasattr(P, "tocsr")


def _frozen(x: ArrayLike, name: str) -> Array:
    try:
        x = np.array(x, dtype=np.float64)  # a copy: a caller who keeps the original cannot change the model
    except (TypeError, ValueError) as error:
        raise InvalidModel(f"{name} is not an array of numbers: {error}") from None
    if not np.isfinite(x).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise InvalidModel(f"{name}{_index(where)} = {x[where]} is not finite")
    x.setflags(write=False)
    return x


def _index(where: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, where))}]" if where else ""


def check_distributions(p: Array, name: str) -> None:
    """Raise InvalidModel unless the last axis of `p` holds probability vectors; the message names the first bad row."""
    total, low = p.sum(-1), p.min(-1, initial=0.0)
    bad = (low < 0) | (abs(total - 1) > ROW_SUM_TOLERANCE)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InvalidModel(
            f"{name}{_index(where)} is not a probability vector: sum {total[where]:.12g}, min {p[where].min():.6g}"
        )


def _distribution(rho: ArrayLike | None, batch: tuple[int, ...], S: int) -> Array:
    if rho is None:
        rho = np.broadcast_to(1.0 / S, (*batch, S))
    rho = _frozen(rho, "rho")
    if rho.shape != (*batch, S):
        raise InvalidModel(f"rho has shape {rho.shape}, expected {(*batch, S)}")
    check_distributions(rho, "rho")
    return rho


def _dense_kernel(P: ArrayLike, stages: bool) -> Array:
    letters = "[h, s, a, s']" if stages else "[s, a, s']"
    P = _frozen(P, "P")
    if P.ndim < 3 + stages:
        raise InvalidModel(f"P has shape {P.shape}, expected P{letters}")
    if P.shape[-3] != P.shape[-1]:
        raise InvalidModel(f"P has shape {P.shape}: {P.shape[-3]} states on axis s, {P.shape[-1]} on axis s'")
    if 0 in P.shape:
        raise InvalidModel(f"P has shape {P.shape}: a model needs at least one state and one action")
    check_distributions(P, "P")
    return P


def check_rows(P: Any, A: int, first: int = 0) -> None:
    """Raise InvalidModel unless the rows of a CSR `P` are those of states from `first` on, with `A` actions each."""
    low, high = P.data.min(initial=0.0), P.data.max(initial=0.0)  # nan if anything is; no mask as long as P
    if not (low >= 0 and high < np.inf):
        k = int(np.flatnonzero(~np.isfinite(P.data) | (P.data < 0))[0])
        row = int(np.searchsorted(P.indptr, k, side="right") - 1)
        raise InvalidModel(f"P[{first + row // A}, {row % A}, {P.indices[k]}] = {P.data[k]} is not a probability")
    ones = np.ones(P.shape[1])
    for begin in range(0, P.shape[0], CHUNK):  # P.sum(1) would need half as much memory as P
        total = P[begin : begin + CHUNK] @ ones
        bad = np.flatnonzero(abs(total - 1) > ROW_SUM_TOLERANCE)
        if bad.size:
            row = begin + int(bad[0])
            raise InvalidModel(
                f"P[{first + row // A}, {row % A}] is not a probability vector: sum {total[bad[0]]:.12g}, "
                f"{P.indptr[row + 1] - P.indptr[row]} entries"
            )


def _locked(x: Any) -> bool:
    return isinstance(x, np.ndarray) and not x.flags.writeable and (x.base is None or _locked(x.base))


def _owned(P: Any) -> bool:
    """Whether `P` is CSR as models keep it, in arrays that nobody can write to: then it is shared, not copied."""
    return (
        type(P).__name__ == "csr_array"
        and P.dtype == np.float64
        and all(map(_locked, (P.data, P.indices, P.indptr)))
        and bool(P.has_canonical_format)
    )


def _sparse_kernel(P: Any) -> Any:
    import scipy.sparse as sp  # only for models that are sparse: scipy.sparse costs half a second

    if not _owned(P):  # one copy: scipy's own makes two on the way
        P = sp.csr_array(P)
        P = sp.csr_array((np.array(P.data, np.float64), P.indices.copy(), P.indptr.copy()), shape=P.shape)
        P.sum_duplicates()
    if max(P.nnz, *P.shape) < 2**31:  # two thirds of the memory, and of the time of a backup
        P.indices, P.indptr = P.indices.astype(np.int32, copy=False), P.indptr.astype(np.int32, copy=False)
    SA, S = P.shape
    if S == 0 or SA == 0 or SA % S:
        raise InvalidModel(f"sparse P has shape {P.shape}, expected (S * A, S) with row s * A + a")
    check_rows(P, SA // S)
    for part in (P.data, P.indices, P.indptr):
        part.setflags(write=False)
        if isinstance(part.base, np.ndarray):  # sum_duplicates keeps the first part of its arrays
            part.base.setflags(write=False)
    return P


def _check_rewards(r: Array, shape: tuple[int, ...], letters: str) -> None:
    if r.shape != shape:
        raise InvalidModel(f"r has shape {r.shape}, expected {shape} = r{letters}")


def check_discount(gamma: float) -> float:
    """`gamma` as a float; raise InvalidModel unless it lies in [0, 1)."""
    gamma = float(gamma)
    if not 0 <= gamma < 1:
        raise InvalidModel(
            f"gamma = {gamma} is not in [0, 1); undiscounted problems are FiniteHorizonMDP or AverageRewardMDP"
        )
    return gamma


def _set(model: Any, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(model, name, value)


class _Sizes:
    """Sizes read off the arrays."""

    P: Any
    r: Any

    @property
    def S(self) -> int:
        """Number of states."""
        return self.r.shape[-2]

    @property
    def A(self) -> int:
        """Number of actions."""
        return self.r.shape[-1]


@dataclass(frozen=True, eq=False)
class MDP(_Sizes):
    r"""Discounted Markov decision process :math:`(P, r, \gamma, \rho)`.

    Parameters
    ----------
    P
        Transition probabilities ``P[s, a, s']``, dense of shape (..., S, A, S); or sparse of shape (S * A, S), row
        ``s * A + a``, stored as CSR.
    r
        Expected reward per step ``r[s, a]``, shape (..., S, A), any finite values.
    gamma
        Discount in [0, 1).
    rho
        Distribution of the first state, shape (..., S); uniform if None.
    grid
        How to draw the states on a grid, if they lie on one.

    Raises
    ------
    InvalidModel
        Naming the first offending row and its values. Rows must sum to one within 1e-9 and are kept as given.

    Examples
    --------
    >>> MDP(P=[[[1.0]]], r=[[1.0]], gamma=0.5)
    MDP(S=1, A=1, gamma=0.5)
    """

    P: Any
    r: Any
    gamma: float
    rho: Any = None
    grid: Grid | None = field(default=None, kw_only=True)

    @classmethod
    def from_triplets(
        cls, s: ArrayLike, a: ArrayLike, t: ArrayLike, p: ArrayLike, r: ArrayLike, gamma: float,
        *, S: int | None = None, A: int | None = None, rho: ArrayLike | None = None,
    ) -> MDP:  # fmt: skip
        """A sparse model from a list of transitions: see `mdptk.core.construct.from_triplets`."""
        from mdptk.core.construct import from_triplets

        return from_triplets(s, a, t, p, r, gamma, S=S, A=A, rho=rho)

    @classmethod
    def from_function(
        cls, f: Callable[[Array], tuple[Any, ...]], S: int, A: int, gamma: float,
        *, block: int = 2**14, rho: ArrayLike | None = None,
    ) -> MDP:  # fmt: skip
        """A sparse model from a function of blocks of states: see `mdptk.core.construct.from_function`."""
        from mdptk.core.construct import from_function

        return from_function(f, S, A, gamma, block=block, rho=rho)

    def __post_init__(self) -> None:
        gamma = check_discount(self.gamma)
        r = _frozen(self.r, "r")
        if is_sparse(self.P):
            P = _sparse_kernel(self.P)
            S, batch = P.shape[1], ()
            A = P.shape[0] // S
        else:
            P = _dense_kernel(self.P, stages=False)
            *batch, S, A, _ = P.shape
        _check_rewards(r, (*batch, S, A), "[s, a]")
        _set(self, P=P, r=r, gamma=gamma, rho=_distribution(self.rho, tuple(batch), S))

    @property
    def sparse(self) -> bool:
        """Whether `P` is stored as CSR."""
        return is_sparse(self.P)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of states and actions, as `Backup` has them."""
        return self.S, self.A

    @property
    def batch(self) -> tuple[int, ...]:
        """Leading axes: () for one model."""
        return self.r.shape[:-2]

    @property
    def terms(self) -> int:
        """Roundings of a backup, see `Backup`: as many as a row of ``P`` has entries, and four."""
        longest = int(np.diff(self.P.indptr).max()) if self.sparse else self.S
        return longest + 4

    def q(self, v: Any) -> Any:  # of numpy, or of jax inside a compiled run
        """One backup without the maximum, ``r + gamma P v``: values (..., S) to action values (..., S, A)."""
        return self.r + self.gamma * expect(self.P, v, self.A)

    def episodic(self, H: int) -> FiniteHorizonMDP:
        """The undiscounted problem of `H` stages with the same transitions and rewards at every stage."""
        P = self.dense().P
        return FiniteHorizonMDP(
            np.broadcast_to(P[..., None, :, :, :], (*self.batch, H, *P.shape[-3:])),
            np.broadcast_to(self.r[..., None, :, :], (*self.batch, H, self.S, self.A)),
            self.rho,
        )

    def dense(self) -> MDP:
        """The same model with `P` as a dense array of shape (S, A, S)."""
        if not self.sparse:
            return self
        return replace(self, P=self.P.toarray().reshape(self.S, self.A, self.S))

    def __repr__(self) -> str:
        batch = f", batch={self.batch}" if self.batch else ""
        stored = f", sparse, nnz={self.P.nnz}" if self.sparse else ""
        return f"MDP(S={self.S}, A={self.A}, gamma={self.gamma:g}{batch}{stored})"


@dataclass(frozen=True, eq=False)
class FiniteHorizonMDP(_Sizes):
    r"""Episodic Markov decision process of `H` stages, without discount.

    Parameters
    ----------
    P
        ``P[h, s, a, s']``, shape (..., H, S, A, S).
    r
        ``r[h, s, a]``, shape (..., H, S, A).
    rho
        Distribution of the first state of an episode, shape (..., S); uniform if None.

    Examples
    --------
    >>> MDP(P=[[[1.0]]], r=[[1.0]], gamma=0.5).episodic(3)
    FiniteHorizonMDP(H=3, S=1, A=1)
    """

    P: Any
    r: Any
    rho: Any = None

    def __post_init__(self) -> None:
        if is_sparse(self.P):
            raise InvalidModel("FiniteHorizonMDP takes a dense P[h, s, a, s']; use P.toarray()")
        P, r = _dense_kernel(self.P, stages=True), _frozen(self.r, "r")
        *batch, H, S, A, _ = P.shape
        _check_rewards(r, (*batch, H, S, A), "[h, s, a]")
        _set(self, P=P, r=r, rho=_distribution(self.rho, tuple(batch), S))

    @property
    def H(self) -> int:
        """Number of stages."""
        return self.r.shape[-3]

    @property
    def batch(self) -> tuple[int, ...]:
        """Leading axes: () for one model."""
        return self.r.shape[:-3]

    @property
    def stationary(self) -> bool:
        """Whether transitions and rewards are the same at every stage."""
        P, r = self.P, self.r
        return bool((P[..., :1, :, :, :] == P).all() and (r == r[..., :1, :, :]).all())

    def __repr__(self) -> str:
        batch = f", batch={self.batch}" if self.batch else ""
        return f"FiniteHorizonMDP(H={self.H}, S={self.S}, A={self.A}{batch})"


@dataclass(frozen=True, eq=False, repr=False)
class _Undiscounted(_Sizes):
    """What the models without discount and stages share.

    Rows are divided by their sums where they are used: a chain that loses 1e-9 of its probability per step has no long
    run.
    """

    P: Any
    r: Any
    rho: Any = None

    def __post_init__(self) -> None:
        mdp = MDP(self.P, self.r, 0.0, self.rho)
        _set(self, P=mdp.P, r=mdp.r, rho=mdp.rho)

    @property
    def sparse(self) -> bool:
        """Whether `P` is stored as CSR."""
        return is_sparse(self.P)

    @property
    def batch(self) -> tuple[int, ...]:
        """Leading axes: () for one model."""
        return self.r.shape[:-2]

    def discounted(self, gamma: float) -> MDP:
        """The discounted problem with the same transitions and rewards."""
        return MDP(self.P, self.r, gamma, self.rho)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(S={self.S}, A={self.A})"


@dataclass(frozen=True, eq=False, repr=False)
class AverageRewardMDP(_Undiscounted):
    """Markov decision process judged by its long-run average reward, of any structure.

    Parameters are those of `MDP` without the discount. Rows that sum to one only within 1e-9 stand for the same rows
    divided by their sums.

    Examples
    --------
    >>> AverageRewardMDP(P=[[[1.0]]], r=[[1.0]])
    AverageRewardMDP(S=1, A=1)
    """


@dataclass(frozen=True, eq=False)
class CMDP:
    r"""Constrained MDP: maximise :math:`V_r(\rho)` subject to :math:`V_{c_i}(\rho) \le b_i`.

    Parameters
    ----------
    mdp
        The model whose reward is maximised: an `MDP`, a `FiniteHorizonMDP` or an `AverageRewardMDP`.
    c
        Costs per step ``c[i, s, a]``, with stages ``c[i, h, s, a]``, shape m times that of `r`; one cost may be given
        without the first axis.
    b
        Budgets, shape (m,), in units of the return (discounted, of an episode, or average): a policy is feasible when
        ``V_c(rho) <= b``.

    Examples
    --------
    >>> CMDP(MDP(P=[[[1.0]]], r=[[1.0]], gamma=0.5), c=[[1.0]], b=2.0)
    CMDP(MDP(S=1, A=1, gamma=0.5), m=1)
    """

    mdp: Any
    c: Any
    b: Any

    def __post_init__(self) -> None:
        c, b = _frozen(self.c, "c"), np.atleast_1d(_frozen(self.b, "b"))
        if not isinstance(self.mdp, MDP | FiniteHorizonMDP | AverageRewardMDP):
            raise InvalidModel(f"a CMDP has an MDP, FiniteHorizonMDP or AverageRewardMDP, not {self.mdp!r}")
        stages = isinstance(self.mdp, FiniteHorizonMDP)
        shape = self.mdp.r.shape[-3 if stages else -2 :]
        c = c[None] if c.ndim == len(shape) else c
        if c.shape[1:] != shape or not c.shape[0]:
            sizes, letters = ", ".join(map(str, shape)), "i, h, s, a" if stages else "i, s, a"
            raise InvalidModel(f"c has shape {c.shape}, expected (m, {sizes}) = c[{letters}]")
        if b.shape != c.shape[:1]:
            raise InvalidModel(f"b has shape {b.shape} for {c.shape[0]} costs")
        b.setflags(write=False)
        _set(self, c=c, b=b)

    @property
    def m(self) -> int:
        """Number of constraints."""
        return len(self.b)

    @property
    def S(self) -> int:
        """Number of states."""
        return self.mdp.S

    @property
    def A(self) -> int:
        """Number of actions."""
        return self.mdp.A

    @property
    def gamma(self) -> float:
        """Discount, of a discounted problem."""
        if not isinstance(self.mdp, MDP):
            raise InvalidModel(f"{self!r} has no discount")
        return self.mdp.gamma

    def penalised(self, lam: Array) -> MDP:
        r"""The model whose reward is :math:`r - \lambda c`, what a price of each cost makes of the reward."""
        return replace(self.mdp, r=self.mdp.r - np.tensordot(lam, self.c, 1))

    def __repr__(self) -> str:
        return f"CMDP({self.mdp!r}, m={self.m})"


@dataclass(frozen=True, eq=False)
class PolicyEvaluation:
    r"""Evaluate a policy with linear features: find :math:`\theta` with :math:`\Phi\theta \approx V^\pi`.

    Parameters
    ----------
    mdp
        The model.
    pi
        The policy to be evaluated, ``pi[s, a]``; uniform if None.
    Phi
        Features ``Phi[s, i]``, shape (S, n); the identity (a table) if None.
    D
        The distribution ``D[s]`` in which states are sampled; a stationary distribution of `pi` if None. Another one
        makes the problem off-policy.

    Examples
    --------
    >>> PolicyEvaluation(MDP(P=[[[1.0]]], r=[[1.0]], gamma=0.5))
    PolicyEvaluation(MDP(S=1, A=1, gamma=0.5), n=1)
    """

    mdp: MDP
    pi: Any = None
    Phi: Any = None
    D: Any = None

    def __post_init__(self) -> None:
        mdp = self.mdp.dense()
        S, A = mdp.S, mdp.A
        pi = _frozen(np.full((S, A), 1 / A) if self.pi is None else self.pi, "pi")
        if pi.shape != (S, A):
            raise InvalidModel(f"pi has shape {pi.shape}, expected {(S, A)}")
        check_distributions(pi, "pi")
        Phi = _frozen(np.eye(S) if self.Phi is None else self.Phi, "Phi")
        if Phi.ndim != 2 or Phi.shape[0] != S or not Phi.shape[1]:
            raise InvalidModel(f"Phi has shape {Phi.shape}, expected ({S}, n)")
        D = stationary_distribution(np.einsum("sa,sat->st", pi, mdp.P), mdp.rho) if self.D is None else self.D
        _set(self, mdp=mdp, pi=pi, Phi=Phi, D=_distribution(D, (), S))

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
        """Discount of the model."""
        return self.mdp.gamma

    @property
    def n(self) -> int:
        """Number of features."""
        return self.Phi.shape[1]

    def __repr__(self) -> str:
        return f"PolicyEvaluation({self.mdp!r}, n={self.n})"


Model = MDP | FiniteHorizonMDP | AverageRewardMDP | CMDP | PolicyEvaluation


def expect(P: Any, v: Any, A: int) -> Any:
    """``sum_s' P[s, a, s'] v[s']`` with free leading axes, dense or CSR: (..., S) to (..., S, A)."""
    if is_sparse(P):
        S = P.shape[1]
        return (P @ v.reshape(-1, S).T).T.reshape(*v.shape[:-1], S, A)
    if P.ndim == 3:
        return (v @ P.reshape(-1, P.shape[-1]).T).reshape(*v.shape[:-1], *P.shape[:2])
    return (P @ v[..., None, :, None])[..., 0]


def stationary_distribution(P: Array, rho: Array) -> Array:
    r"""Long-run state distribution :math:`\lim_T \frac1T \sum_{t<T} \rho P^t` of a chain ``P[s, s']``, shape of `rho`.

    For a reducible chain it depends on `rho`; transient states get exactly zero. States are eliminated one by one,
    without subtractions, so that all digits are right however rarely a state is left; below 1e-100 counts as never.
    Source: Grassmann, Taksar and Heyman 1985, "Regenerative analysis and steady state distributions for Markov chains".
    """
    from scipy.sparse.csgraph import connected_components

    P = np.where(P > 1e-100, P, 0)  # products of a few do not underflow
    count, label = connected_components(P > 0, directed=True, connection="strong")
    closed = [k for k in range(count) if not (P[label == k][:, label != k] > 0).any()]
    d = np.array(rho)
    (transient,) = np.nonzero(~np.isin(label, closed))
    moves = P[transient]
    for i, s in enumerate(transient):  # who comes to s goes on as from s
        moves, _ = _jumps(moves, transient)
        d += d[..., s, None] * moves[i]
        moves = moves + moves[:, s, None] * moves[i]
        moves[:, s], d[..., s] = 0.0, 0.0
    for k in closed:
        (c,) = np.nonzero(label == k)
        d[..., c] = d[..., c].sum(-1, keepdims=True) * _irreducible(P[np.ix_(c, c)])
    return d / d.sum(-1, keepdims=True)


def _jumps(P: Array, s: Array) -> tuple[Array, Array]:
    """Where a chain goes when it leaves state ``s[i]``, of row i, and the probability of leaving."""
    P = P.copy()
    P[np.arange(len(s)), s] = 0.0
    leave = P.sum(1)
    return P / leave[:, None], leave


def _irreducible(P: Array) -> Array:
    """The stationary distribution of an irreducible chain."""
    eliminated = []
    while len(P) > 1:
        P, leave = _jumps(P, np.arange(len(P)))
        eliminated.append((P[:-1, -1], leave))
        P = P[:-1, :-1] + P[:-1, -1:] * P[-1, :-1]
    d = np.ones(1)
    for enter, leave in reversed(eliminated):
        d = np.append(d, d @ enter) * (leave.min() / leave)
        d = d / d.sum()
    return d
