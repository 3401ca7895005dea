"""Planted errors that are no errors: the same program written otherwise, each with the reason.

Keyed by the place as `tests.mutation` prints it. Whoever changes the line has to look again.
"""

from __future__ import annotations

EQUIVALENT: dict[str, str] = {}
