"""The letters of theorems. A symbol is resolved by its name when a theorem is evaluated on a run.

First the hyperparameters of the algorithm, then the sizes of the problem, then the clock of the run.
"""

from __future__ import annotations

import sympy

S = sympy.Symbol("S", integer=True, positive=True)  # states
A = sympy.Symbol("A", integer=True, positive=True)  # actions
B = sympy.Symbol("B", integer=True, positive=True)  # actions of the second player of a game
H = sympy.Symbol("H", integer=True, positive=True)  # stages of an episode
gamma = sympy.Symbol("gamma", nonnegative=True)  # discount

t = sympy.Symbol("t", integer=True, nonnegative=True)  # updates made so far
K = sympy.Symbol("K", integer=True, nonnegative=True)  # episodes played so far: the clock of episodic learners
dt = sympy.Symbol("dt", integer=True, positive=True)  # steps since the previous record; 1 unless a run is thinned

alpha = sympy.Symbol("alpha", positive=True)  # step size of stochastic approximation
delta = sympy.Symbol("delta", positive=True)  # confidence parameter
eta = sympy.Symbol("eta", positive=True)  # step size of policy updates
N = sympy.Symbol("N", integer=True, positive=True)  # episodes in a batch
eta_dual = sympy.Symbol("eta_dual", positive=True)  # step size of multipliers
m = sympy.Symbol("m", integer=True, positive=True)  # inner sweeps; number of constraints

CLOCK = ("t", "K", "dt")
LATEX = {dt: r"\Delta t", eta_dual: r"\eta_\lambda"}
