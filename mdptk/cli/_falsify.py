"""``mdptk falsify``: search for the instance on which a theorem is false, or tightest."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from mdptk import registry
from mdptk.cli._common import errors, natural, new_folder, output, positive
from mdptk.core.algorithm import Learner
from mdptk.core.errors import MdptkError
from mdptk.falsify import Counterexample, falsify, recorded
from mdptk.falsify.instance import KINDS
from mdptk.falsify.recorded import PATH


def add_parser(commands: Any) -> None:
    """The subcommand and its options."""
    p = commands.add_parser("falsify", help="search for an instance that breaks a theorem, and report the tightest")
    p.add_argument("name", nargs="?", metavar="NAME", help="a theorem, such as NPG.global-convergence")
    p.add_argument("--all", action="store_true", help="every theorem that can be searched, one after the other")
    p.add_argument("--new", action="store_true", help="those of them that --record has not yet")
    keep = "keep the tightest instance in FILE (default: the package's own)"
    p.add_argument("--record", nargs="?", type=Path, const=PATH, metavar="FILE", help=keep)
    p.add_argument("--budget", type=seconds, default=60.0, metavar="SECONDS", help="of search (default 60)")
    p.add_argument("--runs", type=positive, metavar="N", help="stop after so many instances, if that comes first")
    p.add_argument("--seed", type=natural, default=0, metavar="N", help="seed of the search (default 0)")
    p.add_argument("--gamma", type=float, metavar="G", help="the discount of all instances (default: any)")
    p.add_argument("--out", type=Path, metavar="DIR", help="an empty or new folder (default: a new one in mdptk-out)")
    p.set_defaults(command=falsify_command, keeps=True)


def seconds(text: str) -> float:
    """A positive number, infinity included, for argparse."""
    x = float(text)
    if math.isnan(x) or x <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return x


def falsify_command(args: argparse.Namespace) -> int:
    """The command: 1 if a theorem that is called proved is broken."""
    if args.all or args.new:
        if args.name or args.out or args.gamma is not None or (args.new and args.record is None):
            raise MdptkError("--all and --new go without NAME, --out and --gamma; --new needs --record")
        return _all(args)
    if not args.name:
        raise MdptkError("name a theorem, such as NPG.global-convergence, or say --all")
    cls, theorem = registry.theorem(args.name)
    name = f"{cls.__name__}.{theorem.slug}"
    if theorem.order_only:
        raise MdptkError(f"{name} is order-only: it has no constants that an instance could break")
    folder = args.out or new_folder(f"falsify-{name}")
    shown = errors().is_terminal
    found = falsify(
        name, budget=args.budget, runs=args.runs, seed=args.seed, gamma=args.gamma, out=folder, progress=shown
    )
    output().print(str(found), markup=False, soft_wrap=True)
    if args.record is not None:
        recorded.write(found, args.record)
    if found.about.ended == "interrupted":
        return 130
    return int(isinstance(found, Counterexample) and theorem.status == "proved")


def _all(args: argparse.Namespace) -> int:
    """Every theorem with the same budget, a line for each; what was found so far is kept when somebody interrupts."""
    known = recorded.load(args.record) if args.new else {}
    broken = False
    for name, cls in registry.find().items():
        for theorem in cls.theorems:
            full = f"{name}.{theorem.slug}"
            if theorem.order_only or cls.model() not in KINDS or full in known:
                continue
            found = falsify(full, budget=args.budget, runs=args.runs, seed=args.seed, progress=errors().is_terminal)
            output().print(f"{found.headline} ({found.about})", markup=False, soft_wrap=True)
            if found.about.ended == "interrupted":
                return 130
            if args.record is not None:
                recorded.write(found, args.record)
            broken = broken or (isinstance(found, Counterexample) and theorem.status == "proved")
        if issubclass(cls, Learner):
            from mdptk.core.learn import forget

            forget()
    return int(broken)
