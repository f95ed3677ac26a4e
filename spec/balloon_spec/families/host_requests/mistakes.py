"""The classic mistakes in a host request."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from balloon_spec.families.chunk_transfer import response_header
from balloon_spec.families.host_requests import host_request
from balloon_spec.wire.hint import ID_MASK, Context, Hint, Mistake

__all__ = ["request_mistakes"]


def request_mistakes(raw: bytes, _context: Context) -> Iterator[Hint]:
    """Yield what explains a host request that cannot be meant as it stands."""
    if len(raw) != host_request.LENGTH_BYTES:
        return
    cmd, *reserved, param = struct.unpack("<HHHHQ", raw)
    if any(reserved):
        yield Hint(
            Mistake.RESERVED_BITS,
            2,
            6,
            bytes(6),
            f"the reserved words are {', '.join(f'{word:#x}' for word in reserved)}",
            "a device leaves them zero; it looks like a buffer that was not cleared, or a wider cmd",
        )
    other = int.from_bytes(raw[8:], "big")
    if cmd == response_header.CMD_GET_UNUSED_PAGES and param > ID_MASK and 0 < other <= ID_MASK:
        yield Hint(
            Mistake.BYTE_ORDER,
            8,
            8,
            struct.pack("<Q", other),
            f"param is {param:#x}, and an id has 16 bits",
            f"read as big-endian it is {other:#x}, and words are little-endian whatever the guest is",
        )
