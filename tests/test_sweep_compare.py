import numpy as np
import pytest

import mdptk
from mdptk.algorithms.policy_gradient.npg import CONVERGENCE, NPG
from mdptk.algorithms.policy_gradient.softmax_pg import SoftmaxPG
from mdptk.algorithms.td.td_zero import TDZero
from mdptk.core.errors import MdptkError
from mdptk.problems.garnet import garnet
from mdptk.problems.riverswim import riverswim
from mdptk.sweep import compare

GARNET = garnet(S=6, A=3, b=3, gamma=0.7)


def test_lines_are_theorems_on_runs():
    comparison = compare([(NPG(eta=0.5), CONVERGENCE), SoftmaxPG()], GARNET, 30)
    line = comparison["NPG"]
    run = mdptk.run(NPG(eta=0.5), GARNET, 30)
    lhs, rhs = CONVERGENCE.sides(run)
    np.testing.assert_array_equal(line.t, run.t[1:])
    np.testing.assert_array_equal(line.lhs, lhs[0, 1:])
    np.testing.assert_array_equal(line.rhs, rhs[0, 1:])
    assert line.verdict.word == "holds"
    assert line.constants == {r"\eta": 0.5}
    assert line.fit.kind == "linear"
    assert comparison["SoftmaxPG"].theorem is SoftmaxPG.theorems[0]


def test_constants_are_those_of_the_bound():
    """max_s 1 / rho(s) is S where the start is uniform; what changes during the run is no constant."""
    constants = compare([SoftmaxPG()], GARNET, 5)["SoftmaxPG"].constants
    assert constants[r"\|1 / \rho\|_\infty"] == pytest.approx(6, rel=1e-12)
    assert all(np.isfinite(x) for x in constants.values())
    assert "t" not in constants


def test_tables():
    comparison = compare([NPG(), SoftmaxPG()], GARNET, 20)
    head, npg, softmax = repr(comparison).splitlines()
    assert head.split()[:2] == ["method", "theorem"]
    assert npg.startswith("NPG(eta=1.0) ")
    assert softmax.startswith("SoftmaxPG(eta=None) ")
    html = comparison._repr_html_()
    assert html.count("<tr>") == 3
    assert r"\frac{\log{\left(A \right)}}{\eta t}" in html


def test_errors():
    with pytest.raises(MdptkError, match=r"no method 'PPO' among NPG"):
        compare([NPG()], riverswim(), 3)["PPO"]
    with pytest.raises(MdptkError, match=r"TDZero"):
        compare([TDZero()], riverswim(), 3)
