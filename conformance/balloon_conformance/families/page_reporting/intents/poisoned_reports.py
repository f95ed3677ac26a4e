"""Reports of pages that hold ``poison_val``: they hold it when they come back, whatever the device does."""

from __future__ import annotations

from typing import Final

from balloon_conformance.families.page_poison.vocabulary import poison
from balloon_conformance.families.page_reporting.vocabulary import PAGE, fills, report
from balloon_conformance.generation.intents.model import DriverOk, Intent
from balloon_conformance.generation.intents.shorthand import (
    Script,
    exchange,
    keeps,
    malformed,
    negotiated,
    resets,
    returns,
)

__all__ = ["INTENTS"]

_AREA: Final = "page-reporting"
_FEATURES: Final = negotiated("PAGE_POISON", "PAGE_REPORTING")
_PLAIN: Final = negotiated("PAGE_REPORTING")
_ABOUT: Final = "REPORT-12 REPORT-16 REPORT-17 REPORT-14 REPORT-13"
_VALUE: Final = 0x01020304
_HALF: Final = PAGE // 2


def _word(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _served(name: str, *ranges: str) -> tuple[Script, ...]:
    return (report(name, *ranges), returns(name))


def _poisoned(
    name: str, title: str, value: int, *script: Script, breaks: str = "", before: int | None = None
) -> Intent:
    """Pages are filled with ``value`` and reported; ``before`` is another that the driver wrote first."""
    first = () if before is None else (poison(before),)
    whole = (*first, poison(value), DriverOk(), fills(_word(value), "0x1000+8", "0x2000"), *script)
    if breaks:
        return malformed(
            _AREA, name, title, _ABOUT, breaks, *whole, features=_FEATURES, profile="mainline", opening=False
        )
    return exchange(
        _AREA,
        name,
        title,
        _ABOUT,
        *whole,
        features=_FEATURES,
        sides="device",
        profile="mainline",
        opening=False,
    )


INTENTS: tuple[Intent, ...] = (
    _poisoned(
        "poisoned-report",
        "A reported page holds the four bytes of poison_val in their order, or what it held",
        _VALUE,
        *_served("p1", "0x1000+8"),
        keeps("0xfff", "0x1008"),
    ),
    _poisoned(
        "poisoned-report-of-two-ranges",
        "Pages of every range of a report hold poison_val",
        _VALUE,
        *_served("p1", "0x1000+8", "0x2000"),
        keeps("0xfff", "0x1008", "0x2001"),
    ),
    _poisoned(
        "poisoned-report-of-zeros",
        "If poison_val is 0 a reported page may hold zeros",
        0,
        *_served("p1", "0x1000+8"),
        keeps("0xfff", "0x1008"),
    ),
    _poisoned(
        "poisoned-report-of-ones",
        "A reported page holds a poison_val of all ones",
        (1 << 32) - 1,
        *_served("p1", "0x1000+8"),
        keeps("0xfff", "0x1008"),
    ),
    _poisoned(
        "poisoned-report-as-linux-has-it",
        "A reported page holds the poison_val of Linux",
        0xAAAAAAAA,
        *_served("p1", "0x1000+8"),
        keeps("0xfff", "0x1008"),
    ),
    _poisoned(
        "poisoned-report-of-the-lowest-byte",
        "A poison_val of which one byte is not 0 is not 0",
        0x000000A5,
        *_served("p1", "0x1000+8"),
        keeps("0xfff", "0x1008"),
    ),
    _poisoned(
        "poisoned-report-of-the-highest-byte",
        "A poison_val of which the highest byte is not 0 is not 0",
        0xA5000000,
        *_served("p1", "0x1000+8"),
        keeps("0xfff", "0x1008"),
    ),
    _poisoned(
        "poisoned-reports-one-behind-the-other",
        "Each of two reports leaves poison_val behind",
        _VALUE,
        *_served("p1", "0x1000+8"),
        *_served("p2", "0x2000"),
        keeps("0xfff", "0x1008", "0x1fff", "0x2001"),
    ),
    _poisoned(
        "poisoned-report-of-half-a-page",
        "A page that is reported by half keeps poison_val in its other half",
        _VALUE,
        report("p1", (0x1000 * PAGE, _HALF)),
        returns("p1"),
        keeps("0xfff", "0x1008"),
        breaks="REPORT-10",
    ),
    _poisoned(
        "poisoned-report-of-other-contents",
        "A page that the driver did not fill keeps what it holds, or holds poison_val",
        _VALUE,
        fills(b"OTHER ME", "0x3000+2"),
        *_served("p1", "0x3000+2"),
        keeps("0x2fff", "0x3002"),
        breaks="REPORT-03",
    ),
    _poisoned(
        "poisoned-report-after-a-second-store",
        "A reported page holds the poison_val that was written last before DRIVER_OK",
        0xA1B2C3D4,
        *_served("p1", "0x1000+8"),
        keeps("0xfff", "0x1008"),
        before=0x55667788,
    ),
    malformed(
        _AREA,
        "poisoned-report-before-the-value-is-known",
        "A poison_val that the driver did not write counts as 0",
        _ABOUT,
        "POISON-02",
        DriverOk(),
        fills(bytes(4), "0x1000+8"),
        *_served("p1", "0x1000+8"),
        keeps("0xfff", "0x1008"),
        features=_FEATURES,
        profile="mainline",
        opening=False,
    ),
    _poisoned(
        "poisoned-report-and-one-without-poison",
        "A poison_val of before a reset says nothing about reports without page poison",
        _VALUE,
        *_served("p1", "0x1000+8"),
        resets(_PLAIN),
        *_served("p2", "0x1800+8"),
        keeps("0x17ff", "0x1808"),
    ),
)
