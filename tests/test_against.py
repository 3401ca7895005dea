"""``mdptk verify --against``: what changed since a report, and whether it got worse."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from mdptk.algorithms.planning.value_iteration import ValueIteration
from mdptk.cli import main
from mdptk.cli._against import Changes, kept_rows
from mdptk.core.errors import MdptkError
from mdptk.problems.teaching import two_state
from mdptk.report import About, as_json
from mdptk.sweep import Job, check_job


@pytest.fixture(scope="module")
def rows():
    return check_job(Job(ValueIteration(), "two_state", two_state(), 10))


def between(old, new, asked=None):
    data = json.loads(json.dumps(as_json(old, About("", "", 0.0, 1))))
    before = {(row["algorithm"], row["slug"], row["problem"]): row for row in data["rows"]}
    return Changes.between(before, new, asked or {(r.algorithm, r.slug, r.problem) for r in [*old, *new]})


def test_nothing_changed(rows):
    changes = between(rows, rows)
    assert changes.same == len(rows)
    assert not changes.worse
    assert str(changes.text()).strip() == f"{len(rows)} checks as before"


@pytest.mark.parametrize(
    ("change", "where", "worse", "words"),
    [
        ({"verdict": "VIOLATED", "note": "t = 3"}, "broken", True, "holds before, VIOLATED now; t = 3"),
        ({"verdict": "ERROR"}, "broken", True, "holds before, ERROR now"),
        ({"verdict": "undecided"}, "weaker", True, "holds before, undecided now"),
        ({"verdict": "n/a"}, "weaker", True, "holds before, n/a now"),
        ({"says": "vacuous"}, "weaker", True, "informative before, vacuous now"),
        ({"status": "disputed"}, "changed", False, "proved before, disputed now"),
        ({"status": "refuted", "verdict": "VIOLATED"}, "changed", False, "holds before, VIOLATED now"),
        ({"ratio": 0.25}, "moved", False, "ratio 1 before, 0.25 now"),
        ({"ratio": float("nan")}, "moved", False, "ratio 1 before, – now"),
        ({"seconds": 9.0, "note": "as ever", "ratio": 1 + 1e-12}, "", False, ""),
    ],
)
def test_a_change_is_told(rows, change, where, worse, words):
    row = replace(rows[0], verdict="holds", says="informative", ratio=1.0)
    changes = between([row], [replace(row, **change)])
    told = {name: getattr(changes, name) for name in ("broken", "weaker", "changed", "moved") if getattr(changes, name)}
    assert list(told) == ([where] if where else [])
    assert changes.worse is worse
    assert words in str(changes.text())
    back = between([replace(row, **change)], [row])
    assert not back.worse


def test_added_and_removed(rows):
    first, second, *_ = rows
    changes = between([first], [second])
    assert changes.added == [f"ValueIteration.{second.slug} on two_state"]
    assert changes.removed == [f"ValueIteration.{first.slug} on two_state"]
    assert not changes.worse
    assert between([first], [second], {(second.algorithm, second.slug, "elsewhere")}).removed == []  # not asked for
    assert between([], [replace(second, verdict="VIOLATED")]).worse  # new, and broken at once


def test_a_file_that_is_no_report(tmp_path):
    for text in ("no json", "[]", '{"rows": [{}]}'):
        (tmp_path / "x.json").write_text(text, encoding="utf-8")
        with pytest.raises(MdptkError, match=r"x\.json is no JSON report"):
            kept_rows(tmp_path / "x.json")


def test_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    verify = ["verify", "ValueIteration.contraction", "--problem", "two_state", "--steps", "4", "--workers", "1"]
    assert main([*verify, "--html", "old.html"]) == 0
    assert {p.name for p in tmp_path.iterdir()} == {"old.html", "old.json"}  # a report has a twin
    assert main([*verify, "--html", "new.html", "--against", "old.json"]) == 0
    assert "1 check as before" in capsys.readouterr().out
    data = json.loads(Path("old.json").read_text(encoding="utf-8"))
    data["rows"][0] |= {"says": "informative", "informative": True, "ratio": 0.5}
    Path("old.json").write_text(json.dumps(data), encoding="utf-8")
    assert main([*verify, "--html", "new.html", "--against", "old.json"]) == 0  # informative now, too: it moved
    assert "ratio 0.5 before" in capsys.readouterr().out
    silent = ["verify", "ValueIteration.greedy", *verify[2:], "--html", "silent.html"]
    assert main(silent) == 0
    data = json.loads(Path("silent.json").read_text(encoding="utf-8"))
    data["rows"][0]["says"] = "informative"
    Path("silent.json").write_text(json.dumps(data), encoding="utf-8")
    capsys.readouterr()
    assert main([*silent[:-1], "again.html", "--against", "silent.json"]) == 1
    assert "weaker than before: 1" in capsys.readouterr().out
    assert main([*verify, "--against", "nowhere.json"]) == 2
    assert not os.path.exists("mdptk-out")


def test_a_counterexample_is_a_problem(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    refuted = ["verify", "SoftmaxPG.gradient-domination", "--problem", "counterexample", "--workers", "1"]
    assert main([*refuted, "--html", "x.html"]) == 0
    assert "violated (refuted)" in capsys.readouterr().out
    page = Path("x.html").read_text(encoding="utf-8")
    assert "run(SoftmaxPG(eta=None)" in page
    (row,) = json.loads(Path("x.json").read_text(encoding="utf-8"))["rows"]
    assert row["command"] == "mdptk verify SoftmaxPG.gradient-domination --problem counterexample"
    assert (row["status"], row["verdict"], row["shelf"]) == ("refuted", "VIOLATED", "policy_gradient")
    assert main([*refuted, "--steps", "3"]) == 2
    assert "a counterexample has its own" in capsys.readouterr().err
    assert main(["verify", "ValueIteration", "--problem", "counterexample"]) == 2
    assert "has a counterexample" in capsys.readouterr().err
