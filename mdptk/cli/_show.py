"""``mdptk show``: statements, assumptions, citations, status."""

from __future__ import annotations

import argparse
import inspect
from dataclasses import fields
from typing import Any, get_type_hints

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mdptk import registry
from mdptk.cli._common import output
from mdptk.core.algorithm import Algorithm, Range
from mdptk.falsify.result import code
from mdptk.theory import LowerBound, Theorem
from mdptk.theory.pretty import statement
from mdptk.theory.references import citation, reference


def add_parser(commands: Any) -> None:
    """The subcommand and its options."""
    p = commands.add_parser(
        "show", help="print an algorithm and its theorems: statement, assumptions, citation, status"
    )
    p.add_argument(
        "name",
        metavar="NAME",
        help="an algorithm (NPG), a theorem (NPG.global-convergence) or a lower bound (two-arms-exchanged)",
    )
    p.set_defaults(command=show)


def show(args: argparse.Namespace) -> int:
    """The command."""
    out = output()
    if args.name in registry.lower_bounds():
        _show_bound(out, registry.lower_bounds()[args.name])
        return 0
    if "." in args.name:
        cls, theorem = registry.theorem(args.name)
        _show_theorem(out, cls, theorem)
        return 0
    cls = registry.algorithm(args.name)
    _show_algorithm(out, cls)
    for theorem in cls.theorems:
        _show_theorem(out, cls, theorem)
    return 0


def _show_algorithm(out: Console, cls: type[Algorithm]) -> None:
    out.print(Text.assemble((cls.__name__, "bold"), f"   {registry.shelf(cls)}, for {cls.model().__name__}"))
    doc = inspect.getdoc(inspect.getmodule(cls)) or ""
    out.print(Text(doc.partition("\n>>> ")[0].rstrip() + "\n"))
    for line in hyperparameters(cls):
        out.print(Text(line))


def hyperparameters(cls: type[Algorithm]) -> list[str]:
    """A line for each hyperparameter: type, range, default."""
    hints = get_type_hints(cls, include_extras=True)
    plain = get_type_hints(cls)
    lines = []
    for f in fields(cls):
        ranges = [str(mark) for mark in getattr(hints[f.name], "__metadata__", ()) if isinstance(mark, Range)]
        kind = getattr(plain[f.name], "__name__", str(plain[f.name]))
        lines.append(f"--set {f.name}={f.default!r}   {kind}{' in ' + ' and '.join(ranges) if ranges else ''}")
    return lines


def _show_theorem(out: Console, cls: type[Algorithm], th: Theorem) -> None:
    out.print(Text.assemble("\n", (f"{cls.__name__}.{th.slug}", "bold")))
    _print(out, th, facts(th))


def _show_bound(out: Console, bound: LowerBound) -> None:
    out.print(Text(bound.claim.slug, style="bold"))
    about = {
        "on average": f"over a family, for every learner that sees {bound.sees.__name__}",
        "held against": ", ".join(registry.subject_to(bound)) or "none",
        "sizes": "; ".join(", ".join(f"{name} = {x:g}" for name, x in sizes.items()) for sizes in bound.sizes),
    }
    _print(out, bound.claim, facts(bound.claim) | {"LaTeX": bound.latex} | about)


def _print(out: Console, th: Theorem, lines: dict[str, str]) -> None:
    text = Text(statement(th, width=max(40, out.width - 6)), no_wrap=True)
    out.print(Padding(text, (1, 0, 1, 4)))
    t = Table.grid(padding=(0, 2, 0, 0))
    t.add_column(style="dim")
    t.add_column(overflow="fold")
    for name, words in lines.items():
        t.add_row(name, Text(words))
    out.print(t)


def facts(th: Theorem) -> dict[str, str]:
    """What there is to say about a theorem beside its statement."""
    found = reference(th.cite.key)
    lines = {
        "LaTeX": th.latex,
        "holds": th.holds.text + (f", for t >= {th.since}" if th.since != 1 else ""),
        "iterate": f"of the {th.iterate} iterate" if th.iterate else "",
        "assumes": "; ".join(a.text for a in th.assumes) or "nothing",
        "source": citation(th.cite),
        "link": found.link if found else "",
        "status": th.status + (f": {th.reason}" if th.reason else ""),
        "silent": f"a run that never moves satisfies it, too: {th.silent}" if th.silent else "",
        "proof": f"proofs/{th.proof}.py" if th.proof else "",
        "starts": f"from {th.starts.text}" if th.starts else "",
        "broken by": code(th, th.counterexample()) if th.counterexample else "",
    }
    return {name: words for name, words in lines.items() if words}
