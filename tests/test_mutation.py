"""The mutation score: what is kept between two calls, and what is planted."""

from __future__ import annotations

import json

from tests import mutation


def lines(path, *some):
    path.write_text("".join(json.dumps({"key": k, "outcome": o, "place": "here"}) + "\n" for k, o in some))


def test_outcomes_are_read_back_and_what_kills_its_process_twice_was_noticed(tmp_path):
    path = tmp_path / "kept.jsonl"
    assert mutation.outcomes(path) == {}
    lines(path, ("a", "begun"), ("a", "survived"), ("b", "begun"))
    assert mutation.outcomes(path) == {"a": ("survived", "here")}
    lines(path, ("b", "begun"), ("b", "begun"))
    assert mutation.outcomes(path) == {"b": ("caught", "here")}
    lines(path, ("b", "begun"), ("b", "interrupted"), ("b", "begun"))
    assert mutation.outcomes(path) == {}


def test_errors_are_judged_once(tmp_path):
    path = tmp_path / "kept.jsonl"
    jobs = mutation.drawn(["ValueIteration"], 2, 0)
    assert jobs == mutation.drawn(["PolicyIteration", "ValueIteration"], 2, 0)[-2:]
    mutation.judge("ValueIteration", [job[1:] for job in jobs[:1]], path)
    known = mutation.outcomes(path)
    assert list(known) == [mutation.key(*jobs[0])]
    (outcome,) = known.values()
    assert outcome[0] == "caught"
    mutation.judge_all(jobs[:1], path, 1, lambda known: None)  # nothing is left to do
    assert mutation.outcomes(path) == known


def test_a_survivor_counts_against_the_score_and_the_same_program_does_not():
    table = mutation._table([("planning", "caught"), ("planning", "equivalent"), ("td", "survived")])
    assert list(table.columns[-1].cells) == ["100%", "0%", "50%"]
