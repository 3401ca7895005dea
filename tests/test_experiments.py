"""Every experiment at smoke scale: its claims hold and its figure can be drawn."""

from __future__ import annotations

import numpy as np
import pytest

from mdptk import registry
from mdptk.plotting import figure


@pytest.mark.parametrize("name", registry.experiments())
def test_smoke(name, tmp_path):
    experiment = registry.experiments()[name]
    data = experiment.compute("smoke")
    assert all(isinstance(x, np.ndarray) for x in data.values())
    broken = [claim for claim, true in experiment.claims(data).items() if not true]
    assert not broken
    figure(experiment.draw, data, tmp_path / "figure.png", panels=getattr(experiment, "panels", 1))
    assert (tmp_path / "figure.png").stat().st_size > 1000
