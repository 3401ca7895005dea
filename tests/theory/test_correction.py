"""Many checks in one report, and violations of the size of rounding: what is said, and what verify makes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from mdptk import registry
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.cli import main
from mdptk.problems.riverswim import riverswim
from mdptk.report import About, as_json
from mdptk.sweep import Job, check_job, corrected
from mdptk.theory import Cite, Quantity, Theorem


@pytest.fixture(scope="module")
def row():
    return check_job(Job(NPG(), "riverswim", riverswim(), 5))[0]


def _violated(row, p):
    return replace(row, verdict="VIOLATED", p=p, note="alone")


def test_a_violation_that_is_to_be_expected_among_so_many_is_taken_back(row):
    """0.00005 of 40 is 0.002 > 0.001; 0.00002 of 40 is 0.0008, and what is certain needs no correction."""
    others = [replace(row, p=0.5)] * 39
    (mild,) = corrected([_violated(row, 5e-5), *others])[:1]
    assert mild.verdict == "holds"
    assert mild.retracted
    assert not mild.broken
    assert mild.note == "alone; taken back: p = 0.002 among 40 checks"
    assert corrected([_violated(row, 2e-5), *others])[0].broken
    assert corrected([_violated(row, 5e-5)])[0].broken
    assert corrected([_violated(row, float("nan")), *others])[0].broken
    assert corrected([row]) == [row]


def test_correction_accuses_nobody(row):
    """p = 5e-4 is no violation alone, so it is none in a report, though 5e-4 < 1e-3."""
    assert corrected([replace(row, p=5e-4)])[0].verdict == "holds"


def test_p_values_travel_as_data(row):
    data = json.loads(json.dumps(as_json([row, _violated(row, 0.5)], About("", "", 0, 1)), allow_nan=False))
    assert [r["p"] for r in data["rows"]] == [None, 0.5]


def _off_by(excess):
    """NPG with the claim that a number, known to 1e-6, is at most 0; it is `excess` times that."""
    off = Quantity("off", lambda run: excess * 1e-6, latex="x", rounding=lambda run: 1e-6)

    @dataclass(frozen=True)
    class Off(NPG):
        """An algorithm with a claim that rounding decides."""

        theorems: ClassVar = (Theorem("off", Cite("agarwal2021theory"), lhs=off, rhs=0),)

    return Off


@pytest.mark.parametrize(("excess", "word"), [(0.9, "holds"), (2, "undecided"), (9, "undecided"), (11, "VIOLATED")])
def test_a_violation_of_a_few_times_the_rounding_error_is_undecided(excess, word):
    (row,) = check_job(Job(_off_by(excess)(), "riverswim", riverswim(), 2))
    assert row.verdict == word
    assert row.broken == (word == "VIOLATED")
    assert ("broken within 10 times the rounding error" in row.note) == (word == "undecided")


def test_verify_shows_what_is_undecided_and_is_content(capsys, monkeypatch, tmp_path):
    off = _off_by(2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "find", lambda: {"Off": off})
    code = main(["verify", "Off", "--problem", "riverswim", "--steps", "2", "--workers", "1"])
    out = capsys.readouterr().out
    assert code == 0
    assert "broken within 10 times the rounding error" in out
    assert "1 check undecided" in out
