"""What a driver wrote to the configuration space, derived from the message of its front-end.

User-mode Linux sends the field that the driver wrote. QEMU always sends the whole space, with the other
fields as the driver last saw them. So a target that the device showed before is not a write of the driver.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from balloon_spec.families.base import configuration

__all__ = ["driver_writes"]

_ACTUAL = configuration.ACTUAL_OFFSET


def driver_writes(offset: int, data: bytes, shown: AbstractSet[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, bytes) of each write; ``shown`` is every content of the space since negotiation.

    In a write of the whole space, num_pages counts only if the device never showed it so; actual always
    counts.
    """
    if offset or len(data) < configuration.LENGTH_BYTES:
        yield offset, data
        return
    num_pages = data[:_ACTUAL]
    if not any(space[:_ACTUAL] == num_pages for space in shown):
        yield 0, num_pages
    yield _ACTUAL, data[_ACTUAL : configuration.LENGTH_BYTES]
