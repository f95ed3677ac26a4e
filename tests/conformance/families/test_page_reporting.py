"""Peers that are right about reports in an unusual way stay clean, and an unusual length hides nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from balloon_conformance.campaign.cases import cases
from balloon_conformance.families.page_reporting.reference import PageReportingOfDevice, PageReportingOfDriver
from balloon_conformance.families.page_reporting.return_mutants import ServesNothingAfterABadRange
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.reference import Device, Driver
from balloon_conformance.reference.device_state import Overwrite
from balloon_conformance.running.outcome import Status
from balloon_spec.events import Guest, GuestAction, Segment, Side, Used
from balloon_spec.pages import PAGE_BYTES, PAGE_SHIFT, PageSet
from balloon_spec.segments import writable_ranges


class ReturnsALength:
    """The used length of each report is the length of its ranges."""

    def take(self, state, queue, buffer):
        state, outputs = super().take(state, queue, buffer)
        length = buffer.writable_bytes
        return state, tuple(
            replace(one, length_bytes=length) if isinstance(one, Used) else one for one in outputs
        )


class FillsWhatIsReported(ReturnsALength, PageReportingOfDevice):
    """It fills the pages byte by byte, and says so; of a report that it does not fill whole it says nothing."""

    def give_back(self, state, pages):
        return (Overwrite(pages, self.poison(state)),) if pages else ()

    def take(self, state, queue, buffer):
        whole = PageSet(
            (start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT)
            for start, end in writable_ranges(buffer.segments)
        )
        if whole.size_bytes == buffer.writable_bytes and whole == self.pages(buffer.segments):
            return super().take(state, queue, buffer)
        return PageReportingOfDevice.take(self, state, queue, buffer)


class ChangesTheReportedPartOfAPage(PageReportingOfDevice):
    """Of a page that is reported by half it clears that half, unless the guest fills its pages."""

    def take(self, state, queue, buffer):
        state, outputs = super().take(state, queue, buffer)
        if self.device.has(state, "PAGE_POISON"):
            return state, outputs
        parts = [
            (start, end)
            for start, end in writable_ranges(buffer.segments)
            if end - start < PAGE_BYTES and start >> PAGE_SHIFT == (end - 1) >> PAGE_SHIFT
        ]
        cleared = (
            Overwrite(PageSet([(start >> PAGE_SHIFT, 1)]), spans=((start, end - start),))
            for start, end in parts
            if start >> PAGE_SHIFT in self.device.options.memory
        )
        return state, (*cleared, *outputs)


class LeavesGarbage(PageReportingOfDevice):
    """What comes in the place of a reported page holds anything, unless the guest fills its pages."""

    def give_back(self, state, pages):
        if not pages or self.device.has(state, "PAGE_POISON"):
            return super().give_back(state, pages)
        return (Overwrite(pages, b"GARB"),)


ABOUT = {
    name: one
    for name, one in cases(Side.DEVICE).items()
    if any(each.startswith(("REPORT-", "POISON-")) for each in one.about)
}


@pytest.mark.parametrize("kind", [FillsWhatIsReported, ChangesTheReportedPartOfAPage, LeavesGarbage])
def test_nothing_is_found_against_an_unusual_device(kind):
    adapter = ReferenceDevice(partial(Device, parts=(kind,)))
    outcomes = {name: one.play(adapter) for name, one in ABOUT.items()}
    assert len(outcomes) > 90
    assert {name: one.findings for name, one in outcomes.items() if one.findings} == {}
    assert {one.status for one in outcomes.values()} == {Status.PASSED}
    # Whoever fills pages gives no memory back, which is advice.
    assert {one.requirement for each in outcomes.values() for one in each.advice} <= {"REPORT-15"}


class ReturnsALengthAndStops(ReturnsALength, ServesNothingAfterABadRange):
    """That nothing is served after a bad range is another matter than the used length."""


def test_a_used_length_hides_no_other_fault():
    outcome = ABOUT["report-beyond-memory"].play(
        ReferenceDevice(partial(Device, parts=(ReturnsALengthAndStops,)))
    )
    assert {one.requirement for one in outcome.advice} == {"REPORT-17", "SAFE-05"}


def test_a_used_length_is_no_reason_to_blame_another_requirement():
    kind = type("Lengths", (ReturnsALength, PageReportingOfDevice), {})
    adapter = ReferenceDevice(partial(Device, parts=(kind,)))
    outcomes = [ABOUT[name].play(adapter) for name in ("report-of-one-page", "report-beyond-memory")]
    assert [one.findings for one in outcomes] == [(), ()]
    assert {one.requirement for each in outcomes for one in each.advice} == {"REPORT-17"}


# -- drivers ----------------------------------------------------------------------------------------------


class ReportsHalfOfEachPage(PageReportingOfDriver):
    """It reports the first half of each page, and the guest goes on with the other half."""

    def segments(self, pages):
        return tuple(
            Segment(PAGE_BYTES // 2, True, page << PAGE_SHIFT)
            for run in pages
            for page in range(run.first, run.end)
        )

    def act(self, state):
        before = self.keeps(state)
        state, outputs = super().act(state)
        reported = self.keeps(state) - before
        return state, (*outputs, Guest(GuestAction.USE, reported)) if reported else outputs


class ReportsEachPageByItself(PageReportingOfDriver):
    """Each page is a range of its own, the last one first."""

    def segments(self, pages):
        every = [page for run in pages for page in range(run.first, run.end)]
        return tuple(Segment(PAGE_BYTES, True, page << PAGE_SHIFT) for page in reversed(every))


@pytest.mark.parametrize(
    ("kind", "advice"), [(ReportsHalfOfEachPage, {"REPORT-10"}), (ReportsEachPageByItself, set())]
)
def test_nothing_is_found_against_an_unusual_driver(kind, advice):
    names = [name for name in cases(Side.DRIVER) if name.startswith("driver-") and "report" in name]
    adapter = ReferenceDriver(partial(Driver, parts=(kind,)))
    outcomes = {name: cases(Side.DRIVER)[name].play(adapter) for name in names}
    assert len(outcomes) > 8
    assert {name: one.findings for name, one in outcomes.items() if one.findings} == {}
    assert {one.requirement for each in outcomes.values() for one in each.advice} == advice
