"""Models in numpy's .npz: what `save` writes, and plain archives of P, r, gamma. Nothing is pickled."""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from mdptk.core.bandits import BernoulliBandit
from mdptk.core.constrained import ConservativeMDP, EpisodicCMDP
from mdptk.core.control import Dispatch, OnlineControl
from mdptk.core.errors import InvalidModel
from mdptk.core.games import MarkovGame, MatrixGame
from mdptk.core.inverse import HiddenCosts, HiddenReward, SharedConstraint
from mdptk.core.models import (
    CMDP,
    MDP,
    Array,
    AverageRewardMDP,
    FiniteHorizonMDP,
    Grid,
    Model,
    PolicyEvaluation,
    is_sparse,
)
from mdptk.core.parts import CONTINUOUS, PARTS, UTILITIES, put_together, take_apart
from mdptk.core.robust import L1, Finite, Interval, RobustMDP
from mdptk.core.total import TotalRewardMDP
from mdptk.core.utilities import UtilityMDP
from mdptk.io._errors import MalformedFile, OutputExists, UnknownSource, require_gamma

if TYPE_CHECKING:
    import os

    from numpy.typing import ArrayLike

from pathlib import Path

STATIC = {"D", "b"}  # constraints that not every control problem has
KERNEL = {"P"}, {"P_data", "P_indices", "P_indptr", "P_shape"}  # dense, CSR
# the arrays of each kind besides its kernel: those it has, those it may have
ARRAYS = {
    "MDP": ({"r", "gamma", "rho"}, {"grid", "arrows"}),
    "FiniteHorizonMDP": ({"r", "rho"}, set()),
    "AverageRewardMDP": ({"r", "rho"}, set()),
    "TotalRewardMDP": ({"r", "rho"}, set()),
    "CMDP": ({"r", "gamma", "rho", "c", "b"}, {"grid", "arrows"}),
    "CMDP of FiniteHorizonMDP": ({"r", "rho", "c", "b"}, set()),
    "CMDP of AverageRewardMDP": ({"r", "rho", "c", "b"}, set()),
    "EpisodicCMDP": ({"r", "rho", "c", "b"}, {"safe"}),
    "ConservativeMDP": ({"r", "rho", "baseline", "floor"}, set()),
    "PolicyEvaluation": ({"r", "gamma", "rho", "pi", "Phi", "D"}, {"grid", "arrows"}),
    "RobustMDP of L1": ({"r", "gamma", "rho", "centre", "radius"}, {"grid", "arrows"}),
    "RobustMDP of Interval": ({"r", "gamma", "rho", "lower", "upper"}, {"grid", "arrows"}),
    "RobustMDP of Finite": ({"r", "gamma", "rho", "kernels"}, {"grid", "arrows"}),
    "MarkovGame": ({"r", "gamma", "rho"}, set()),
    "MatrixGame": ({"R"}, set()),
    "BernoulliBandit": ({"means"}, set()),
    **{
        kind.__name__: (set(parts) - STATIC, set(parts) & STATIC)
        if kind in CONTINUOUS
        else ({"r", "gamma", "rho", *parts}, {"grid", "arrows"})
        for kind, parts in PARTS.items()
        if kind is not UtilityMDP
    },
    **{
        f"UtilityMDP of {u.__name__}": ({"r", "gamma", "rho", *parts}, {"grid", "arrows"})
        for u, parts in UTILITIES.items()
    },
}
NO_KERNEL = ("MatrixGame", "BernoulliBandit", *(kind.__name__ for kind in CONTINUOUS))
NAMED = {kind.__name__: kind for kind in PARTS}
Saved = (
    Model
    | TotalRewardMDP
    | RobustMDP
    | MarkovGame
    | MatrixGame
    | BernoulliBandit
    | ConservativeMDP
    | HiddenCosts
    | HiddenReward
    | SharedConstraint
    | UtilityMDP
    | OnlineControl
    | Dispatch
)


def save(path: str | os.PathLike[str], model: Saved, *, overwrite: bool = False) -> None:
    """Write `model` to `path`, from which `load` gives it back bit for bit.

    The archive holds `kind`, the name of the type (of a CMDP that is not discounted, ``CMDP of`` and the name of its
    model's type); `P`, or `P_data`, `P_indices`, `P_indptr`, `P_shape` of a sparse one; `r`, `rho`; and, where the
    type has them, `gamma`, `c`, `b`, `pi`, `Phi`, `D`, and the grid as `grid`, which is [rows, columns], and `arrows`.
    Of a RobustMDP the kind names the set, whose arrays are `centre` and `radius`, `lower` and `upper`, or `kernels`. A
    MatrixGame is `R` and a BernoulliBandit `means`, nothing else. A UtilityMDP's kind names the utility; the other
    problems that are more than a model have the arrays that `mdptk.core.parts` lists.

    Parameters
    ----------
    path
        Has to end in ``.npz``; no suffix is added.
    model
        MDP, FiniteHorizonMDP, AverageRewardMDP, TotalRewardMDP, CMDP, PolicyEvaluation, RobustMDP (with one of the
        library's own sets), MarkovGame, MatrixGame, BernoulliBandit, EpisodicCMDP, ConservativeMDP, HiddenCosts,
        HiddenReward, SharedConstraint, UtilityMDP (with one of the library's own utilities), OnlineControl or Dispatch.
    overwrite
        Replace an existing file.

    Raises
    ------
    OutputExists
        If `path` exists and `overwrite` is False.
    UnknownSource
        If `path` does not end in ``.npz``.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise UnknownSource(f"models are saved as .npz, not to {str(path)!r}")
    arrays = _arrays(model)
    try:
        with path.open("wb" if overwrite else "xb") as file:
            np.savez_compressed(file, **arrays)
    except FileExistsError:
        raise OutputExists(f"{path} exists; overwrite=True replaces it") from None


def _arrays(model: Saved) -> dict[str, Any]:
    """The arrays of `model` by name, `kind` first."""
    match model:
        case _ if type(model) in PARTS:
            mdp, parts = take_apart(model)
            arrays = parts if mdp is None else _arrays(mdp) | parts
        case MDP():
            arrays = _kernel(model.P) | {"r": model.r, "gamma": model.gamma, "rho": model.rho}
            if model.grid is not None:
                arrays["grid"] = [model.grid.rows, model.grid.columns]
                arrays["arrows"] = np.array(model.grid.arrows, dtype=np.str_)
        case FiniteHorizonMDP() | AverageRewardMDP() | TotalRewardMDP():
            arrays = _kernel(model.P) | {"r": model.r, "rho": model.rho}
        case EpisodicCMDP():
            arrays = _arrays(model.mdp) | {"c": model.c, "b": model.b}
            arrays |= {} if model.safe is None else {"safe": model.safe}
        case ConservativeMDP():
            arrays = _arrays(model.mdp) | {"baseline": model.baseline, "floor": model.floor}
        case CMDP():
            arrays = _arrays(model.mdp) | {"c": model.c, "b": model.b}
        case PolicyEvaluation():
            arrays = _arrays(model.mdp) | {"pi": model.pi, "Phi": model.Phi, "D": model.D}
        case RobustMDP(ambiguity=L1(P=centre, radius=radius)):
            arrays = _arrays(model.nominal) | {"centre": centre, "radius": radius}
        case RobustMDP(ambiguity=Interval(lower=lower, upper=upper)):
            arrays = _arrays(model.nominal) | {"lower": lower, "upper": upper}
        case RobustMDP(ambiguity=Finite(P=kernels)):
            arrays = _arrays(model.nominal) | {"kernels": kernels}
        case MarkovGame():
            arrays = {"P": model.P, "r": model.r, "gamma": model.gamma, "rho": model.rho}
        case MatrixGame():
            arrays = {"R": model.R}
        case BernoulliBandit():
            arrays = {"means": model.means}
        case RobustMDP():
            raise InvalidModel(f"save has no arrays for the set of {model!r}")
        case _:
            raise InvalidModel(f"save writes {', '.join(ARRAYS)}; got {type(model).__name__}")
    kind = type(model).__name__
    if type(model) is CMDP and not isinstance(model.mdp, MDP):
        kind += f" of {type(model.mdp).__name__}"
    if isinstance(model, UtilityMDP):
        kind += f" of {type(model.utility).__name__}"
    if isinstance(model, RobustMDP):
        kind += f" of {type(model.ambiguity).__name__}"
    return {**arrays, "kind": kind}


def _kernel(P: Any) -> dict[str, Any]:
    if not is_sparse(P):
        return {"P": P}
    return {"P_data": P.data, "P_indices": P.indices, "P_indptr": P.indptr, "P_shape": P.shape}


def read_npz(path: Path, gamma: float | None = None, rho: ArrayLike | None = None) -> Saved:
    """The model in an archive written by `save`, or in a plain one of arrays P, r (or R), gamma, maybe rho.

    Parameters
    ----------
    path
        The archive. In a plain one ``P[s, a, s']`` has shape (S, A, S) and ``r[s, a]`` shape (S, A), see
        `MDP`.
    gamma
        Discount in [0, 1), if the archive has none; otherwise it has to be equal.
    rho
        Start distribution, shape (S,), in place of the archive's.

    Raises
    ------
    MalformedFile
        Naming what is missing, unknown or in conflict.
    """
    arrays = _read(path)
    plain = "kind" not in arrays
    kind = str(arrays.pop("kind", "MDP"))
    if plain and "R" in arrays and "r" not in arrays:
        arrays["r"] = arrays.pop("R")
    if kind not in ARRAYS:
        raise MalformedFile(f"{path}: kind is {kind!r}, expected one of {', '.join(ARRAYS)}")
    _merge_gamma(path, kind, arrays, gamma)
    if rho is not None:
        arrays["rho"] = np.asarray(rho)
    if plain:
        arrays.setdefault("rho", None)  # type: ignore[arg-type]
    _check_names(path, kind, arrays)
    if rho is not None and kind == "PolicyEvaluation":
        raise MalformedFile(
            f"{path}: rho belongs to the sampling distribution D of a PolicyEvaluation and is not replaced"
        )
    try:
        return _build(kind, arrays)
    except InvalidModel as error:
        raise MalformedFile(f"{path}: {error}") from None


def _read(path: Path) -> dict[str, Array]:
    if not zipfile.is_zipfile(path):
        raise MalformedFile(f"{path} is not an npz archive")
    try:
        # numpy leaves a file open that it opened itself and cannot read
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise MalformedFile(f"{path} cannot be read without unpickling or is damaged: {error}") from None


def _merge_gamma(path: Path, kind: str, arrays: dict[str, Any], gamma: float | None) -> None:
    """Enter the argument `gamma` among the arrays, unless they say otherwise."""
    if "gamma" not in ARRAYS[kind][0]:
        if gamma is not None:
            raise MalformedFile(f"{path}: a {kind} has no discount, but gamma = {gamma} was given")
    elif "gamma" not in arrays:
        arrays["gamma"] = require_gamma(gamma, str(path))
    elif np.shape(arrays["gamma"]) != ():
        raise MalformedFile(f"{path}: gamma has shape {np.shape(arrays['gamma'])}, expected one number")
    elif gamma is not None and gamma != arrays["gamma"]:
        raise MalformedFile(f"{path}: gamma = {arrays['gamma']} is stored, but gamma = {gamma} was given")


def _check_names(path: Path, kind: str, arrays: dict[str, Any]) -> None:
    required, optional = ARRAYS[kind]
    kernel = set() if kind in NO_KERNEL else KERNEL["P_data" in arrays]
    missing = (required | kernel) - set(arrays)
    unknown = set(arrays) - required - kernel - optional
    if missing or unknown or len({"grid", "arrows"} & set(arrays)) == 1:
        raise MalformedFile(
            f"{path}: a {kind} has the arrays {_listed(required | kernel)} and may have {_listed(optional)}; "
            f"missing: {_listed(missing)}, not understood: {_listed(unknown)}"
        )


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _build(kind: str, x: dict[str, Any]) -> Saved:
    if kind == "MatrixGame":
        return MatrixGame(x["R"])
    if kind == "BernoulliBandit":
        return BernoulliBandit(x["means"])
    named = NAMED.get(kind.partition(" of ")[0])
    if named in CONTINUOUS:
        return put_together(named, None, x)
    P = _csr(x) if "P_data" in x else x["P"]
    outer, _, inner = kind.rpartition(" of ")
    if inner in ("FiniteHorizonMDP", "AverageRewardMDP"):
        model = (FiniteHorizonMDP if inner == "FiniteHorizonMDP" else AverageRewardMDP)(P, x["r"], x["rho"])
        return CMDP(model, x["c"], x["b"]) if outer else model
    if kind == "EpisodicCMDP":
        return EpisodicCMDP(FiniteHorizonMDP(P, x["r"], x["rho"]), x["c"], x["b"], x.get("safe"))
    if kind == "ConservativeMDP":
        return ConservativeMDP(FiniteHorizonMDP(P, x["r"], x["rho"]), x["baseline"], x["floor"])
    if kind == "TotalRewardMDP":
        return TotalRewardMDP(P, x["r"], x["rho"])
    if kind == "MarkovGame":
        return MarkovGame(P, x["r"], float(x["gamma"]), x["rho"])
    grid = None
    if "grid" in x:
        rows, columns = x["grid"].tolist()
        grid = Grid(rows, columns, tuple(x["arrows"].tolist()))
    mdp = MDP(P, x["r"], float(x["gamma"]), x["rho"], grid=grid)
    if named is not None:
        return put_together(named, mdp, {name: a for name, a in x.items() if name in PARTS[named]})
    if kind == "CMDP":
        return CMDP(mdp, x["c"], x["b"])
    if outer == "RobustMDP":
        sets = {"L1": ("centre", "radius"), "Interval": ("lower", "upper"), "Finite": ("kernels",)}
        return RobustMDP(mdp, {"L1": L1, "Interval": Interval, "Finite": Finite}[inner](*(x[n] for n in sets[inner])))
    if kind == "PolicyEvaluation":
        return PolicyEvaluation(mdp, x["pi"], x["Phi"], x["D"])
    return mdp


def _csr(x: dict[str, Any]) -> Any:
    import scipy.sparse as sp  # costs half a second

    try:
        P = sp.csr_array((x["P_data"], x["P_indices"], x["P_indptr"]), shape=tuple(x["P_shape"].tolist()))
        P.check_format(full_check=True)  # an index out of range would read outside the arrays
        return P
    except (ValueError, TypeError) as error:
        raise InvalidModel(f"P_data, P_indices, P_indptr, P_shape are not a CSR matrix: {error}") from None
