"""Constrained methods against the linear program, on many random problems; an eighth of these are infeasible.

A problem has up to 6 states, up to 3 actions, 1 to 5 costs, and a Slater constant of 1e-1, 1e-2 or 1e-3; an infeasible
one lacks as much. On the feasible ones no proved theorem may be broken. On the others every theorem that needs a
feasible policy has to say that there is none, with the certificate of the solver; so has a method that needs the Slater
constant to start.

    python -m tests.algorithms.constrained.random_problems 1000
"""

import sys
from collections import Counter

import numpy as np

from mdptk import registry
from mdptk.core.errors import Infeasible, NotConverged
from mdptk.core.models import CMDP, MDP
from mdptk.core.run import run
from mdptk.problems.constrained import budgets_with_slack
from mdptk.theory import check
from mdptk.theory.stock_constrained import optimum

STEPS = 30
SAYS = "no policy meets the budgets"


def draw(seed):
    """A problem, and whether it is feasible."""
    rng = np.random.default_rng(seed)
    S, A, m = rng.integers(1, 7), rng.integers(1, 4), 1 + seed % 5
    gamma, xi, feasible = float(rng.choice([0.0, 0.5, 0.9])), float(rng.choice([1e-1, 1e-2, 1e-3])), seed % 8 != 7
    P = rng.dirichlet(np.full(S, rng.choice([0.1, 1.0])), size=(S, A))
    mdp = MDP(P, rng.random((S, A)), gamma, rng.dirichlet(np.full(S, 0.5)))
    c = rng.random((m, S, A))
    return CMDP(mdp, c, budgets_with_slack(mdp, c, xi if feasible else -xi)), feasible


def judge(seed, classes):
    """What each theorem says on one problem: ((algorithm, theorem, word), what must not be)."""
    problem, feasible = draw(seed)
    for cls in classes:
        try:
            result = run(cls(), problem, STEPS)
        except Infeasible as error:
            yield (cls.__name__, "*", "infeasible"), str(error) if feasible or SAYS not in str(error) else ""
            continue
        except NotConverged as error:
            yield (cls.__name__, "*", "not converged"), str(error)
            continue
        for v in check(result, skip_unmet=True):
            wrong = v.ok is False and v.theorem.status == "proved"
            if not feasible and any("Slater" in a.text for a in v.theorem.assumes):
                wrong = v.word != "n/a" or SAYS not in v.note
            yield (cls.__name__, v.theorem.name, v.word), f"{v.word}: {v.note}" if wrong else ""


def methods():
    """Every method for discounted constrained problems."""
    return [cls for cls in registry.find().values() if cls.model() is CMDP]


def main(n):
    """Judge n problems, print the counts, and return how much is wrong."""
    found, wrong = Counter(), []
    for seed in range(n):
        for key, why in judge(seed, methods()):
            found[key] += 1
            wrong += [f"seed {seed}, {key[0]}.{key[1]}: {why}"] if why else []
        optimum.cache_clear()
    for (cls, name, word), count in sorted(found.items()):
        sys.stdout.write(f"{count:6d}  {cls}.{name}: {word}\n")
    sys.stdout.write("\n".join([f"{n} problems, {len(wrong)} broken", *wrong[:20]]) + "\n")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(min(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000), 1))
