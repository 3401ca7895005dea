"""The HTML report of a sweep: one file with every statement, both sides of it against time, and every verdict."""

from __future__ import annotations

import html
import math
import os
import platform
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from inspect import getmodule
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from mdptk import plotting, registry
from mdptk.core.algorithm import Algorithm
from mdptk.core.errors import MdptkError
from mdptk.falsify import recorded
from mdptk.falsify.result import code
from mdptk.sweep import Row
from mdptk.sweep._workers import end_with_home
from mdptk.theory import LowerBound, Theorem
from mdptk.theory.pretty import statement
from mdptk.theory.references import citation, reference

MANY = 64  # theorems in a report that is drawn on all cores
MARK = "<!-- written by mdptk -->"  # a file without it belongs to somebody else
TWIN = '"written_by": "mdptk verify"'  # what its twin has near its beginning
HERE = Path(__file__).parent
ORDER = ("broken", "undecided", "holds", "informative", "vacuous", "silent", "reported", "n/a")
MEANS = {
    "broken": "a proved theorem is violated, or judging it raised an error",
    "undecided": "broken by less than ten times the rounding error: float64 cannot decide",
    "holds": "the statement held at every step",
    "informative": "the same run, frozen at step 0, would have broken the bound",
    "vacuous": "the bound was above the trivial one at every step",
    "silent": "a run that never moves satisfies the statement, too",
    "reported": "constants unknown: the exponent was fitted, nothing was judged",
    "n/a": "the problem does not meet the assumptions",
}


@dataclass(frozen=True)
class About:
    """What a report says about its own making."""

    command: str
    when: str
    seconds: float
    runs: int
    unfinished: int = 0  # runs that were still to be done when the sweep was interrupted


def check_writable(path: Path, *, force: bool = False) -> None:
    """Raise MdptkError unless a report or its twin may be written to `path`: a new file, or in place of another one.

    With `force` any file is replaced.
    """
    if path.is_dir():
        raise MdptkError(f"{path} is a folder; give the name of a file in it")
    if not path.parent.is_dir():
        raise MdptkError(f"cannot write {path}: there is no folder {path.parent}")
    if path.exists() and not force:
        with path.open("rb") as file:
            head = file.read(200)
        ours = MARK.encode() in head or TWIN.encode() in head
        if not ours:
            raise MdptkError(f"{path} exists and was not written by mdptk; --force replaces it")


def write(
    path: Path, algorithms: Iterable[type[Algorithm]], rows: Sequence[Row], about: About, *, force: bool = False
) -> None:
    """Write the report, in one go, so that an interruption leaves the old file or none.

    Raises
    ------
    MdptkError
        If the file exists and is no report, unless `force`.
    """
    check_writable(path, force=force)
    write_text(path, render(list(algorithms), rows, about))


def write_text(path: Path, text: str) -> None:
    """Write a text in one go."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def render(algorithms: Sequence[type[Algorithm]], rows: Sequence[Row], about: About) -> str:
    """The text of the report."""
    page = Template((HERE / "report.html").read_text(encoding="utf-8"))
    algorithms = sorted(algorithms, key=lambda cls: (_family(cls), cls.__name__))
    groups, bounds = _groups(algorithms, rows), _bound_groups(rows)
    return page.substitute(
        mark=MARK,
        headline=_headline(rows, about),
        making=_making(about),
        chips=_chips(rows),
        summary="\n".join([*_summary(groups), *_bound_summary(bounds)]),
        legend="".join(
            f'<span class="strip"><i class="{k}"></i> {"n/a" if k == "na" else k}</span>' for k in _squares(rows)
        ),
        cards="\n".join(_cards(algorithms, groups)) + "\n".join(_bound_card(bound, mine) for bound, mine in bounds),
    )


def _groups(
    algorithms: Sequence[type[Algorithm]], rows: Sequence[Row]
) -> list[tuple[type[Algorithm], Theorem, list[Row]]]:
    """(algorithm, theorem, its rows), without the theorems that were not asked for."""
    mine: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        mine.setdefault((row.algorithm, row.slug), []).append(row)
    return [
        (cls, th, mine[cls.__name__, th.slug])
        for cls in algorithms
        for th in cls.theorems
        if (cls.__name__, th.slug) in mine
    ]


def _bound_groups(rows: Sequence[Row]) -> list[tuple[LowerBound, list[Row]]]:
    """(lower bound, its rows, one for each learner)."""
    found = [(bound, [row for row in rows if _is_bound(row, bound)]) for bound in registry.lower_bounds().values()]
    return [(bound, mine) for bound, mine in found if mine]


def _is_bound(row: Row, bound: LowerBound) -> bool:
    return row.slug == bound.claim.slug and row.algorithm in registry.subject_to(bound)


# words ----------------------------------------------------------------------------------------------------------


def kinds(row: Row) -> list[str]:
    """The words by which a row can be asked for: its verdict and what it says."""
    if row.broken:
        return ["broken"]
    return [w for w in (row.verdict.lower().replace("violated", "broken"), row.says) if w]


def _headline(rows: Sequence[Row], about: About) -> str:
    broken = sum(row.broken for row in rows)
    theorems = len({(row.algorithm, row.slug) for row in rows if row.verdict != "n/a"})
    problems = len({row.problem for row in rows if row.verdict != "n/a"})
    tried = f"{_count(theorems, 'theorem')} on {_count(problems, 'problem')}"
    says = f"{_count(broken, 'check')} broken" if broken else "nothing is broken"
    return f"{tried}: {says}" + (f" (interrupted: {about.unfinished} runs not done)" if about.unfinished else "")


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"


def _making(about: About) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "jax"))
    parts = (
        f"<code>{_esc(about.command)}</code>",
        f"{about.when}, {about.runs} runs in {about.seconds:.0f} s",
        f"mdptk {version('mdptk')}, Python {platform.python_version()}, {packages}",
    )
    return "<br>".join(parts)


def _chips(rows: Sequence[Row]) -> str:
    counts = Counter(kind for row in rows for kind in kinds(row))
    all_rows = f'<button data-kind="" aria-pressed="true">all <b>{len(rows)}</b></button>'
    return all_rows + "".join(
        f'<button data-kind="{kind}" title="{MEANS[kind]}" aria-pressed="false">{kind} <b>{counts[kind]}</b></button>'
        for kind in ORDER
        if 0 < counts[kind] < len(rows)
    )


def _esc(text: str) -> str:
    return html.escape(text)


def _prose(text: str) -> str:
    """A line of reStructuredText or of words with mathematics between dollars, as HTML."""
    text = re.sub(r":math:`([^`]*)`", r"$\1$", text)
    text = re.sub(r":\w+:`([^`]*)`", r"\1", text)
    parts = re.split(r"\$([^$]*)\$", text)
    out = []
    for i, part in enumerate(parts):
        if i % 2:
            out.append(plotting.formula(part) or f"<code>{_esc(part)}</code>")
        else:
            out.append(re.sub(r"``([^`]*)``|`([^`]*)`", lambda m: f"<code>{m[1] or m[2]}</code>", _esc(part)))
    return "".join(out)


def _ratio(x: float) -> str:
    return f"{x:.3g}" if math.isfinite(x) else "–"


# parts of the page ----------------------------------------------------------------------------------------------


def _id(cls: type[Algorithm], th: Theorem | None = None) -> str:
    return cls.__name__ + (f".{th.slug}" if th else "")


def _tightest(rows: Sequence[Row]) -> Row | None:
    """The row whose plot says most: a violated one, or the one with the largest ratio, or else the liveliest."""
    drawn = [(row.verdict == "VIOLATED", _or_zero(row.ratio), np.ptp(row.sides.lhs), row) for row in rows if row.sides]
    return max(drawn, key=lambda x: x[:3])[3] if drawn else None


def _or_zero(x: float) -> float:
    return x if math.isfinite(x) else 0.0


def _squares(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(_class(row) for row in rows))


def _family(cls: type[Algorithm]) -> str:
    """The shelf in words, as in ``policy gradient``."""
    return registry.shelf(cls).rpartition("/")[0].replace("_", " ").replace("/", ", ")


def _family_line(name: str, theorems: Sequence[tuple[type[Algorithm], Theorem, list[Row]]]) -> str:
    """The heading of a family: its name and how many theorems it has, told in the rows that can be asked for."""
    every = " ".join({kind for _, _, rows in theorems for row in rows for kind in kinds(row)})
    told = f"{name} <small>{_count(len(theorems), 'theorem')}</small>"
    return f'<tr data-kinds="{every}" class="family"><th colspan="6" scope="rowgroup">{told}</th></tr>'


def _summary(groups: Sequence[tuple[type[Algorithm], Theorem, list[Row]]]) -> Iterator[str]:
    """The lines of the summary, family by family."""
    for family, members in groupby(groups, key=lambda group: _family(group[0])):
        theorems = list(members)
        yield _family_line(family, theorems)
        for i, (cls, th, rows) in enumerate(theorems):
            yield _summary_line(cls, th, rows, first=i == 0 or theorems[i - 1][0] is not cls)


def _summary_line(cls: type[Algorithm], th: Theorem, rows: Sequence[Row], *, first: bool) -> str:
    name = f'<a href="#{_id(cls)}">{cls.__name__}</a>'
    title = f'<a href="#{_id(cls, th)}">{_esc(th.name)}</a>'
    return _line(name, title, th, rows, first=first)


def _line(name: str, title: str, th: Theorem, rows: Sequence[Row], *, first: bool) -> str:
    best = _tightest(rows) or max(rows, key=lambda row: _or_zero(row.ratio))
    found = Counter(row.word for row in rows)
    verdicts = ", ".join(f"{n} {_esc(word)}" for word, n in found.items())
    squares = "".join(
        f'<i class="{_class(row)}" title="{_esc(f"{row.problem}: {row.word} {row.says} {_ratio(row.ratio)}")}"></i>'
        for row in rows
    )
    tight = f"{_ratio(best.ratio)} <small>{_esc(best.problem)}</small>" if math.isfinite(best.ratio) else "–"
    every = " ".join({kind for row in rows for kind in kinds(row)})
    return (
        f'<tr data-kinds="{every}" class="{"first" if first else "again"}"><td>{name}</td><td>{title}</td>'
        f'<td>{_status(th)}</td><td>{verdicts}</td><td class="num">{tight}</td><td class="strip">{squares}</td></tr>'
    )


def _class(row: Row) -> str:
    if row.broken:
        return "broken"
    return {"n/a": "na"}.get(row.verdict, row.says or row.verdict.lower())


def _status(th: Theorem) -> str:
    return "proved" if th.status == "proved" else f"<em>{th.status}</em>"


def _cards(
    algorithms: Sequence[type[Algorithm]], groups: Sequence[tuple[type[Algorithm], Theorem, list[Row]]]
) -> list[str]:
    """The card of each algorithm; on all cores if there are many pictures to draw, several to the second."""
    mine = {cls: [(th, rows) for c, th, rows in groups if c is cls] for cls in algorithms}
    if len(groups) < MANY or any(registry.find().get(cls.__name__) is not cls for cls in algorithms):
        return [_card(cls, theorems) for cls, theorems in mine.items()]
    import joblib

    rows = {cls.__name__: {th.slug: rows for th, rows in theorems} for cls, theorems in mine.items()}
    return joblib.Parallel(n_jobs=-1)(  # type: ignore[return-value]
        joblib.delayed(_card_called)(os.getpid(), name, x) for name, x in rows.items()
    )


def _card_called(home: int, name: str, rows: Mapping[str, list[Row]]) -> str:
    """The card of an algorithm of the registry, from the rows by theorem: names travel between processes."""
    end_with_home(home)
    cls = registry.find()[name]
    return _card(cls, [(th, rows[th.slug]) for th in cls.theorems if th.slug in rows])


def _card(cls: type[Algorithm], theorems: Sequence[tuple[Theorem, list[Row]]]) -> str:
    if not theorems:
        return ""
    module = getmodule(cls)
    lines = ((module and module.__doc__) or cls.__doc__ or "").strip().splitlines() or [""]
    body = "\n".join(_theorem(cls, th, rows) for th, rows in theorems)
    return (
        f'<section class="card" id="{_id(cls)}"><header><h2>{cls.__name__}</h2>'
        f'<span class="shelf">{_esc(registry.shelf(cls))} · for {cls.model().__name__}</span></header>'
        f"<p>{_prose(lines[0])}</p>{body}</section>"
    )


def _theorem(cls: type[Algorithm], th: Theorem, rows: Sequence[Row]) -> str:
    statement = _statement(th)
    return f'<article id="{_id(cls, th)}">{_title(th)}{statement}{_facts(cls, th)}{_figure(th, rows)}{_rows(rows)}'


def _title(th: Theorem) -> str:
    return f"<h3>{_esc(th.name[:1].upper() + th.name[1:])}</h3>"


def _rows(rows: Sequence[Row], of: str = "problem") -> str:
    rest = sorted(rows, key=lambda r: (not r.broken, -_or_zero(r.ratio)))
    return (
        f'<div class="wide"><table class="rows"><thead><tr><th>{of}</th><th>verdict</th><th></th>'
        f'<th class="num">ratio</th><th class="num">seconds</th><th>both sides</th><th>again</th></tr></thead>'
        f"<tbody>{''.join(map(_row, rest))}</tbody></table></div></article>"
    )


def _bound_summary(bounds: Sequence[tuple[LowerBound, list[Row]]]) -> Iterator[str]:
    """The same for lower bounds: a family of their own, of which each has its learners for problems."""
    if bounds:
        every = " ".join({kind for _, rows in bounds for row in rows for kind in kinds(row)})
        told = f"lower bounds <small>{_count(len(bounds), 'theorem')}</small>"
        yield f'<tr data-kinds="{every}" class="family"><th colspan="6" scope="rowgroup">{told}</th></tr>'
    for bound, rows in bounds:
        title = f'<a href="#{_bound_id(bound)}">{_esc(bound.name)}</a>'
        learners = [replace(row, problem=row.algorithm) for row in rows]
        yield _line(f"every {bound.sees.__name__} learner", title, bound.claim, learners, first=True)


def _bound_id(bound: LowerBound) -> str:
    return f"lower-bound.{bound.claim.slug}"


def _bound_card(bound: LowerBound, rows: Sequence[Row]) -> str:
    th = bound.claim
    facts = {
        "holds": "on average over the family, in expectation",
        "source": _source(th),
        "status": _status(th) + (f": {_prose(th.reason)}" if th.reason else ""),
        "proof": f"<code>proofs/{_esc(th.proof)}.py</code>",
    }
    module = getmodule(bound.family)
    doc = ((module and module.__doc__) or "").strip().splitlines() or [""]
    learners = [replace(row, problem=f"{row.algorithm}, {row.problem}") for row in rows]
    drawn = _drawn(bound.latex, bound.latex)
    return (
        f'<section class="card"><header><h2>{_esc(bound.name)}</h2><span class="shelf">lower bound · for every learner '
        f"that sees {bound.sees.__name__}</span></header><p>{_prose(doc[0])}</p>"
        f'<article id="{_bound_id(bound)}">{drawn}{_list(facts)}{_rows(learners, "learner")}</section>'
    )


def _statement(th: Theorem) -> str:
    return _drawn(th.latex, statement(th, width=400))


def _drawn(tex: str, words: str) -> str:
    drawn = plotting.formula(tex, display=True)
    label = _esc(words)
    shown = drawn.replace("<path", f"<title>{label}</title><path", 1) if drawn else f"<pre>{label}</pre>"
    source = f'<details class="tex"><summary>LaTeX</summary><code>{_esc(tex)}</code></details>'
    return f'<div class="statement">{shown}{source}</div>'


def _facts(cls: type[Algorithm], th: Theorem) -> str:
    facts: dict[str, Any] = {
        "holds": _esc(th.holds.text),
        "assumes": "; ".join(_prose(a.text) for a in th.assumes) or "nothing",
        "source": _source(th),
        "status": _status(th) + (f": {_prose(th.reason)}" if th.reason else ""),
    }
    if th.iterate:
        facts["iterate"] = th.iterate
    if th.silent:
        facts["silent"] = f"{_prose(th.silent)}"
    kept = recorded.shipped().get(_id(cls, th))
    if kept is not None:
        found = f"{_ratio(kept.ratio)} ({_esc(kept.unit)}), the largest that a search found"
        facts["tightness"] = f"{found}: <code>{_esc(kept.search)}</code>"
    if th.starts:
        facts["starts"] = f"from {_prose(th.starts.text)}"
    if th.counterexample:
        facts["broken by"] = f"<pre>{_esc(code(th, th.counterexample()))}</pre>"
    if th.proof:
        facts["proof"] = f"<code>proofs/{_esc(th.proof)}.py</code>"
    return _list(facts)


def _source(th: Theorem) -> str:
    found = reference(th.cite.key)
    source = _esc(citation(th.cite))
    return f'<a href="{_esc(found.link)}">{source}</a>' if found and found.link else source


def _list(facts: Mapping[str, Any]) -> str:
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts.items()) + "</dl>"


def _figure(th: Theorem, rows: Sequence[Row]) -> str:
    best = _tightest(rows)
    if best is None:
        return ""
    curves = {row.problem: row.sides for row in rows if row.sides is not None}
    try:
        drawn = plotting.svg_of_theorem(th, curves, best.problem)
    except Exception as error:  # a picture that cannot be drawn must not cost the verdicts
        return f'<p class="note">no picture: {_esc(f"{type(error).__name__}: {error}")}</p>'
    where = f"on <b>{_esc(best.problem)}</b> ({_esc(best.model)}), where the ratio is largest"
    where = where if math.isfinite(best.ratio) else where.rpartition(",")[0]
    return (
        f"<figure>{_themed(drawn, f'{best.algorithm}.{best.slug}')}<figcaption>Both sides {where}</figcaption></figure>"
    )


def _themed(svg: str, prefix: str) -> str:
    """The picture in the colours of the page, its ids made unique within the page."""
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    for colour, name in ((plotting.LHS, "lhs"), (plotting.RHS, "rhs"), (plotting.GREY, "grey"), ("#000000", "ink")):
        svg = svg.replace(colour, f"var(--{name})")
    return svg


def _row(row: Row) -> str:
    spark = plotting.sparkline(row.sides) if row.sides is not None else ""
    quiet = row.verdict == "holds" and not row.retracted
    note = f'<div class="note">{_esc(row.note)}</div>' if row.note and not quiet else ""
    verdict = f'<span class="verdict {_class(row)}" title="{_esc(row.note)}">{_esc(row.word)}</span>'
    return (
        f'<tr data-kinds="{" ".join(kinds(row))}"><td title="{_esc(row.model)}">{_esc(row.problem)}{note}</td>'
        f"<td>{verdict}</td><td>{row.says}</td>"
        f'<td class="num">{_ratio(row.ratio)}</td><td class="num">{row.seconds:.2f}</td><td>{spark}</td>'
        f'<td><details class="again"><summary>command</summary><code>{_esc(row.command)}</code></details></td></tr>'
    )


def as_json(rows: Iterable[Row], about: About) -> Mapping[str, Any]:
    """The rows as data for ``json.dump``: without the curves; nan becomes null."""
    keep = [name for name in Row.__dataclass_fields__ if name != "sides"]
    bounds = registry.lower_bounds().values()
    shelves = {name: registry.shelf(cls).rpartition("/")[0] for name, cls in registry.find().items()}
    data: list[dict[str, Any]] = [
        {"shelf": "lower_bounds" if any(_is_bound(row, b) for b in bounds) else shelves.get(row.algorithm, "")}
        | {name: getattr(row, name) for name in keep}
        | {"broken": row.broken, "informative": row.says == "informative", "vacuous": row.says == "vacuous"}
        for row in rows
    ]
    for row in data:
        for name in ("ratio", "p"):
            row[name] = row[name] if math.isfinite(row[name]) else None
    return {
        "written_by": "mdptk verify",
        "version": version("mdptk"),
        "command": about.command,
        "when": about.when,
        "seconds": about.seconds,
        "rows": data,
    }
