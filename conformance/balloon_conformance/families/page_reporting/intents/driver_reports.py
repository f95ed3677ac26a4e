"""Drivers that report what their guest has free."""

from __future__ import annotations

from typing import Final

from balloon_conformance.families.base.vocabulary import (
    deflate_pfns,
    gives_up,
    inflate_pfns,
    target,
    wants_back,
)
from balloon_conformance.families.page_poison.vocabulary import poison
from balloon_conformance.families.page_reporting.vocabulary import has_free, relies, report
from balloon_conformance.generation.intents.model import (
    DeviceReturn,
    DriverActual,
    DriverOk,
    Features,
    Intent,
    Silent,
)
from balloon_conformance.generation.intents.shorthand import (
    Script,
    exchange,
    malformed,
    negotiated,
    resets,
    returns,
)

__all__ = ["INTENTS"]

_AREA: Final = "page-reporting"
_PLAIN: Final = negotiated("PAGE_REPORTING")
_POISONED: Final = negotiated("PAGE_POISON", "PAGE_REPORTING")
_ABOUT: Final = "REPORT-08 REPORT-10 REPORT-05 REPORT-04"


def _of_driver(
    name: str,
    title: str,
    *script: Script,
    about: str = _ABOUT,
    features: Features = _PLAIN,
    sides: str = "driver",
    opening: bool = True,
) -> Intent:
    return exchange(
        _AREA,
        name,
        title,
        about,
        *script,
        features=features,
        sides=sides,
        profile="mainline",
        opening=opening,
    )


INTENTS: tuple[Intent, ...] = (
    _of_driver(
        "driver-reports-free-pages",
        "A driver reports a run of free pages as one range",
        has_free("0x1000+16"),
        report("p1", "0x1000+16", match="any"),
        returns("p1"),
    ),
    _of_driver(
        "driver-reports-runs-apart",
        "A driver reports runs that lie apart as ranges of their own",
        has_free("0x1000+16", "0x2000", "0x3000+4"),
        report("p1", "0x1000+16", "0x2000", "0x3000+4", match="any"),
        returns("p1"),
    ),
    _of_driver(
        "driver-reports-twice",
        "A driver reports pages again that were reported before",
        has_free("0x1000+16"),
        report("p1", "0x1000+16", match="any"),
        returns("p1"),
        has_free("0x1000+16"),
        report("p2", "0x1000+16", match="any"),
        returns("p2"),
    ),
    _of_driver(
        "driver-waits-for-a-late-return",
        "A driver leaves reported pages alone while the report is with the device",
        has_free("0x1000+16"),
        report("p1", "0x1000+16", match="any"),
        Silent("driver"),
        returns("p1"),
    ),
    _of_driver(
        "driver-has-two-reports-in-flight",
        "Two reports in flight name different pages",
        has_free("0x1000+16"),
        report("p1", "0x1000+16", match="any"),
        has_free("0x1008+16"),
        report("p2", "0x1010+8", match="any"),
        returns("p2", "p1"),
        about=f"REPORT-09 {_ABOUT}",
    ),
    _of_driver(
        "driver-does-not-report-the-balloon",
        "A driver reports no page that is in its balloon",
        *target(2),
        gives_up("0x1000+2"),
        inflate_pfns("m1", "0x1000+2"),
        returns("m1"),
        DriverActual(2),
        has_free("0x0fff+4"),
        report("p1", "0x0fff", "0x1002", match="any"),
        returns("p1"),
        about=f"REPORT-09 {_ABOUT}",
    ),
    _of_driver(
        "driver-reports-what-left-the-balloon",
        "A driver reports pages that it took out of its balloon",
        *target(2),
        gives_up("0x1000+2"),
        inflate_pfns("m1", "0x1000+2"),
        returns("m1"),
        DriverActual(2),
        wants_back("0x1000+2"),
        *target(0),
        deflate_pfns("d1", "0x1000+2"),
        returns("d1"),
        DriverActual(0),
        has_free("0x1000+2"),
        report("p1", "0x1000+2", match="any"),
        returns("p1"),
        features=negotiated("DEFLATE_ON_OOM", "PAGE_REPORTING"),
    ),
    _of_driver(
        "driver-fills-what-it-reports",
        "A driver with page poison fills pages before it reports them",
        poison(0x01020304),
        DriverOk(),
        has_free("0x1000+16", "0x2000"),
        report("p1", "0x1000+16", "0x2000", match="any"),
        returns("p1"),
        about=f"REPORT-03 {_ABOUT}",
        features=_POISONED,
        opening=False,
    ),
    _of_driver(
        "driver-that-relies-does-without-reporting",
        "A driver whose guest relies on its free pages leaves reporting out if page poison is not offered",
        relies("0x1000+16"),
        resets(Features(("VERSION_1", "PAGE_REPORTING"), ("VERSION_1",))),
        about="REPORT-01",
        features=_PLAIN,
    ),
    _of_driver(
        "driver-reports-after-a-reset",
        "A driver reports to the next device as well",
        has_free("0x1000+16"),
        report("p1", "0x1000+16", match="any"),
        returns("p1"),
        resets(),
        has_free("0x2000+16"),
        report("p2", "0x2000+16", match="any"),
        returns("p2"),
    ),
    malformed(
        _AREA,
        "driver-does-not-heed-the-length-of-a-report",
        "A driver takes a report back whatever its used length is",
        _ABOUT,
        "REPORT-17",
        has_free("0x1000+16"),
        report("p1", "0x1000+16", match="any"),
        DeviceReturn("p1", None, 0x10000),
        has_free("0x2000+16"),
        report("p2", "0x2000+16", match="any"),
        returns("p2"),
        features=_PLAIN,
        profile="mainline",
        sides="driver",
    ),
)
