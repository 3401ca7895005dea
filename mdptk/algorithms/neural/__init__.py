"""Policies that are networks, on tabular models, with everything that is known about the step judged."""
