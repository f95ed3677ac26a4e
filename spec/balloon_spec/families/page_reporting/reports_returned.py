"""Rules about a device that is given reports: that they come back, and what becomes of memory."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.events import Discarded, Overwritten, Used
from balloon_spec.families.base.guest_memory import GuestMemory
from balloon_spec.families.page_reporting import REPORTING
from balloon_spec.families.page_reporting.ledger import PageContents, Reports, repeats
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session
from balloon_spec.pages import EMPTY, PageSet


@rule(Used, "REPORT-16", "REPORT-17")
def reports_come_back(event: Used, scene: Scene) -> Iterator[Decision]:
    """A report is returned, and nothing is said to have been written into it if nothing was."""
    if scene.buffer is None or scene.buffer.queue is not REPORTING:
        return
    if scene.buffer.is_sound:
        yield kept("REPORT-16")
    if event.length_bytes and scene[Reports].may_be_written(scene.buffer):
        # What was written counts.
        return
    if scene.buffer.event.writable_bytes:
        yield kept_if(
            "REPORT-17",
            not event.length_bytes,
            "a report is returned with a used length, and no byte of it was written",
            field="used length",
            expected=0,
            seen=event.length_bytes,
        )


@rule(Used, "REPORT-15")
def reported_memory_is_given_back(_event: Used, scene: Scene) -> Iterator[Decision]:
    """The whole pages of a report are discarded before it comes back, if ``poison_val`` lets a device do it.

    A page that was discarded holds zeros. A device that has to put something else there may have no way to.
    """
    buffer, reports = scene.buffer, scene[Reports]
    if buffer is None or buffer.queue is not REPORTING or not buffer.is_sound:
        return
    if scene[Session].has("PAGE_POISON") and reports.poison != bytes(4):
        return
    looked, left = reports.left(buffer)
    if looked:
        yield kept_if(
            "REPORT-15",
            not left,
            "the memory of reported pages was not given back",
            field="page",
            expected=f"discarded: {left}",
            seen=f"still there: {left}",
        )


@rule(Discarded, "REPORT-11", "REPORT-12")
def discarded_pages_hold_poison(event: Discarded, scene: Scene) -> Iterator[Decision]:
    """A page that was given back reads as zeros: with page poison, only if ``poison_val`` is 0."""
    pages = _reported(event.pages, scene)
    could_be_lost = scene[Session].has("PAGE_POISON") and scene[Reports].poison not in {None, bytes(4)}
    if pages:
        yield _decided(scene, pages, bytes(4))
    elif could_be_lost and _reported(event.looked, scene):
        yield kept("REPORT-12")


@rule(Overwritten, "REPORT-11", "REPORT-12")
def changed_pages_hold_poison(event: Overwritten, scene: Scene) -> Iterator[Decision]:
    """A page that was changed holds ``poison_val`` and nothing else, if somebody looked at its bytes."""
    pages = _reported(event.pages, scene)
    if pages and (event.fill or event.spans or not scene[Session].has("PAGE_POISON")):
        yield _decided(scene, pages, event.fill)
    if torn := _torn(event, scene):
        yield _decided(scene, torn, b"")


def _torn(event: Overwritten, scene: Scene) -> PageSet:
    """Return pages that held ``poison_val`` all over, and of which reported bytes hold something else now.

    They are reported in part. Bytes that changed beside that part are REPORT-14.
    """
    reports = scene[Reports]
    if not event.spans or not scene[Session].has("PAGE_POISON") or reports.poison is None:
        return EMPTY
    filled = scene[PageContents].holding(reports.poison)
    return (reports.permits(event) & filled) - scene[GuestMemory].may_be_discarded


def _reported(pages: PageSet, scene: Scene) -> PageSet:
    """Return those of the pages that a device may change only because they are reported."""
    reports = scene[Reports]
    if pages.isdisjoint(reports.touched):
        return EMPTY
    return (pages & reports.lets_go()) - scene[GuestMemory].may_be_discarded


def _decided(scene: Scene, pages: PageSet, fill: bytes) -> Decision:
    """Decide what a device left in pages of reports in flight: ``fill``, over and over; empty for no such."""
    poison = scene[Reports].poison
    if not scene[Session].has("PAGE_POISON"):
        return kept("REPORT-11")
    if poison is not None and repeats(fill, poison):
        return kept("REPORT-12")
    return broken(
        "REPORT-12",
        "a reported page holds neither poison_val nor what it held before",
        field="page",
        expected=f"{'poison_val' if poison is None else poison.hex(' ')}, over and over: {pages}",
        seen=f"{fill.hex(' ')}, over and over" if fill else "nothing of the kind",
    )
