from contextlib import suppress

import matplotlib.pyplot as plt
import numpy as np
import pytest

import mdptk
from mdptk import registry
from mdptk.algorithms.constrained.dual_descent import DualDescent
from mdptk.algorithms.constrained.opt_dual import OptDual
from mdptk.algorithms.planning.value_iteration import ValueIteration
from mdptk.algorithms.policy_gradient.npg import CONVERGENCE, IMPROVEMENT, NPG
from mdptk.core.errors import InvalidHyperparameter, InvalidModel, MdptkError
from mdptk.core.exact import optimal
from mdptk.core.models import MDP
from mdptk.falsify import moves
from mdptk.falsify.instance import KINDS
from mdptk.plotting import (
    figure,
    formula,
    labels,
    mathtext,
    plot_comparison,
    plot_front,
    plot_iterates,
    plot_model,
    plot_policy,
    plot_ratios,
    plot_sides,
    plot_theorem,
    plot_verdicts,
    scales,
    sparkline,
    svg_of_theorem,
    tightness,
)
from mdptk.problems.constrained import constrained_two_state, hazard_gridworld
from mdptk.problems.gridworld import gridworld
from mdptk.problems.learning_constrained import dear_reward
from mdptk.problems.riverswim import riverswim
from mdptk.solve import front, solve
from mdptk.sweep import Sides, check_job, compare, sides, standard_jobs

NPG_RUN = mdptk.run(NPG(), riverswim(), 30)
THEOREMS = [pytest.param(th, id=f"{name}.{th.slug}") for name, cls in registry.find().items() for th in cls.theorems]


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def _sides(t, lhs, rhs, slack=0.0):
    t = np.asarray(t, dtype=float)
    lhs, rhs = (np.broadcast_to(np.asarray(x, dtype=float), (3, len(t))) for x in (lhs, rhs))
    return Sides(t, lhs, rhs, np.full(len(t), slack))


def test_plot_draws_the_sides_that_were_judged():
    ax = mdptk.plot(NPG_RUN)
    lhs, rhs = CONVERGENCE.sides(NPG_RUN)
    drawn = [line.get_ydata() for line in ax.get_lines()]
    np.testing.assert_allclose(drawn[0], lhs[0, 1:])
    np.testing.assert_allclose(drawn[1], rhs[0, 1:])
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert ax.get_xlabel() == "$t$"


def test_plot_on_an_axes_that_is_given():
    _, ax = plt.subplots()
    assert plot_theorem(IMPROVEMENT, NPG_RUN, ax=ax) is ax
    before = plt.get_fignums()
    plot_sides(sides(IMPROVEMENT, NPG_RUN), ax=ax)
    assert plt.get_fignums() == before


def test_plot_says_why_no_theorem_applies():
    run = mdptk.run(NPG(), MDP([[[1.0]]], [[2.0]], 0.5), 2)
    assert mdptk.plot(run) is not None  # improvement applies
    with pytest.raises(MdptkError, match="no theorem of Bare applies"):
        mdptk.plot(mdptk.run(type("Bare", (NPG,), {"theorems": ()})(), riverswim(), 2))


def test_bands_reach_over_the_repeats():
    ax = plot_sides(_sides([1, 2, 3], [[1, 2, 3], [2, 3, 4], [3, 4, 5]], 6))
    (band,) = ax.collections
    assert band.get_datalim(ax.transData).height == pytest.approx(4)


@pytest.mark.parametrize(
    ("lhs", "rhs", "expected"),
    [
        (lambda t: 1 / t, lambda t: 2 / t, ("log", "log")),
        (lambda t: 0.9**t, lambda t: 2 * 0.9**t, ("linear", "log")),
        (lambda t: 0 * t, lambda t: 0.5**t, ("linear", "linear")),
        (lambda t: -t, lambda t: t, ("linear", "linear")),
        (lambda t: 0 * t, lambda t: 0 * t, ("linear", "linear")),
        (lambda t: t * np.nan, lambda t: t, ("linear", "linear")),
    ],
)
def test_scales_make_rates_straight(lhs, rhs, expected):
    t = np.arange(1.0, 50)
    x = _sides(t, lhs(t), rhs(t))
    assert scales(x) == expected
    plot_sides(x).figure.canvas.draw()
    assert sparkline(x).startswith("<svg")


def test_tightness_is_one_where_the_bound_is_attained():
    x = _sides([1, 2, 3], [1, 2, 3], [2, 2, 3e-20], slack=1e-16)
    np.testing.assert_array_equal(tightness(x), [0.5, 1, np.nan])
    np.testing.assert_array_equal(tightness(x, ">="), [2, 1, 3e-20 / 3])


def test_ratios_colour_the_tightest_problem():
    curves = {"loose": _sides([1, 2], [1, 1], [9, 9]), "tight": _sides([1, 2], [1, 1], [2, 2])}
    loose, tight, one = plot_ratios(curves).get_lines()
    assert tight.get_linewidth() > loose.get_linewidth()
    assert one.get_ydata()[0] == 1


@pytest.mark.parametrize("theorem", THEOREMS)
def test_every_statement_can_be_set(theorem):
    assert formula(theorem.latex, display=True).startswith("<svg")
    assert mathtext(labels(theorem)["lhs"].strip("$"))


@pytest.mark.parametrize("tex", [r"\begin{cases} 1 \end{cases}", r"\nosuchthing"])
def test_what_cannot_be_set_is_left_to_the_caller(tex):
    assert mathtext(tex) == formula(tex) == ""


def test_svg_of_a_theorem_is_small_and_needs_nothing_else():
    rows = [check_job(job) for job in standard_jobs([ValueIteration()])[:4]]
    curves = {row.problem: row.sides for some in rows for row in some if row.slug == "convergence"}
    (theorem,) = (th for th in ValueIteration.theorems if th.slug == "convergence")
    svg = svg_of_theorem(theorem, curves, next(iter(curves)))
    assert svg.startswith("<svg")
    assert len(svg) < 100_000
    assert "<image" not in svg
    assert plt.get_fignums() == []


def test_policy_is_drawn_as_arrows_over_the_values():
    mdp = gridworld(2, 3, slip=0.0)
    best = optimal(mdp)
    ax = plot_policy(mdp, best.pi, values=best.v)
    drawn = {tuple(map(round, text.get_position())): text.get_text() for text in ax.texts}
    assert len(drawn) == 6
    assert drawn[1, 1] == "\N{RIGHTWARDS ARROW}"  # column 1 of the last row, beside the goal
    np.testing.assert_allclose(ax.images[0].get_array(), best.v.reshape(2, 3))


def test_a_random_policy_is_drawn_with_all_its_arrows():
    mdp = gridworld(2, 2)
    assert len(plot_policy(mdp, np.full((4, 4), 0.25)).texts) == 16


def test_models_as_tables():
    """A row for each pair; whatever else can be searched is drawn, too, or refused."""
    mdp = MDP([[[0.25, 0.75]], [[0.0, 1.0]]], [[0.5], [1.0]], 0.9)
    assert [text.get_text() for text in plot_model(mdp).texts] == ["0.25", "0.75", "1", "0.5", "1"]
    assert len(plot_model(mdp.episodic(3)).texts) == 5
    for kind in KINDS:
        problem = moves.sample(np.random.default_rng(0), kind).model()
        with suppress(InvalidModel):
            plot_model(problem)
        plt.close("all")


def test_policy_needs_a_grid_and_a_policy():
    with pytest.raises(InvalidModel, match="has no grid to draw on"):
        plot_policy(riverswim(), np.full((6, 2), 0.5))
    with pytest.raises(InvalidModel, match="is not a probability vector"):
        plot_policy(gridworld(2, 2), np.zeros((4, 4)))


def test_verdicts_as_a_chart():
    rows = [row for job in standard_jobs([NPG()])[:3] for row in check_job(job)]
    ax = plot_verdicts(rows)
    assert len(ax.patches) == len(rows) == 3 * len(NPG.theorems)
    assert [label.get_text() for label in ax.get_yticklabels()] == [f"NPG.{th.slug}" for th in NPG.theorems]


@pytest.mark.parametrize("panels", [1, 3])
def test_figure_of_an_experiment(tmp_path, panels):
    def draw(data, axes):
        assert len(axes) == panels
        axes[-1].plot(data["x"])

    figure(draw, {"x": np.arange(3)}, tmp_path / "figure.png", panels=panels)
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert plt.get_fignums() == []


def test_comparison_has_a_colour_for_each_method():
    comparison = compare([NPG(), ValueIteration()], riverswim(), 20)
    ax = plot_comparison(comparison)
    left, bound, other, _ = ax.lines
    assert left.get_color() == bound.get_color() != other.get_color()
    np.testing.assert_array_equal(bound.get_ydata(), comparison["NPG"].rhs)
    assert left.get_label().startswith(f"NPG: {comparison['NPG'].fit.kind}")


def test_front_and_budget():
    cmdp = hazard_gridworld()
    found = front(cmdp)
    ax = plot_front(found, budget=cmdp.b[0])
    x, y = ax.lines[-1].get_data()
    assert x[0] == cmdp.b[0]
    np.testing.assert_allclose(y[0], solve(cmdp).value)
    with pytest.raises(InvalidModel, match="the cheapest policy spends"):
        plot_front(found, budget=-1.0)


def test_last_and_average():
    result = mdptk.run(DualDescent(), constrained_two_state(), 10)
    last, average = (line.get_ydata() for line in plot_iterates(result, what="excess").lines[:2])
    np.testing.assert_allclose(last, result["returns"][0, :, 1] - 2)
    np.testing.assert_allclose(average[1:], result["returns_sum"][0, 1:, 1] / np.arange(1, 11) - 2)
    np.testing.assert_allclose(plot_iterates(result).lines[0].get_ydata(), 2 - result["returns"][0, :, 0], atol=1e-9)
    with pytest.raises(InvalidHyperparameter, match="what = 'loss'"):
        plot_iterates(result, what="loss")


def test_last_and_average_of_episodes():
    """Of the first of two repeats; what is best is what the budget is."""
    result = mdptk.run(OptDual(), dear_reward(0.5), 8, repeats=2)
    lost = plot_iterates(result).lines[0].get_ydata()
    np.testing.assert_allclose(lost, 0.5 - result["returns"][0, :, 0], atol=1e-9)
    ax = plot_iterates(result, what="excess")
    np.testing.assert_allclose(ax.lines[1].get_ydata()[1:], result["returns_sum"][0, 1:, 1] / np.arange(1, 9) - 0.5)
    assert ax.get_xlabel() == "$K$"
