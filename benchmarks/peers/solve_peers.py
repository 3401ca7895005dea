"""Time one solver of one peer on a model saved as .npz; the second run is timed, for the first one compiles.

Arguments: the model, where to save the value found, library, method, tolerance, repeats, a small model to begin with.
Prints seconds and, as JSON, the peak memory beyond what the process took after the small model was solved.
"""

import json
import sys
import time

import numpy as np
import scipy.sparse as sp


def load(path):
    z = np.load(path)
    if "dense" in z:
        return z["dense"], z["r"], float(z["gamma"])
    S, A = z["r"].shape
    return sp.csr_matrix((z["data"], z["indices"], z["indptr"]), shape=(S * A, S)), z["r"], float(z["gamma"])


def quantecon(P, r, gamma, method, tol):
    from quantecon.markov import DiscreteDP

    S, A = r.shape
    if sp.issparse(P):
        s, a = np.repeat(np.arange(S), A), np.tile(np.arange(A), S)
        ddp = DiscreteDP(r.ravel(), P, gamma, s, a)
    else:
        ddp = DiscreteDP(r, P, gamma)
    names = {"vi": "value_iteration", "mpi": "modified_policy_iteration", "pi": "policy_iteration"}
    method, _, most = method.partition("-")
    options = {} if method == "pi" else {"epsilon": tol, "max_iter": int(most) if most else None}
    return lambda: ddp.solve(method=names[method], **options).v


def mdpsolver(P, r, gamma, method, tol):
    import mdpsolver as lib

    S, A = r.shape
    if sp.issparse(P):
        rows = [[P.data[P.indptr[k] : P.indptr[k + 1]].tolist() for k in range(s * A, s * A + A)] for s in range(S)]
        columns = [
            [P.indices[P.indptr[k] : P.indptr[k + 1]].tolist() for k in range(s * A, s * A + A)] for s in range(S)
        ]
        how = {"tranMatProbs": rows, "tranMatColumns": columns}
    else:
        how = {"tranMatElementwise": [[s, a, t, P[s, a, t]] for s in range(S) for a in range(A) for t in range(S)]}

    def go():
        model = lib.model()
        model.mdp(discount=gamma, rewards=r.tolist(), **how)
        start = time.perf_counter()
        model.solve(algorithm=method, tolerance=tol, parallel=True, verbose=False)
        seconds = time.perf_counter() - start
        return np.array(model.getValueVector()), seconds

    return go


def pymdptoolbox(P, r, gamma, method, tol):
    import mdptoolbox.mdp as lib

    S, A = r.shape
    T = [P[np.arange(S) * A + a] for a in range(A)] if sp.issparse(P) else P.transpose(1, 0, 2).copy()

    def go():
        kind = {"vi": lib.ValueIteration, "mpi": lib.PolicyIterationModified}[method]
        model = kind(T, r, gamma, epsilon=tol)
        model.run()
        return np.array(model.V)

    return go


def stormpy(P, r, gamma, method, tol):
    import stormpy as lib
    from stormpy.datastructures import SparseMatrixBuilder
    from stormpy.environments import default, sound
    from stormpy.models import SparseMdp, SparseModelComponents, SparseRewardModel, StateLabeling

    S, A = r.shape
    rows = P if sp.issparse(P) else sp.csr_matrix(P.reshape(S * A, S))
    builder = SparseMatrixBuilder(
        rows=0, columns=0, entries=0, force_dimensions=False, has_custom_row_grouping=True, row_groups=0
    )
    indptr, columns, data = rows.indptr.tolist(), rows.indices.tolist(), rows.data.tolist()
    for k in range(S * A):
        if k % A == 0:
            builder.new_row_group(k)
        for i in range(indptr[k], indptr[k + 1]):
            builder.add_next_value(k, columns[i], data[i])
    start = StateLabeling(S)
    start.add_label("init")
    start.add_label_to_state("init", 0)
    model = SparseMdp(
        SparseModelComponents(
            transition_matrix=builder.build(),
            state_labeling=start,
            reward_models={"r": SparseRewardModel(optional_state_action_reward_vector=r.ravel().tolist())},
        )
    )
    (formula,) = lib.logic.parse_properties(f'R{{"r"}}max=? [Cdiscount={gamma}]')
    environment = sound() if method == "sound" else default(model)
    solver = environment.solver().min_max() if callable(environment.solver) else environment.solver.min_max
    solver.precision, solver.relative_termination_criterion = lib.Rational(tol), False
    return lambda: np.array(lib.model_checking(model, formula, environment=environment).get_value_vector())


def kilobytes(what):  # ru_maxrss would count the parent
    with open("/proc/self/status") as status:
        return int(next(x for x in status if x.startswith(what)).split()[1])


def main():
    model, out, library, method, tol, repeats, small = sys.argv[1:]
    globals()[library](*load(small), method, float(tol))()
    before = kilobytes("VmRSS")
    go = globals()[library](*load(model), method, float(tol))
    seconds, total = [], 0.0
    for k in range(int(repeats) + 1):
        start = time.perf_counter()
        v = go()
        spent = time.perf_counter() - start
        if isinstance(v, tuple):
            v, spent = v
        total += spent
        if k or spent > 20 or library != "quantecon":
            seconds.append(spent)
        if seconds and total > 20:
            break
    np.save(out, v)
    memory = (kilobytes("VmHWM") - before) * 1024
    sys.stdout.write("\n" + json.dumps({"seconds": sorted(seconds)[len(seconds) // 2], "memory": memory}) + "\n")


if __name__ == "__main__":
    main()
