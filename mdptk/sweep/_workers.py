"""Processes that do not outlive the one that started them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

CHECK = 0.5  # seconds between two looks at the parent

_watching = threading.Event()


def end_with(parent: int) -> None:
    """Ends this process soon after the one that started it, however that ended: SIGKILL leaves it no time to tell.

    Parameters
    ----------
    parent
        The process that started this one.
    """
    if _watching.is_set():
        return
    _watching.set()

    def watch() -> None:
        while os.getppid() == parent:  # an orphan is given to another; Windows does not do that
            time.sleep(CHECK)
        os._exit(1)  # from a thread, whatever the others are doing

    threading.Thread(target=watch, name="mdptk end_with", daemon=True).start()


def end_with_home(home: int) -> None:
    """For a task of joblib: Ctrl-C and the end of `home`, where the task was asked for, are the end of a child of it.

    In `home` itself and in workers that somebody else started, such as those of Dask, nothing is changed.
    """
    if os.getpid() != home and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells `home`, too, which ends the others
    if os.getppid() == home:
        end_with(home)


@contextmanager
def signals_postponed() -> Iterator[None]:
    """Processes that are started here never hear Ctrl-C or SIGTERM; they reach this one afterwards."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # starting it would unblock the signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
