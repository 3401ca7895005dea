"""Natural policy gradient on 1,000 models at once, S = 20, A = 5: model-iterations a second, through free leading axes.

Beside it the same models one by one, and the batch on one thread. Medians of `REPEATS` runs of `STEPS` steps.
"""

from __future__ import annotations

import time
from unittest.mock import patch

import numpy as np
from rich.console import Console
from rich.table import Table

from mdptk import MDP, run
from mdptk.algorithms.policy_gradient.npg import NPG

MODELS, S, A, STEPS, REPEATS = 1000, 20, 5, 1000, 3
ONE_BY_ONE = 10  # models


def models():
    rng = np.random.default_rng(0)
    return MDP(rng.dirichlet(np.ones(S), (MODELS, S, A)), rng.random((MODELS, S, A)), 0.9)


def rate(problems, n):
    """Model-iterations a second."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        for problem in problems:
            run(NPG(eta=0.1), problem, STEPS, every=STEPS)
        seconds.append(time.perf_counter() - start)
    return n * STEPS / sorted(seconds)[REPEATS // 2]


def main():
    """Print the table."""
    batch = models()
    table = Table(title=f"NPG, {MODELS} models, S = {S}, A = {A}, {STEPS} iterations")
    table.add_column("how")
    table.add_column("model-iterations a second", justify="right")
    table.add_row("run, a batch", f"{rate([batch], MODELS):,.0f}")
    with patch("mdptk.core.run.PIECE", MODELS):
        table.add_row("a batch, one thread", f"{rate([batch], MODELS):,.0f}")
    few = [MDP(batch.P[i], batch.r[i], 0.9) for i in range(ONE_BY_ONE)]
    table.add_row("one by one", f"{rate(few, ONE_BY_ONE):,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
