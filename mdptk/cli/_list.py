"""``mdptk list``: what there is."""

from __future__ import annotations

import argparse
import inspect
from typing import Any

from rich.table import Table
from rich.text import Text

from mdptk import registry
from mdptk.cli._common import output
from mdptk.core.errors import MdptkError

WHAT = ("algorithms", "problems", "lower-bounds", "experiments")


def add_parser(commands: Any) -> None:
    """The subcommand and its options."""
    p = commands.add_parser("list", help="list algorithms, problems, lower bounds and experiments")
    p.add_argument("what", nargs="?", choices=WHAT, help="all of them if nothing is said")
    p.set_defaults(command=show_list)


def show_list(args: argparse.Namespace) -> int:
    """The command."""
    tables = {
        "algorithms": _algorithms,
        "problems": _problems,
        "lower-bounds": _lower_bounds,
        "experiments": _experiments,
    }
    out = output()
    for name in [args.what] if args.what else WHAT:
        if not args.what:
            out.print(Text(f"\n{name}", style="bold"))
        out.print(tables[name]())
    return 0


def first_line(thing: Any) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def _table(*names: str) -> Table:
    t = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in names:
        t.add_column(name, overflow="fold")
    return t


def _algorithms() -> Table:
    t = _table("name", "shelf", "for", "theorems", "")
    for name, cls in registry.find().items():
        shelf = registry.shelf(cls).rpartition("/")[0]
        doc = first_line(inspect.getmodule(cls))
        t.add_row(name, shelf, cls.model().__name__, str(len(cls.theorems)), Text(doc))
    return t


def _problems() -> Table:
    t = _table("name", "model", "")
    for name, (_, make) in registry.problem_factories().items():
        t.add_row(name, Text(repr(make())), Text(first_line(make)))
    return t


def _lower_bounds() -> Table:
    t = _table("name", "for learners that see", "which are", "source")
    for name, bound in registry.lower_bounds().items():
        t.add_row(name, bound.sees.__name__, ", ".join(registry.subject_to(bound)) or "none", str(bound.claim.cite))
    return t


def _experiments() -> Table | Text:
    try:
        found = registry.experiments()
    except MdptkError as error:
        return Text(f"none: {error}", style="dim")
    t = _table("name", "")
    for name, module in found.items():
        t.add_row(name, Text(first_line(module)))
    return t
