"""The page-reporting family, as the suite knows it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from balloon_conformance.families.page_reporting.buffers import ReportingQueue
from balloon_conformance.families.page_reporting.reference import PageReportingOfDevice, PageReportingOfDriver
from balloon_conformance.families.page_reporting.steps import FillStep
from balloon_conformance.family import Additions, module_names
from balloon_conformance.iut.sight import Fact
from balloon_conformance.vectors.steps.parts import field
from balloon_conformance.vectors.steps.wishes import GuestWish
from balloon_spec.events import GuestAction
from balloon_spec.families.page_reporting import REPORT, REPORTING
from balloon_spec.families.page_reporting.declaration import FAMILY

__all__ = ["ADDITIONS"]

ADDITIONS: Final = Additions(
    family=FAMILY,
    device=PageReportingOfDevice,
    driver=PageReportingOfDriver,
    steps=(FillStep,),
    mutants=tuple(f"{__package__}.{name}_mutants" for name in ("device", "return", "memory", "driver")),
    scenarios=(f"{__package__}.device_scenarios", f"{__package__}.driver_scenarios"),
    only_counts=MappingProxyType(
        {"reports_come_when_the_driver_likes": "a driver that reports when it likes breaks nothing by it"}
    ),
    intents=module_names(f"{__package__}.intents"),
    rests_on=MappingProxyType({Fact.RELIANCE: ("REPORT-01",)}),
    queues=(ReportingQueue(REPORTING),),
    guest_wishes=(
        GuestWish(action=REPORT, schema=field("pages that the guest has free, to be reported", "someRuns")),
        GuestWish(
            action=GuestAction.RELY,
            schema=field("free pages in which the guest relies on finding what it left there", "someRuns"),
        ),
    ),
)
