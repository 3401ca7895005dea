"""``mdptk verify --against``: what changed since a report."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from mdptk.cli._common import count, number
from mdptk.core.errors import MdptkError
from mdptk.sweep import Row

MOVED = 1e-6  # a ratio that moves by more, relatively, has not moved by rounding
ORDER = ("ERROR", "VIOLATED", "undecided", "n/a", "reported", "holds")  # from bad to good
SAYING = ("vacuous", "silent", "", "informative")
Key = tuple[str, str, str]  # algorithm, theorem, problem


def kept_rows(path: Path) -> dict[Key, dict[str, Any]]:
    """The rows of a report that ``mdptk verify`` wrote as JSON.

    Raises
    ------
    MdptkError
        If the file is none.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {(row["algorithm"], row["slug"], row["problem"]): row for row in data["rows"]}
    except (ValueError, KeyError, TypeError) as error:
        raise MdptkError(f"{path} is no JSON report of mdptk verify: {type(error).__name__}: {error}") from None


@dataclass(frozen=True)
class Changes:
    """The differences between two reports, a line for each.

    Attributes
    ----------
    broken
        Checks that are broken now and were not.
    weaker
        Verdicts that got worse otherwise: what held is undecided or does not apply any more, or is not informative any
        more.
    changed
        Other verdicts that changed, most of them for the better.
    moved
        Ratios that moved.
    added, removed
        Theorems on problems that only one of the two has. Of those that were not asked for this time nothing is said.
    same
        How many checks are as they were.
    """

    broken: list[str]
    weaker: list[str]
    changed: list[str]
    moved: list[str]
    added: list[str]
    removed: list[str]
    same: int

    @property
    def worse(self) -> bool:
        """Whether something got worse."""
        return bool(self.broken or self.weaker)

    @classmethod
    def between(cls, before: dict[Key, dict[str, Any]], rows: Sequence[Row], asked: Iterable[Key]) -> Changes:
        """The changes from the rows of a report to these ones; `asked` is what these ones were to be about."""
        now = {(row.algorithm, row.slug, row.problem): row for row in rows}
        names = {key[0] for key in asked}
        whole = {key[2] for key in asked}
        lists: dict[str, list[str]] = {name: [] for name in ("broken", "weaker", "changed", "moved")}
        same = 0
        for key in (key for key in now if key in before):
            where, what = _difference(before[key], now[key])
            if where:
                lists[where].append(f"{_name(key)}: {what}")
            same += not where
        new = [key for key in now if key not in before]
        lists["broken"] += [f"{_name(key)}: new, and {now[key].word}" for key in new if now[key].broken]
        gone = [key for key in before if key not in now and key[0] in names and key[2] in whole]
        return cls(**lists, added=_by_theorem(new), removed=_by_theorem(gone), same=same)

    def text(self) -> Text:
        """The changes as lines for a terminal."""
        titles = {
            "broken": ("broken now", "bold red"),
            "weaker": ("weaker than before", "yellow"),
            "changed": ("changed otherwise", "green"),
            "moved": ("ratios that moved", ""),
            "added": ("added", ""),
            "removed": ("removed", "yellow"),
        }
        out = Text("\n")
        for name, (title, style) in titles.items():
            if lines := getattr(self, name):
                out.append(f"{title}: {len(lines)}\n", style)
                out.append("".join(f"  {line}\n" for line in lines))
        return out.append(f"{count(self.same, 'check')} as before")


def _name(key: Key) -> str:
    return f"{key[0]}.{key[1]} on {key[2]}"


def _by_theorem(keys: Iterable[Key]) -> list[str]:
    found: dict[str, list[str]] = {}
    for algorithm, slug, problem in keys:
        found.setdefault(f"{algorithm}.{slug}", []).append(problem)
    return [f"{name} on {', '.join(on) if len(on) < 4 else count(len(on), 'problem')}" for name, on in found.items()]


def _difference(old: dict[str, Any], new: Row) -> tuple[str, str]:
    """(which list it belongs to, in words); empty if nothing changed."""
    if new.broken and not old["broken"]:
        return "broken", f"{old['verdict']} before, {new.word} now; {new.note}"
    if new.status != old["status"] or new.verdict != old["verdict"]:
        words = [
            f"{a} before, {b} now" for a, b in ((old["status"], new.status), (old["verdict"], new.verdict)) if a != b
        ]
        good = ORDER.index(new.verdict) > ORDER.index(old["verdict"]) or new.status != old["status"]
        return "changed" if good else "weaker", "; ".join(words)
    if new.says != old["says"]:
        good = SAYING.index(new.says) > SAYING.index(old["says"])
        return "changed" if good else "weaker", f"{old['says']} before, {new.says} now"
    ratio = float("nan") if old["ratio"] is None else old["ratio"]
    if math.isclose(ratio, new.ratio, rel_tol=MOVED, abs_tol=MOVED) or (math.isnan(ratio) and math.isnan(new.ratio)):
        return "", ""
    return "moved", f"ratio {number(ratio, 6)} before, {number(new.ratio, 6)} now"
