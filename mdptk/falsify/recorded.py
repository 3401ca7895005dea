"""Results of searches that are kept: how tight each theorem was found to be, and on which instance.

The file is written by ``mdptk falsify --all --record``, or ``mdptk falsify NAME --record`` and committed. What is in it
is not believed: `Kept.again` makes the run again, which takes no search.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mdptk import registry
from mdptk.core.errors import MdptkError
from mdptk.core.run import Run, run
from mdptk.falsify.instance import ARRAYS, KINDS, Instance
from mdptk.falsify.result import search_command
from mdptk.falsify.score import measure
from mdptk.theory import Theorem

PATH = Path(__file__).with_name("tightness.json")
SAME = 1e-6  # relative: a ratio that moves by more belongs to another statement


@dataclass(frozen=True, eq=False)
class Kept:
    """The tightest instance that a search found.

    Attributes
    ----------
    name
        The theorem, as in ``NPG.global-convergence``.
    ratio, unit
        As those of what `falsify` returns.
    violated
        Whether it breaks the statement.
    alg, problem, steps, seed, repeats, start
        What to run.
    search
        The command that finds it again.
    """

    name: str
    ratio: float
    unit: str
    violated: bool
    alg: Any
    problem: Any
    steps: int
    seed: int
    repeats: int
    start: Any
    search: str

    @property
    def theorem(self) -> Theorem:
        """The theorem."""
        return registry.theorem(self.name)[1]

    def run(self) -> Run:
        """The run again."""
        return run(self.alg, self.problem, self.steps, seed=self.seed, repeats=self.repeats, start=self.start)

    def again(self) -> tuple[Run, float]:
        """The run and the ratio on it.

        Raises
        ------
        MdptkError
            If it is not the recorded one, because the theorem or the algorithm is not what it was.
        """
        result = self.run()
        with np.errstate(all="ignore"):
            (score,) = measure(self.theorem, result)
        ratio = math.nan if score is None else score.value
        if self.unit != "slack" and not math.isclose(ratio, self.ratio, rel_tol=SAME):
            raise MdptkError(
                f"{self.name}: the ratio on its recorded instance is {ratio:.9g}, not {self.ratio:.9g}: "
                f"search again with mdptk falsify {self.name} --record"
            )
        return result, ratio


def as_data(found: Any) -> dict[str, Any] | None:
    """What `falsify` returned, as data for JSON; None if nothing could be judged."""
    if found.problem is None or not math.isfinite(found.ratio):
        return None
    x = Instance.of(found.problem)
    arrays = {name: getattr(x, name).tolist() for name in ARRAYS if getattr(x, name) is not None}
    start = None if found.start is None else {k: np.asarray(v).tolist() for k, v in found.start._asdict().items()}
    return {
        "ratio": found.ratio,
        "unit": found.unit,
        "violated": bool(found.verdict.ok is False),
        "hyperparameters": {f.name: getattr(found.alg, f.name) for f in fields(found.alg)},
        "kind": x.kind.__name__,
        "arrays": arrays,
        "more": {name: a.tolist() for name, a in x.more.items()},
        "gamma": x.gamma,
        "B": x.B,
        "steps": found.steps,
        "seed": found.seed,
        "repeats": found.repeats,
        "start": start,
        "search": search_command(found.about.name, found.about.search_seed, found.about.runs),
    }


def load(path: Path = PATH) -> dict[str, Kept]:
    """The recorded results by name; none if there is no such file.

    Raises
    ------
    MdptkError
        If the file is none of these.
    """
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {name: _kept(name, entry) for name, entry in data.items() if _known(name)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MdptkError(f"{path} holds no recorded searches: {type(error).__name__}: {error}") from None


@cache
def shipped() -> dict[str, Kept]:
    """The results that the package ships, read once."""
    return load()


def _known(name: str) -> bool:
    """Whether the theorem still exists."""
    owner, _, slug = name.partition(".")
    cls = registry.find().get(owner)
    return cls is not None and any(th.slug == slug for th in cls.theorems)


def _kept(name: str, entry: dict[str, Any]) -> Kept:
    cls, _ = registry.theorem(name)
    kind = next(kind for kind in KINDS if kind.__name__ == entry["kind"])
    arrays = {key: np.array(x, dtype=np.float64) for key, x in entry["arrays"].items()}
    more = {key: np.array(x, dtype=np.float64) for key, x in entry.get("more", {}).items()}
    problem = Instance(kind, gamma=entry["gamma"], B=entry.get("B", 0), more=more, **arrays).model()
    alg = cls(**entry["hyperparameters"])
    ran = (entry["steps"], entry["seed"], entry["repeats"], entry["start"])
    return Kept(name, entry["ratio"], entry["unit"], entry["violated"], alg, problem, *ran, entry["search"])


def write(found: Any, path: Path = PATH) -> None:
    """Put a result into the file in place of the theorem's old one; those of theorems that are gone are dropped."""
    data = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    entry = as_data(found)
    data = {name: old for name, old in data.items() if _known(name)}
    if entry is not None:
        data[found.about.name] = entry
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(data[name])}" for name in sorted(data))
    path.write_text("{\n" + lines + "\n}\n", encoding="utf-8")
