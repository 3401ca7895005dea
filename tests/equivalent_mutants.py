"""Planted errors that are no errors: the same program written otherwise, each with the reason.

Keyed by the place as `tests.mutation` prints it. Whoever changes the line has to look again.
"""

from __future__ import annotations

GREEDY_ALREADY = "where no state moves the policy stays, whatever scale its logits and the temperature share"
UNUSED = "the other branch of a where, whose value is never taken"
SHIFT = "the same number for all actions of a state, which no softmax sees"
MORE = "more uniforms than are used, of the same distribution"
TWO_AXES = "of two axes the second is the last"
NEGATIVE = "numpy infers any negative length"
LAST = "jax reads the last one"
SETTLES = "up to rounding: Newton's method squares what is missing, in 4,000 trials in at most 8 steps"

EQUIVALENT: dict[str, str] = {
    "BNPO.draw: jax.random.uniform(key, (self.M, self.K, oracle.H + 1, 2))  ->  "
    "jax.random.uniform(key, (self.M, self.K, oracle.H + 1, 3))": MORE,
    "EpsMix.draw: jax.random.uniform(key, (oracle.episodes.H + 2, 2))  ->  "
    "jax.random.uniform(key, (oracle.episodes.H + 3, 2))": MORE,
    "HARPG.draw: jax.random.uniform(key, (2, self.N, oracle.H + 1, 2))  ->  "
    "jax.random.uniform(key, (2, self.N, oracle.H + 1, 3))": MORE,
    "NaturalActorCritic.draw: jax.random.uniform(key, (self.N, oracle.H + 1, 2))  ->  "
    "jax.random.uniform(key, (self.N, oracle.H + 2, 2))": MORE,
    "DualAveraging.step: (total - total.max(-1, keepdims=True), state.n + 1)  ->  "
    "(total - total.min(-1, keepdims=True), state.n + 1)": SHIFT,
    "AnnealedExpectileIteration.step: self.level(float(np.max(n)))  ->  "
    "self.level(float(np.min(n)))": "all models of a batch are at the same step",
    "AdaptivePMD.step: np.where(moves, state.c / np.where(moves, distance, 1.0), 1.0)  ->  "
    "np.where(moves, state.c / np.where(moves, distance, 1.0), 2.0)": GREEDY_ALREADY,
    "AdaptivePMD.step: np.where(moves, state.c / np.where(moves, distance, 1.0), 1.0)  ->  "
    "np.where(moves, state.c / np.where(moves, distance, 2.0), 1.0)": UNUSED,
    "AdaptivePMD.step: shrink[..., None, None] * state.x + np.where(moves[..., None, None], q, 0.0)  ->  "
    "shrink[..., None, None] * state.x + np.where(moves[..., None, None], q, 1.0)": SHIFT,
    "AdaptivePMD._behind: lambda y: np.where(y < 0, np.exp(y / temperature), 1.0)  ->  "
    "lambda y: np.where(y < 1, np.exp(y / temperature), 1.0)": "y is at most 0, and exp(0) = 1",
    "AdaptivePMD._behind: np.where(best, weight(np.where(best, x - top[..., None], 0.0)), 0.0).sum(-1)  ->  "
    "np.where(best, weight(np.where(best, x - top[..., None], 1.0)), 0.0).sum(-1)": UNUSED,
    "ArmijoSoftmaxPG.step: (d * (pi - state.pi) * advantage).sum((-2, -1))  ->  "
    "(d * (pi + state.pi) * advantage).sum((-2, -1))": "a policy has no advantage over itself: its term sums to zero",
    "ArmijoSoftmaxPG.step: State(theta - theta.max(-1, keepdims=True), pi, eta)  ->  "
    "State(theta - theta.min(-1, keepdims=True), pi, eta)": SHIFT,
    "ConservativePolicyIteration.step: np.minimum((1 - problem.gamma) ** 2 / 4 * advantage, 1.0)[..., None, None]  ->  "
    "np.minimum((1 - problem.gamma) ** 2 / 4 * advantage, 2.0)[..., None, None]": "at most 1/4, as proved",
    "ConservativePolicyIteration._toward: best * exact.uniform(problem)  ->  "
    "best / exact.uniform(problem)": "divided by its sum in the next line",
    "ExpectileIteration.init: State(q, q.max(-1))  ->  State(q, q.min(-1))": "q is zero",
    "LeaveOneOut.draw: jax.random.uniform(key, (self.N, oracle.H + 1, 2))  ->  "
    "jax.random.uniform(key, (self.N, oracle.H + 1, 3))": MORE,
    "LeaveOneOut.draw: jax.random.uniform(key, (self.N, oracle.H + 1, 2))  ->  "
    "jax.random.uniform(key, (self.N, oracle.H + 2, 2))": MORE,
    "MultiplicativeWeights._state: (log_x - log_x.max(), log_y - log_y.max())  ->  "
    "(log_x - log_x.min(), log_y - log_y.max())": SHIFT,
    "MultiplicativeWeights._state: (log_x - log_x.max(), log_y - log_y.max())  ->  "
    "(log_x - log_x.max(), log_y - log_y.min())": SHIFT,
    "NetworkREINFORCE.draw: jax.random.uniform(key, (self.N, self.T + 1, 2))  ->  "
    "jax.random.uniform(key, (self.N, self.T + 1, 3))": MORE,
    "NetworkREINFORCE.draw: jax.random.uniform(key, (self.N, self.T + 1, 2))  ->  "
    "jax.random.uniform(key, (self.N, self.T + 2, 2))": MORE,
    "NormalisedSoftmaxPG.step: g / np.where(norm > 0, norm, 1.0)  ->  "
    "g / np.where(norm > 0, norm, 2.0)": "a gradient of norm zero is zero",
    "NormalisedSoftmaxPG._state: State(theta - theta.max(-1, keepdims=True), exact.softmax(theta))  ->  "
    "State(theta - theta.min(-1, keepdims=True), exact.softmax(theta))": SHIFT,
    "LeaveOneOut.estimate: oracle.rewards(s, a).sum(-1)  ->  oracle.rewards(s, a).sum(+1)": TWO_AXES,
    "OptAug.draw: jax.random.uniform(key, (oracle.episodes.H + 1, 2))  ->  "
    "jax.random.uniform(key, (oracle.episodes.H + 1, 3))": MORE,
    "OptCMDP.draw: jax.random.uniform(key, (oracle.episodes.H + 1, 2))  ->  "
    "jax.random.uniform(key, (oracle.episodes.H + 1, 3))": MORE,
    "OptAug.draw: jax.random.uniform(key, (oracle.episodes.H + 1, 2))  ->  "
    "jax.random.uniform(key, (oracle.episodes.H + 2, 2))": MORE,
    "OptCMDP.draw: jax.random.uniform(key, (oracle.episodes.H + 1, 2))  ->  "
    "jax.random.uniform(key, (oracle.episodes.H + 2, 2))": MORE,
    "OptDual.draw: jax.random.uniform(key, (oracle.episodes.H + 1, 2))  ->  "
    "jax.random.uniform(key, (oracle.episodes.H + 1, 3))": MORE,
    "OptDual.draw: jax.random.uniform(key, (oracle.episodes.H + 1, 2))  ->  "
    "jax.random.uniform(key, (oracle.episodes.H + 2, 2))": MORE,
    "OptPrimalDual.draw: jax.random.uniform(key, (oracle.episodes.H + 1, 2))  ->  "
    "jax.random.uniform(key, (oracle.episodes.H + 1, 3))": MORE,
    "REBEL._phi: np.asarray(features(S * A, alg.n)).reshape(S, A, -1)  ->  "
    "np.asarray(features(S * A, alg.n)).reshape(S, A, -2)": NEGATIVE,
    "REINFORCE.draw: jax.random.uniform(key, (self.N, oracle.H + 1, 2))  ->  "
    "jax.random.uniform(key, (self.N, oracle.H + 1, 3))": MORE,
    "ROS.draw: jax.random.uniform(key, (self.N, oracle.H + 1, 2))  ->  "
    "jax.random.uniform(key, (self.N, oracle.H + 2, 2))": MORE,
    "RobustValueIteration.step: State(v=problem.q(state.v).max(-1))  ->  State(v=problem.q(state.v).max(+1))": TWO_AXES,
    "S2PG.draw: jax.random.uniform(key, (self.N, oracle.H + 1, 2))  ->  "
    "jax.random.uniform(key, (self.N, oracle.H + 2, 2))": MORE,
    "SampledREBEL.step: State(theta, self.regress(oracle.A, arms, oracle.pull(arms, xi[..., 1])))  ->  "
    "State(theta, self.regress(oracle.A, arms, oracle.pull(arms, xi[..., 2])))": LAST,
    "ReMax.draw: jax.random.uniform(key, (2, self.N, oracle.H + 1, 2))  ->  "
    "jax.random.uniform(key, (2, self.N, oracle.H + 1, 3))": MORE,
    "ReMax.draw: jax.random.uniform(key, (2, self.N, oracle.H + 1, 2))  ->  "
    "jax.random.uniform(key, (2, self.N, oracle.H + 2, 2))": MORE,
    "ReMax.step: oracle.rewards(*oracle.follow(greedy(pi), xi[1].at[:, 0, 0].set(xi[0, :, 0, 0]))).sum(-1)  ->  "
    "oracle.rewards(*oracle.follow(greedy(pi), xi[1].at[:, 0, 0].set(xi[0, :, 0, 0]))).sum(+1)": TWO_AXES,
    "ReMax.estimate: oracle.rewards(s, a).sum(-1) - baseline  ->  oracle.rewards(s, a).sum(+1) - baseline": TWO_AXES,
    "ReMax.step: oracle.rewards(*oracle.follow(greedy(pi), xi[1].at[:, 0, 0].set(xi[0, :, 0, 0]))).sum(-1)  ->  "
    "oracle.rewards(*oracle.follow(greedy(pi), xi[2].at[:, 0, 0].set(xi[0, :, 0, 0]))).sum(-1)": LAST,
    "TsallisPMD._normalised: range(100)  ->  range(101)": SETTLES,
    "TsallisPMD._normalised: (up <= 4 * unit(w) * w.min(-1, keepdims=True)).all()  ->  "
    "(up <= 4 * EPS / w.min(-1, keepdims=True)).all()": SETTLES,
    "TsallisPMD._normalised: (up <= 4 * unit(w) * w.min(-1, keepdims=True)).all()  ->  "
    "(up <= 5 * unit(w) * w.min(-1, keepdims=True)).all()": SETTLES,
    "TsallisPMD._normalised: (up <= 4 * unit(w) * w.min(-1, keepdims=True)).all()  ->  "
    "(up <= 4 * unit(w) * w.min(+1, keepdims=True)).all()": SETTLES,
    "TsallisPMD._normalised: (up <= 4 * unit(w) * w.min(-1, keepdims=True)).all()  ->  "
    "(up <= 4 * unit(w) * w.min(-2, keepdims=True)).all()": SETTLES,
    "TsallisPMD._normalised: NotConverged(f'normalising a policy did not settle in 100 iterations: "
    "sum {float(total.max()):.17g}')  ->  NotConverged(f'normalising a policy did not settle in 100 iterations: "
    "sum {float(total.min()):.17g}')": "raised for what is no number, where either is nan",
    "InteriorPoint._state: (z[:-m].reshape(-1, A), prices[:-m])  ->  (z[:-m].reshape(-2, A), prices[:-m])": NEGATIVE,
    "InteriorPoint._state: u / u.sum(-1, keepdims=True)  ->  u / u.sum(+1, keepdims=True)": TWO_AXES,
    "COCOM.step: -problem.K @ state.x + np.einsum('idn,in->d', state.M.reshape(problem.h, -1, n), np.array(seen))  ->  "
    "-problem.K @ state.x + np.einsum('idn,in->d', state.M.reshape(problem.h, -2, n), np.array(seen))": NEGATIVE,
    "COCOM.step: np.linalg.norm(state.last - state.M, axis=-1)  ->  "
    "np.linalg.norm(state.last - state.M, axis=+1)": TWO_AXES,
    "OptPessPrimalDual.draw: jax.random.uniform(key, (oracle.episodes.H + 1, 2))  ->  "
    "jax.random.uniform(key, (oracle.episodes.H + 1, 3))": MORE,
    "OptPessPrimalDual.draw: jax.random.uniform(key, (oracle.episodes.H + 1, 2))  ->  "
    "jax.random.uniform(key, (oracle.episodes.H + 2, 2))": MORE,
    "UCRL2.init: State(oracle.start(jax.random.uniform(key)), N, N[..., 0], *self._plan(oracle.r, N, True), "
    "jnp.ones(()))  ->  State(oracle.start(jax.random.uniform(key)), N, N[..., 1], "
    "*self._plan(oracle.r, N, True), jnp.ones(()))": "all counts are zero",
    "UCRL2._plan: jnp.sqrt(14 * S * jnp.log(2 * A * time / self.delta) / jnp.maximum(n, 1))  ->  "
    "jnp.sqrt(14 * S * jnp.log(2 * A * time / self.delta) / jnp.maximum(n, 2))": "above 2, where all is plausible",
    "UCRL2._plan: (q.argmax(-1), u, (q.max(-1) - u).max())  ->  (q.argmax(+1), u, (q.max(-1) - u).max())": TWO_AXES,
    "UCRL2._plan: (q.argmax(-1), u, (q.max(-1) - u).max())  ->  (q.argmax(-1), u, (q.max(+1) - u).max())": TWO_AXES,
    "CTNB._state: State(theta - theta.max(-1, keepdims=True), pi, int(over.argmax()) + 1 if over.any() else 0)  ->  "
    "State(theta - theta.min(-1, keepdims=True), pi, int(over.argmax()) + 1 if over.any() else 0)": SHIFT,
    "CTNB._state: State(theta - theta.max(-1, keepdims=True), pi, int(over.argmax()) + 1 if over.any() else 0)  ->  "
    "State(theta - theta.max(+1, keepdims=True), pi, int(over.argmax()) + 1 if over.any() else 0)": TWO_AXES,
}
