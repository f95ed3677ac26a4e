"""What a driver stored in the configuration space, read off what its front-end sent.

User-mode Linux sends the field a driver wrote. QEMU sends the whole space whatever was written, with the
other fields as the driver last saw them: so a target the device once showed is no store of the driver's.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from balloon_spec.wire import configuration

__all__ = ["stores"]

_ACTUAL = configuration.ACTUAL_OFFSET


def stores(offset: int, data: bytes, shown: AbstractSet[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, bytes) of each store; ``shown`` is every content the space had since negotiation.

    Of a write of the whole space, num_pages counts where the device never showed it so; actual always does.
    """
    if offset or len(data) < configuration.LENGTH_BYTES:
        yield offset, data
        return
    num_pages = data[:_ACTUAL]
    if not any(space[:_ACTUAL] == num_pages for space in shown):
        yield 0, num_pages
    yield _ACTUAL, data[_ACTUAL : configuration.LENGTH_BYTES]
