"""The vectors as intents: readable scripts, one module an area, from which the vectors are generated.

Standard library only, like the model: the second encoder reads these and must share nothing with the first.
"""

from __future__ import annotations

from balloon_conformance.vectors.intents.model import Intent

__all__ = ["intents"]


def intents() -> tuple[Intent, ...]:
    """Return every intent, in the order of area and id."""
    return ()
