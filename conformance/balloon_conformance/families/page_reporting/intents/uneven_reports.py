"""Reports that no driver should make, or must not make: parts of pages, no memory, other people's pages.

A device returns them all the same, and takes nothing that lies beside a range.
"""

from __future__ import annotations

from typing import Final

from balloon_conformance.families.base.vocabulary import (
    SAFE,
    PfnArray,
    clean_pfns,
    inflate_pfns,
    inflated_pfns,
    pfns,
    recovers_pfns,
)
from balloon_conformance.families.page_reporting.vocabulary import PAGE, report
from balloon_conformance.generation.intents.model import DriverBuffer, Intent, Segment, Step
from balloon_conformance.generation.intents.shorthand import (
    Script,
    any_reaction,
    if_returned,
    keeps,
    malformed,
    negotiated,
    resets,
    returns,
    shows,
)

__all__ = ["INTENTS"]

_AREA: Final = "page-reporting"
_FEATURES: Final = negotiated("PAGE_REPORTING")
_ABOUT: Final = "REPORT-14 REPORT-16 REPORT-17 REPORT-13 REPORT-15"
_AT: Final = 0x1000 * PAGE
_HALF: Final = PAGE // 2
_END: Final = 0x4000 * PAGE
"""The end of guest memory."""


def _uneven(
    name: str, title: str, *reports: DriverBuffer, kept: tuple[str, ...], breaks: str = "REPORT-10"
) -> Intent:
    """Reports of whatever ranges, which come back."""
    return malformed(
        _AREA,
        name,
        title,
        _ABOUT,
        breaks,
        *reports,
        returns(*(one.name for one in reports)),
        keeps(*kept),
        features=_FEATURES,
        profile="mainline",
    )


def _unsound(
    name: str,
    title: str,
    breaks: str,
    *script: Script,
    kept: Step | None = None,
    about: str = f"{SAFE} REPORT-16 REPORT-14",
    memory_holes: str = "",
) -> Intent:
    """The report ``m1``, to which a device may react as it likes; then one that keeps every rule."""
    return malformed(
        _AREA,
        name,
        title,
        about,
        breaks,
        report("p1", "0x2800"),
        returns("p1"),
        *script,
        any_reaction("m1"),
        () if kept is None else kept,
        if_returned(shows("SAFE-05", report("p2", "0x2900"), returns("p2"))),
        resets(),
        report("p3", "0x2a00"),
        shows("SAFE-04", returns("p3")),
        features=_FEATURES,
        profile="mainline",
        memory_holes=memory_holes,
    )


def _bytes(first: int, length_bytes: int, page: int = 0x1000) -> tuple[int, int]:
    """Return a range that begins ``first`` bytes into a page."""
    return page * PAGE + first, length_bytes


_GONE: Final = (_END, 4 * PAGE)
_GOOD: Final = ("0x1000+2", "0x1800")
_OTHERS: Final = ("0xfff", "0x1002", "0x17ff", "0x1801")

INTENTS: tuple[Intent, ...] = (
    _uneven(
        "report-of-half-a-page",
        "Of a page that is reported by half the other half is left alone",
        report("p1", _bytes(0, _HALF)),
        kept=("0xfff", "0x1001"),
    ),
    _uneven(
        "report-of-the-second-half-of-a-page",
        "Of a page whose second half is reported the first half is left alone",
        report("p1", _bytes(_HALF, _HALF)),
        kept=("0xfff", "0x1001"),
    ),
    _uneven(
        "report-of-a-page-and-a-half",
        "The page after a whole one that is reported by half is not lost",
        report("p1", _bytes(0, PAGE + _HALF)),
        kept=("0xfff", "0x1002"),
    ),
    _uneven(
        "report-of-half-a-page-and-one",
        "The page before a whole one that is reported by half is not lost",
        report("p1", _bytes(_HALF, PAGE + _HALF)),
        kept=("0xfff", "0x1002"),
    ),
    _uneven(
        "report-that-begins-within-a-page",
        "A range of whole pages that begins within one has less than its length of them",
        report("p1", _bytes(0x200, 4 * PAGE)),
        kept=("0xfff", "0x1005"),
    ),
    _uneven(
        "report-of-a-page-across-a-border",
        "A range as long as a page that lies across a border has no whole page",
        report("p1", _bytes(_HALF, PAGE)),
        kept=("0xfff", "0x1002"),
    ),
    _uneven(
        "report-of-one-byte",
        "A report of one byte takes no page",
        report("p1", _bytes(0, 1)),
        kept=("0xfff", "0x1001"),
    ),
    _uneven(
        "report-of-all-but-one-byte",
        "A report of a page without its last byte takes no page",
        report("p1", _bytes(0, PAGE - 1)),
        kept=("0xfff", "0x1001"),
    ),
    _uneven(
        "report-of-all-but-the-first-byte",
        "A report of a page without its first byte takes no page",
        report("p1", _bytes(1, PAGE - 1)),
        kept=("0xfff", "0x1001"),
    ),
    _uneven(
        "report-of-one-byte-more-than-a-page",
        "A report of a page and one byte takes the page alone",
        report("p1", _bytes(0, PAGE + 1)),
        kept=("0xfff", "0x1002"),
    ),
    _uneven(
        "report-of-two-halves",
        "Two halves of a page in one report are a page, or none",
        report("p1", _bytes(0, _HALF), _bytes(_HALF, _HALF)),
        kept=("0xfff", "0x1001"),
    ),
    _uneven(
        "reports-of-two-halves",
        "Two halves of a page in two reports are no page",
        report("p1", _bytes(0, _HALF)),
        report("p2", _bytes(_HALF, _HALF, 0x1100)),
        kept=("0xfff", "0x1001", "0x10ff", "0x1101"),
    ),
    _uneven(
        "report-of-whole-and-uneven-ranges",
        "An uneven range does not spoil the others of its report",
        report("p1", "0x1000", _bytes(0x10, PAGE, 0x1800), "0x2000+2"),
        kept=("0xfff", "0x1001", "0x17ff", "0x1802", "0x1fff", "0x2002"),
    ),
    _uneven(
        "report-of-ranges-that-overlap-unevenly",
        "Ranges of a report that overlap within a page take no other page",
        report("p1", _bytes(0, _HALF + 16), _bytes(_HALF, _HALF)),
        kept=("0xfff", "0x1001"),
    ),
    _unsound(
        "report-across-the-end-of-memory",
        "A range that ends beyond guest memory takes nothing behind it",
        "QUEUE-11",
        report("m1", ((0x3FFE) * PAGE, 4 * PAGE)),
        kept=shows("REPORT-14", keeps("0x3ffd"))[0],
    ),
    _unsound(
        "report-beyond-memory",
        "A range behind guest memory changes nothing",
        "QUEUE-11",
        report("m1", _GONE),
        kept=shows("SAFE-01", keeps("0x3fff", "0x0"))[0],
    ),
    _unsound(
        "report-far-above-memory",
        "A range far above guest memory changes nothing",
        "QUEUE-11",
        report("m1", (1 << 40, PAGE)),
        kept=shows("SAFE-01", keeps("0x0"))[0],
    ),
    _unsound(
        "report-of-the-last-page-there-can-be",
        "A range at the end of the address space changes nothing",
        "QUEUE-11",
        report("m1", ((1 << 64) - PAGE, PAGE)),
        kept=shows("SAFE-01", keeps("0x0", "0x3fff"))[0],
    ),
    _unsound(
        "report-as-long-as-can-be",
        "A range of nearly 4 GiB ends with guest memory",
        "QUEUE-11",
        report("m1", (_AT, (1 << 32) - PAGE)),
        kept=shows("REPORT-14", keeps("0xfff"))[0],
    ),
    _unsound(
        "report-across-a-hole-in-memory",
        "A range across a hole in guest memory takes no page on either side that it does not have",
        "QUEUE-11",
        report("m1", "0x1000+64"),
        kept=shows("REPORT-14", keeps("0xfff", "0x1040"))[0],
        memory_holes="0x1010+16",
    ),
    _unsound(
        "report-in-a-hole-in-memory",
        "A range in a hole of guest memory changes nothing",
        "QUEUE-11",
        report("m1", "0x1012+2"),
        kept=shows("SAFE-01", keeps("0x100f", "0x1020"))[0],
        memory_holes="0x1010+16",
    ),
    _unsound(
        "report-with-a-bad-range-first",
        "A range where no memory is spoils no device for the reports that follow",
        "QUEUE-11",
        report("m1", _GONE, *_GOOD),
        kept=shows("REPORT-14", keeps(*_OTHERS))[0],
    ),
    _unsound(
        "report-with-a-bad-range-among-good",
        "A range where no memory is among others takes nothing beside them",
        "QUEUE-11",
        report("m1", _GOOD[0], _GONE, _GOOD[1]),
        kept=shows("REPORT-14", keeps(*_OTHERS))[0],
    ),
    _unsound(
        "report-with-a-bad-range-last",
        "A range where no memory is behind others takes nothing beside them",
        "QUEUE-11",
        report("m1", *_GOOD, _GONE),
        kept=shows("REPORT-14", keeps(*_OTHERS))[0],
    ),
    _unsound(
        "report-that-is-read",
        "A device-readable report changes nothing",
        "REPORT-08",
        DriverBuffer(
            "reporting", "m1", PfnArray(pfns("0x2000") * 1024), segments=(Segment(PAGE, False, _AT),)
        ),
        kept=shows("SAFE-01", keeps("0x2000", "0xfff+3"))[0],
        about=SAFE,
    ),
    _unsound(
        "report-with-a-part-that-is-read",
        "A device-readable descriptor before a range is no list of pages",
        "REPORT-08",
        report("m1", "0x1800", readable=(PfnArray(pfns("0x2000+4")), Segment(16, False, _AT))),
        kept=shows("SAFE-01", keeps("0x2000+4"))[0],
        about=SAFE,
    ),
    malformed(
        _AREA,
        "array-on-the-reporting-queue",
        "An inflate array on the reporting queue gives no page up",
        SAFE,
        "REPORT-08",
        clean_pfns(),
        DriverBuffer("reporting", "m1", PfnArray(pfns("0x1000+4"))),
        any_reaction("m1"),
        shows("SAFE-01", keeps("0x1000+4")),
        recovers_pfns(),
        features=_FEATURES,
        profile="mainline",
    ),
    *(
        malformed(
            _AREA,
            f"report-on-the-{queue}-queue",
            f"A device-writable range on the {queue} queue is no report, and gives no page up",
            SAFE,
            "QUEUE-03 PFN-02",
            clean_pfns(),
            DriverBuffer(queue, "m1", None, 2 * PAGE, segments=(Segment(2 * PAGE, True, _AT),)),
            any_reaction("m1"),
            shows("SAFE-01", keeps("0xfff+4")),
            recovers_pfns(),
            features=_FEATURES,
            profile="mainline",
        )
        for queue in ("inflate", "deflate")
    ),
    *(
        malformed(
            _AREA,
            f"report-behind-an-array-on-the-{queue}-queue",
            f"A device-writable range behind an array on the {queue} queue is no report",
            SAFE,
            "QUEUE-03" if queue == "inflate" else "QUEUE-03 DEF-04",
            clean_pfns(),
            DriverBuffer(
                queue,
                "m1",
                PfnArray(pfns("0x2000")),
                PAGE,
                segments=(Segment(4, False, 0x1800 * PAGE), Segment(PAGE, True, _AT)),
            ),
            any_reaction("m1"),
            shows("SAFE-01", keeps("0xfff+3")),
            recovers_pfns(),
            features=_FEATURES,
            profile="mainline",
        )
        for queue in ("inflate", "deflate")
    ),
    malformed(
        _AREA,
        "report-of-pages-on-their-way-into-the-balloon",
        "A report of pages that are being inflated comes back, and so does the inflate buffer",
        _ABOUT,
        "REPORT-09",
        inflate_pfns("m1", "0x1000+4"),
        report("p1", "0x1000+4"),
        returns("m1", "p1"),
        keeps("0xfff", "0x1004"),
        features=_FEATURES,
        profile="mainline",
    ),
    malformed(
        _AREA,
        "report-of-pages-in-the-balloon",
        "A report of pages of the balloon comes back",
        _ABOUT,
        "REPORT-09",
        inflated_pfns(),
        report("p1", "0x1234"),
        returns("p1"),
        keeps("0x1233", "0x1235"),
        features=_FEATURES,
        profile="mainline",
    ),
    malformed(
        _AREA,
        "reports-that-overlap",
        "Two reports in flight that overlap both come back",
        _ABOUT,
        "REPORT-09",
        report("p1", "0x1000+8"),
        report("p2", "0x1004+8"),
        returns("p1", "p2"),
        keeps("0xfff", "0x100c"),
        features=_FEATURES,
        profile="mainline",
    ),
    malformed(
        _AREA,
        "report-twice-at-once",
        "The same report twice at once comes back twice",
        _ABOUT,
        "REPORT-09",
        report("p1", "0x1000+8"),
        report("p2", "0x1000+8"),
        returns("p1", "p2"),
        keeps("0xfff", "0x1008"),
        features=_FEATURES,
        profile="mainline",
    ),
)
