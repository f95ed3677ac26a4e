"""Rules about a driver that reports pages: which, in which form, and what it does with them meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.events import Available, Guest, GuestAction, Negotiated
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.base.running import is_running
from balloon_spec.families.page_poison.poison_value import PoisonValue
from balloon_spec.families.page_reporting import REPORTING
from balloon_spec.families.page_reporting.ledger import PageContents, Reports, content_of
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session
from balloon_spec.pages import PAGE_BYTES
from balloon_spec.segments import writable_ranges


@rule(Negotiated, "REPORT-01")
def contents_that_are_relied_on_are_told(event: Negotiated, scene: Scene) -> Iterator[Decision]:
    """A guest that relies on its free pages reports them only to a device that knows what they hold."""
    profile = scene.exchange.profile
    offered, accepted = profile.names(event.offered), profile.names(event.accepted)
    if not scene[Reports].relies or "PAGE_REPORTING" not in offered:
        return
    yield kept_if(
        "REPORT-01",
        "PAGE_REPORTING" not in accepted or "PAGE_POISON" in accepted,
        "PAGE_REPORTING is accepted without PAGE_POISON, and the guest relies on what its free pages hold",
        field="features",
        expected="PAGE_REPORTING with PAGE_POISON, or neither",
        seen=profile.told(event.accepted),
    )


@rule(Available, "REPORT-05")
def reports_come_when_the_driver_likes(_event: Available, scene: Scene) -> Iterator[Decision]:
    """A driver that reports once DRIVER_OK is set does what it may."""
    if scene.buffer is not None and scene.buffer.queue is REPORTING and is_running(scene):
        yield kept("REPORT-05")


@rule(Available, "REPORT-10")
def whole_pages_are_reported(event: Available, scene: Scene) -> Iterator[Decision]:
    """The ranges of a report begin and end with pages."""
    if scene.buffer is None or scene.buffer.queue is not REPORTING:
        return
    ranges = writable_ranges(event.segments)
    uneven = [one for one in ranges if one[0] % PAGE_BYTES or one[1] % PAGE_BYTES]
    if ranges:
        yield kept_if(
            "REPORT-10",
            not uneven,
            "a range is reported that begins or ends within a page",
            field="range",
            expected="an address and a length that are multiples of 4096",
            seen=", ".join(f"{end - start} bytes at {start:#x}" for start, end in uneven[:4]),
        )


@rule(Available, "REPORT-09")
def pages_of_the_balloon_are_not_reported(_event: Available, scene: Scene) -> Iterator[Decision]:
    """A page that the driver gave up is not free. That reports do not overlap is decided with BUF-05."""
    content = None if scene.buffer is None else content_of(scene.buffer)
    held = scene[Balloon].named
    if content is not None and content.touched and held:
        again = content.touched & held
        yield kept_if(
            "REPORT-09",
            not again,
            "a page is reported that is in the balloon",
            field="range",
            expected="pages outside the balloon",
            seen=again,
        )


@rule(Available, "REPORT-03")
def reported_pages_are_filled(_event: Available, scene: Scene) -> Iterator[Decision]:
    """With page poison the pages of a report hold ``poison_val``, as far as their contents are known.

    Of a page that is reported in part nothing is decided: what it holds is known of the whole page alone.
    """
    content = None if scene.buffer is None else content_of(scene.buffer)
    poison, contents = scene[Reports].poison, scene[PageContents]
    if content is None or poison is None or not scene[Session].has("PAGE_POISON"):
        return
    if scene[PoisonValue].is_untouched:
        # Which value the driver means nobody knows, and that is POISON-02.
        return
    known = content.pages & contents.known
    if known:
        other = known - contents.holding(poison)
        yield kept_if(
            "REPORT-03",
            not other,
            "a page is reported that does not hold poison_val",
            field="page",
            expected=f"filled with {poison.hex(' ')}: {known}",
            seen=f"something else in {other}",
        )


@rule(Guest, "REPORT-04")
def reported_pages_are_not_used(event: Guest, scene: Scene) -> Iterator[Decision]:
    """A page is not used from the moment it is reported until the report was returned.

    Of a page that is reported in part the guest may use the rest, and which bytes it used nobody says.
    """
    reports = scene[Reports]
    flying = event.pages & reports.lets_go()
    if event.action is GuestAction.USE and flying:
        yield broken(
            "REPORT-04",
            "the guest uses a page that was reported and not returned",
            field="page",
            expected="no use before the return",
            seen=flying,
        )
    elif flying if event.action is GuestAction.LEAVE else event.pages & reports.returned:
        yield kept("REPORT-04")
