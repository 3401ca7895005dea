"""The last line of a proof is the right side that ships, and no proof is an orphan."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from mdptk import registry
from proofs.vocabulary import same

ROOT = Path(__file__).parent.parent / "proofs"
LOWER = [bound.claim for bound in registry.lower_bounds().values()]
CLAIMS = [
    pytest.param(th, id=f"{name}.{th.slug}") for name, cls in registry.find().items() for th in cls.theorems if th.proof
] + [pytest.param(th, id=th.slug) for th in LOWER]


@pytest.mark.parametrize("theorem", CLAIMS)
def test_proof_ends_in_the_shipped_right_side(theorem):
    module = import_module("proofs." + theorem.proof.replace("/", "."))
    assert same(module.PROVES[theorem.name](), theorem.rhs)


def test_no_orphans():
    theorems = [th for cls in registry.find().values() for th in cls.theorems] + LOWER
    used = {th.proof for th in theorems}
    files = {str(p.relative_to(ROOT).with_suffix("")) for p in ROOT.rglob("*.py") if p.stem != "__init__"}
    assert files - {"vocabulary"} <= used
    for file in files - {"vocabulary"}:
        proved = set(import_module("proofs." + file.replace("/", ".")).PROVES)
        claimed = {th.name for th in theorems if th.proof == file}
        assert proved == claimed
