"""What every problem promises, found the way the registry finds them; no problem is named here."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import mdptk.problems
from mdptk.registry import MODELS

PROBLEMS = {
    name: f
    for info in pkgutil.iter_modules(mdptk.problems.__path__, "mdptk.problems.")
    for name, f in inspect.getmembers(importlib.import_module(info.name), inspect.isfunction)
    if f.__module__ == info.name and not name.startswith("_") and f.__annotations__.get("return") in MODELS
}


def model(problem):
    return getattr(problem, "mdp", getattr(problem, "nominal", problem))


def rewards(problem):
    where = next((name for name in ("R", "means") if hasattr(problem, name)), None)
    none = np.zeros(1)  # problems of control have costs instead
    return getattr(problem, where) if where else getattr(model(problem), "r", none)


def test_there_are_some():
    assert len(PROBLEMS) >= 20


@pytest.mark.parametrize("name", PROBLEMS)
def test_default_instance(name):
    make = PROBLEMS[name]
    problem = make()
    kind = make.__annotations__["return"]
    assert type(problem) is MODELS[kind]
    assert model(problem).S <= 25
    # rewards per step in [0, 1], which most theorems assume, unless the docstring warns
    assert rewards(problem).min() >= (-1 if "rewards in [-1, 1]" in make.__doc__ else 0)
    assert rewards(problem).max() <= 1
    assert inspect.getdoc(make).count("\n\n") >= 2


@pytest.mark.parametrize("name", PROBLEMS)
def test_repeatable(name):
    a, b = model(PROBLEMS[name]()), model(PROBLEMS[name]())
    for name in ("P", "r", "rho", "R"):
        np.testing.assert_array_equal(getattr(a, name, 0), getattr(b, name, 0))
