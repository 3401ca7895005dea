"""The command line, ``mdptk verify | falsify | list | show | solve | run | reproduce``: a module for each of them.

Results go to the standard output, progress and errors to the other one. Exit codes: 0, all is well; 1, a theorem is
violated, a claim fails or a solver does not converge; 2, the command or its input is wrong; 130, interrupted; 143,
terminated (SIGTERM) by a command that keeps what it has found so far.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from threading import Timer, current_thread, main_thread
from types import FrameType

from mdptk.core.errors import MdptkError, NotConverged

INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM  # as a shell has it
COMMANDS = ("verify", "falsify", "list", "show", "solve", "run", "reproduce")


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    top = argparse.ArgumentParser(prog="mdptk", description="Theorems of reinforcement learning that you can run.")
    top.add_argument("--version", action="store_true", help="print the version and exit")
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    for name in COMMANDS:  # imported here, where Ctrl-C is looked after, because it takes a second
        import_module(f"mdptk.cli._{name}").add_parser(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (that of the process if None) and return the exit code; nothing is raised."""
    words = list(sys.argv[1:] if argv is None else argv)
    heard: list[int] = []  # signals that ended the command
    try:
        with _raised(signal.SIGINT, heard):
            args = parser().parse_args(words)
            args.words = words
            code = _dispatch(args, heard)
            return TERMINATED if code == INTERRUPTED and signal.SIGTERM in heard else code
    except SystemExit as stop:  # argparse has printed what is wrong
        return int(stop.code or 0)
    except KeyboardInterrupt:
        if signal.SIGTERM in heard:
            return _fail("terminated", TERMINATED)
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except NotConverged as error:
        return _fail(f"not converged: {error}", 1)
    except (MdptkError, OSError) as error:
        return _fail(f"error: {error}", 2)


def _fail(message: str, code: int) -> int:
    print(message, file=sys.stderr)  # noqa: T201
    return code


def _dispatch(args: argparse.Namespace, heard: list[int]) -> int:
    if args.version:
        from mdptk import __version__

        print(__version__)  # noqa: T201
        return 0
    if not hasattr(args, "command"):
        parser().print_help()
        return 2
    if not getattr(args, "keeps", False):
        return args.command(args)
    with _raised(signal.SIGTERM, heard):  # the others have nothing to lose, and end at once
        return args.command(args)


@contextmanager
def _raised(number: int, heard: list[int]) -> Iterator[None]:
    """A signal raises KeyboardInterrupt, but never where it would be swallowed: it waits for the next moment then."""
    if current_thread() is not main_thread():
        yield
        return

    def interrupt(_: int, frame: FrameType | None) -> None:
        while frame is not None:
            if frame.f_code.co_name in ("_xla_gc_callback", "__del__"):  # jax has a callback of the garbage collector
                Timer(0.02, _signal_main_thread, [number]).start()
                return
            frame = frame.f_back
        heard.append(number)
        raise KeyboardInterrupt

    before = signal.signal(number, interrupt)
    try:
        yield
    finally:
        signal.signal(number, before or signal.SIG_DFL)


def _signal_main_thread(number: int) -> None:
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main_thread().ident or 0, number)  # wakes it up, too, if it waits for something
    else:  # Windows
        signal.raise_signal(number)
