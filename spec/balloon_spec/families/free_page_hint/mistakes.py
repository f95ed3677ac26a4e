"""The classic mistakes in a command id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from balloon_spec.families.free_page_hint import DONE
from balloon_spec.families.free_page_hint.command_id import LENGTH_BYTES
from balloon_spec.wire.hint import Context, Hint, Mistake
from balloon_spec.wire.layout import swapped

__all__ = ["WIDE_ID", "id_mistakes"]

WIDE_ID: Final = Mistake.declare("wide-id")
"""A command id of 8 bytes."""

_SMALL: Final = 1 << 16
"""Devices count their ids up, from 2 or from 2^31 + 1: their two upper bytes are seldom all in use."""
_HALF: Final = 1 << 31


def id_mistakes(raw: bytes, _context: Context) -> Iterator[Hint]:
    """Yield what explains a command id that cannot be meant as it stands."""
    if len(raw) == 2 * LENGTH_BYTES and not any(raw[LENGTH_BYTES:]):
        yield Hint(
            WIDE_ID,
            0,
            len(raw),
            raw[:LENGTH_BYTES],
            "it has 8 bytes, and the upper 4 are 0",
            "it looks like a number of 64 bits, and a command id has 32",
        )
    if len(raw) != LENGTH_BYTES:
        return
    seen = int.from_bytes(raw, "little")
    turned = swapped(seen, LENGTH_BYTES)
    if _is_counted(turned) and not _is_counted(seen) and seen > DONE:
        yield Hint(
            Mistake.BYTE_ORDER,
            0,
            len(raw),
            raw[::-1],
            f"cmd_id is {seen:#x}",
            f"read as big-endian it is {turned:#x}, as devices count, and words are little-endian except for "
            "a big-endian guest on the legacy interface",
        )


def _is_counted(number: int) -> bool:
    return DONE < number < _SMALL or _HALF <= number < _HALF + _SMALL
