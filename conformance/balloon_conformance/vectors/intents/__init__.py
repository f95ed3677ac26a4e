"""The vectors as intents: readable scripts, one module an area, from which the vectors are generated.

Standard library only, like the model: the second encoder reads these and must share nothing with the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from balloon_conformance.vectors.intents import (
    chunks,
    concurrent_kinds,
    configuration,
    deflate,
    host_request,
    inflate,
    negotiation,
    pfn_array,
    queues,
    reset,
    safety,
    statistics,
    unused_pages,
)
from balloon_conformance.vectors.intents.model import Intent

__all__ = ["MODULES", "intents"]

_TABLES = (
    chunks,
    concurrent_kinds,
    configuration,
    deflate,
    host_request,
    inflate,
    negotiation,
    pfn_array,
    queues,
    reset,
    safety,
    statistics,
    unused_pages,
)

MODULES: Mapping[str, str] = MappingProxyType({table.AREA: table.__name__ for table in _TABLES})
"""The module in which the intents of each area stand."""


@cache
def intents() -> tuple[Intent, ...]:
    """Return every intent, in the order of area and id; :class:`ValueError` where two have one id."""
    found: dict[str, Intent] = {}
    for table in _TABLES:
        for intent in table.INTENTS:
            if intent.id in found or intent.area != table.AREA:
                raise ValueError(
                    f"{table.__name__}: {intent.id} of area {intent.area} is there already, or in another "
                    "area; give it another id"
                )
            found[intent.id] = intent
    return tuple(sorted(found.values(), key=lambda intent: (intent.area, intent.id)))
