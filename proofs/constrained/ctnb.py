"""CTNB: what a step gains and saves, from the ascent lemma.

Named lemma. (S) V_f(rho) is 8/(1-gamma)^3-smooth in the logits for f in [0, 1], so V_f(theta + eta p) - V_f(theta)
>= eta <grad V_f, p> - 4 eta^2 |p|^2 / (1-gamma)^3, and likewise for -f. R and C are the lengths of g and w, z is the
cosine of their angle.
"""

from __future__ import annotations

from sympy import Expr, Rational, Symbol, sqrt, symbols

from mdptk.algorithms.constrained.ctnb import gained, moved, saved, step_size, watching
from mdptk.theory import previous
from mdptk.theory.symbols import gamma
from proofs.vocabulary import same

SMOOTHNESS = 8 / (1 - gamma) ** 3
R, C = symbols("R C", positive=True)
z = Symbol("z", real=True)


def products() -> None:
    """<g, p>, <w, p> and |p|^2, in the plane of g = (R, 0) and w = C (z, sqrt(1 - z^2))."""
    s = sqrt(1 - z**2)
    half = sqrt((1 + z) / 2)
    # acute: b = (1 + z, s) / |.|, and |.|^2 = 2 (1 + z), so <g, b> = R half and <w, b> = C half
    length = sqrt(2 * (1 + z))
    assert same((1 + z) ** 2 + s**2, length**2)
    assert same((R * (1 + z) / length) ** 2, (R * half) ** 2)
    assert same((C * z * (1 + z) / length + C * s * s / length) ** 2, (C * half) ** 2)
    p = Rational(1, 2) * (R + C) * half  # its length, along b
    assert same(R * half * p, R * (R + C) * (1 + z) / 4)  # <g, p>, not negative; <w, p> with C for R
    # obtuse: p = g - <g, w> w / C^2
    px, py = R - R * C * z * C * z / C**2, -R * C * z * C * s / C**2
    assert same(px**2 + py**2, R**2 * (1 - z**2))
    assert same(R * px, R**2 * (1 - z**2))
    assert same(C * z * px + C * s * py, 0)


def gain() -> Expr:
    """(S) for the reward, along p."""
    products()
    return step_size * previous(gained) - SMOOTHNESS / 2 * step_size**2 * previous(moved)


def saving() -> Expr:
    """(S) for minus the cost, along p, in the steps that watch one."""
    products()
    return previous(watching) * (step_size * previous(saved) - SMOOTHNESS / 2 * step_size**2 * previous(moved))


PROVES = {"a step gains reward": gain, "a step saves cost": saving}
