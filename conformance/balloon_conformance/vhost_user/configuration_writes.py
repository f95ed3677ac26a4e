"""What a driver wrote to the configuration space, derived from the message of its front-end.

User-mode Linux sends the field that the driver wrote. QEMU always sends the whole space, with the other
fields as the driver last saw them. So a value that the device showed before is not a write of the driver.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from balloon_spec.events import Side
from balloon_spec.families.family import ConfigurationWord

__all__ = ["driver_writes"]


def driver_writes(
    offset: int, data: bytes, words: Sequence[ConfigurationWord], space: bytes, shown: AbstractSet[bytes]
) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, bytes) of each write.

    ``words`` are those that exist, by offset. ``space`` is the content of the space before the message, and
    ``shown`` every content since negotiation that the device gave it. In a write of the whole space, a word
    of the device counts only if the device never showed it so. A word of the driver counts if it changed; if
    none did, all of them count, because the driver wrote one again.
    """
    own = [word for word in words if word.written_by is Side.DRIVER]
    if offset or not own or len(data) < own[0].end_bytes:
        yield offset, data
        return

    def of(word: ConfigurationWord, content: bytes) -> bytes:
        return content[word.offset_bytes : word.end_bytes]

    changed = [word for word in own if of(word, data) != of(word, space)] or own
    for word in words:
        is_written = (
            word in changed
            if word.written_by is Side.DRIVER
            else all(of(word, content) != of(word, data) for content in shown)
        )
        if is_written and word.end_bytes <= len(data):
            yield word.offset_bytes, of(word, data)
