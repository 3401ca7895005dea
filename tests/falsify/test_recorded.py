"""What a search found is kept as data, and what is kept happens again."""

from __future__ import annotations

import json

import pytest

from mdptk import MDP, registry
from mdptk.algorithms.policy_gradient import npg
from mdptk.cli import main
from mdptk.core.algorithm import Solver
from mdptk.core.errors import MdptkError
from mdptk.falsify import falsify, recorded
from mdptk.falsify.result import code, source
from mdptk.falsify.score import in_slack

SHIPPED = recorded.load()


@pytest.mark.parametrize("name", [n for n, kept in SHIPPED.items() if isinstance(kept.alg, Solver)])
def test_what_is_shipped_happens_again(name):
    """If not, the theorem or the algorithm has changed: `mdptk falsify NAME --record` searches again."""
    kept = SHIPPED[name]
    result, ratio = kept.again()
    assert kept.theorem.status != "proved" or not kept.violated
    assert in_slack(kept.theorem) or ratio == pytest.approx(kept.ratio)
    assert not kept.theorem.unmet(result.alg, result.problem, result.start)
    assert code(kept.theorem, result).startswith("problem = ")


def test_a_learner_happens_again_too():
    names = [n for n, kept in SHIPPED.items() if not isinstance(kept.alg, Solver)]
    for name in names[:1]:
        SHIPPED[name].again()


def test_a_result_survives_the_file(tmp_path):
    path = tmp_path / "kept.json"
    assert recorded.load(path) == {}
    found = falsify("NPG.improvement", runs=400)
    recorded.write(found, path)
    recorded.write(falsify("MeanPathTD.descent", runs=60), path)
    kept = recorded.load(path)
    assert list(kept) == ["MeanPathTD.descent", "NPG.improvement"]
    one = kept["NPG.improvement"]
    assert (one.alg, one.steps, one.ratio, one.unit) == (found.alg, found.steps, found.ratio, found.unit)
    assert source(one.problem) == source(found.problem)
    assert one.search == f"mdptk falsify NPG.improvement --seed 0 --runs {found.about.runs} --budget inf"
    result, ratio = one.again()
    assert ratio == pytest.approx(found.ratio)
    assert npg.IMPROVEMENT.check(result).ratio == pytest.approx(found.verdict.ratio)
    kept["MeanPathTD.descent"].again()


def test_another_ratio_is_an_error(tmp_path):
    path = tmp_path / "kept.json"
    recorded.write(falsify("NPG.global-convergence", runs=100), path)
    data = json.loads(path.read_text(encoding="utf-8"))
    data["NPG.global-convergence"]["ratio"] *= 1.01
    data["NPG.gone"] = data["NPG.global-convergence"]
    path.write_text(json.dumps(data), encoding="utf-8")
    (kept,) = recorded.load(path).values()  # the theorem that is gone is not there
    with pytest.raises(MdptkError, match="search again with mdptk falsify NPG"):
        kept.again()
    path.write_text('{"NPG.global-convergence": {}}', encoding="utf-8")
    with pytest.raises(MdptkError, match="holds no recorded searches: KeyError"):
        recorded.load(path)


def test_the_command_line_records(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    few = {"NPG": registry.find()["NPG"]}
    monkeypatch.setattr(registry, "find", lambda: few)
    assert main(["falsify", "NPG.improvement", "--runs", "50", "--record", "kept.json"]) == 0
    capsys.readouterr()
    assert main(["falsify", "--new", "--runs", "50", "--record", "kept.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    theorems = [th for th in few["NPG"].theorems if not th.order_only]
    assert len(lines) == len(theorems) - 1  # the one that is kept is not searched again
    assert len(recorded.load(tmp_path / "kept.json")) == len(theorems)
    assert few["NPG"].model() is MDP
