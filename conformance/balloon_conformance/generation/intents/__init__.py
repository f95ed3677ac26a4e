"""The vectors as intents: readable scripts, from which the vectors are generated.

A module holds the intents of one area, or a family made by a rule: every feature set, every reserved bit,
every order. Modules use only the standard library, like the model: the second encoder reads them and must
share nothing with the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from balloon_conformance.generation.intents import (
    chunk_edges,
    chunks,
    concurrent_kinds,
    configuration,
    data_lengths,
    deflate,
    descriptor_cuts,
    feature_lattice,
    field_bugs,
    header_values,
    host_request,
    inflate,
    interleavings,
    large_messages,
    legacy,
    memory_holes,
    negotiation,
    pages_in_use,
    pfn_array,
    queues,
    request_shapes,
    reserved_bits,
    reset,
    runs_apart,
    safety,
    statistics,
    unused_pages,
)
from balloon_conformance.generation.intents.model import Intent

__all__ = ["intents", "sources"]

_TABLES = (
    chunk_edges,
    chunks,
    concurrent_kinds,
    configuration,
    data_lengths,
    deflate,
    descriptor_cuts,
    feature_lattice,
    field_bugs,
    header_values,
    host_request,
    inflate,
    interleavings,
    large_messages,
    legacy,
    memory_holes,
    negotiation,
    pages_in_use,
    pfn_array,
    queues,
    request_shapes,
    reserved_bits,
    reset,
    runs_apart,
    safety,
    statistics,
    unused_pages,
)


@cache
def sources() -> Mapping[str, str]:
    """Return the module of each intent, by id; :class:`ValueError` if two intents have the same id."""
    found: dict[str, str] = {}
    for table in _TABLES:
        for intent in table.INTENTS:
            if intent.id in found:
                raise ValueError(
                    f"{table.__name__}: {intent.id} is an id in {found[intent.id]} too; give it another"
                )
            found[intent.id] = table.__name__
    return MappingProxyType(found)


@cache
def intents() -> tuple[Intent, ...]:
    """Return every intent, in the order of area and id; :class:`ValueError` if two have the same id."""
    sources()
    return tuple(
        sorted(
            (intent for table in _TABLES for intent in table.INTENTS),
            key=lambda intent: (intent.area, intent.id),
        )
    )
