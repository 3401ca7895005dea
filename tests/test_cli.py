import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import mdptk
from mdptk import registry
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.cli import main
from mdptk.core.exact import optimal
from mdptk.core.games import MatrixGame
from mdptk.core.robust import L1, RobustMDP
from mdptk.problems.chain import chain
from mdptk.problems.riverswim import riverswim
from mdptk.sweep import each_job
from mdptk.theory import Cite, Quantity, Theorem
from mdptk.theory.stock import suboptimality


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("OPENBLAS_NUM_THREADS", "JAX_PLATFORMS", "JAX_COMPILATION_CACHE_DIR"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # what verify sets is undone


def cli(capsys, *argv):
    """Exit code, standard output, standard error."""
    code = main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# list and show --------------------------------------------------------------------------------------------------


def test_list_names_everything(capsys):
    code, out, _ = cli(capsys, "list")
    assert code == 0
    assert all(name in out for name in (*registry.find(), *registry.problem_factories(), "npg_rate"))
    assert "npg_rate" not in cli(capsys, "list", "algorithms")[1]


@pytest.mark.parametrize("name", registry.find())
def test_show_prints_every_theorem(capsys, name):
    code, out, _ = cli(capsys, "show", name)
    assert code == 0
    flat = "".join(out.split())
    for th in registry.find()[name].theorems:
        assert f"{name}.{th.slug}" in out
        assert "".join(th.latex.split()) in flat
    assert "not in references.bib" not in out


def test_show_one_theorem(capsys):
    code, out, _ = cli(capsys, "show", "npg.global-convergence")
    assert code == 0
    assert "NPG.global-convergence" in out
    assert "improvement" not in out
    for words in ("V*(ρ) − V^πₜ(ρ) ≤", "rewards in [0, 1]", "Agarwal, Kakade, Lee and Mahajan (2021)", "Theorem 16"):
        assert words in " ".join(out.split())


# solve ----------------------------------------------------------------------------------------------------------


def test_solve_prints_bounds_around_the_value(capsys):
    code, out, _ = cli(capsys, "solve", "chain", "--gamma", "0.5", "--save", "solution.npz")
    assert code == 0
    rows = [line.split() for line in out.splitlines() if re.match(r"\s*\d+ +\d+ ", line)]
    v = optimal(chain(gamma=0.5)).v
    assert len(rows) == 5
    for s, _, value, lower, upper in rows:
        assert float(lower) <= v[int(s)] <= float(upper)
        assert abs(float(value) - v[int(s)]) < 1e-8
    with np.load("solution.npz") as file:
        assert set(file) == {"value", "policy", "lower", "upper"}


def test_games_and_robust_models_are_solved_from_files_and_saved(capsys):
    mdp = mdptk.MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.5)
    mdptk.save("game.npz", MatrixGame([[1.0, -1.0], [-1.0, 1.0]]))
    mdptk.save("robust.npz", RobustMDP(mdp, L1(mdp.P, 0.5)))
    for name, more in (("game", "opponent"), ("robust", "kernel")):
        code, _, _ = cli(capsys, "solve", f"{name}.npz", "--save", f"{name}-solved.npz")
        assert code == 0
        with np.load(f"{name}-solved.npz") as file:
            assert set(file.files) == {"value", "policy", "lower", "upper", more}
    with np.load("robust-solved.npz") as file:
        np.testing.assert_allclose(file["kernel"], [[[0.25, 0.75]], [[0.0, 1.0]]])


def test_solve_draws_arrows(capsys):
    pytest.importorskip("gymnasium")
    code, out, _ = cli(capsys, "solve", "gymnasium:FrozenLake-v1?is_slippery=false", "--gamma", "0.9", "--rows", "3")
    assert code == 0
    grid = [
        line.split() for line in out.splitlines() if len(line.split()) == 4 and not set(line.split()) - set("←↓→↑·")
    ]
    assert len(grid) == 4
    assert [grid[s // 4][s % 4] for s in (5, 7, 11, 12, 15)] == ["·"] * 5  # holes and the goal
    assert grid[3][2] == "→"
    assert "and 14 more states" in out


@pytest.mark.parametrize("problem", ["jao", "episodic_riverswim", "robust_riverswim", "random_game", "penalty_kick"])
def test_solve_other_models(capsys, problem):
    code, out, _ = cli(capsys, "solve", problem)
    assert code == 0
    assert "value at the start: between" in out


def test_solve_shows_both_players(capsys):
    _, out, _ = cli(capsys, "solve", "dominated")
    assert "between 0.499999999999 and 0.500000000001" in out
    assert out.count("1: 1") == 2  # the saddle point


def test_solve_with_a_horizon(capsys):
    code, out, _ = cli(capsys, "solve", "riverswim", "--horizon", "3")
    assert code == 0
    assert "FiniteHorizonMDP(H=3, S=6, A=2)" in out


def test_solve_that_does_not_converge(capsys):
    code, _, err = cli(capsys, "solve", "riverswim", "--tol", "1e-300")
    assert code == 1
    assert err.startswith("not converged: ")


# verify ---------------------------------------------------------------------------------------------------------


def test_verify_one(capsys):
    code, out, _ = cli(
        capsys, "verify", "NPG", "--problem", "riverswim", "--steps", "20", "--set", "eta=0.5", "--workers", "1"
    )
    assert code == 0
    n = len(NPG.theorems)
    assert f"nothing is broken: {n} checks of {n} theorems, 1 run" in out
    html, data = re.findall(r"written to (\S+)", out)
    page = Path(html).read_text(encoding="utf-8")
    assert html.startswith("mdptk-out")
    for th in NPG.theorems:
        assert f'id="NPG.{th.slug}"' in page
        assert th.latex.replace("&", "&amp;").replace(">", "&gt;") in page
    assert "http" not in re.sub(r'href="https://(doi|arxiv)\.org[^"]*"|http://www\.w3\.org/\S+', "", page)
    rows = json.loads(Path(data).read_text(encoding="utf-8"))["rows"]
    assert [row["verdict"] for row in rows] == ["holds"] * n
    assert (
        rows[0]["command"]
        == "mdptk verify NPG.global-convergence --problem riverswim --steps 20 --seed 0 --set eta=0.5"
    )
    assert main(rows[0]["command"].split()[1:]) == 0


def test_verify_everything_of_one_algorithm_in_two_processes(capsys):
    code, out, _ = cli(capsys, "verify", "ValueIteration", "--steps", "5", "--workers", "2", "--html", "r.html")
    assert code == 0
    assert all(name in out for name in registry.problems(registry.MODELS["MDP"]))
    assert "written to r.html" in out
    assert not os.path.exists("mdptk-out")


def test_verify_says_why_nothing_was_judged(capsys):
    mdptk.save("model.npz", mdptk.MDP([[[1.0]]], [[7.0]], 0.5))
    code, out, err = cli(capsys, "verify", "NPG.global-convergence", "--problem", "model.npz", "--workers", "1")
    assert code == 2
    assert "assumes rewards in [0, 1]: r[0, 0] = 7" in out
    assert "nothing was judged" in err


def test_verify_converts_an_mdp(capsys):
    code, out, _ = cli(
        capsys, "verify", "UCBVI.surpluses-make", "--problem", "two_state", "--horizon", "2", "--steps", "4",
        "--repeats", "2", "--workers", "1",
    )  # fmt: skip
    assert code == 0
    assert "two_state, H=2" in out


def _liar(status="proved", of=suboptimality, **more):
    """NPG with a theorem that is false."""
    reason = "" if status == "proved" else "made up"
    lie = Theorem("lie", Cite("agarwal2021theory"), lhs=of, rhs=0, status=status, reason=reason, **more)

    @dataclass(frozen=True)
    class Liar(NPG):
        """An algorithm that promises too much."""

        theorems: ClassVar = (lie,)

    return Liar


@pytest.fixture
def registered(monkeypatch):
    def register(cls):
        monkeypatch.setattr(registry, "find", lambda: {cls.__name__: cls})

    return register


ON_RIVERSWIM = ("verify", "Liar", "--problem", "riverswim", "--steps", "3", "--workers", "1")


def test_a_false_theorem_is_violated(capsys, registered):
    registered(_liar())
    code, out, _ = cli(capsys, *ON_RIVERSWIM, "--only-broken")
    assert code == 1
    assert "VIOLATED" in out
    assert "1 broken" in out
    assert "repeat 0, t = 1: lhs" in out
    page = Path(re.findall(r"written to (\S+html)", out)[0]).read_text(encoding="utf-8")
    assert '<span class="verdict broken"' in page


@pytest.mark.parametrize("status", ["refuted", "disputed"])
def test_a_refuted_theorem_is_expected_to_be_violated(capsys, registered, status):
    registered(_liar(status))
    code, out, _ = cli(capsys, *ON_RIVERSWIM)
    assert code == 0
    assert f"violated ({status})" in out


def test_an_error_in_a_check_is_a_row(capsys, registered):
    def fail(run):
        raise ZeroDivisionError("of our making")

    registered(_liar(of=Quantity("broken", fail, latex="b")))
    code, out, _ = cli(capsys, *ON_RIVERSWIM)
    assert code == 1
    assert "ERROR" in out
    assert "ZeroDivisionError: of our making" in out


# errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("verify NGP", "no algorithm is called 'NGP'; there are"),
        ("verify NPG.nothing", "0 theorems match 'NPG.nothing'; there are NPG.global-convergence"),
        ("verify NPG --problem model.npz", "cannot load 'model.npz': there is no such file"),
        ("verify NPG --problem riverswam", "standard problems are"),
        ("verify NPG --problem riverswim --gamma 1.5", "gamma = 1.5 is not in [0, 1)"),
        ("verify NPG --problem riverswim --gamma nan", "gamma = nan is not in [0, 1)"),
        ("verify NPG --problem riverswim --gamma many", "--gamma: invalid float value: 'many'"),
        ("verify NPG --problem ties --gamma 0.3", "the standard problem ties has no discount to choose"),
        ("verify NPG --gamma 0.3", "--gamma 0.3 belongs to --problem"),
        ("verify NPG --problem constrained_two_state", "NPG does not apply: it needs MDP, and the problem is CMDP"),
        ("verify NPG --repeats 3", "--repeats 3: NPG is deterministic"),
        ("verify NPG --steps 0", "--steps: 0 is not a positive whole number"),
        ("verify NPG --steps some", "--steps: invalid whole number value: 'some'"),
        ("verify NPG --set eta=-1", "NPG(eta=-1.0): eta must be float in (0, inf)"),
        ("verify NPG --set eta=big", "--set eta=big: 'big' is not of type float"),
        ("verify NPG --set beta=1", "--set beta=1: NPG has no such hyperparameter; it has eta"),
        ("verify NPG --set eta=1 --set eta=2", "eta was set before, to 1.0"),
        ("verify --set eta=1", "name the algorithm"),
        ("verify NPG --html no/where.html", "there is no folder no"),
        ("verify NPG --html .", "is a folder"),
        ("solve riverswim --method magic", "method = 'magic' is not one of"),
        ("solve riverswim --tol -1", "tol = -1.0 is not a positive number"),
        ("solve riverswim --rank 0", "--hosts and --rank belong together"),
        ("solve riverswim --hosts a:1 --rank 1", "rank = 1 is none of the 1 hosts"),
        ("solve riverswim --hosts a --rank 0", "the first host is 'a', expected host:port"),
        ("solve baird", "solve has no method for PolicyEvaluation"),
        ("show NPG.", "0 theorems match 'NPG.'"),
        ("run NPG --problem riverswim --steps 3 --repeats 2 --out x.npz", "NPG is deterministic"),
        ("reproduce nothing", "no experiment is called 'nothing'; there are"),
        ("teach", "invalid choice: 'teach'"),
    ],
)  # fmt: skip
def test_errors_show_what_is_wrong(capsys, argv, message):
    code, out, err = cli(capsys, *argv.split())
    assert code == 2
    assert out == ""
    assert message in " ".join(err.split()) or message in err
    assert "Traceback" not in err


def test_no_file_is_overwritten(capsys):
    mine = ("mine.html", "mine.json", "mine.npz")
    for name in mine:
        Path(name).write_text("precious", encoding="utf-8")
    verify = ("verify", "NPG.improvement", "--problem", "ties", "--steps", "2", "--workers", "1")
    run = ("run", "NPG", "--problem", "ties", "--steps", "2", "--out", "mine.npz")
    solve = ("solve", "ties", "--save", "mine.npz")
    refused = [(*verify, "--html", "mine.html"), (*verify, "--html", "r.html", "--json", "mine.json"), run, solve]
    for argv in refused:
        code, _, err = cli(capsys, *argv)
        assert code == 2
        assert "--force replaces it" in err
    assert not os.path.exists("r.html")
    assert {Path(name).read_text(encoding="utf-8") for name in mine} == {"precious"}
    for argv in refused:
        assert cli(capsys, *argv, "--force")[0] == 0
    assert cli(capsys, *verify, "--html", "mine.html")[0] == 0  # now it is a report


# run and reproduce ----------------------------------------------------------------------------------------------


def test_run_writes_what_was_recorded(capsys):
    code, out, _ = cli(capsys, "run", "NPG", "--problem", "riverswim", "--steps", "6", "--every", "3", "--out", "r.npz")
    assert code == 0
    assert "written to r.npz" in out
    expected = mdptk.run(NPG(), riverswim(), 6, every=3)
    with np.load("r.npz") as file:
        assert np.array_equal(file["pi"], expected["pi"])
        assert np.array_equal(file["t"], [0, 3, 6])
        assert file["about_algorithm"] == "NPG(eta=1.0)"


def test_reproduce_writes_data_and_picture(capsys):
    code, out, _ = cli(capsys, "reproduce", "npg_rate", "--scale", "smoke")
    assert code == 0
    folder = re.findall(r"written to (\S+):", out)[0]
    assert {"data.npz", "npg_rate.png", "npg_rate.pdf"} == set(os.listdir(folder))
    assert "holds" in out


# interruption ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", "2"])
def test_interruption_is_quiet(workers):
    command = [
        sys.executable,
        "-m",
        "mdptk",
        "verify",
        "NPG",
        "ValueIteration",
        "--steps",
        "300000",
        "--workers",
        workers,
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(mdptk.__file__))},
    )  # fmt: skip
    try:
        assert process.stderr.readline().startswith("verifying: ")
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to this process and its workers
        out, err = process.communicate(timeout=180)
    finally:
        process.kill()
    assert process.returncode in (130, -signal.SIGINT)  # which is 130 to a shell: some C code reraised it
    assert err == "interrupted\n"
    assert out == ""


def _children(pid):
    """Processes that it started, by id."""
    return {int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def _working(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_command(number):
    """SIGTERM goes to the command alone, as a supervisor sends it."""
    command = [sys.executable, "-m", "mdptk", "verify", "NPG", "--steps", "300000", "--workers", "2"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(mdptk.__file__))},
    )  # fmt: skip
    workers = set()
    try:
        assert process.stderr.readline().startswith("verifying: ")
        deadline = time.monotonic() + 60
        while len(workers) < 3:  # two, and the one that cleans up after them
            assert time.monotonic() < deadline
            workers |= _children(process.pid)
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=180)
        deadline = time.monotonic() + 60
        while any(map(_working, workers)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.kill()
        for pid in filter(_working, workers):
            os.kill(pid, signal.SIGKILL)
    assert out == ""
    if number == signal.SIGTERM:
        assert process.returncode == 143
        assert err == "terminated\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_was_done_before_the_end_is_reported(capsys, monkeypatch, number, code):
    before = signal.getsignal(number)

    def ended(jobs, **options):
        results = each_job(jobs, **options)
        yield next(results)
        signal.raise_signal(number)
        yield from results

    monkeypatch.setattr("mdptk.cli._verify.each_job", ended)
    got, out, err = cli(capsys, "verify", "NPG.improvement", "--steps", "3", "--workers", "1", "--html", "r.html")
    assert got == code
    assert re.search(r"interrupted after 1 of \d\d runs", " ".join(err.split()))
    assert "written to r.html" in out
    data = json.loads(Path("r.json").read_text(encoding="utf-8"))
    assert len(data["rows"]) == 1
    assert "interrupted" in Path("r.html").read_text(encoding="utf-8")
    assert signal.getsignal(number) is before


def test_interruption_is_not_lost_in_a_callback_that_swallows_it(monkeypatch):
    heard = []

    class Deaf:
        def __del__(self):  # an exception in here is printed and forgotten
            signal.raise_signal(signal.SIGINT)
            heard.append(True)

    def work(*args):
        del args
        x = Deaf()
        del x
        time.sleep(10)

    monkeypatch.setattr("mdptk.cli._dispatch", work)
    start = time.monotonic()
    assert main(["list"]) == 130
    assert heard
    assert time.monotonic() - start < 5
