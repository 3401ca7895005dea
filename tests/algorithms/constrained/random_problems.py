"""Constrained methods against the linear program, on many random problems; an eighth of these are infeasible.

A problem has up to 6 states, up to 3 actions, 1 to 5 costs, and a Slater constant of 1e-1, 1e-2 or 1e-3; an infeasible
one lacks as much. On the feasible ones a method reaches the accuracy of its theorems, all that are proved, or a verdict
says why it does not apply. On the others every theorem that needs a feasible policy has to say that there is none, with
the certificate of the solver; so has a method that needs the Slater constant to start. The certified optimum itself,
which they are judged by, is compared with HiGHS on the occupancies.

Two kinds of methods are left out, and the table says so. CTNB claims how much a step gains and saves, and no accuracy:
a run that starts above a budget may stay there. The learners (OptDual and the others that play episodes) see no model:
their theorems bound sums over a run, by what was planned in it. FeasibleIteration is about violations in a moment and
never looks at a budget, so on an infeasible problem it has nothing to say.

    python -m tests.algorithms.constrained.random_problems 1000 [minutes]

With a second number it ends after so many minutes, with the problems that it got to.
"""

import re
import sys
import time
from collections import Counter

import numpy as np
from scipy.optimize import linprog

from mdptk import registry
from mdptk.core import exact
from mdptk.core.constrained import EpisodicCMDP
from mdptk.core.errors import Infeasible, MdptkError, NotConverged
from mdptk.core.models import CMDP, MDP
from mdptk.core.run import run
from mdptk.problems.constrained import budgets_with_slack
from mdptk.theory import check
from mdptk.theory.stock_constrained import optimum

STEPS = 30
SAYS = "no policy meets the budgets"
REACHED, WHY_NOT, BROKEN = "reached", "says why not", "broken"
RECOGNISED, SILENT = "recognised", "no theorem on budgets"
LEFT_OUT = {"CTNB": "what a step gains and saves, and no accuracy: it may stay above a budget for ever"}
HIGHS = 1e-6  # what HiGHS allows for, 1e-7 in a constraint and in a reduced cost, with room for a sum of ten


def draw(seed):
    """A problem, and whether it is feasible."""
    rng = np.random.default_rng(seed)
    S, A, m = rng.integers(1, 7), rng.integers(1, 4), 1 + seed % 5
    gamma, xi, feasible = float(rng.choice([0.0, 0.5, 0.9])), float(rng.choice([1e-1, 1e-2, 1e-3])), seed % 8 != 7
    P = rng.dirichlet(np.full(S, rng.choice([0.1, 1.0])), size=(S, A))
    mdp = MDP(P, rng.random((S, A)), gamma, rng.dirichlet(np.full(S, 0.5)))
    c = rng.random((m, S, A))
    return CMDP(mdp, c, budgets_with_slack(mdp, c, xi if feasible else -xi)), feasible


def methods():
    """Every method for discounted constrained problems that claims an accuracy."""
    return [cls for cls in registry.find().values() if cls.model() is CMDP and cls.__name__ not in LEFT_OUT]


def left_out():
    """The others, by name, with the reason."""
    learners = [name for name, cls in registry.find().items() if cls.model() is EpisodicCMDP]
    return {**LEFT_OUT, ", ".join(learners): "regret and violation of a run, of a learner that sees no model"}


def judge(cls, problem, feasible):
    """What became of a method on a problem: the column of the table, and a line for each thing to say about it."""
    try:
        verdicts = check(run(cls(), problem, STEPS), skip_unmet=True)
    except Infeasible as error:
        return (RECOGNISED if not feasible and SAYS in str(error) else BROKEN), [f"Infeasible: {error}"]
    except NotConverged as error:
        return (WHY_NOT if feasible else BROKEN), [f"NotConverged: {error}"]
    except MdptkError as error:
        return BROKEN, [f"{type(error).__name__}: {error}"]
    proved = [v for v in verdicts if v.theorem.status == "proved"]
    said = {v: f"{v.theorem.name}: {v.word}: {v.note}" for v in proved if v.word != "holds"}
    if wrong := [line for v, line in said.items() if v.word == "VIOLATED" or not v.note]:
        return BROKEN, wrong
    if feasible:
        return (WHY_NOT if said else REACHED), list(said.values())
    needs = [v for v in verdicts if any("Slater" in a.text for a in v.theorem.assumes)]
    if unsaid := [f"{v.theorem.name}: {v.word}: {v.note}" for v in needs if v.word != "n/a" or SAYS not in v.note]:
        return BROKEN, unsaid
    return (RECOGNISED if needs else SILENT), []


def judge_solver(problem, feasible):
    """The same of the certified optimum, against HiGHS."""
    mdp = problem.mdp
    flow = exact.occupancy_flow(mdp).T
    found = linprog(
        -mdp.r.ravel(), problem.c.reshape(problem.m, -1), problem.b, flow, mdp.rho, bounds=(0, None), method="highs"
    )
    try:
        best = optimum(problem)
    except Infeasible as error:
        said = SAYS in str(error) and not feasible and found.status == 2
        return (RECOGNISED if said else BROKEN), [f"Infeasible: {error}; HiGHS: {found.message}"]
    room = HIGHS * (1 + best.multipliers.sum()) / (1 - mdp.gamma)
    near = feasible and found.status == 0 and best.lower - room <= -found.fun <= best.upper + room
    return (REACHED if near else BROKEN), [f"[{best.lower}, {best.upper}]; HiGHS: {found.message} {found.fun}"] * (
        not near
    )


def judge_all(seed, classes):
    """The rows (method, column, lines) of one problem."""
    problem, feasible = draw(seed)
    yield "solve", *judge_solver(problem, feasible)
    for cls in classes:
        yield cls.__name__, *judge(cls, problem, feasible)
    optimum.cache_clear()


def main(n, minutes=np.inf):
    """Judge n problems, print the table and the reasons, and return how much is broken."""
    end = time.monotonic() + 60 * minutes
    columns = (REACHED, WHY_NOT, BROKEN, RECOGNISED, SILENT)
    found, reasons, wrong = Counter(), Counter(), []
    for seed in range(n):
        if time.monotonic() > end:
            n = seed
            break
        for name, column, lines in judge_all(seed, methods()):
            found[name, column] += 1
            wrong += [f"seed {seed}, {name}: {line}" for line in lines if column == BROKEN]
            reasons.update((name, _blurred(line)) for line in lines if column == WHY_NOT)
    names = dict.fromkeys(name for name, _ in found)
    bad = sum(seed % 8 == 7 for seed in range(n))
    rows = [f"{'':32}{f'{n - bad} feasible problems':>35}{f'{bad} infeasible':>36}"]
    rows += [f"{'':32}" + "".join(f"{c:>{len(c) + 3}}" for c in columns)]
    rows += [f"{name:32}" + "".join(f"{found[name, c]:{len(c) + 3}d}" for c in columns) for name in names]
    rows += ["", "left out:", *(f"  {name}: {why}" for name, why in left_out().items())]
    rows += ["", "why not:", *(f"{k:6d}  {name}: {line}" for (name, line), k in sorted(reasons.items()))]
    sys.stdout.write("\n".join([*rows, "", f"{len(wrong)} broken", *wrong[:40]]) + "\n")
    return len(wrong)


def _blurred(line):
    """The line with its numbers taken out, so that lines that say the same are counted together."""
    return re.sub(r"-?\d+\.\d+(e[+-]?\d+)?|\d+e[+-]?\d+|\d{2,}", "#", line)[:200]


if __name__ == "__main__":
    sys.exit(min(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, *map(float, sys.argv[2:])), 1))
