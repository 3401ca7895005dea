import json
import re
import xml.etree.ElementTree as ET
from functools import partial

import pytest

from mdptk.algorithms.planning.value_iteration import ValueIteration
from mdptk.algorithms.policy_gradient.npg import NPG
from mdptk.core.errors import MdptkError
from mdptk.core.models import MDP
from mdptk.falsify import recorded
from mdptk.report import MARK, About, as_json, check_writable, kinds, render, write
from mdptk.sweep import Job, check_jobs, standard_jobs

ABOUT = About("mdptk verify 'a<b'", "today", 1.0, 6)
BIG = Job(NPG(), "big", MDP([[[1.0]]], [[7.0]], 0.5), 5)


@pytest.fixture(scope="module")
def rows():
    return check_jobs([*standard_jobs([NPG()])[:3], *standard_jobs([ValueIteration()])[:3], BIG], workers=1)


@pytest.fixture(scope="module")
def page(rows):
    return render([NPG, ValueIteration], rows, ABOUT)


def test_it_has_every_theorem_and_every_row(page, rows):
    for cls in (NPG, ValueIteration):
        for th in cls.theorems:
            assert f'<article id="{cls.__name__}.{th.slug}">' in page
    assert page.count('class="spark"') == sum(row.sides is not None for row in rows)
    assert page.count("<figure>") == len(NPG.theorems) + len(ValueIteration.theorems)
    assert "assumes rewards in [0, 1]: r[0, 0] = 7" in page
    assert "mdptk verify &#x27;a&lt;b&#x27;" in page


def test_many_cards_are_drawn_in_other_processes(page, rows, monkeypatch):
    monkeypatch.setattr("mdptk.report.MANY", 0)
    without_ids = partial(re.sub, r"(clip|image)?[mp][0-9a-f]{10}", "")  # matplotlib salts them anew each time
    assert without_ids(render([NPG, ValueIteration], rows, ABOUT)) == without_ids(page)


def test_families_have_headings(page):
    heads = re.findall(r'class="family"><th[^>]*>([a-z ]+) <small>(\d+) theorems', page)
    assert heads == [("planning", str(len(ValueIteration.theorems))), ("policy gradient", str(len(NPG.theorems)))]
    assert page.index('id="ValueIteration"') < page.index('id="NPG"')  # cards, too


def test_it_says_what_a_search_found(page):
    for cls in (NPG, ValueIteration):
        for th in cls.theorems:
            kept = recorded.shipped().get(f"{cls.__name__}.{th.slug}")
            assert kept is None or f"<dt>tightness</dt><dd>{kept.ratio:.3g} ({kept.unit})" in page


def test_a_twin_is_taken_for_a_report(tmp_path, rows):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(as_json(rows, ABOUT), indent=1), encoding="utf-8")
    check_writable(path)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(MdptkError, match="was not written by mdptk"):
        check_writable(path)


def test_it_needs_no_other_file(page):
    assert not re.findall(r'(?:src|href)="(?!#|https://(?:doi|arxiv)\.org)[^"]*"', page)
    assert "@import" not in page
    assert "url(http" not in page


def test_ids_are_unique_and_links_go_somewhere(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    glyphs = {i for i in ids if ids.count(i) > 1}
    assert not glyphs
    assert {link for link in re.findall(r'href="#([^"]+)"', page)} <= set(ids)  # noqa: C416


def test_pictures_are_well_formed(page):
    svgs = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(svgs) > 20
    for svg in svgs:
        ET.fromstring(svg)


def test_every_row_can_be_asked_for(page, rows):
    chips = set(re.findall(r'<button data-kind="([^"]*)"', page))
    assert {"", "informative", "n/a"} <= chips
    assert chips - {""} <= {kind for row in rows for kind in kinds(row)}


def test_it_takes_no_file_from_anybody(tmp_path, rows):
    path = tmp_path / "report.html"
    write(path, [NPG], rows, ABOUT)
    assert MARK in path.read_text(encoding="utf-8")
    write(path, [NPG], rows, ABOUT)  # its own
    path.write_text("<html>mine", encoding="utf-8")
    with pytest.raises(MdptkError, match="was not written by mdptk"):
        write(path, [NPG], rows, ABOUT)
    assert path.read_text(encoding="utf-8") == "<html>mine"
    check_writable(path, force=True)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_json(rows):
    data = json.loads(json.dumps(as_json(rows, ABOUT), allow_nan=False))
    assert len(data["rows"]) == len(rows)
    assert {row["verdict"] for row in data["rows"]} == {"holds", "n/a"}
    for kept, row in zip(data["rows"], rows, strict=True):
        assert kept["shelf"] in ("planning", "policy_gradient")
        assert (kept["informative"], kept["vacuous"]) == (row.says == "informative", row.says == "vacuous")
        assert (kept["status"], kept["command"], kept["broken"]) == (row.status, row.command, row.broken)
