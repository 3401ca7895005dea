"""The gallery: one page for each algorithm in the registry, made from its file, its theorems and a run of each.

`make` is called by conf.py before Sphinx reads its sources. A page is kept in .cache/gallery for as long as the
library (other algorithms aside) and the algorithm's file are the same.
"""

from __future__ import annotations

import hashlib
import html
import inspect
import json
import math
import re
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from mdptk import registry, run
from mdptk.core.algorithm import Learner
from mdptk.core.errors import InvalidModel
from mdptk.core.models import CMDP
from mdptk.falsify import recorded
from mdptk.falsify.recorded import Kept
from mdptk.falsify.result import code
from mdptk.plotting import (
    GREY,
    LHS,
    PAPER,
    RHS,
    labels,
    plot_iterates,
    plot_model,
    plot_ratios,
    plot_sides,
    sparkline,
    svg,
    tightness,
)
from mdptk.problems.constrained import constrained_two_state, safe_answers
from mdptk.problems.learning_constrained import dear_reward
from mdptk.sweep import COUNTEREXAMPLE, Job, Row, Sides, check_jobs, counterexample_jobs, standard_jobs
from mdptk.theory import Asymptotic, Geometric, InExpectation, Theorem, WithProbability
from mdptk.theory.pretty import clock, plain
from mdptk.theory.quantity import latex
from mdptk.theory.references import reference

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache" / "gallery"

# Problems that a page may draw, best known first; a learner, which is compiled for each, runs on five of them only.
SHOWN = (
    "riverswim",
    "garnet",
    "two_state",
    "near_deterministic",
    "gridworld",
    "chain",
    "episodic_riverswim",
    "deep_sea",
    "random_walk",
    "garnet_evaluation",
    "tsitsiklis_van_roy",
    "baird",
    "jao",
    "constrained_two_state",
    "two_arms",
    "good_arm",
    "ten_arms",
    "dear_reward",
    "tiring_swim",
    "steady_income",
    "dear_actions",
    "hidden_garnet",
    "hidden_hazards",
    "moving_wall",
    "moving_wall_and_stops",
    "one_reservoir",
)
COMPILED = 5
SIGN = {"<=": r"\leq", ">=": r"\geq", "=": "="}
WIDE = 90  # characters of a formula above which the terms of its right side stand on lines of their own
STATUS = {
    "proved": "Proved.",
    "order-only": "Order only: its constants are unknown, so it is reported and never judged as a bound.",
    "disputed": "Disputed.",
    "refuted": "Refuted.",
}


def make(out: Path) -> None:
    """Write the pages and their index to `out`; what is there and was not written is deleted."""
    entries = _entries()
    written = {out / "index.md": _index(entries), out / "problems.md": _problems()}
    written |= {out / f"{registry.shelf(cls)}.md": entries[name]["page"] for name, cls in registry.find().items()}
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in set(out.rglob("*.md")) - set(written):
        path.unlink()


def _entries() -> dict[str, dict[str, str]]:
    """The page of each algorithm and what the index shows of it, from the cache where nothing has changed."""
    kept = {name: CACHE / f"{name}-{_fingerprint(cls)}.json" for name, cls in registry.find().items()}
    jobs = [job for name, cls in registry.find().items() if not kept[name].exists() for job in _jobs(cls)]
    rows = check_jobs(jobs, workers=2)
    if wrong := next((row for row in rows if row.broken), None):
        raise RuntimeError(f"{wrong.algorithm}.{wrong.slug} on {wrong.problem}: {wrong.word}, {wrong.note}")
    CACHE.mkdir(parents=True, exist_ok=True)
    for name in dict.fromkeys(type(job.alg).__name__ for job in jobs):
        entry = _entry(registry.find()[name], [row for row in rows if row.algorithm == name])
        for old in CACHE.glob(f"{name}-*.json"):
            old.unlink()
        kept[name].write_text(json.dumps(entry), encoding="utf-8")
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in kept.items()}


def cited(text: str) -> str:
    """Text with ``[key2020word]`` made a citation where the bibliography has that key."""
    return re.sub(r"\[(\w+)\]", lambda m: f":cite:p:`{m[1]}`" if reference(m[1]) else m[0], text)


# one algorithm --------------------------------------------------------------------------------------------------


def _entry(cls: type, rows: list[Row]) -> dict[str, str]:
    return {"page": _page(cls, rows), "lead": _lead(cls), "spark": _spark(cls, rows)}


def _spark(cls: type, rows: list[Row]) -> str:
    """Both sides of the first bound that is more than a bound by zero."""
    best = [_drawn(th, _of(th, rows)) for th in cls.theorems if th.relation != "="]
    row = next((row for row in best if row is not None and row.ratio > 0), None)
    return sparkline(row.sides, width=150, height=44) if row and row.sides else ""


def _fingerprint(cls: type) -> str:
    """Hash of everything that a page depends on: the library without its algorithms, this file, the algorithm."""
    package, shelves = ROOT / "mdptk", ROOT / "mdptk" / "algorithms"
    library = [p for p in sorted(package.rglob("*.py")) if shelves not in p.parents]
    sources = [*library, recorded.PATH, Path(__file__), Path(inspect.getfile(cls))]
    return hashlib.sha256(b"".join(p.read_bytes() for p in sources)).hexdigest()[:16]


def _jobs(cls: type) -> list[Job]:
    jobs, against = standard_jobs([cls()]), counterexample_jobs(cls)
    few = [job for job in jobs if _name(job.label) in SHOWN]
    if issubclass(cls, Learner) and few:
        return sorted(few, key=lambda job: ("," in job.label, SHOWN.index(_name(job.label))))[:COMPILED] + against
    return jobs + against


def _name(label: str) -> str:
    """The problem of which this is a view: ``riverswim, H=4`` is ``riverswim``."""
    return label.split(",")[0]


def _page(cls: type, rows: list[Row]) -> str:
    module = import_module(cls.__module__)
    statement, example = _docstring(module.__doc__)
    shelf = registry.shelf(cls)
    up = "../" * (shelf.count("/") + 2)
    parts = [
        f"# {cls.__name__}",
        f"```{{eval-rst}}\n{statement}\n```",
        _iterates(cls),
        *(_theorem(th, _of(th, rows)) for th in cls.theorems),
        "## Example",
        f"```pycon\n{example}\n```" if example else "",
        f"Hyperparameters: {_hyperparameters(cls)}. It sees: {_sees(cls)}.",
        "## Code",
        f"`mdptk/algorithms/{shelf}.py`, the whole file.",
        f"```{{literalinclude}} {up}mdptk/algorithms/{shelf}.py\n:language: python\n```",
    ]
    proofs = dict.fromkeys(th.proof for th in cls.theorems if th.proof)
    if proofs:
        parts += [
            "## Proofs",
            "From named lemmas to the constants above, as algebra that the tests run. The last line of each function "
            "is the right side of the theorem of that name. [What this is and is not](../../concepts.md#proofs).",
        ]
    for proof in proofs:
        parts += [f"`proofs/{proof}.py`", f"```{{literalinclude}} {up}proofs/{proof}.py\n:language: python\n```"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _iterates(cls: type) -> str:
    """Of a method for constrained problems: what its last policy does, and what the average."""
    if not issubclass(cls.model(), CMDP) or not any(m.name == "returns_sum" for m in cls.measures):
        return ""
    if issubclass(cls, Learner):
        problem, steps, every = dear_reward(), 4096, 8
    else:
        many = (constrained_two_state(), safe_answers())
        problem, steps, every = next(p for p in many if not cls.theorems[0].unmet(cls(), p)), 200, 1
    result = run(cls(), problem, steps, every=every)
    with mpl.rc_context(PAPER | {"font.size": 9}):
        fig, axes = plt.subplots(1, 2, figsize=(7.6, 2.7), layout="constrained")
        for ax, what in zip(axes, ("gap", "excess"), strict=True):
            plot_iterates(result, what=what, ax=ax)
        drawing = _unique(svg(fig), "iterates")
        plt.close(fig)
    caption = f"What the last policy and the average lose, and by how much they exceed budgets, on {html.escape(repr(problem))}."
    return f'```{{raw}} html\n<figure class="sides">\n{drawing}\n<figcaption>{caption}</figcaption>\n</figure>\n```'


def _lead(cls: type) -> str:
    """The first sentence of the algorithm's file, without its colon's introduction of the name."""
    doc = inspect.cleandoc(import_module(cls.__module__).__doc__ or "")
    return " ".join(doc.split("\n\n")[0].split())


def _docstring(doc: str | None) -> tuple[str, str]:
    """The text (reStructuredText) and the doctest of a docstring; where figure and proof are is left out."""
    text, mark, example = inspect.cleandoc(doc or "").partition(">>> ")
    paragraphs = [p for p in re.split(r"\n\s*\n", text.strip()) if not p.startswith(("Figure:", "Proof:"))]
    return re.sub(r"\.\. math::\n\n((?:   .*\n?)+)", _stacked, "\n\n".join(paragraphs)), mark + example


def _stacked(display: re.Match[str]) -> str:
    r"""A display of several equations with a line for each: ``\qquad`` at the end of a line becomes a new line."""
    body, count = re.subn(r"\s*\\qquad\s*\n\s*", r" \\\\[1ex]\n   ", display[1].rstrip())
    if not count:
        return display[0]
    return f".. math::\n   :nowrap:\n\n   \\begin{{gather*}}\n{body}\n   \\end{{gather*}}\n"


def _hyperparameters(cls: type) -> str:
    return ", ".join(f"`{f.name} = {getattr(cls(), f.name)!r}`" for f in fields(cls)) or "none"


def _sees(cls: type) -> str:
    model = cls.model().__name__
    return f"the oracle `{cls.sees.__name__}` of a `{model}`" if issubclass(cls, Learner) else f"the model, `{model}`"


# one theorem ----------------------------------------------------------------------------------------------------


def _of(theorem: Theorem, rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.slug == theorem.slug]


def _theorem(theorem: Theorem, rows: list[Row]) -> str:
    place = f", {theorem.cite.where}" if theorem.cite.where else ""
    title = theorem.name[0].upper() + theorem.name[1:]
    parts = [
        f"## {title}",
        f":::{{prf:{_kind(theorem)}}} {{cite:t}}`{theorem.cite.key}`{place}\n:nonumber:\n:class: statement\n:label: {rows[0].algorithm}.{theorem.slug}\n",
        f"{_premise(theorem)}\n\n$$\n{_display(theorem)}\n$$\n:::",
        _facts(theorem),
    ]
    best = _drawn(theorem, rows)
    if best is not None:
        parts += [_figure(theorem, rows, best), _checked(theorem, rows, best)]
    kept = recorded.shipped().get(f"{rows[0].algorithm}.{theorem.slug}")
    if kept is not None:
        parts.append(_searched(theorem, kept))
    return "\n\n".join(part for part in parts if part)


def _kind(theorem: Theorem) -> str:
    """Lemma or proposition where the source calls it so."""
    word = theorem.cite.where.split(" ")[0].lower()
    return word if word in ("lemma", "proposition", "corollary") else "theorem"


def _premise(theorem: Theorem) -> str:
    """What the statement needs and in which sense it holds, in words before the display."""
    needs = "; ".join(_words(a.text) for a in theorem.assumes)
    since = f"for every ${clock(theorem)} \\geq {theorem.since}$" if theorem.since else "at every step"
    match theorem.holds:
        case WithProbability() as likely:
            sense = f"with probability at least ${likely.level}$, {since} at once"
        case InExpectation():
            sense = f"in expectation, {since}"
        case Asymptotic() | Geometric():
            sense = f"as ${clock(theorem)}$ grows"
        case _:
            sense = since
    return f"Assume {needs}. Then, {sense}," if needs else f"{sense[0].upper()}{sense[1:]},"


def _display(theorem: Theorem) -> str:
    """The two sides as they are evaluated; a long right side has its terms on lines of their own."""
    lhs, sign = latex(theorem.lhs), SIGN[theorem.relation]
    if isinstance(theorem.holds, InExpectation):
        lhs = rf"\mathbb{{E}}\left[{lhs}\right]"
    if theorem.order_only:
        return theorem.latex
    whole = f"{lhs} {sign} {latex(theorem.rhs)}"
    if _length(whole) <= WIDE:
        return whole
    terms = [latex(x) for x in theorem.rhs.as_ordered_terms()]
    first, *rest = terms if theorem.rhs.is_Add else [latex(theorem.rhs)]
    lines = [rf"{lhs} \;{sign}\;& {first}" if _length(lhs) < WIDE / 2 else rf"&{lhs} \\ &\quad {sign}\; {first}"]
    lines += [rf"&\quad {x}" if x.startswith("-") else rf"&\quad +\, {x}" for x in rest]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def _length(tex: str) -> int:
    """About how many characters wide a formula is."""
    return len(plain(tex))


def _facts(theorem: Theorem) -> str:
    """Status with its reason, what it is good for if a run that never moves satisfies it, where it is derived."""
    status = STATUS[theorem.status]
    facts = [f"**{status}**" + (f" {_sentence(_words(theorem.reason))}" if theorem.reason else "")]
    if theorem.iterate:
        facts.insert(0, f"It speaks about the **{theorem.iterate}** iterate.")
    if theorem.silent:
        facts.append(f"**Silent**, since a run that never moves satisfies it too: {_words(theorem.silent)}.")
    if theorem.starts:
        facts.append(f"It speaks of runs from {_words(theorem.starts.text)}.")
    if theorem.proof:
        facts.append("[Derivation](#proofs).")
    if theorem.counterexample:
        facts.append(f"It is violated here:\n\n```python\n{code(theorem, theorem.counterexample())}\n```")
    return " ".join(facts)


def _words(text: str) -> str:
    """Words for Markdown: stars and underscores are themselves, dollars enclose LaTeX."""
    parts = text.split("$")
    return "$".join(part if i % 2 else re.sub(r"([*_|<])", r"\\\1", part) for i, part in enumerate(parts))


def _sentence(text: str) -> str:
    text = text[0].upper() + text[1:]
    return text if text.endswith(".") else text + "."


def _drawn(theorem: Theorem, rows: list[Row]) -> Row | None:
    """The row whose problem is drawn.

    Where a disputed statement breaks, if it does; else where it excludes the run that never moves; then where it is
    tightest among the problems that everybody knows, or among all if on none of these both sides fit into a picture.
    """
    rows = [row for row in rows if row.sides is not None]

    def ratio(row: Row) -> float:
        return round(row.ratio, 2) if math.isfinite(row.ratio) and theorem.relation != "=" else 0.0

    def merit(row: Row) -> tuple:
        says = ("vacuous", "", "silent", "informative").index(row.says)
        name = _name(row.problem)
        known = -SHOWN.index(name) if name in SHOWN else -len(SHOWN)
        return row.verdict == "VIOLATED", says, ratio(row), known

    few = [row for row in rows if row.verdict == "VIOLATED" or _name(row.problem) in SHOWN]
    best = max(few or rows, key=merit, default=None)
    return best if best is None or ratio(best) or theorem.relation == "=" else max(rows, key=merit)


def _searched(theorem: Theorem, kept: Kept) -> str:
    """How tight a search found the theorem, with the instance: run again here, so what is said is what happens."""
    result, ratio = kept.again()
    counts = {"slack": "the excess over the right side, in units of the rounding error"}
    what = counts.get(kept.unit, f"the ratio {kept.unit}")
    head = f"**Tightness.** The largest value that a search over instances found of {what}: **{_ratio(ratio)}**."
    if kept.violated:
        head += " It breaks the statement."
    details = f"<details><summary>The instance, {html.escape(repr(kept.problem))}</summary>"
    with mpl.rc_context(PAPER | {"font.size": 9}):
        try:
            axes = plot_model(kept.problem)
        except InvalidModel:
            drawing = ""
        else:
            drawing = _unique(svg(axes.figure), f"instance-{theorem.slug}")
            plt.close(axes.figure)
    figure = f'```{{raw}} html\n<figure class="sides one">\n{drawing}\n</figure>\n```' if drawing else ""
    python = f"```python\n{code(theorem, result)}\n```"
    shell = f"```{{code-block}} console\n$ {kept.search}\n```"
    return "\n\n".join(part for part in (head, details, figure, python, shell, "</details>") if part)


def _unique(drawing: str, prefix: str) -> str:
    """A picture in one line, with ids that are unique within the page and the colours of the page."""
    drawing = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", drawing)
    for colour, name in ((LHS, "var(--lhs)"), (RHS, "var(--rhs)"), (GREY, "var(--grey)"), ("#000000", "currentColor")):
        drawing = drawing.replace(colour, name)
    return drawing.replace("\n", " ")


def _figure(theorem: Theorem, rows: list[Row], best: Row) -> str:
    """Both sides on the best row; beside them, where it says something, the ratio on all problems."""
    curves = {row.problem: row.sides for row in rows if row.sides is not None}
    if not any(_moves(x) for x in curves.values()):
        return ""
    ratios = {name: x for name, x in curves.items() if np.nanmax(tightness(x, theorem.relation), initial=0) > 0}
    two = len(ratios) > 1 and theorem.relation != "="
    with mpl.rc_context(PAPER | {"font.size": 9, "legend.fontsize": 10}):
        fig, axes = plt.subplots(1, 1 + two, figsize=(7.6 if two else 4.8, 3.0), squeeze=False)
        wide = fig.get_figwidth()  # fixed margins, and no small ticks: half of the time that the gallery takes
        fig.subplots_adjust(left=0.55 / wide, right=1 - 0.1 / wide, bottom=0.155, top=0.84, wspace=0.16)
        plot_sides(curves[best.problem], ax=axes[0, 0], **_labels(theorem))
        if two:
            plot_ratios(ratios, relation=theorem.relation, clock=clock(theorem), ax=axes[0, 1])
            axes[0, 1].set_title(f"ratio of the sides on {len(ratios)} problems", fontsize=9, loc="left")
        for ax in axes[0]:
            ax.minorticks_off()
        drawing = svg(fig)
        plt.close(fig)
    where = f"on {html.escape(best.problem)}, {html.escape(best.model)}"
    drawing = _unique(drawing, theorem.slug)
    return (
        f'```{{raw}} html\n<figure class="sides{"" if two else " one"}" role="img" '
        f'aria-label="{html.escape(theorem.name)}: both sides {where}">\n{drawing}\n'
        f"<figcaption>Both sides {where}.</figcaption>\n</figure>\n```"
    )


def _labels(theorem: Theorem) -> dict[str, str]:
    """Names of the curves that fit above them: formulas if they are short."""
    names = labels(theorem)
    if _length(latex(theorem.lhs)) > 28:
        names["lhs"] = "left side"
    if _length(latex(theorem.rhs)) > 28:
        names["rhs"] = "right side" if theorem.relation == "=" else "bound"
    return names


def _moves(x: Sides) -> bool:
    """Whether there is more to see than two constants."""
    return bool((np.ptp(np.concatenate([x.lhs, x.rhs]), axis=1) > x.slack.max()).any())


def _checked(theorem: Theorem, rows: list[Row], best: Row) -> str:
    """What was found: one sentence, the command that does it again, and the table of all problems."""
    words = {word: sum(row.word == word for row in rows) for word in dict.fromkeys(row.word for row in rows)}
    found = ", ".join(f"{word} on {n}" for word, n in words.items())
    informative = sum(row.says == "informative" for row in rows)
    vacuous = sum(row.says == "vacuous" for row in rows)
    says = f"; informative on {informative}" + (f", vacuous on {vacuous}" if vacuous else "")
    judged = "" if theorem.order_only else says
    standard = sum(row.problem != COUNTEREXAMPLE for row in rows)
    kept = " and the counterexample" if standard < len(rows) else ""
    head = f"On {standard} standard problem{'s' * (standard != 1)}{kept}: {found}{judged}."
    if theorem.status == "disputed" and not any(row.verdict == "VIOLATED" for row in rows):
        slug = f"{best.algorithm}.{theorem.slug}"
        head += f" No counterexample is known; `mdptk falsify {slug}` searches for one."
    notes = any(row.note for row in rows)
    table = ["| problem | verdict | ratio | says |" + " note |" * notes, "|---|---|---|---|" + "---|" * notes]
    for row in sorted(rows, key=lambda row: (row.verdict == "n/a", -row.ratio if math.isfinite(row.ratio) else 1)):
        line = f"| {row.problem} | {row.word} | {_ratio(row.ratio)} | {row.says} |"
        table.append(line + f" {_cell(row.note)} |" * notes)
    details = "<details><summary>Every problem, and the command</summary>"
    shell = f"```{{code-block}} console\n$ {best.command}\n```"
    return "\n\n".join([head, details, "\n".join(table), shell, "</details>"])


def _ratio(x: float) -> str:
    if not math.isfinite(x):
        return "–"
    return "< 0" if x < 0 else f"{x:.3g}"


def _cell(text: str) -> str:
    return _words(text.replace("$", "").replace("\n", " "))


# the problems ---------------------------------------------------------------------------------------------------


def _problems() -> str:
    """What the standard problems say of themselves, by the file that they are in."""
    modules: dict[str, list[str]] = {}
    for name, (_, make) in registry.problem_factories().items():
        modules.setdefault(make.__module__, []).append(name)
    parts = [
        "# Standard problems",
        "Called with its defaults each of these is a standard problem, on which `mdptk verify` judges every theorem "
        "that applies. `mdptk.registry.problems(MDP)` makes all of a type, including views: an `MDP` cut off after four "
        "stages is a `FiniteHorizonMDP`, an `MDP` with its uniform policy a `PolicyEvaluation`.",
    ]
    for module, names in sorted(modules.items()):
        doc = inspect.cleandoc(import_module(module).__doc__ or module)
        functions = "\n".join(f".. autofunction:: {name}" for name in names)
        parts += [
            f"## {module.removeprefix('mdptk.')}",
            f"```{{eval-rst}}\n{cited(doc)}\n\n.. currentmodule:: {module}\n{functions}\n```",
        ]
    return "\n\n".join(parts) + "\n"


# the index ------------------------------------------------------------------------------------------------------


def _index(entries: dict[str, dict[str, str]]) -> str:
    shelves: dict[str, list[str]] = {}
    for name, cls in registry.find().items():
        shelves.setdefault(registry.shelf(cls).split("/")[0], []).append(name)
    count = sum(len(registry.find()[name].theorems) for name in entries)
    parts = [
        "# Gallery",
        f"Made from the registry when this site was built: {len(entries)} algorithms, {count} theorems. A page "
        "states each theorem from the expressions that are evaluated, draws both of its sides on a standard problem, "
        "and ends in the code. The small figures show both sides of the first bound: the quantity (blue) and what the "
        "theorem allows (red, dashed). The models they run on are [here](problems.md).",
    ]
    for shelf, names in sorted(shelves.items()):
        module = sys.modules[f"mdptk.algorithms.{shelf}"]
        lines = "\n".join(_line(name, entries[name]) for name in names)
        paths = "\n".join(f"{name} <{registry.shelf(registry.find()[name])}>" for name in names)
        parts += [
            f"## {inspect.cleandoc(module.__doc__ or shelf).partition('.')[0]}",
            f":::{{list-table}}\n:class: gallery\n:widths: 32 48 20\n\n{lines}\n:::",
            f"```{{toctree}}\n:hidden:\n\n{paths}\n```",
        ]
    parts.append("```{toctree}\n:hidden:\n\nproblems\n```")
    return "\n\n".join(parts) + "\n"


def _line(name: str, entry: dict[str, str]) -> str:
    cls = registry.find()[name]
    theorems = "; ".join(th.name for th in cls.theorems)
    spark = f"\n    ```{{raw}} html\n    {entry['spark']}\n    ```" if entry["spark"] else ""
    return f"* - [{name}]({registry.shelf(cls)}.md)\n  - {entry['lead']}\n\n    *{theorems}*\n  - {spark.lstrip()}"
