import os

import hypothesis
import jaxtyping

os.environ.setdefault("MPLBACKEND", "Agg")
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.load_profile("ci")  # --hypothesis-profile=dev draws anew each time

# before anything imports mdptk; the tower: an int is a float, as it is to pyright
jaxtyping.install_import_hook("mdptk", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

import mdptk.core.learn  # noqa: E402, F401  # what learners see is known to jax from then on
