"""Certified answers: mdptk beside quantecon, mdpsolver, pymdptoolbox and stormpy, one table, all in the same run.

Everyone is asked for an error of 1e-6. The column "error" is what they really have: the farthest that the returned
values can be from bounds that mdptk proved at 1e-8. Seconds are medians, without construction of the model and without
the first run, which compiles. Memory is the peak of a process that reads the arrays of the model, makes the model and
solves it, as a multiple of the CSR (or dense) arrays; what the process takes after a small model was solved, with its
libraries and compiled code, is not counted. Arrays are given to mdptk locked, so that it need not copy them. The floor
is the time to read P once; then to go once through all that a backup needs: P, r, v, the new v and the actions. The
python of the peers is the first argument (`make bench` makes their environment); a second one picks models by part of
their names, a third one peers by part of "library method", several parts with commas between.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from rich.console import Console
from rich.table import Table

from mdptk.core.models import MDP
from mdptk.problems.garnet import garnet
from mdptk.solve import solve

TOL, REPEATS, PATIENCE = 1e-6, 3, 100.0
RATIOS = {}  # model to our seconds over those of the fastest peer that is right


def maze(n=1000, gamma=0.999, slip=0.1):
    """The grid of `mdptk.problems.gridworld` with slips, as CSR: the goal is the last of n * n cells."""
    S = n * n
    row, column = divmod(np.arange(S), n)
    moves = ((0, -1), (1, 0), (0, 1), (-1, 0))
    to = np.stack([np.clip(row + i, 0, n - 1) * n + np.clip(column + j, 0, n - 1) for i, j in moves], 1)
    to[-1] = S - 1
    a = np.arange(4)
    successors = np.stack([to, to[:, (a + 1) % 4], to[:, (a - 1) % 4]], 2)
    p = np.tile([1 - slip, slip / 2, slip / 2], 4 * S)
    P = sp.csr_array((p, successors.ravel().astype(np.int32), np.arange(0, 12 * S + 1, 3)), shape=(4 * S, S))
    r = np.zeros((S, 4))
    r[-1] = 1.0
    return MDP(P, r, gamma)


def dense(S=1000, A=20, gamma=0.99):
    rng = np.random.default_rng(0)
    P = rng.random((S, A, S))
    P /= P.sum(-1, keepdims=True)
    return MDP(P, rng.random((S, A)), gamma)


MODELS = {
    "garnet 1e5 gamma 0.99": lambda: garnet(100_000, 10, 10, 0.99),
    "garnet 1e5 gamma 0.999": lambda: garnet(100_000, 10, 10, 0.999),
    "dense 1000": dense,
    "maze 1e6 gamma 0.999": maze,
    "garnet 1e6 gamma 0.99": lambda: garnet(1_000_000, 4, 5, 0.99),
}
PEERS = (
    ("quantecon", "mpi"),
    ("quantecon", "mpi-100000"),
    ("quantecon", "vi"),
    ("quantecon", "pi"),
    ("mdpsolver", "mpi"),
    ("pymdptoolbox", "mpi"),
    ("pymdptoolbox", "vi"),
    ("stormpy", "default"),
    ("stormpy", "sound"),
)


def slow(library, method, name):
    """What is known not to end within minutes, or to need more memory than there is."""
    if library == "quantecon" and method == "pi":
        return "factorises a random graph" if "garnet" in name else "1e6" in name and "factorises"
    if library == "mdpsolver":
        return ("1e6" in name or "dense" in name) and "wants lists of 12 to 20 million Python numbers"
    if library == "stormpy":
        return ("1e6" in name or "dense" in name) and "wants 12 to 20 million calls to build the model"
    return library == "pymdptoolbox" and "1e6" in name and "minutes"


def arrays(mdp):
    P = mdp.P
    return {"data": P.data, "indices": P.indices, "indptr": P.indptr} if mdp.sparse else {"dense": P}


def best_of(f, n=7):
    """The shortest of `n` times in seconds, after one that does not count."""
    seconds = []
    for _ in range(n + 1):
        start = time.perf_counter()
        f()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def touched(mdp):
    """What one backup reads and writes: P, r, v, the new v and the actions."""
    return [*arrays(mdp).values(), mdp.r, *np.zeros((3, mdp.S))]


def floor(parts):
    """Seconds to read arrays once, on as many threads as a backup: a sum has nothing else to do."""
    parts = [x.ravel().view(np.int64 if x.nbytes % 8 == 0 else np.int32) for x in parts]
    import numba

    from mdptk.solve._kernels import spread

    total = numba.njit(_total, nogil=True)
    return best_of(lambda: [spread(total, len(x), x) for x in parts])


def _total(first, last, x):
    a, b, c, d = 0, 0, 0, 0
    for j in range(first, last - 3, 4):
        a, b, c, d = a + x[j], b + x[j + 1], c + x[j + 2], d + x[j + 3]
    return a + b + c + d


def one_backup(mdp):
    """Seconds of one full backup, v in float64."""
    from mdptk.solve import _kernels
    from mdptk.solve._sparse import ahead, csr

    v, w, actions = mdp.r.max(1), np.empty(mdp.S), np.zeros(mdp.S, int)
    if not mdp.sparse:
        return best_of(lambda: mdp.q(v).max(1, out=w))
    far = ahead(mdp)
    return best_of(lambda: _kernels.full_backup(*csr(mdp), mdp.r, mdp.gamma, v, w, actions, far))


OURS = """
import json, sys, time
import numpy as np, scipy.sparse as sp
from mdptk import MDP, solve

def load(path):
    z = np.load(path)
    S, A = z["r"].shape
    if "dense" in z:
        return MDP(z["dense"], z["r"], float(z["gamma"]))
    parts = [locked(z[name]) for name in ("data", "indices", "indptr")]
    return MDP(sp.csr_array(tuple(parts), shape=(S * A, S)), z["r"], float(z["gamma"]))

def locked(x):  # what nobody can write to is shared, not copied
    for part in (x, x.base):
        part.setflags(write=False)
    return x

def kilobytes(what):  # ru_maxrss would count the parent
    return int(next(x for x in open("/proc/self/status") if x.startswith(what)).split()[1])

solve(load(sys.argv[5]), tol=float(sys.argv[2]))
before = kilobytes("VmRSS")
mdp = load(sys.argv[1])
seconds = []
for _ in range(int(sys.argv[3]) + 1):
    start = time.perf_counter()
    solution = solve(mdp, tol=float(sys.argv[2]))
    seconds.append(time.perf_counter() - start)
memory = (kilobytes("VmHWM") - before) * 1024
s = sorted(seconds[1:])
np.save(sys.argv[4], solution.value)
print(json.dumps({"seconds": s[len(s) // 2], "memory": memory, "method": solution.method, "first": seconds[0]}))
"""


def timed(command):
    """The last line that `command` prints, or why there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    except subprocess.TimeoutExpired:
        return f"not done in {PATIENCE:.0f} s"
    except subprocess.CalledProcessError as error:
        return f"failed: {(error.stderr.strip().splitlines() or [f'exit {error.returncode}'])[-1][:60]}"
    return json.loads(done.stdout.strip().splitlines()[-1])


def rows(name, mdp, folder):
    """Rows of the table for one model."""
    model, small, out = (f"{folder}/{name}" for name in ("model.npz", "small.npz", "v.npy"))
    for path, x in ((model, mdp), (small, garnet(30_000, 3, 4, 0.9) if mdp.sparse else dense(50, 4, 0.9))):
        np.savez(path, r=x.r, gamma=x.gamma, **arrays(x))
    size = sum(x.nbytes for x in arrays(mdp).values())
    truth, seconds = solve(mdp, tol=1e-8), {}

    def row(library, method, got):
        if isinstance(got, str):
            return library, method, "-", "-", "-", got
        v = np.load(out)
        error = max((truth.upper - v).max(), (v - truth.lower).max())
        note = "" if error <= TOL else "misses 1e-6"
        if error <= TOL:
            seconds[library] = min(seconds.get(library, np.inf), got["seconds"])
        return (
            library,
            got.get("method", method),
            f"{got['seconds']:.3f}",
            f"{error:.1e}",
            f"{got['memory'] / size:.1f}",
            note,
        )

    yield row("mdptk", "auto", timed([sys.executable, "-c", OURS, model, str(TOL), str(REPEATS), out, small]))
    for library, method in PEERS if len(sys.argv) > 1 else ():
        if not picked(3, f"{library} {method}"):
            continue
        if why := slow(library, method, name):
            yield library, method, "-", "-", "-", f"left out: {why}"
            continue
        script = str(Path(__file__).parent / "peers" / "solve_peers.py")
        words = [script, model, out, library, method, str(TOL), str(REPEATS), small]
        yield row(library, method, timed([sys.argv[1], *words]))
    peers = [x for library, x in seconds.items() if library != "mdptk"]
    if peers and "mdptk" in seconds:
        RATIOS[name] = seconds["mdptk"] / min(peers)
    yield "floor", "reading P", f"{floor(arrays(mdp).values()):.4f}", "", "1.0", ""
    yield "floor", "and r, v, w", f"{floor(touched(mdp)):.4f}", "", "", ""
    yield "mdptk", "one backup", f"{one_backup(mdp):.4f}", "", "", ""


def picked(i, name):
    """Whether argument `i` is not there, or has a part that `name` contains."""
    return len(sys.argv) <= i or any(part in name for part in sys.argv[i].split(","))


def main():
    """Print the table."""
    table = Table(title=f"Certified error {TOL:g}; medians of {REPEATS}")
    for column in ("model", "library", "method", "seconds", "error", "memory / P", ""):
        table.add_column(column)
    for name, make in MODELS.items():
        if not picked(2, name):
            continue
        with tempfile.TemporaryDirectory() as folder:
            for i, row in enumerate(rows(name, make(), folder)):
                table.add_row(name if i == 0 else "", *row)
        table.add_section()
    console = Console(width=140)
    console.print(table)
    for name, ratio in RATIOS.items():
        console.print(f"{name}: {ratio:.2f} of the fastest peer that has the error it was asked for")
    if RATIOS:
        console.print(f"geometric mean {np.exp(np.mean(np.log(list(RATIOS.values())))):.2f}")


if __name__ == "__main__":
    main()
