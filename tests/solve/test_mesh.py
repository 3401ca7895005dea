"""Models on a mesh: equal to one process, bounds that hold in exact arithmetic, blocks that are loaded, processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp

from mdptk.core.errors import InvalidHyperparameter, InvalidModel, NotConverged
from mdptk.core.models import MDP, AverageRewardMDP
from mdptk.problems.garnet import garnet
from mdptk.solve import ShardedMDP, on_mesh, solve, states_of
from mdptk.solve._mesh import join
from mdptk.solve.solution import Unsupported

LONG = 100  # seconds within which a process must be done, on a machine that does other things, too


def stored_sparse(mdp):
    return MDP(sp.csr_array(mdp.P.reshape(-1, mdp.S)), mdp.r, mdp.gamma, mdp.rho)


def skewed(S=30):
    """One row is much longer than the others."""
    mdp = garnet(S, 3, 2, gamma=0.9)
    P = mdp.P.copy()
    P[7, 1] = 1 / S
    return stored_sparse(MDP(P, mdp.r, 0.9))


def in_blocks(mdp):
    P = mdp.P if mdp.sparse else mdp.P.reshape(-1, mdp.S)
    A = mdp.A

    def load(states):
        rows = P[states.start * A : states.stop * A]
        return rows if mdp.sparse else rows.reshape(-1, A, mdp.S), mdp.r[states.start : states.stop]

    return ShardedMDP(mdp.S, A, mdp.gamma, load)


MODELS = {
    "dense": garnet(30, 3, 4, gamma=0.95),
    "sparse": stored_sparse(garnet(30, 3, 4, gamma=0.95)),
    "skewed": skewed(),
    "dense, loaded": in_blocks(garnet(30, 3, 4, gamma=0.95)),
    "sparse, loaded": in_blocks(stored_sparse(garnet(30, 3, 4, gamma=0.95))),
    "five states": garnet(5, 2, 2, gamma=0.9),
    "five states, loaded": in_blocks(garnet(5, 2, 2, gamma=0.9)),
    "one state": MDP(np.ones((1, 1, 1)), [[1.0]], 0.0),
}
ONE = {name: MODELS[name.removesuffix(", loaded")] for name in MODELS}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("method", ["vi", "mpi"])
def test_one_device(name, method):
    solution = on_mesh(MODELS[name], tol=1e-11, method=method)
    exact = solve(ONE[name], exact=True)
    assert all(Fraction(x) <= y for x, y in zip(solution.lower.tolist(), exact.exact, strict=True))
    assert all(Fraction(x) >= y for x, y in zip(solution.upper.tolist(), exact.exact, strict=True))
    assert solution.width <= 1e-11
    assert abs(solution.value - solve(ONE[name], tol=1e-11).value).max() <= 1e-10
    assert np.array_equal(solution.policy, exact.policy)
    assert (solution.method, solution.reason) == (method, "asked for; 1 devices on 1 host")


def test_degenerate():
    """Three states, two actions, one shape: gamma = 0, ties, absorbing, rewards of any size, rows of sum 1 - 1e-9."""
    rng = np.random.default_rng(0)
    P, r = rng.dirichlet(np.ones(3), size=(3, 2)), rng.uniform(size=(3, 2))
    stay = np.repeat(np.eye(3)[:, None], 2, 1)
    for mdp in (
        MDP(P, r, 0.0),
        MDP(P, 0 * r, 0.9),
        MDP(P, -r, 0.9),
        MDP(P, np.round(r), 0.5),
        MDP(stay, r, 0.9),
        MDP(np.full((3, 2, 3), 0.333333333), r, 0.99),
        MDP(np.roll(stay, 1, 2), r, 0.9),
        MDP(P, 1e12 * r, 0.9),
        MDP(P, 1e-12 * r, 0.9),
    ):
        tol = 1e-9 * max(abs(mdp.r).max(), 1e-15)
        solution, exact = on_mesh(mdp, tol=tol), solve(mdp, exact=True)
        assert all(Fraction(x) <= y for x, y in zip(solution.lower.tolist(), exact.exact, strict=True))
        assert all(Fraction(x) >= y for x, y in zip(solution.upper.tolist(), exact.exact, strict=True))
        assert solution.width <= tol


def test_blocks_cover_the_states():
    for S in range(1, 20):
        for n in range(1, 9):
            blocks = [states_of(S, k, n) for k in range(n)]
            assert [s for block in blocks for s in block] == list(range(S))
            assert len({len(b) for b in blocks if b.stop < S}) <= 1


def test_errors():
    mdp = garnet(5, 2, 2, gamma=0.9)
    with pytest.raises(Unsupported, match="not AverageRewardMDP"):
        on_mesh(AverageRewardMDP(mdp.P, mdp.r))
    with pytest.raises(InvalidModel, match="one model at a time"):
        on_mesh(MDP(mdp.P[None], mdp.r[None], 0.9))
    with pytest.raises(InvalidHyperparameter, match="tol = 0"):
        on_mesh(mdp, tol=0.0)
    with pytest.raises(InvalidHyperparameter, match="'pi' is not one of vi, mpi"):
        on_mesh(mdp, method="pi")
    with pytest.raises(NotConverged, match="tol = 1e-20") as caught:
        on_mesh(mdp, tol=1e-20)
    assert caught.value.reached < 1e-13
    with pytest.raises(NotConverged, match="no contraction"):
        on_mesh(MDP(np.full((1, 1, 1), 1 + 1e-10), [[1.0]], 1 - 1e-11))


def test_errors_of_a_loader():
    P, r = garnet(5, 2, 2).P, garnet(5, 2, 2).r
    for loaded, message in (
        ((P, r[:4]), r"r of range\(0, 5\) has shape \(4, 2\)"),
        ((P[:, :1], r), r"P of range\(0, 5\) has shape \(5, 1, 5\)"),
        ((0.5 * P, r), "not a probability vector: sum 0.5"),
        ((sp.csr_array(2 * P.reshape(10, 5)), r), r"P\[0, 0\] is not a probability vector: sum 2"),
        ((P, np.full((5, 2), np.nan)), "finite"),
    ):
        with pytest.raises(InvalidModel, match=message):
            on_mesh(ShardedMDP(5, 2, 0.9, lambda states, loaded=loaded: loaded))
    with pytest.raises(InvalidModel, match="S = 0"):
        ShardedMDP(0, 2, 0.9, lambda states: (P, r))


@pytest.mark.parametrize(
    ("hosts", "rank", "message"),
    [(["a:1"], 1, "rank = 1 is none of the 1"), (["a"], 0, "is 'a', expected host:port"), (["a:99999"], 0, "below")],
)
def test_hosts_that_make_no_sense(hosts, rank, message):
    with pytest.raises(InvalidHyperparameter, match=message), join(hosts, rank):
        pass


# processes -------------------------------------------------------------------------------------------------------


def python(*words, flags=""):
    env = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, *words], env=env, stdout=pipe, stderr=pipe, text=True)


def finish(*processes):
    """Their outputs and errors; none is left running, whatever happens."""
    try:
        return [p.communicate(timeout=LONG) for p in processes]
    finally:
        for p in processes:
            p.kill()
            p.wait()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


FOUR = """
import numpy as np, sys
from tests.solve.test_mesh import MODELS
from mdptk.solve import on_mesh
both = ("mpi", "vi")
found = {f"{name}/{how}": on_mesh(MODELS[name], tol=1e-11, method=how) for name in MODELS for how in both}
assert {x.reason for x in found.values()} == {"asked for; 4 devices on 1 host"}
np.savez(sys.argv[1], **{name: np.stack([x.value, x.lower, x.upper, x.policy.argmax(1)]) for name, x in found.items()})
"""


def test_four_devices(tmp_path):
    p = python("-c", FOUR, str(tmp_path / "four.npz"), flags="--xla_force_host_platform_device_count=4")
    [(_, err)] = finish(p)
    assert p.returncode == 0, err
    with np.load(tmp_path / "four.npz") as found:
        assert len(found.files) == 2 * len(MODELS)
        for name in found.files:
            value, lower, upper, actions = found[name]
            one = solve(ONE[name.partition("/")[0]], tol=1e-11)
            assert abs(value - one.value).max() <= 1e-10
            assert (lower <= one.upper).all()
            assert (one.lower <= upper).all()
            assert np.array_equal(actions, one.policy.argmax(1))


def test_two_processes(tmp_path):
    """By the command line: the first one tells, and nobody says more."""
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:0"
    words = ["-m", "mdptk", "solve", "gridworld", "--tol", "1e-11", "--hosts", hosts, "--save", str(tmp_path / "x.npz")]
    both = [python(*words, "--rank", str(i)) for i in (0, 1)]
    (out, err), (silent, _) = finish(*both)
    assert [p.returncode for p in both] == [0, 0], err
    assert "2 devices on 2 hosts" in out
    assert "Gloo" not in out
    assert silent == ""
    from mdptk.problems.gridworld import gridworld

    with np.load(tmp_path / "x.npz") as found:
        assert abs(found["value"] - solve(gridworld(), tol=1e-11).value).max() <= 1e-10


HALF = """
import sys
import numpy as np
from mdptk.core.errors import MdptkError
from mdptk.solve import ShardedMDP, on_mesh
from mdptk.solve._mesh import join
port, rank = sys.argv[1:]
def load(states):
    if rank == "1":
        raise MdptkError(f"no file for {states}")
    return np.full((len(states), 1, 6), 1 / 6), np.ones((len(states), 1))
with join([f"127.0.0.1:{port}", "127.0.0.1:0"], int(rank)):
    on_mesh(ShardedMDP(6, 1, 0.5, load))
"""


def test_an_error_of_one_ends_all():
    port = str(free_port())
    both = [python("-c", HALF, port, str(i)) for i in (0, 1)]
    (_, other), (_, err) = finish(*both)
    assert "process 1 of 2: no file for range(3, 6)" in err
    assert "Traceback" not in err + other
    assert [p.returncode for p in both] == [2, 2]


def test_interrupted_while_it_waits():
    p = python("-m", "mdptk", "solve", "gridworld", "--hosts", f"127.0.0.1:{free_port()},b:1", "--rank", "0")
    port = p.args[-3].partition(",")[0].rpartition(":")[2]
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline and p.poll() is None:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", int(port))) == 0:  # it listens: now it waits for the other
                break
        time.sleep(0.1)
    p.send_signal(signal.SIGINT)
    start = time.monotonic()
    [(out, err)] = finish(p)
    assert time.monotonic() - start < 10
    assert p.returncode == -signal.SIGINT
    assert out + err == ""
