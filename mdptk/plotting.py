"""Every figure. Functions draw on a given axes, or on a new one, and return it; nobody here calls ``plt.show``."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath
from matplotlib.transforms import Bbox

from mdptk.core.constrained import EpisodicCMDP
from mdptk.core.errors import InvalidHyperparameter, InvalidModel
from mdptk.core.exact import check_policy
from mdptk.core.models import MDP, Array, is_sparse
from mdptk.core.run import Run
from mdptk.solve import Front
from mdptk.sweep import Comparison, Row, Sides, sides
from mdptk.theory import Theorem, stock_constrained, stock_online
from mdptk.theory.pretty import clock, plain
from mdptk.theory.quantity import latex
from mdptk.theory.theorem import applicable

# colours of the two sides and of the verdicts: told apart by people who do not see red and green alike
LHS, RHS, GREY = "#1b6ca8", "#c8553d", "#8a8a8a"
COLOURS = {
    "holds": "#3a7d44",
    "VIOLATED": "#b3261e",
    "ERROR": "#7b1fa2",
    "reported": "#6b7280",
    "undecided": "#b7791f",
    "n/a": "#c4c7cc",
}
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
EM = 200  # units in which formulas are drawn: whole numbers are exact enough
LARGEST_TABLE = 12  # states of a model that is shown as a table
LONGEST_LABEL = 90  # characters of LaTeX; a longer right side is called "bound"


# runs -----------------------------------------------------------------------------------------------------------


def plot(run: Run, *, ax: Axes | None = None) -> Axes:
    """Both sides of the first theorem of the run's algorithm that applies to it; see `plot_theorem`.

    Raises
    ------
    MdptkError
        If no theorem applies, with the reason for each.
    """
    return plot_theorem(applicable(run.alg, run.problem, run.start), run, ax=ax)


def plot_theorem(theorem: Theorem, run: Run, *, ax: Axes | None = None) -> Axes:
    """Both sides of a theorem against the clock of a run.

    Lines are the median over the repeats (the mean where the theorem is about an expectation), bands reach from the
    lowest repeat to the highest.
    """
    return plot_sides(sides(theorem, run), ax=ax, **labels(theorem))


def labels(theorem: Theorem) -> dict[str, str]:
    """Names of the two sides and of the clock, from the LaTeX that the theorem is printed with."""
    left, right = latex(theorem.lhs), latex(theorem.rhs)
    name = "bound" if theorem.relation != "=" else "right side"
    return {
        "lhs": mathtext(left) or plain(left),
        "rhs": (len(right) <= LONGEST_LABEL and mathtext(right)) or name,
        "clock": clock(theorem),
    }


def plot_sides(
    x: Sides, *, lhs: str = "left side", rhs: str = "right side", clock: str = "t", ax: Axes | None = None
) -> Axes:
    """Both sides against time with bands over the repeats, on the scales that make the curves straightest."""
    ax = _axes(ax)
    xscale, yscale = scales(x)
    for y, colour, style, name in ((x.lhs, LHS, "-", lhs), (x.rhs, RHS, "--", rhs)):
        y = np.where(y > 0, y, np.nan) if yscale == "log" else y
        few = np.isfinite(y[1]).sum() < 4  # too few for a line to be seen
        ax.plot(x.t, y[1], style, color=colour, label=name, lw=1.6, marker="." if few else "")
        if (y[0] != y[2]).any():
            ax.fill_between(x.t, y[0], y[2], color=colour, alpha=0.18, lw=0)
    ax.set_xscale(xscale)
    ax.set_yscale(yscale)
    if yscale == "log":
        _cut_below(ax, x)
    elif np.ptp([x.lhs, x.rhs]) < 100 * x.slack.max():  # rounding errors are not to look like a curve
        ax.set_ylim(*(x.rhs[1].mean() + 100 * x.slack.max() * np.array([-1, 1])))
    _light_powers(ax)
    ax.set_xlabel(f"${clock}$")
    left = 0.0 if yscale == "log" else 0.1  # beside the power of ten of a linear axis
    ax.legend(loc="lower left", bbox_to_anchor=(left, 1), ncols=2, frameon=False, borderaxespad=0.2)
    return ax


def scales(x: Sides) -> tuple[str, str]:
    """Scales of the axes: logarithmic for positive sides; t, too, unless they fall geometrically."""
    both = np.stack([x.lhs[1], x.rhs[1]])
    usable = np.isfinite(both) & (both > abs(x.slack))
    positive = (both[np.isfinite(both)] >= -abs(x.slack).max()).all() and usable.any(1).all()
    if not positive or usable.sum() < 3 or x.t[0] <= 0:
        return "linear", "linear"
    y = both[1] if usable[1].sum() >= 3 else both[0]
    keep = usable[1] if usable[1].sum() >= 3 else usable[0]
    t, y = x.t[keep], np.log(np.where(keep, y, 1.0))[keep]
    if len(t) < 3 or np.ptp(y) < 1e-9:
        return "log", "log"
    straight = [abs(np.corrcoef(s, y)[0, 1]) for s in (np.log(t), t)]
    return ("log" if straight[0] >= straight[1] else "linear"), "log"


def _light_powers(ax: Axes) -> None:
    """Powers of ten as plain text on axes of more than a decade: setting each as mathematics takes most of the time."""
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        if axis.get_scale() == "log" and high > 10 * low > 0:
            axis.set_major_formatter(lambda x, _: "10" + str(round(np.log10(x))).translate(RAISED))
            axis.set_minor_formatter(lambda x, _: "")


def _cut_below(ax: Axes, x: Sides) -> None:
    """Show nothing far below what rounding leaves, and no more than 16 decades."""
    y = np.concatenate([x.lhs[1], x.rhs[1]])
    y = y[np.isfinite(y) & (y > 0)]
    floor = max(y.max() * 1e-16, np.median(x.slack) / 3)
    low, high = max(y.min(), floor), y.max()
    ax.set_ylim(low / 1.5, high * 1.5 if high > low else low * 10)


# sweeps ---------------------------------------------------------------------------------------------------------


def plot_ratios(curves: dict[str, Sides], *, relation: str = "<=", clock: str = "t", ax: Axes | None = None) -> Axes:
    """How tight a bound is: the smaller side over the larger one against time, a line for each problem.

    At 1 the bound is attained, above 1 it is broken. The tightest problem is coloured and named.
    """
    ax = _axes(ax)
    lines = {name: (x.t, tightness(x, relation)) for name, x in curves.items()}
    tightest = max(lines, key=lambda name: np.nanmax(lines[name][1], initial=-np.inf))
    for name, (t, y) in lines.items():
        special = name == tightest
        ax.plot(t, y, color=LHS if special else GREY, lw=1.6 if special else 0.7, alpha=1 if special else 0.6)
    ax.axhline(1, color=RHS, ls="--", lw=1)
    ax.set_xscale("log")
    ys = np.concatenate([y for _, y in lines.values()])
    ys = ys[np.isfinite(ys) & (ys > 0)]
    if len(ys) and ys.min() < 0.05:
        ax.set_yscale("log")
        ax.set_ylim(max(ys.min(), 1e-6) / 1.5, max(ys.max(), 1) * 1.6)
    else:
        ax.set_ylim(0, max(1.08, 1.08 * ys.max(initial=0)))
    _light_powers(ax)
    ax.set_xlabel(f"${clock}$")
    return ax


def tightness(x: Sides, relation: str = "<=") -> Array:
    """The smaller side over the larger, nan where the larger is nothing but rounding."""
    small, large = (x.rhs[1], x.lhs[1]) if relation == ">=" else (x.lhs[1], x.rhs[1])
    large = np.where(large > 100 * x.slack, large, np.nan)
    return small / large


def plot_comparison(comparison: Comparison, *, ax: Axes | None = None) -> Axes:
    """Left sides against the clock, a colour for each method, its bound dashed; labels say the rate measured."""
    ax = _axes(ax)
    for line in comparison:
        seen, shown = line.lhs > line.slack, line.rhs > line.slack.max()
        fit = line.fit
        rate = f", {fit.value:.3g} in [{fit.interval[0]:.3g}, {fit.interval[1]:.3g}]" if np.isfinite(fit.value) else ""
        (drawn,) = ax.loglog(line.t[seen], line.lhs[seen], lw=1.6, label=f"{line.name}: {fit.kind}{rate}")
        ax.loglog(line.t[shown], line.rhs[shown], "--", color=drawn.get_color(), lw=0.8)
    ax.set_xlabel("$t$")
    ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False, fontsize=8)
    return ax


def plot_verdicts(rows: Sequence[Row], *, ax: Axes | None = None) -> Axes:
    """Verdicts as a chart: a line for each theorem, a column for each problem, a number where there is a ratio."""
    theorems = list(dict.fromkeys(f"{r.algorithm}.{r.slug}" for r in rows))
    problems = list(dict.fromkeys(r.problem for r in rows))
    ax = _axes(ax, figsize=(1.6 + 0.5 * len(problems), 1.2 + 0.32 * len(theorems)))
    for r in rows:
        i, j = theorems.index(f"{r.algorithm}.{r.slug}"), problems.index(r.problem)
        ax.add_patch(Rectangle((j - 0.47, i - 0.45), 0.94, 0.9, color=COLOURS[r.verdict], lw=0))
        if np.isfinite(r.ratio):
            ax.text(j, i, f"{r.ratio:.2g}", ha="center", va="center", color="white", fontsize="xx-small")
    ax.set_xlim(-0.5, len(problems) - 0.5)
    ax.set_ylim(len(theorems) - 0.5, -0.5)
    ax.set_xticks(range(len(problems)), problems, rotation=60, ha="right")
    ax.set_yticks(range(len(theorems)), theorems)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


# policies -------------------------------------------------------------------------------------------------------


def plot_policy(mdp: MDP, pi: Any, *, values: Any = None, ax: Axes | None = None) -> Axes:
    """A policy as arrows on the grid of its model, as long as it is likely; `values` colour the cells.

    Parameters
    ----------
    pi
        ``pi[s, a]``.
    values
        A number for each state, shape (S,).

    Raises
    ------
    InvalidModel
        If the states do not lie on a grid, or `pi` is no policy of the model.
    """
    if mdp.grid is None:
        raise InvalidModel(f"{mdp!r} has no grid to draw on")
    pi = np.asarray(pi, dtype=np.float64)
    check_policy(mdp, pi)
    rows, columns = mdp.grid.rows, mdp.grid.columns
    ax = _axes(ax, figsize=(0.6 * columns + 1, 0.6 * rows + 0.6))
    if values is not None:
        cells = np.asarray(values, dtype=np.float64)[: rows * columns].reshape(rows, columns)
        image = ax.imshow(cells, cmap="Blues", alpha=0.85)
        ax.figure.colorbar(image, ax=ax, shrink=0.8)
    for s in range(rows * columns):
        row, column = divmod(s, columns)
        for arrow, p in zip(mdp.grid.arrows, pi[s], strict=True):
            if p > 0.02:
                ax.text(column, row, arrow, ha="center", va="center", alpha=float(min(p, 1.0)), fontsize=13)
    ax.set_xlim(-0.5, columns - 0.5)
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_aspect("equal")
    ax.set_xticks(np.arange(columns + 1) - 0.5, [])
    ax.set_yticks(np.arange(rows + 1) - 0.5, [])
    ax.grid(lw=0.5, color=GREY)
    ax.tick_params(length=0)
    return ax


def plot_model(problem: Any, *, ax: Axes | None = None) -> Axes:
    """A small model as a table: a row for each state and action, the probabilities of what comes next, the reward.

    Cells are as dark as they are likely. Of a model with stages the first is shown; of a policy that is evaluated there
    is a column, too.

    Raises
    ------
    InvalidModel
        If it has more than `LARGEST_TABLE` states, or its square of pairs, or no table of transitions and rewards.
    """
    mdp = getattr(problem, "mdp", problem)
    P, r = getattr(mdp, "P", None), getattr(mdp, "r", None)
    refused = InvalidModel(f"{problem!r} cannot be shown as a table")
    if P is None or r is None or is_sparse(P):
        raise refused
    if hasattr(mdp, "H"):
        P, r = P[0], r[0]
    if r.ndim != 2 or P.shape != (*r.shape, len(r)) or len(r) > LARGEST_TABLE or r.size > LARGEST_TABLE**2:
        raise refused
    S, A = r.shape
    pi = getattr(problem, "pi", None)
    extra = [("r", r.reshape(-1)), *([("π", pi.reshape(-1))] if pi is not None else [])]
    ax = _axes(ax, figsize=(1.2 + 0.55 * (S + len(extra)), 0.8 + 0.3 * S * A))
    ax.imshow(P.reshape(S * A, S), cmap="Blues", vmin=0, vmax=1.6, aspect="auto")
    columns = [*((j, P.reshape(S * A, S)[:, j]) for j in range(S)), *((S + k, x) for k, (_, x) in enumerate(extra))]
    for j, column in columns:
        for i, x in enumerate(column):
            if x or j >= S:
                ax.text(j, i, f"{x:.3g}", ha="center", va="center", fontsize="small")
    for s in range(1, S):
        ax.axhline(s * A - 0.5, color=GREY, lw=0.6)
    ax.set_xlim(-0.5, S + len(extra) - 0.5)
    ax.set_xticks(range(S + len(extra)), [*(f"s′={s}" for s in range(S)), *(name for name, _ in extra)])
    ax.set_yticks(range(S * A), [f"s={s}, a={a}" for s in range(S) for a in range(A)])
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


# constrained problems ------------------------------------------------------------------------------------------


def plot_front(front: Front, *, budget: float | None = None, ax: Axes | None = None) -> Axes:
    """A Pareto front: the policies at its vertices as points, their mixtures as lines, and what a budget allows.

    Parameters
    ----------
    front
        What `mdptk.solve.front` returned.
    budget
        Marked with the most that it allows, if given.

    Raises
    ------
    InvalidModel
        If the budget is below what the cheapest policy spends.
    """
    ax = _axes(ax)
    ax.plot(front.spent, front.earned, "o-", color=LHS, ms=3.5, lw=1.6)
    if budget is not None:
        if budget < front.spent[0]:
            raise InvalidModel(f"budget = {budget:.6g}, and the cheapest policy spends {front.spent[0]:.6g}")
        earned = float(np.interp(budget, front.spent, front.earned))
        ax.axvline(budget, color=GREY, ls=":", lw=1)
        ax.plot([budget], [earned], "s", color=RHS, ms=6, label=f"optimum {earned:.4g}")
        ax.legend(loc="lower right", frameon=False)
    ax.set_xlabel(r"$V_c(\rho)$")
    ax.set_ylabel(r"$V_r(\rho)$")
    return ax


def plot_iterates(run: Run, *, what: str = "gap", ax: Axes | None = None) -> Axes:
    """The last policy and the average of those before, of a constrained problem.

    Parameters
    ----------
    run
        Of a method that records what its policies earn and spend (`MEASURES` of `mdptk.theory.stock_constrained`, or of
        `mdptk.theory.stock_online`, where the policies are those of episodes); its first repeat is drawn.
    what
        ``"gap"``: what is lost to the certified optimum, negative where a budget is overspent; ``"excess"``: the
        largest excess over a budget.

    Raises
    ------
    InvalidHyperparameter
        If `what` is another word.
    """
    if what not in ("gap", "excess"):
        raise InvalidHyperparameter(f'what = {what!r} is neither "gap" nor "excess"')
    ax, episodes = _axes(ax), isinstance(run.problem, EpisodicCMDP)
    best = (stock_online if episodes else stock_constrained).optimum(run.problem)
    for name, of, colour in (("last", stock_constrained.last, LHS), ("average", stock_constrained.average, RHS)):
        returns = of(run)[0]
        over = (returns[:, 1:] - run.problem.b).max(-1)
        y = over if what == "excess" else float(best.value) - returns[:, 0]
        ax.plot(run.t, y, color=colour, lw=1.0 if name == "last" else 1.6, label=name)
    ax.axhline(0, color=GREY, ls=":", lw=1)
    ax.set_xlabel("$K$" if episodes else "$t$")
    ax.set_ylabel(r"$V^*(\rho) - V_r(\rho)$" if what == "gap" else r"$\max_i V_{c_i}(\rho) - b_i$")
    ax.legend(edgecolor="none", framealpha=0.8)
    return ax


# making pictures ------------------------------------------------------------------------------------------------


def mathtext(tex: str) -> str:
    r"""LaTeX as matplotlib can set it, with its dollars; empty if it cannot.

    Examples
    --------
    >>> mathtext(r"\Pr(V^*)")
    '$\\mathrm{Pr}(V^{*})$'
    >>> mathtext(r"\begin{cases} 1 \end{cases}")
    ''
    """
    text = _in_mathtext(tex, display=False)
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return ""
    return text


def _in_mathtext(tex: str, display: bool) -> str:
    """LaTeX rewritten in the dialect of matplotlib."""
    tex = re.sub(r"\\Pr\b", r"\\mathrm{Pr}", tex).replace(r"\tfrac", r"\frac").replace(r"\dfrac", r"\frac")
    tex = tex.replace(r"\textstyle", "")
    tex = re.sub(r"\\(?:big|Big|bigg|Bigg)[lr]?(?![a-zA-Z])", "", tex)  # delimiters come in one size
    tex = re.sub(r"\\frac\s*(\w|\\[a-zA-Z]+)\s*(\w|\\[a-zA-Z]+)", r"\\frac{\1}{\2}", tex)
    tex = re.sub(r"\\sqrt\s+(\w)", r"\\sqrt{\1}", tex)
    tex = tex.replace(r"\lVert", r"\|").replace(r"\rVert", r"\|")
    tex = re.sub(r"\^(\*|\\top\b)", r"^{\1}", tex)  # otherwise they are spaced like operators
    tex = re.sub(r"(?<=[\w})])\s*(?=\\(log|exp|max|min|sup|inf)\b)", r"\\,", tex)
    tex = re.sub(r"[_^]\{[^{}]+\}", lambda m: re.sub(r"(?<!^..)([-+<=])", r"{\1}", m[0]), tex)  # no space around them
    return f"${_large_fractions(tex) if display else tex}$"


def _large_fractions(tex: str) -> str:
    """Fractions outside of all braces in the size of displayed ones."""
    depth, out = 0, []
    for part in re.split(r"(\\frac|[{}])", tex):
        depth += (part == "{") - (part == "}")
        out.append(r"\dfrac" if part == r"\frac" and depth == 0 else part)
    return "".join(out)


def formula(tex: str, *, display: bool = False) -> str:
    """LaTeX as the text of an SVG element with paths alone, as high as the text around it; empty if it cannot be set.

    It needs no font where it is read, and takes the colour of the text.
    """
    try:
        with mpl.rc_context(PAPER):
            path = TextPath((0, 0), _in_mathtext(tex, display), size=EM)
    except ValueError:
        return ""
    drawn = path.vertices[path.codes != path.CLOSEPOLY]  # control points, too: they are hardly outside
    box = Bbox([drawn.min(0), drawn.max(0)]).padded(EM / 20)
    letters = {path.MOVETO: "M", path.LINETO: "L", path.CURVE3: "Q", path.CURVE4: "C", path.CLOSEPOLY: "Z"}
    d = "".join(
        letters[code] + ("" if code == path.CLOSEPOLY else " ".join(f"{x:.0f}" for x in _upside_down(points)))
        for points, code in path.iter_segments(simplify=False)
    )
    size = f"width:{box.width / EM:.2f}em;height:{box.height / EM:.2f}em;vertical-align:{box.y0 / EM:.2f}em"
    view = f"{box.x0:.0f} {-box.y1:.0f} {box.width:.0f} {box.height:.0f}"
    return f'<svg class="formula" style="{size}" viewBox="{view}" role="img"><path d="{d}"/></svg>'


def _upside_down(points: Array) -> Array:
    return (points.reshape(-1, 2) * (1, -1)).ravel()


def svg_of_theorem(theorem: Theorem, curves: dict[str, Sides], best: str) -> str:
    """Both sides on the problem `best`, as the text of an SVG element; beside it the ratio on all problems.

    The ratio is left out where it says nothing: of an identity, or of a bound by zero.
    """
    ratios = {name: x for name, x in curves.items() if (tightness(x, theorem.relation) > 0).any()}
    two = bool(ratios) and theorem.relation != "="
    with mpl.rc_context(PAPER):
        fig, (left, right) = plt.subplots(1, 2, figsize=(7.6, 2.55), width_ratios=[1.35, 1])
        fig.subplots_adjust(left=0.065, right=0.99, bottom=0.17, top=0.87, wspace=0.17)
        try:
            plot_sides(curves[best], ax=left, **labels(theorem))
            if two:
                plot_ratios(ratios, relation=theorem.relation, clock=clock(theorem), ax=right)
                count = f"{len(ratios)} problem{'s' * (len(ratios) > 1)}"
                right.set_title(f"smaller side / larger side on {count}", fontsize="medium", loc="left")
            else:
                right.set_axis_off()
            for ax in (left, right):
                ax.minorticks_off()  # half of the time that a picture takes
            return svg(fig)
        finally:
            plt.close(fig)


def figure(draw: Callable[[Any, Any], Any], data: Any, path: Path, *, panels: int = 1) -> None:
    """Draw an experiment into a file, ``draw(data, axes)`` with one axes for each panel; the suffix is the format."""
    with mpl.rc_context(PAPER | {"font.size": 9}):
        fig, axes = plt.subplots(1, panels, figsize=(4.8 * panels, 3.4), layout="constrained", squeeze=False)
        try:
            draw(data, axes[0])
            fig.savefig(path, dpi=200)
        finally:
            plt.close(fig)


def svg(fig: Figure) -> str:
    """A figure as the text of an SVG element with a transparent background, coordinates to a hundredth of a point."""
    file = io.StringIO()
    fig.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = re.sub(r"<(metadata|style)\b.*?</\1>", "", text[text.index("<svg") :], flags=re.DOTALL)
    return re.sub(r' (?:d|x|y|points)="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), text)


def sparkline(x: Sides, *, width: int = 96, height: int = 22) -> str:
    """Both sides as two small lines without axes, as the text of an SVG element."""
    xscale, yscale = scales(x)
    t = np.log(x.t) if xscale == "log" else x.t
    y = np.stack([x.lhs[1], x.rhs[1]])
    if yscale == "log":
        y = np.log(np.maximum(y, max(np.nanmax(y) * 1e-16, float(np.median(x.slack)) / 3)))
    known = y[np.isfinite(y)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 0.0)
    X = 1 + (width - 2) * (t - t[0]) / (np.ptp(t) or 1)
    Y = height - 2 - (height - 4) * (y - low) / ((high - low) or 1)
    lines = "".join(f'<polyline class="{name}" points="{_points(X, Y[i])}"/>' for i, name in ((1, "rhs"), (0, "lhs")))
    return f'<svg class="spark" viewBox="0 0 {width} {height}" width="{width}" height="{height}">{lines}</svg>'


def _points(x: Array, y: Array) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True) if np.isfinite(b))


PAPER: Any = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "mathtext.fontset": "cm",
    "legend.fontsize": 8,
    "svg.fonttype": "path",
    "svg.hashsalt": "mdptk",
}


def _axes(ax: Axes | None, **kw: Any) -> Axes:
    return plt.figure(layout="constrained", **kw).add_subplot() if ax is None else ax
