"""Reports that keep every rule: whole pages, few or many, with other buffers in flight and after a reset."""

from __future__ import annotations

from typing import Final

from balloon_conformance.families.base.vocabulary import clean_pfns, deflate_pfns, inflate_pfns, inflated_pfns
from balloon_conformance.families.page_poison.vocabulary import poison
from balloon_conformance.families.page_reporting.vocabulary import PAGE, fills, report
from balloon_conformance.families.statistics.vocabulary import reports
from balloon_conformance.generation.intents.model import DriverActual, DriverOk, Features, Intent
from balloon_conformance.generation.intents.shorthand import (
    Script,
    discards,
    exchange,
    keeps,
    negotiated,
    resets,
    returns,
)

__all__ = ["INTENTS"]

_AREA: Final = "page-reporting"
_ALONE: Final = negotiated("PAGE_REPORTING")
_ABOUT: Final = "REPORT-16 REPORT-17 REPORT-13 REPORT-14 REPORT-15"
_BESIDE: Final = ("0xfff", "0x1010")


def _of_device(
    name: str,
    title: str,
    *script: Script,
    about: str = _ABOUT,
    features: Features = _ALONE,
    memory_pages: int = 0x4000,
    memory_holes: str = "",
) -> Intent:
    return exchange(
        _AREA,
        name,
        title,
        about,
        *script,
        features=features,
        sides="device",
        profile="mainline",
        memory_pages=memory_pages,
        memory_holes=memory_holes,
    )


def _scattered(count: int, step: int = 4) -> tuple[str, ...]:
    return tuple(f"{0x1000 + at * step:#x}" for at in range(count))


def _spelled(*pages: int) -> bytes:
    return b"".join(page.to_bytes(4, "little") for page in pages)


_SETS: Final = (
    ((), "reporting alone"),
    (("STATS_VQ",), "the statistics queue"),
    (("PAGE_POISON",), "page poison"),
    (("STATS_VQ", "PAGE_POISON"), "the statistics queue and page poison"),
    (("FREE_PAGE_HINT",), "page hints"),
    (("STATS_VQ", "FREE_PAGE_HINT"), "the statistics queue and page hints"),
    (("FREE_PAGE_HINT", "PAGE_POISON"), "page hints and page poison"),
    (("STATS_VQ", "FREE_PAGE_HINT", "PAGE_POISON"), "all the other features of its time"),
    (("MUST_TELL_HOST", "DEFLATE_ON_OOM"), "the features of the balloon"),
)


def _beside(names: tuple[str, ...], words: str) -> Intent:
    """A report is served whatever other features are negotiated, and whatever number its queue has then."""
    features = negotiated(*names, "PAGE_REPORTING")
    first = (reports("s1", notify=False),) if "STATS_VQ" in names else ()
    poisoned = (*first, poison(0), DriverOk(), fills(bytes(4), "0x1000+16"))
    said = poisoned if "PAGE_POISON" in names else ()
    short = "-".join(name.lower().replace("_", "-") for name in names) or "nothing-else"
    return exchange(
        _AREA,
        f"reports-beside-{short}",
        f"A report is served beside {words}",
        _ABOUT,
        *said,
        report("p1", "0x1000+16"),
        returns("p1"),
        keeps(*_BESIDE),
        features=features,
        sides="device",
        profile="mainline",
        opening="PAGE_POISON" not in names,
    )


INTENTS: tuple[Intent, ...] = (
    _of_device(
        "report-of-one-page",
        "A report of one page comes back, and its neighbours are left alone",
        report("p1", "0x1000"),
        returns("p1"),
        keeps("0xfff", "0x1001"),
    ),
    _of_device(
        "report-of-sixteen-pages",
        "A report of 64 KiB comes back, and its neighbours are left alone",
        report("p1", "0x1000+16"),
        returns("p1"),
        keeps(*_BESIDE),
    ),
    _of_device(
        "report-of-2-mib",
        "A report of 2 MiB that lies evenly comes back",
        report("p1", "0x1000+512"),
        returns("p1"),
        keeps("0xfff", "0x1200"),
    ),
    _of_device(
        "report-of-4-mib",
        "A report of 4 MiB, as Linux makes it, comes back",
        report("p1", "0x1000+1024"),
        returns("p1"),
        keeps("0xfff", "0x1400"),
    ),
    _of_device(
        "report-of-the-first-page",
        "The first page of the guest may be reported",
        report("p1", "0x0"),
        returns("p1"),
        keeps("0x1"),
    ),
    _of_device(
        "report-of-the-last-page",
        "The last page of the guest may be reported",
        report("p1", "0x3fff"),
        returns("p1"),
        keeps("0x3ffe"),
    ),
    _of_device(
        "report-above-4-gib",
        "A report above 4 GiB means the page there, and not the one 4 GiB below it",
        report("p1", "0x101000+4"),
        returns("p1"),
        keeps("0x1000+4", "0x100fff", "0x101004"),
        memory_pages=0x102000,
        # Few machines have so much memory to spare for a test.
        memory_holes="0x2000+0xfe000",
    ),
    _of_device(
        "report-of-three-ranges",
        "Each descriptor of a report is a range of its own",
        report("p1", "0x1000+4", "0x2000", "0x3000+2"),
        returns("p1"),
        keeps("0xfff", "0x1004", "0x1fff", "0x2001", "0x2fff", "0x3002"),
    ),
    _of_device(
        "report-of-ranges-in-falling-order",
        "The ranges of a report stand in any order",
        report("p1", "0x3000+2", "0x2000", "0x1000+4"),
        returns("p1"),
        keeps("0xfff", "0x1004", "0x1fff", "0x2001", "0x2fff", "0x3002"),
    ),
    _of_device(
        "report-of-ranges-that-touch",
        "Two ranges that touch are one behind the other",
        report("p1", "0x1000+8", "0x1008+8"),
        returns("p1"),
        keeps(*_BESIDE),
    ),
    _of_device(
        "report-of-thirty-two-ranges",
        "A report has as many ranges as Linux puts into one",
        report("p1", *_scattered(32)),
        returns("p1"),
        keeps("0x1001", "0x1003", "0x107d"),
    ),
    _of_device(
        "report-of-a-thousand-ranges",
        "A report of a thousand ranges comes back with all of them looked at",
        report("p1", *_scattered(1000)),
        returns("p1"),
        keeps("0x1001", "0x1003", "0x1f9d"),
    ),
    _of_device(
        "reports-one-behind-the-other",
        "A device that served one report serves the next",
        *((report(f"p{number}", f"{0x1000 * number:#x}+2"), returns(f"p{number}")) for number in range(1, 4)),
        keeps("0xfff", "0x1002", "0x1fff", "0x2002", "0x2fff", "0x3002"),
    ),
    _of_device(
        "reports-in-flight-together",
        "Eight reports that are available at once all come back",
        *(report(f"p{number}", f"{0x1000 + 16 * number:#x}+8") for number in range(8)),
        returns(*(f"p{number}" for number in range(8))),
        keeps("0x1008+8", "0x1078+8"),
        about=f"{_ABOUT} QUEUE-06",
    ),
    _of_device(
        "report-of-the-same-pages-again",
        "Pages that were reported and returned may be reported again",
        *((report(f"p{number}", "0x1000+4"), returns(f"p{number}")) for number in range(1, 4)),
        keeps("0xfff", "0x1004"),
    ),
    _of_device(
        "report-between-inflations",
        "The reporting queue and the inflate queue do not disturb each other",
        clean_pfns(),
        report("p1", "0x1000+4"),
        inflate_pfns("m1", "0x2000", "0x2002"),
        returns("p1", "m1"),
        discards("0x2000", "0x2002", kept=("0x2001", "0x1004")),
        DriverActual(3),
    ),
    _of_device(
        "report-and-then-inflation-of-the-same-pages",
        "A page may be inflated once its report is back",
        report("p1", "0x1000+4"),
        returns("p1"),
        inflate_pfns("m1", "0x1000+4"),
        returns("m1"),
        discards("0x1000+4"),
        DriverActual(4),
    ),
    _of_device(
        "report-and-then-inflation-of-other-pages",
        "An inflation takes no page whose report is back",
        clean_pfns(),
        report("p1", "0x1000+4"),
        returns("p1"),
        inflate_pfns("m1", "0x2000"),
        returns("m1"),
        discards("0x2000", kept=("0x1000+4",)),
        DriverActual(2),
        report("p2", "0x3000"),
        returns("p2"),
        keeps("0x1000+4"),
    ),
    _of_device(
        "report-and-then-deflation-of-other-pages",
        "A deflation takes no page whose report is back",
        inflated_pfns(),
        report("p1", "0x1000+4"),
        returns("p1"),
        deflate_pfns("d1", "0x1234"),
        returns("d1"),
        keeps("0x1000+4"),
        DriverActual(0),
        features=negotiated("DEFLATE_ON_OOM", "PAGE_REPORTING"),
    ),
    _of_device(
        "inflation-beside-a-report-of-the-same-pages",
        "Pages that are reported are inflated before the report is back",
        report("p1", "0x1000+4"),
        inflate_pfns("m1", "0x1000+4"),
        returns("p1", "m1"),
        DriverActual(4),
    ),
    _of_device(
        "report-of-pages-that-were-deflated",
        "Pages that left the balloon may be reported",
        inflated_pfns(),
        deflate_pfns("d1", "0x1234"),
        returns("d1"),
        DriverActual(0),
        report("p1", "0x1234"),
        returns("p1"),
        keeps("0x1233", "0x1235"),
        features=negotiated("DEFLATE_ON_OOM", "PAGE_REPORTING"),
    ),
    _of_device(
        "report-after-a-reset",
        "Reports are served after a reset as before",
        report("p1", "0x1000+4"),
        returns("p1"),
        resets(),
        report("p2", "0x2000+4"),
        returns("p2"),
        keeps("0x1000+5", "0x1fff", "0x2004"),
        about=f"{_ABOUT} RESET-06",
    ),
    _of_device(
        "report-of-pages-that-spell-another",
        "What stands in a reported page is no page frame number",
        fills(_spelled(0x2000), "0x1000"),
        report("p1", "0x1000"),
        returns("p1"),
        keeps("0x2000", "0xfff", "0x1001"),
        about=f"REPORT-18 {_ABOUT}",
    ),
    _of_device(
        "report-of-pages-that-spell-many-others",
        "What stands in reported pages is no array of page frame numbers",
        fills(_spelled(*range(0x2000, 0x2400)), "0x1000+2", "0x1800"),
        report("p1", "0x1000+2", "0x1800"),
        returns("p1"),
        keeps("0x2000+1024"),
        about=f"REPORT-18 {_ABOUT}",
    ),
    _of_device(
        "report-of-pages-that-hold-zeros",
        "A page that holds zeros is reported like any other, and page 0 is not meant",
        fills(bytes(PAGE), "0x1000+4"),
        report("p1", "0x1000+4"),
        returns("p1"),
        keeps("0x0", "0xfff", "0x1004"),
        about=f"REPORT-18 {_ABOUT}",
    ),
    *(_beside(names, words) for names, words in _SETS),
)
