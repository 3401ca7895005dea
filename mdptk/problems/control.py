"""Problems with continuous states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mdptk.core.control import Dispatch, OnlineControl
from mdptk.core.models import Array

KNOWN = np.array([[0.1, 0.0], [-0.5, -0.2], [-0.3, -0.2]]).ravel()  # parameters that never touch the wall


def _beside_wall(w: Array) -> OnlineControl:
    """The cart under disturbances w, and a wall where `KNOWN` would be, and a little further."""
    t = np.arange(len(w))
    q = 1 + 0.5 * np.sin(t / 50)
    free = OnlineControl([[1, 1], [0, 1]], [[0], [1]], [[1, 2]], w, q, [1, 0], np.full(len(w), np.float64(1e3)))
    there, move = free.response
    position = there[:, 0] + move[:, 0] @ KNOWN
    return replace(free, limit=position + 0.05 * (1 + np.sin(t / 7)))


def moving_wall(T: int = 256) -> OnlineControl:
    r"""A cart that is pushed around and must stay on one side of a wall that moves.

    The double integrator, position and velocity, with :math:`K = (1, 2)`, which brings both to zero in two steps.
    Disturbances are two sines and noise, the weight of the cost changes with time. The wall is where a certain
    controller would be, and a little further: so that one never touches it, while the cheapest one does.

    Source: after the two-dimensional example of Liu, Yang and Ying [liu2023online]; the numbers are ours.

    Parameters
    ----------
    T
        Number of steps.

    Examples
    --------
    >>> moving_wall()
    OnlineControl(n=2, d=1, T=256, h=3)
    """
    rng, t = np.random.default_rng(0), np.arange(T)
    return _beside_wall(np.stack([0.3 * np.sin(t / 5), 0.3 * np.cos(t / 3)], 1) + rng.uniform(-0.2, 0.2, (T, 2)))


def moving_wall_and_stops(T: int = 256) -> OnlineControl:
    r"""The cart beside its wall, on a rail that ends on both sides, with a motor that pushes only so hard.

    These are static constraints on position and input, known beforehand. They are where the controller that never
    touches the wall would come under the worst disturbances, and a little further. And the worst come: a gust every
    16 steps, in the order that makes the motor of that controller push hardest.

    Source: after the static constraints of Liu, Yang and Ying [liu2023online]; the numbers are ours.

    Parameters
    ----------
    T
        Number of steps.

    Examples
    --------
    >>> moving_wall_and_stops()
    OnlineControl(n=2, d=1, T=256, h=3, static=4)
    """
    D = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 0, 1], [0, 0, -1]])
    calm = replace(moving_wall(T), D=D, b=np.zeros(4))
    there, move = calm.pulses
    gust = calm.W * np.sign(there[3] + move[3] @ KNOWN).reshape(-1, calm.S)[::-1]  # what is answered last comes first
    w = calm.w.copy()
    for t in range(20, T - len(gust), 16):
        w[t : t + len(gust)] = gust
    stops = replace(_beside_wall(w), D=D, b=np.zeros(4))
    return replace(stops, b=stops.worst(KNOWN) + 0.1)


def one_reservoir(scenarios: int = 6, T: int = 5) -> Dispatch:
    """A wet or a dry season, with more demand towards its end.

    Inflows of a scenario are drawn around one level, wet or dry, so that the first stages tell of the later ones.

    Source: after the hydrothermal dispatch of Rosemberg et al. [rosemberg2024efficiently], which has many reservoirs
    and a grid; the numbers are ours.

    Parameters
    ----------
    scenarios, T
        Numbers of scenarios and stages.

    Examples
    --------
    >>> one_reservoir()
    Dispatch(scenarios=6, T=5)
    """
    rng = np.random.default_rng(0)
    level = np.where(np.arange(scenarios) % 2, 0.9, 0.3)[:, None]
    return Dispatch(level * rng.uniform(0.5, 1.5, (scenarios, T)), np.linspace(0.8, 1.6, T))
