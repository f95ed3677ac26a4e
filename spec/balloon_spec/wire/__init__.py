"""The structures that pass between a driver and a device, one module a structure.

Every module has ``SCHEMA``, a construct schema closed against trailing bytes; a frozen dataclass for the
value; ``parse``, which turns bytes into the value; and ``build``, which turns it back. Structures of fixed
length have ``LENGTH_BYTES``. What is not legal is refused with :class:`.WireError`
before construct sees it. ``parse`` and ``build`` undo each other, byte for byte and field for field, reserved
bits and unknown tags included: they judge the form, not the meaning.

:mod:`balloon_spec.wire.layout` reads offsets and bits off the schemas, and :mod:`balloon_spec.wire.annotate`
explains any buffer, well-formed or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from balloon_spec.wire import (
    chunk,
    configuration,
    host_request,
    pfn_array,
    response_header,
    response_message,
    statistics,
)

__all__ = ["STRUCTURES", "Structure"]


@dataclass(frozen=True, slots=True)
class Structure:
    """One structure by name: its title, its schema, and the two functions between bytes and value."""

    name: str
    title: str
    schema: Any
    parse: Callable[..., Any]
    build: Callable[..., bytes]


_MODULES = (
    ("Chunk", chunk),
    ("Response header", response_header),
    ("Response message", response_message),
    ("Host request", host_request),
    ("PFN array", pfn_array),
    ("Statistics", statistics),
    ("Configuration space", configuration),
)

STRUCTURES: Mapping[str, Structure] = MappingProxyType(
    {
        module.NAME: Structure(module.NAME, title, module.SCHEMA, module.parse, module.build)
        for title, module in _MODULES
    }
)
"""Every structure by name, as the command line and vectors write it."""
