"""Which statements the long search is about, and that it goes on where it was interrupted."""

from __future__ import annotations

import json

import pytest

from mdptk import registry
from tests.algorithms import exact_methods
from tests.algorithms.exact_methods import SHELVES, Outcome, key, main, outcomes, statements

NAMES = ("NPG.improvement", "TRPO.trust-region", "ProjectedPG.ascent")  # the first of an algorithm come first


def test_every_exact_method_is_searched_and_no_order_is_taken_for_a_bound():
    found = dict(statements())
    assert {name.split(".")[0] for name in found} >= {"NPG", "PolyakPMD", "PPO", "MDPO", "TRPO"}
    for name, theorem in found.items():
        cls, same = registry.theorem(name)
        assert same is theorem
        assert registry.shelf(cls).split("/")[0] in SHELVES
        assert not theorem.order_only
    assert set(dict(statements(["SPO"]))) == {name for name in found if name.startswith("SPO.")}


def test_a_part_is_an_algorithm_a_statement_or_a_pattern(tmp_path, capsys):
    found = list(dict(statements()))
    assert list(dict(statements([NAMES[0]]))) == [NAMES[0]]
    assert list(dict(statements(["*PMD"]))) == [name for name in found if name.split(".")[0].endswith("PMD")]
    with pytest.raises(SystemExit):
        main(["NPG", "Nothing"], tmp_path / "kept.jsonl")
    assert "Nothing is no exact method" in capsys.readouterr().err


@pytest.fixture
def searches(monkeypatch):
    """The names that are searched for; a search is interrupted, or crashes, if `end` says so."""
    asked, end = [], {}

    def search(name, budget):
        asked.append(name)
        status = registry.theorem(name)[1].status
        ended = end.get(name, "time was up")
        return Outcome(key(name, budget), name, status, status != "proved", 0.5, "lhs/rhs", 7, ended, f"# {name}")

    monkeypatch.setattr(exact_methods, "search", search)
    return asked, end


def test_what_was_interrupted_goes_on_and_is_not_searched_twice(searches, tmp_path, capsys):
    (asked, end), path = searches, tmp_path / "new" / "kept.jsonl"
    end[NAMES[1]] = "interrupted"
    assert main([*NAMES, "--budget", "3"], path) == 130
    assert asked == [*NAMES[:2]]
    printed = capsys.readouterr().out
    assert str(path) in printed
    assert "2 are left" in printed
    end.clear()
    asked.clear()
    assert main([*NAMES, "--budget", "3"], path) == 0
    assert asked == [*NAMES[1:]]
    printed = capsys.readouterr().out
    assert all(name in printed for name in NAMES), "the table has what was known, too"
    asked.clear()
    assert main([*NAMES, "--budget", "3"], path) == 0
    assert asked == []
    assert main([NAMES[0], "--budget", "3", "--again"], path) == 0
    assert main([NAMES[0], "--budget", "4"], path) == 0
    assert asked == [NAMES[0], NAMES[0]]


def test_what_has_changed_or_crashed_is_searched_again(searches, tmp_path):
    (asked, end), path = searches, tmp_path / "kept.jsonl"
    end[NAMES[0]] = "crashed"
    assert main([*NAMES[:2]], path) == 1, "a crash is nothing to be content with"
    assert [x.name for x in outcomes(path).values()] == [NAMES[1]]
    old = path.read_text().replace(key(NAMES[1], 600), f"{NAMES[1]} 600 another-text")
    path.write_text(old)
    end.clear()
    asked.clear()
    assert main([*NAMES[:2]], path) == 0
    assert asked == [*NAMES[:2]]


def test_a_broken_statement_is_told_with_its_instance(searches, tmp_path, capsys):
    asked, _ = searches
    found = exact_methods.search(NAMES[0], 600)._replace(broken=True)
    path = tmp_path / "kept.jsonl"
    path.write_text(json.dumps(found._asdict()) + "\n")
    asked.clear()
    assert main([NAMES[0]], path) == 1
    assert asked == []
    assert f"not as it is said to be:\n# {NAMES[0]}" in capsys.readouterr().out


def test_a_search_is_kept_as_the_line_that_it_was(tmp_path):
    path = tmp_path / "kept.jsonl"
    assert main([NAMES[0], "--budget", "0.3"], path) == 0
    (x,) = outcomes(path).values()
    assert x == Outcome(**json.loads(path.read_text()))
    assert (x.name, x.broken) == (NAMES[0], False)
    assert x.runs > 0
    assert "problem = MDP(" in x.said
