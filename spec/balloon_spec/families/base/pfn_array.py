"""The PFN array: what inflate and deflate buffers carry without CHUNK_TRANSFER.

Each entry is a 32-bit page frame number: a guest-physical address divided by 4096, whatever the guest's page
size (VIRTIO 1.2, section 5.5.6). Entries are little-endian; on the legacy interface they have the byte order
of the guest, hence the ``byteorder`` argument. An array names at least one page (PFN-02).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from construct import GreedyRange, Int32ub, Int32ul, Struct, Terminated
from numpy.typing import NDArray

from balloon_spec.wire.errors import WireError
from balloon_spec.wire.layout import Buffer, ByteOrder, check_length, check_range, read_layout

__all__ = ["ENTRY_BYTES", "SCHEMA", "SCHEMAS", "PfnArray", "build", "decode", "parse"]

NAME: Final = "pfn-array"

SCHEMA: Final[Any] = Struct("pfns" / GreedyRange(Int32ul), Terminated)
SCHEMAS: Final[Mapping[ByteOrder, Any]] = MappingProxyType(
    {"little": SCHEMA, "big": Struct("pfns" / GreedyRange(Int32ub), Terminated)}
)

_LAYOUT = read_layout(SCHEMA)
ENTRY_BYTES: Final = _LAYOUT.element_bytes
_DTYPES: Final[Mapping[ByteOrder, str]] = MappingProxyType({"little": "<u4", "big": ">u4"})


@dataclass(frozen=True, slots=True)
class PfnArray:
    """Page frame numbers in units of 4 KiB, 32 bits each, in the order of the buffer."""

    pfns: tuple[int, ...]


def parse(data: Buffer, byteorder: ByteOrder = "little") -> PfnArray:
    """Parse an array; :class:`.WireError` for a length that is not a positive multiple of 4 bytes."""
    raw = bytes(data)
    _check_length(len(raw))
    return PfnArray(tuple(SCHEMAS[byteorder].parse(raw).pfns))


def build(value: PfnArray, byteorder: ByteOrder = "little") -> bytes:
    """Build an array; :class:`.WireError` for an empty one, or a number that does not fit 32 bits."""
    _check_length(ENTRY_BYTES * len(value.pfns))
    for index, pfn in enumerate(value.pfns):
        check_range(NAME, _LAYOUT.entry(index), {"": pfn})  # an entry has no name but its index
    built: bytes = SCHEMAS[byteorder].build({"pfns": list(value.pfns)})
    return built


def decode(data: Buffer, byteorder: ByteOrder = "little") -> NDArray[np.uint32]:
    """View an array as ``<u4`` or ``>u4`` of shape (n,), read-only and in the memory of ``data``.

    Raises :class:`.WireError` for a length that is not a positive multiple of 4 bytes.
    """
    _check_length(memoryview(data).nbytes)
    pfns = np.frombuffer(data, _DTYPES[byteorder])
    pfns.flags.writeable = False
    return pfns


def _check_length(length_bytes: int) -> None:
    if not length_bytes:
        raise WireError(NAME, "pfns[0]", 0, "at least one page frame number of 4 bytes", "0 bytes")
    check_length(NAME, _LAYOUT, length_bytes)
