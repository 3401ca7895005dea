"""Zero-sum games."""

from __future__ import annotations

import numpy as np

from mdptk.core.games import MarkovGame, MatrixGame


def rock_paper_scissors() -> MatrixGame:
    """Each beats one and loses to one: rewards in [-1, 1], value 0.

    The only equilibrium is uniform, where methods that start from the uniform strategy start and stay.

    Examples
    --------
    >>> from mdptk.solve import solve
    >>> solve(rock_paper_scissors(), exact=True).exact_policy
    array([Fraction(1, 3), Fraction(1, 3), Fraction(1, 3)], dtype=object)
    """
    return MatrixGame([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])


def matching_pennies(stake: float = 1.0) -> MatrixGame:
    """Match and win: 1 on tails, `stake` on heads, and nothing without a match.

    Who matches plays heads with probability ``1 / (1 + stake)``, and so does who evades: the more a side pays, the less
    it is played. The value is ``stake / (1 + stake)``.

    Source: von Neumann [vonneumann1928theorie], with the stakes moved to [0, 1].

    Parameters
    ----------
    stake
        What a match on heads pays.

    Examples
    --------
    >>> from mdptk.solve import solve
    >>> float(solve(matching_pennies(stake=1.0), exact=True).value)
    0.5
    """
    return MatrixGame([[stake, 0], [0, 1]])


def penalty_kick() -> MatrixGame:
    """Left or right: how often a penalty scores if the kicker goes one way and the goalkeeper the other.

    The scoring rates of 1417 penalties by the natural (here second) and the other side. The only equilibrium is fully
    mixed and not uniform: kickers go to the first side with probability 0.385, goalkeepers with 0.420, which is what
    the players were seen to do.

    Source: Palacios-Huerta [palacios2003professionals], the table of section 3 (quoted from memory; its equilibrium is
    that of the paper).

    Examples
    --------
    >>> from mdptk.solve import solve
    >>> solve(penalty_kick()).policy.round(3), solve(penalty_kick()).opponent.round(3)
    (array([0.385, 0.615]), array([0.42, 0.58]))
    """
    return MatrixGame([[0.5830, 0.9497], [0.9291, 0.6992]])


def dominated() -> MatrixGame:
    """Three strategies a side, of which two are never worth playing: a saddle point at (1, 1), in whole numbers.

    The equilibrium is pure, unique and strict: whoever learns must give up two strategies altogether, and statements
    that ask for a fully mixed equilibrium do not apply.

    Examples
    --------
    >>> from mdptk.solve import solve
    >>> solve(dominated(), exact=True).exact
    Fraction(1, 2)
    """
    return MatrixGame([[0.25, 0, 1], [0.75, 0.5, 1], [0, 0.25, 0.75]])


def random_game(S: int = 4, A: int = 3, B: int = 2, gamma: float = 0.9, seed: int = 0) -> MarkovGame:
    """A random Markov game: Dirichlet rows, payoffs uniform in [0, 1].

    Stage games of random payoffs have mixed equilibria, whose supports change while values converge.

    Parameters
    ----------
    S, A, B
        Numbers of states, of actions of the first player, and of the second.
    gamma
        Discount in [0, 1).
    seed
        Seed of the instance.

    Examples
    --------
    >>> random_game()
    MarkovGame(S=4, A=3, B=2, gamma=0.9)
    """
    rng = np.random.default_rng(seed)
    return MarkovGame(rng.dirichlet(np.ones(S), (S, A, B)), rng.random((S, A, B)), gamma)


def inspection(n: int = 4, gamma: float = 0.95) -> MarkovGame:
    r"""One inspection for `n` days, on one of which somebody means to break the rule.

    State ``2 k`` has ``k`` days left and the inspection still to be made, state ``2 k + 1`` has it spent; with no day
    left nothing more is paid. Each day the first player keeps to the rule (action 0) or breaks it (1), the second rests
    (0) or inspects (1). Breaking it unseen pays 1, caught in the act 0, and either ends the game; so does the last day.
    Once the inspection is spent the rule is broken at once. Without discount the value with `k` days left is
    :math:`(k-1)/k`: the day of the inspection is uniform. With it, waiting costs.

    Source: Dresher [dresher1962sampling], with payoffs moved to [0, 1].

    Parameters
    ----------
    n
        Number of days, at least 1.
    gamma
        Discount in [0, 1).

    Examples
    --------
    >>> inspection()
    MarkovGame(S=10, A=2, B=2, gamma=0.95)
    """
    S = 2 * (n + 1)
    P, r = np.zeros((S, 2, 2, S)), np.zeros((S, 2, 2))
    P[:2, :, :, 0] = 1
    for k in range(1, n + 1):
        left, spent = 2 * k, 2 * k + 1
        P[left, 1, :, 0] = P[spent, 1, :, 0] = 1
        P[left, 0, 0, left - 2] = P[left, 0, 1, left - 1] = 1
        P[spent, 0, :, spent - 2] = 1
        r[left, 1, 0] = r[spent, 1] = 1
    return MarkovGame(P, r, gamma, rho=np.eye(S)[2 * n])
