"""Header fields without a meaning on the inflate and deflate queues, with any values."""

from __future__ import annotations

from balloon_conformance.families.chunk_transfer.vocabulary import deflates, inflates, malformed
from balloon_conformance.generation.intents.model import Intent
from balloon_conformance.generation.intents.shorthand import discards, keeps, returns, shows

__all__ = ["INTENTS"]

_VALUES = {
    "cmd": (1, 2, 0x7F, 0x80),
    "flag": (2, 3, 0x80, 0xFF),
    "id": (1, 0xFF, 0x100, 0x8000, 0xFFFF),
}


def _inflate(field: str, value: int) -> Intent:
    cmd, flag, identifier = (value if field == name else 0 for name in _VALUES)
    return malformed(
        "inflate",
        f"inflate-with-{field}-{value:#x}",
        f"With {field} {value:#x} an inflate message means what it means with 0",
        "HDR-05 INF-07",
        "HDR-04",
        inflates("m1", "0x1000"),
        returns("m1"),
        discards("0x1000"),
        inflates("m2", "0x1100", cmd=cmd, flag=flag, id=identifier),
        shows("HDR-05", returns("m2"), discards("0x1100")),
    )


def _deflate(field: str, value: int) -> Intent:
    cmd, flag, identifier = (value if field == name else 0 for name in _VALUES)
    return malformed(
        "deflate",
        f"deflate-with-{field}-{value:#x}",
        f"With {field} {value:#x} a deflate message is returned as with 0, and discards nothing",
        "HDR-05 DEF-07 DEF-08",
        "HDR-04",
        inflates("m1", "0x1000"),
        returns("m1"),
        discards("0x1000"),
        deflates("d1", "0x1000", cmd=cmd, flag=flag, id=identifier),
        shows("HDR-05", returns("d1")),
        shows("DEF-08", keeps("0x1000")),
    )


INTENTS: tuple[Intent, ...] = (
    *(_inflate(field, value) for field, values in _VALUES.items() for value in values),
    *(_deflate(field, values[-1]) for field, values in _VALUES.items()),
    *(_deflate(field, values[0]) for field, values in _VALUES.items()),
)
