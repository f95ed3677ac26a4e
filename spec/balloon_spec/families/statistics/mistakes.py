"""The classic mistakes in a statistics buffer."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from balloon_spec.families.statistics import statistics
from balloon_spec.wire.hint import Context, Hint, Mistake

__all__ = ["statistics_mistakes"]


def statistics_mistakes(raw: bytes, _context: Context) -> Iterator[Hint]:
    """Yield what explains a statistics buffer that cannot be meant as it stands."""
    if not raw or len(raw) % statistics.ENTRY_BYTES:
        return
    known = {*statistics.Tag, *statistics.LINUX_TAG_NAMES}
    entries = list(struct.iter_unpack(">HQ", raw))
    tags = [tag for tag, _ in struct.iter_unpack("<HQ", raw)]
    if all(tag in known for tag, _ in entries) and not all(tag in known for tag in tags):
        first = next(index for index, tag in enumerate(tags) if tag not in known)
        yield Hint(
            Mistake.BYTE_ORDER,
            0,
            len(raw),
            b"".join(struct.pack("<HQ", *entry) for entry in entries),
            f"entries[{first}].tag is {tags[first]:#x}, which is no statistic",
            f"read as big-endian it is {entries[first][0]}, as all of them are known that way, and words are "
            "little-endian except for a big-endian guest on the legacy interface",
        )
