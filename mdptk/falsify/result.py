"""What a search returns, as Python that can be pasted into a test, and the folder that it leaves behind."""

from __future__ import annotations

import html
import json
import shlex
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mdptk import registry
from mdptk.core.algorithm import Learner
from mdptk.core.bandits import BernoulliBandit
from mdptk.core.constrained import ConservativeMDP, EpisodicCMDP
from mdptk.core.errors import MdptkError
from mdptk.core.games import MatrixGame
from mdptk.core.models import CMDP, MDP, PolicyEvaluation
from mdptk.core.parts import PARTS, take_apart
from mdptk.core.robust import L1, Finite, RobustMDP
from mdptk.core.utilities import UtilityMDP
from mdptk.falsify.score import COUNTS, Candidate, Score, in_slack
from mdptk.io import save
from mdptk.sweep import Job
from mdptk.theory import Theorem, Verdict


@dataclass(frozen=True)
class Report:
    """What is to be said about a search, whatever it found.

    Attributes
    ----------
    name
        The theorem's, as in ``NPG.global-convergence``.
    search_seed, runs
        The same again with these two: ``falsify(name, seed=search_seed, runs=runs)``.
    judged
        How many of the runs met the assumptions and could be judged.
    doubtful
        How many seemed to break the statement by less than ten times the rounding error, or only until they were run
        again: not counted.
    again
        How many were judged in wider numbers: doubtful ones, and tiny ones in which both sides are equal.
    ended
        Why the search ended.
    path
        The folder with the records, or None.
    """

    name: str
    theorem: Theorem
    search_seed: int
    runs: int
    judged: int
    doubtful: int
    again: int
    seconds: float
    ended: str
    path: Path | None = None

    def __str__(self) -> str:
        text = f"{self.runs} runs, {self.judged} judged, {self.seconds:.1f} s, seed {self.search_seed}; {self.ended}"
        if self.doubtful:
            text += f"; {self.doubtful} broke it within {COUNTS:g} times the rounding error: not counted"
        return text + (f"; {self.again} judged in wider numbers" if self.again else "")


@dataclass(frozen=True, eq=False)
class _Result(ABC):
    """An instance and what the theorem's check says about it.

    Attributes
    ----------
    about
        The theorem and how the search went.
    alg, problem, steps, seed, repeats, start
        What to run; all None or 0 if nothing could be judged. `start` is None where `init` chooses the first state.
    ratio
        The largest lhs / rhs (rhs / lhs for ">="); in units of `unit`.
    unit
        ``"lhs/rhs"``, or ``"slack"`` where there is no ratio: the excess over the right side, in units of the rounding
        error that is allowed for.
    verdict
        That of `Theorem.check` on this run.
    how
        ``"float64"``, or the wider numbers in which a violation was found or confirmed: ``"exact rationals"`` or
        ``"60 digits"``.
    """

    about: Report
    alg: Any = None
    problem: Any = None
    steps: int = 0
    seed: int = 0
    repeats: int = 1
    start: Any = None
    ratio: float = float("nan")
    verdict: Verdict | None = None
    origin: str = field(default="", repr=False)
    how: str = "float64"

    @classmethod
    def of(cls, about: Report, score: Score, c: Candidate) -> Any:
        """The result that a candidate is, with its verdict."""
        problem = c.instance.model()
        with np.errstate(all="ignore"):
            result = c.run(about.theorem)
            verdict = about.theorem.check(result)
        how = score.how or "float64"
        if score.violated and verdict.ok:
            note = f"broken in {how}, by too little for float64: see mdptk.theory.again"
            verdict = replace(verdict, ok=False, note=note)
        ran = (c.alg, problem, c.steps, c.seed, c.repeats, result.start)
        return cls(about, *ran, score.value, verdict, c.origin, how)

    @property
    def theorem(self) -> Theorem:
        """The theorem that was tested."""
        return self.about.theorem

    @property
    def path(self) -> Path | None:
        """The folder with the records, or None."""
        return self.about.path

    @property
    def unit(self) -> str:
        """What `ratio` counts."""
        return "slack" if in_slack(self.theorem) else "rhs/lhs" if self.theorem.relation == ">=" else "lhs/rhs"

    @property
    @abstractmethod
    def headline(self) -> str:
        """What was found, in one line."""

    def __str__(self) -> str:
        lines = [f"# {self.headline}", f"# {self.about}"]
        if self.problem is not None:
            lines += [f"# from {self.origin}", self.code, f"# {self.verdict}"]
        return "\n".join(lines + ([f"# written to {self.path}"] if self.path else []))

    @property
    def code(self) -> str:
        """Python that makes the run again, and its check."""
        return code(self.theorem, self)

    def _repr_html_(self) -> str:
        said = (self.headline, str(self.about), str(self.verdict or ""))
        lines = "".join(f"<p>{html.escape(text)}</p>" for text in said)
        code = f"<pre>{html.escape(self.code)}</pre>" if self.problem is not None else ""
        return f"<p>$${self.theorem.latex}$$</p>{lines}{code}"


class Counterexample(_Result):
    """The theorem is violated on this run, in wider numbers or by more than ten times the rounding error of float64."""

    @property
    def headline(self) -> str:
        how = f"judged in {self.how}" if self.how != "float64" else "in float64, which is all it can be judged in"
        return f"{self.about.name} ({self.theorem.status}) is VIOLATED: {self.unit} = {self.ratio:.6g}, {how}"


class NotFound(_Result):
    """Nothing that breaks the theorem was found; this run comes closest, which is how tight it is in practice."""

    @property
    def headline(self) -> str:
        return f"{self.about.name}: no counterexample; the largest {self.unit} is {self.ratio:.6g}"


# as Python ------------------------------------------------------------------------------------------------------


def code(theorem: Theorem, ran: Any) -> str:
    """Python that makes a run again, and its check; `ran` is a Run, or what a search returned."""
    more = f", seed={ran.seed}, repeats={ran.repeats}" if isinstance(ran.alg, Learner) else ""
    more += "" if ran.start is None else f", start={_fields(ran.start)!r}"
    return "\n".join(
        (
            f"problem = {source(ran.problem)}",
            f"result = run({ran.alg!r}, problem, {ran.steps}{more})",
            f'verdict = next(th for th in result.alg.theorems if th.slug == "{theorem.slug}").check(result)',
        )
    )


def source(problem: Any) -> str:
    """A model as the Python expression that makes it, bit for bit.

    Examples
    --------
    >>> from mdptk.core.models import MDP
    >>> source(MDP([[[1.0]]], [[0.5]], 0.9))
    'MDP(P=[[[1.0]]], r=[[0.5]], gamma=0.9)'
    """
    if isinstance(problem, PolicyEvaluation):
        mdp = problem.mdp
        pi, Phi = problem.pi, problem.Phi
        uniform, table = (pi == 1 / mdp.A).all(), np.array_equal(Phi, np.eye(mdp.S))
        stationary = np.array_equal(PolicyEvaluation(mdp, pi).D, problem.D)
        given = {"pi": None if uniform else pi, "Phi": None if table else Phi, "D": None if stationary else problem.D}
        arrays = "".join(f", {name}={_list(x)}" for name, x in given.items() if x is not None)
        return f"PolicyEvaluation({source(mdp)}{arrays})"
    if isinstance(problem, BernoulliBandit):
        return f"BernoulliBandit(means={_list(problem.means)})"
    if isinstance(problem, MatrixGame):
        return f"MatrixGame(R={_list(problem.R)})"
    if isinstance(problem, EpisodicCMDP):
        safe = "" if problem.safe is None else f", safe={_list(problem.safe)}"
        return f"EpisodicCMDP({source(problem.mdp)}, c={_list(problem.c)}, b={_list(problem.b)}{safe})"
    if isinstance(problem, ConservativeMDP):
        return (
            f"ConservativeMDP({source(problem.mdp)}, baseline={_list(problem.baseline)}, floor={_list(problem.floor)})"
        )
    if isinstance(problem, CMDP):
        return f"CMDP({source(problem.mdp)}, c={_list(problem.c)}, b={_list(problem.b)})"
    if isinstance(problem, RobustMDP):
        return f"RobustMDP({source(problem.nominal)}, {_set(problem.ambiguity)})"
    if type(problem) in PARTS:
        return _parts_source(problem)
    start = "" if (problem.rho == 1 / problem.S).all() else f", rho={_list(problem.rho)}"
    P = problem.dense().P if isinstance(problem, MDP) else problem.P
    discount = f", gamma={problem.gamma!r}" if hasattr(problem, "gamma") else ""
    return f"{type(problem).__name__}(P={_list(P)}, r={_list(problem.r)}{discount}{start})"


def _parts_source(problem: Any) -> str:
    mdp, arrays = take_apart(problem)
    if isinstance(problem, UtilityMDP):
        named = {"r" if name == "pay" else name: a for name, a in arrays.items()}
        utility = ", ".join(f"{name}={_list(a)}" for name, a in named.items())
        return f"UtilityMDP({source(mdp)}, {type(problem.utility).__name__}({utility}))"
    named = {"c" if name == "cost" else name: a for name, a in arrays.items()}
    given = [] if mdp is None else [source(mdp)]
    given += [f"{name}={int(a) if name == 'h' else _list(a)}" for name, a in named.items()]
    return f"{type(problem).__name__}({', '.join(given)})"


def _set(U: Any) -> str:
    if isinstance(U, L1):
        return f"L1({_list(U.P)}, radius={_list(U.radius)})"
    return f"Finite({_list(U.P)})" if isinstance(U, Finite) else f"Interval({_list(U.lower)}, {_list(U.upper)})"


def _list(x: Any) -> str:
    return repr(np.asarray(x).tolist())


def _fields(state: Any) -> dict[str, Any]:
    """A state as `run` takes it, in lists and numbers."""
    return {name: np.asarray(x).tolist() for name, x in state._asdict().items()}


def search_command(name: str, seed: int, runs: int) -> str:
    """The command line that searches again."""
    return f"mdptk falsify {shlex.quote(name)} --seed {seed} --runs {runs} --budget inf"


# on disk --------------------------------------------------------------------------------------------------------


class Archive:
    """A new folder for the records of a search; nothing in it is ever overwritten.

    ``record-001.npz`` and so on hold the instances, ``records.jsonl`` has a line for each: algorithm, steps, seed,
    ratio, the run at which it was found, and the commands that replay the instance and the search.
    """

    def __init__(self, folder: Path | None, name: str, seed: int) -> None:
        self.folder, self.name, self.seed, self.count = folder, name, seed, 0
        if folder is not None:
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise MdptkError(f"{folder} exists and is not an empty folder")
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, theorem: Theorem, c: Candidate, score: Score, runs: int, title: str = "") -> None:
        """One more record."""
        if self.folder is None:
            return
        self.count += 1
        path = self.folder / f"{title or f'record-{self.count:03d}'}.npz"
        save(path, c.instance.model())
        line = {
            "file": path.name,
            "theorem": self.name,
            "status": theorem.status,
            "algorithm": repr(c.alg),
            "steps": c.steps,
            "seed": c.seed,
            "repeats": c.repeats,
            "value": score.value if np.isfinite(score.value) else repr(score.value),
            "excess_in_slack": score.excess if np.isfinite(score.excess) else repr(score.excess),
            "t": score.t,
            "violated": score.violated,
            "start": None if c.instance.start is None else c.instance.start.tolist(),
            "origin": c.origin,
            "search_seed": self.seed,
            "run": runs,
            "replay": self._replay(theorem, c, path),
            "search": search_command(self.name, self.seed, runs),
        }
        with (self.folder / "records.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _replay(self, theorem: Theorem, c: Candidate, path: Path) -> str:
        """The command line that judges the instance again, or why there is none."""
        if registry.find().get(type(c.alg).__name__) is not type(c.alg) or theorem not in type(c.alg).theorems:
            return f"{c.alg!r} is not in the registry: load {path.name} and run it from Python"
        if c.instance.start is not None:
            return f"it starts elsewhere: load {path.name} and run it from Python with the start beside this line"
        return Job(c.alg, path.name, None, c.steps, c.repeats, c.seed, source=(str(path),)).command(theorem)
