"""Command ids and hints as no driver may send them, and what a device makes of them.

A device returns them or asks for a reset, and never leaves out of its copy what was not hinted under the
current command id.
"""

from __future__ import annotations

from balloon_conformance.families.base.vocabulary import SAFE, inflate_pfns, recovers_pfns
from balloon_conformance.families.free_page_hint.vocabulary import (
    ID,
    LENGTH_BYTES,
    NEXT,
    OFFSET,
    STOP,
    begins,
    copies,
    ends,
    hint,
    hint_of,
    of_device,
    publishes,
    raw_command,
    round_of,
    sends,
    wants,
)
from balloon_conformance.generation.intents.model import DriverStore, Intent, Segment
from balloon_conformance.generation.intents.shorthand import (
    Script,
    any_reaction,
    discards,
    keeps,
    resets,
    returns,
    shows,
)

__all__ = ["INTENTS"]

_PAGES = "0x1000+16"
_PAGE_BYTES = 1 << 12
_ADDRESS = 0x1000 << 12
_BYTES = ID.to_bytes(LENGTH_BYTES, "little")
_AHEAD = 5
"""An id is tried that is so far ahead of the one published."""


def _not_left_out(name: str, title: str, breaks: str, *script: Script) -> Intent:
    """Hint pages in a way that does not count, and find them in the copy."""
    about = "HINT-17 HINT-22 HINT-21"
    return of_device(name, title, about, *script, *ends(), copies(there=_PAGES), breaks=breaks)


def _malformed(name: str, title: str, breaks: str, *script: Script, buffer: str = "x1") -> Intent:
    """Send something malformed in a round, and have the device go on."""
    return of_device(
        name,
        title,
        f"{SAFE} HINT-22",
        *begins(),
        *script,
        any_reaction(buffer),
        shows("SAFE-01", keeps("0xfff+18")),
        *recovers_pfns(),
        breaks=breaks,
    )


def _of_length(length_bytes: int, title: str) -> Intent:
    data = _BYTES[:length_bytes].ljust(length_bytes, b"\0")
    return _malformed(f"command-of-{length_bytes}-bytes", title, "HINT-01", raw_command("x1", data))


INTENTS: tuple[Intent, ...] = (
    _not_left_out(
        "hints-before-any-id",
        "Hints that nobody asked for are ignored",
        "HINT-02",
        *sends(hint("h1", _PAGES)),
        *begins(),
        *sends("c1", ID),
        *sends("z1", STOP),
    ),
    _not_left_out(
        "hints-before-the-command",
        "Hints that come before the command id are ignored",
        "HINT-02",
        *begins(),
        *sends(hint("h1", _PAGES)),
        *sends("c1", ID),
        *sends("z1", STOP),
    ),
    _not_left_out(
        "hints-without-a-command",
        "A published command id makes nobody's hints count; the driver has to send it",
        "HINT-02",
        *begins(),
        *sends(hint("h1", _PAGES)),
    ),
    _not_left_out(
        "hints-after-the-end-of-the-round",
        "Hints that come after the driver's 0 are ignored",
        "HINT-02",
        *begins(),
        *sends("c1", ID),
        *sends("z1", STOP),
        *sends(hint("h1", _PAGES)),
    ),
    *(
        _not_left_out(
            f"hints-under-{name}",
            title,
            "HINT-12",
            *begins(),
            *sends("c1", number),
            *sends(hint("h1", _PAGES)),
            *sends("z1", STOP),
        )
        for name, title, number in (
            ("the-id-to-come", "Hints under the id after the published one are ignored", NEXT),
            ("the-id-before", "Hints under the id before the published one are ignored", ID - 1),
            ("an-id-far-ahead", "Hints under an id far ahead are ignored", ID + _AHEAD),
            (
                "an-id-with-another-upper-byte",
                "All 32 bits of a command id count: hints under one that differs in the highest are ignored",
                ID ^ 1 << 31,
            ),
            (
                "an-id-with-another-second-byte",
                "Hints under an id that equals the published one in its lowest byte are ignored",
                ID ^ 1 << 8,
            ),
            (
                "an-id-with-the-same-lower-half",
                "Hints under an id that equals the published one in its lower 16 bits are ignored",
                ID ^ 1 << 16,
            ),
        )
    ),
    _not_left_out(
        "hints-under-done",
        "A driver that sends DONE begins nothing, and its hints are ignored",
        "HINT-12",
        *begins(),
        *sends("c1", 1),
        *sends(hint("h1", _PAGES)),
        *sends("z1", STOP),
    ),
    _not_left_out(
        "id-of-before-is-answered-late",
        "Hints under an id that another one replaced are ignored",
        "HINT-02",
        *begins(),
        *begins(NEXT),
        *sends("c1", ID),
        *sends(hint("h1", _PAGES)),
        *sends("z1", STOP),
    ),
    _not_left_out(
        "id-of-before-is-replayed-after-stop",
        "Once the device has published STOP, the id of before begins no round",
        "HINT-02 HINT-03",
        *begins(),
        *sends("c1", ID),
        wants("stop-hints"),
        publishes(STOP),
        *sends("z1", STOP),
        *sends("c2", ID),
        *sends(hint("h1", _PAGES)),
        *sends("z2", STOP),
    ),
    _not_left_out(
        "id-of-before-is-replayed-in-the-next-round",
        "An id of a round that is over begins none, also while another is asked for",
        "HINT-02 HINT-03",
        *begins(),
        *sends("c1", ID),
        *sends("z1", STOP),
        *begins(NEXT),
        *sends("c2", ID),
        *sends(hint("h1", _PAGES)),
        *sends("z2", STOP),
    ),
    _not_left_out(
        "id-of-before-is-replayed-after-done",
        "Once the device has published DONE, the id of before begins no round of the next copy",
        "HINT-02 HINT-03",
        *begins(),
        *sends("c1", ID),
        *sends("z1", STOP),
        *ends(),
        *sends("c2", ID),
        *sends(hint("h1", _PAGES)),
        *sends("z2", STOP),
        *begins(NEXT),
        *sends("c3", NEXT),
        *sends("z3", STOP),
    ),
    _not_left_out(
        "another-id-comes-in-a-round",
        "Hints behind an id that was never published are ignored, also in a round",
        "HINT-06 HINT-12",
        *begins(),
        *sends("c1", ID),
        *sends("c2", ID + _AHEAD),
        *sends(hint("h1", _PAGES)),
        *sends("z1", STOP),
    ),
    _not_left_out(
        "another-id-comes-after-the-round",
        "Hints behind an id that was never published are ignored, also after a round",
        "HINT-12",
        *begins(),
        *sends("c1", ID),
        *sends("z1", STOP),
        *sends("c2", ID + _AHEAD),
        *sends(hint("h1", _PAGES)),
        *sends("z2", STOP),
    ),
    _not_left_out(
        "hints-behind-a-late-0",
        "A 0 that comes late begins nothing: hints behind it are ignored",
        "HINT-02",
        *begins(),
        *sends("z1", STOP),
        *sends(hint("h1", _PAGES)),
    ),
    _not_left_out(
        "hints-after-a-reset",
        "A reset ends the round: hints that come after it are ignored",
        "HINT-02",
        *begins(),
        *sends("c1", ID),
        resets(),
        *sends(hint("h1", _PAGES)),
        *begins(NEXT),
    ),
    _not_left_out(
        "id-of-before-the-reset-is-replayed-at-rest",
        "An id of before a reset begins no round after it, also if no other id was published since",
        "HINT-02",
        *begins(),
        *sends("c1", ID),
        resets(),
        *sends(hint("h0", "0x1100+16")),
        *sends("c2", ID),
        *sends(hint("h1", _PAGES)),
        *sends("z2", STOP),
        *begins(NEXT),
    ),
    of_device(
        "round-is-begun-twice",
        "A device returns a command id that comes twice in a round, and finishes its copy",
        "HINT-22 HINT-21 HINT-26",
        *begins(),
        *sends("c1", ID),
        *sends("c2", ID),
        *sends("z1", STOP),
        *ends(),
        copies(there=_PAGES),
        breaks="HINT-03",
    ),
    of_device(
        "id-of-before-the-reset-is-replayed",
        "An id of before a reset begins no round after it",
        "HINT-17 HINT-22",
        *begins(),
        *sends("c1", ID),
        resets(),
        *begins(NEXT),
        *sends("c2", ID),
        *sends(hint("h1", _PAGES)),
        *sends("z2", STOP),
        *ends(),
        copies(there=_PAGES),
        breaks="HINT-12",
    ),
    of_device(
        "hint-is-not-read-as-a-command",
        "A device reads a command id from what it may read, and not from 4 bytes that it may write to",
        "HINT-17 HINT-22",
        *begins(),
        *sends(hint_of("x1", (_ADDRESS, LENGTH_BYTES))),
        *sends(hint("h1", "0x1001+15")),
        *ends(),
        copies(there="0x1001+15"),
        breaks="HINT-02",
    ),
    _of_length(1, "A command id of a byte is returned, or a reset asked for"),
    _of_length(3, "A command id of 3 bytes is returned, or a reset asked for"),
    _of_length(5, "A command id of 5 bytes is returned, or a reset asked for"),
    _of_length(8, "A command id of 64 bits is returned, or a reset asked for"),
    _malformed(
        "command-and-hint-in-one-buffer",
        "A command id and a hint in one buffer are returned, or a reset asked for",
        "HINT-11",
        raw_command("x1", _BYTES, Segment(_PAGE_BYTES, writable=True, address=0x2800 << 12)),
    ),
    _malformed(
        "hint-in-a-readable-buffer",
        "Two pages that are hinted for the device to read are returned, or a reset asked for",
        "HINT-11",
        raw_command("x1", bytes(2 * _PAGE_BYTES)),
    ),
    _malformed(
        "hint-outside-memory",
        "A hint of memory that does not exist is returned, or a reset asked for",
        "QUEUE-11",
        *sends("c1", ID),
        hint("x1", "0x100000+16"),
    ),
    of_device(
        "hint-across-the-end-of-memory",
        "A hint that begins in guest memory and ends outside harms nothing",
        SAFE,
        *begins(),
        *sends("c1", ID),
        hint_of("x1", (0x3FFF << 12, 2 * _PAGE_BYTES)),
        any_reaction("x1"),
        *recovers_pfns(),
        breaks="QUEUE-11",
    ),
    of_device(
        "hint-of-half-a-page",
        "Of a page that is hinted in part the device thinks as it likes; the pages around it are copied",
        "HINT-26 HINT-22",
        *begins(),
        *sends("c1", ID),
        *sends(hint_of("h1", (_ADDRESS, _PAGE_BYTES // 2))),
        *sends("z1", STOP),
        *ends(),
        copies(there="0xfff 0x1001"),
        breaks="HINT-32",
    ),
    of_device(
        "hint-between-two-pages",
        "A hint that begins in the middle of a page and ends in the middle of another loses no third",
        "HINT-26 HINT-22",
        *begins(),
        *sends("c1", ID),
        *sends(hint_of("h1", (_ADDRESS + _PAGE_BYTES // 2, 3 * _PAGE_BYTES))),
        *sends("z1", STOP),
        *ends(),
        copies("0x1001+2", there="0xfff 0x1004"),
        breaks="HINT-32",
    ),
    of_device(
        "hint-of-a-page-twice",
        "A page that is hinted twice is left out once, and both hints come back",
        "HINT-22 HINT-28",
        *begins(),
        *sends("c1", ID),
        *sends(hint("h1", _PAGES)),
        *sends(hint("h2", "0x1008+16")),
        *sends("z1", STOP),
        *ends(),
        copies("0x1000+24", there="0xfff 0x1018"),
    ),
    of_device(
        "hint-of-a-page-of-the-balloon",
        "A page of the balloon that is hinted stays in the balloon",
        "HINT-22 QUEUE-07 INF-07",
        inflate_pfns("m1", "0x1004"),
        *returns("m1"),
        discards("0x1004"),
        *begins(),
        *sends("c1", ID),
        *sends(hint("h1", _PAGES)),
        *sends("z1", STOP),
        *ends(),
        inflate_pfns("m2", "0x2000"),
        *returns("m2"),
        discards("0x2000"),
        breaks="HINT-13",
    ),
    *(
        of_device(
            f"driver-writes-{value:#x}-over-the-command-id",
            "A driver's store does not change the command id",
            "HINT-29 HINT-28",
            *begins(),
            DriverStore(OFFSET, LENGTH_BYTES, value),
            *sends("c1", ID),
            *sends(hint("h1", _PAGES)),
            *sends("z1", STOP),
            *ends(),
            copies(_PAGES, there="0x1010"),
            breaks="HINT-14",
        )
        for value in (0, 1, 7)
    ),
    _not_left_out(
        "driver-answers-what-it-wrote-over-the-command-id",
        "A number that the driver has stored in the register is no id, and hints under it are ignored",
        "HINT-12 HINT-14",
        *begins(),
        DriverStore(OFFSET, LENGTH_BYTES, ID + _AHEAD),
        *sends("c1", ID + _AHEAD),
        *sends(hint("h1", _PAGES)),
        *sends("z1", STOP),
    ),
    *(
        of_device(
            f"driver-writes-over-{name}",
            "A driver's store that covers the register in part, or more than it, brings no round about",
            "HINT-29 HINT-22",
            *round_of(_PAGES),
            *ends(),
            DriverStore(offset, width, value),
            inflate_pfns("m1", "0x2000"),
            *returns("m1"),
            breaks="HINT-14 CFG-03" if offset < OFFSET else "HINT-14",
        )
        for name, offset, width, value in (
            ("the-first-byte-of-the-command-id", OFFSET, 1, 7),
            ("the-last-byte-of-the-command-id", OFFSET + 3, 1, 1),
            ("the-first-half-of-the-command-id", OFFSET, 2, 7),
            ("actual-and-the-command-id", OFFSET - LENGTH_BYTES, 2 * LENGTH_BYTES, ID << 8 * LENGTH_BYTES),
        )
    ),
    of_device(
        "driver-writes-over-the-command-id-at-rest",
        "A driver's store does not bring a round about",
        "HINT-29 HINT-22",
        *round_of(_PAGES),
        *ends(),
        DriverStore(OFFSET, LENGTH_BYTES, ID),
        inflate_pfns("m1", "0x2000"),
        *returns("m1"),
        breaks="HINT-14",
    ),
)
