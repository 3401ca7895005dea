r"""Q-NPG: the regret identity, the regret lemma and the transfer of errors (Agarwal et al. 2021, section 6).

Notation. f = phi . w is the fit of Q^{pi_{t-1}} in the step to pi_t; pi_t is proportional to pi_{t-1} exp(eta f), so
log(pi_t / pi_{t-1})(a|s) = eta (f(s, a) - E f(s)) - log Z(s), Z(s) = E exp(eta (f - E f)), with E over pi_{t-1}(s).
Named lemmas. (PDL) (1 - gamma) gap = E_{d*} <pi* - pi, Q^pi>, d normalised to one. (V) log E exp(x) <= b^2 / 2 for x of
mean zero whose variance under every tilted law is at most b^2. (KL) between 0 and log A from the uniform policy. (CS).
"""

from __future__ import annotations

from sympy import Expr, Function, Symbol, sqrt

from mdptk.algorithms.policy_gradient.q_npg import bias, estimation
from mdptk.theory import previous
from mdptk.theory.stock_linear_policy import divergence, log_normaliser, longest, mean_misfit, misfit
from mdptk.theory.symbols import A, eta, gamma, t
from proofs.vocabulary import same, telescope


def identity() -> Expr:
    """(PDL), Q = f + (Q - f), and the update for <pi* - pi, f>."""
    gain, log_Z = Symbol("E_{d*, pi*} log(pi_t / pi_{t-1})"), log_normaliser
    along_fit = (gain + log_Z) / eta  # E_{d*} <pi* - pi_{t-1}, f>
    return along_fit.subs(gain, previous(divergence) - divergence) + misfit


def regret_lemma() -> Expr:
    """The identity summed; log Z <= eta^2 |w|^2 / 2 by (V): the variance of phi . w is at most |w|^2."""
    from sympy import log

    kl, k = Function("KL"), Symbol("k", integer=True, nonnegative=True)
    total = telescope(lambda j: kl(j) / eta, t)
    assert same(kl(k) / eta - kl(k + 1) / eta, (kl(k) - kl(k + 1)) / eta)
    worst = total.subs({kl(0): log(A), kl(t): 0})
    curvature = (eta**2 * longest / 2) / eta
    return (worst / t + curvature + mean_misfit) / (1 - gamma)


def transfer() -> Expr:
    """E_{d*} <pi* - pi, e> <= 2 sqrt(A E_{d*, U} e^2), by (CS) twice: a policy is at most A times the uniform one."""
    root, ratio = Symbol("sqrt(E_{d*,U} e^2)", nonnegative=True), A
    one = sqrt(ratio) * root  # E_{d*, pi} |e|
    both = 2 * one
    errors = both / root * (bias + estimation)  # the triangle inequality for Q - phi w* + phi w* - phi w
    return regret_lemma() + (errors - mean_misfit) / (1 - gamma)


PROVES = {
    "regret identity": identity,
    "regret lemma": regret_lemma,
    "transfer of the errors": transfer,
}
