"""Models in and out: Gymnasium's tables, npz archives, PRISM's explicit files and Storm's .drn.

`load` understands all of them by name; `save` writes npz.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mdptk.core.total import TotalRewardMDP
from mdptk.io._drn import drn_labels, read_drn
from mdptk.io._errors import (
    MalformedFile,
    MissingExtra,
    OutputExists,
    SourceNotFound,
    UnknownSource,
    require_gamma,
)
from mdptk.io._gymnasium import from_gymnasium
from mdptk.io._npz import Saved, read_npz, save
from mdptk.io._prism import prism_labels, read_prism

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "MalformedFile",
    "MissingExtra",
    "OutputExists",
    "SourceNotFound",
    "UnknownSource",
    "from_gymnasium",
    "labels",
    "load",
    "save",
]

GYMNASIUM = "gymnasium:"
UNDERSTOOD = """understood are:
    gymnasium:FrozenLake-v1?map_name=8x8&is_slippery=false   a Gymnasium environment that has a table P
    model.npz   written by mdptk.save, or with arrays P, r and gamma
    model.tra   PRISM's explicit files, with .lab, .sta, .srew, .trew beside it
    model.drn   Storm's explicit direct encoding"""


def load(
    source: str | os.PathLike[str],
    *,
    gamma: float | None = None,
    rho: ArrayLike | None = None,
    reward: str | None = None,
) -> Saved:
    """The model in `source`.

    Parameters
    ----------
    source
        ``"gymnasium:FrozenLake-v1?map_name=8x8"``, see `from_gymnasium`; or a path to an ``.npz``, to the
        ``.tra`` of PRISM's explicit files, or to Storm's ``.drn``. States keep the order of the source;
        absorbing states that are added come last. In PRISM's and Storm's files states may differ in their
        number of choices: one with fewer repeats its last choice. Rewards keep their sign and are maximised
        by mdptk: turn the sign of costs.
    gamma
        Discount in [0, 1), or 1 for the total reward without discount. Needed wherever the source has none, which is
        everything but an npz archive; where an archive has one, the two have to be equal.
    rho
        Distribution of the first state, shape (S,), in place of the source's.
    reward
        Which reward model of a PRISM or Storm file, by name; needed if there are several.

    Returns
    -------
    Model
        An `MDP`, or a `TotalRewardMDP` for ``gamma=1``; from an archive that `save` wrote the type that was saved.

    Raises
    ------
    UnknownSource
        If `source` is not understood, `gamma` is missing, or `reward` has to be chosen.
    SourceNotFound
        If the file does not exist.
    MalformedFile
        If the file is not what its suffix promises, naming the line.
    InvalidModel
        If the numbers do not describe a model.
    MissingExtra
        If gymnasium is needed and not installed.
    """
    if not isinstance(source, (str, os.PathLike)):
        raise UnknownSource(f"cannot load {source!r}; {UNDERSTOOD}")
    name, path = os.fspath(source), Path(source)
    in_gymnasium = isinstance(source, str) and name.startswith(GYMNASIUM)
    if not in_gymnasium and path.suffix not in (".npz", ".tra", ".drn"):
        raise UnknownSource(f"cannot load {name!r}; {UNDERSTOOD}")
    if reward is not None and (in_gymnasium or path.suffix == ".npz"):
        raise UnknownSource(f"reward = {reward!r} chooses among the reward models of a .tra or .drn, not of {name!r}")
    if gamma == 1 and path.suffix != ".npz":
        mdp = load(source, gamma=0.0, rho=rho, reward=reward)
        return TotalRewardMDP(mdp.P, mdp.r, mdp.rho)  # type: ignore[union-attr]  # an MDP
    if in_gymnasium:
        mdp = from_gymnasium(name.removeprefix(GYMNASIUM), require_gamma(gamma, name))
        return mdp if rho is None else replace(mdp, rho=rho)  # type: ignore[arg-type]  # an array after construction
    if not path.is_file():
        raise SourceNotFound(f"cannot load {name!r}: there is no such file in {Path.cwd()}")
    if path.suffix == ".npz":
        return read_npz(path, gamma, rho)
    read = read_prism if path.suffix == ".tra" else read_drn
    return read(path, require_gamma(gamma, name), rho, reward)


def labels(source: str | os.PathLike[str]) -> dict[str, list[int]]:
    """The states of each label of a PRISM ``.tra`` (from the ``.lab`` beside it) or a Storm ``.drn``, in order.

    ``reachability(load(path, gamma=1), labels(path)["goal"])`` is the probability to reach a label.

    Raises
    ------
    UnknownSource
        If `source` is neither.
    SourceNotFound, MalformedFile
        As `load`.
    """
    path = Path(source)
    if path.suffix not in (".tra", ".drn"):
        raise UnknownSource(f"labels are read from a .tra or a .drn, not from {os.fspath(source)!r}")
    if not path.is_file():
        raise SourceNotFound(f"cannot read {os.fspath(source)!r}: there is no such file in {Path.cwd()}")
    found = prism_labels(path) if path.suffix == ".tra" else drn_labels(path)
    return {name: sorted(states) for name, states in found.items()}
