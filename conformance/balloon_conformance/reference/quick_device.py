"""The reference device at speed, for servers and adapters: short messages are read without arrays.

Most messages of a running driver are short and well-formed. This module reads them with plain integers,
several times faster than :class:`~balloon_conformance.reference.device_pages.PageReader`, which is written to
be read and varied. Every other message goes to that class. A property test shows that both read every message
alike.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_pages import BufferContent
from balloon_spec.families.chunk_transfer import chunk, response_header
from balloon_spec.pages import PAGE_SHIFT, PageSet

__all__ = ["QuickDevice"]

_CHUNK: Final = Struct("<QQ")
_SHORT_BYTES: Final = response_header.LENGTH_BYTES + 16 * chunk.LENGTH_BYTES


class QuickDevice(Device):
    """A :class:`Device` that reads short, well-formed messages the quick way."""

    def read_message(self, data: bytes, memory: PageSet, max_data_bytes: int) -> BufferContent:
        """Read a response message."""
        header_bytes = response_header.LENGTH_BYTES
        if header_bytes <= len(data) <= _SHORT_BYTES:
            header = response_header.parse(data[:header_bytes])
            body = data[header_bytes:]
            if header.data_len == len(body) <= max_data_bytes and not len(body) % chunk.LENGTH_BYTES:
                runs = []
                for base, size in _CHUNK.iter_unpack(body):
                    if (base | size) & chunk.RESERVED_MASK or not size:
                        break
                    run = (base >> PAGE_SHIFT, size >> PAGE_SHIFT)
                    if not memory.holds(*run):
                        break
                    runs.append(run)
                else:
                    return BufferContent(PageSet(runs), header)
        return super().read_message(data, memory, max_data_bytes)
