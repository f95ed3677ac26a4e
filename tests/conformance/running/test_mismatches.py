"""How an implementation can differ from a vector, and what each difference is called."""

from __future__ import annotations

import json
import struct
from functools import partial

import pytest
from made_up import ONE, VECTORS, changed, inflate, made_up, mismatch, otherwise

from balloon_conformance.families.statistics.reference import StatisticsOfDriver
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.driver import Driver
from balloon_conformance.running.mismatch import compare_readable, comparison, wrong_pages
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import play
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.families.base import DEFLATE
from balloon_spec.families.base import INFLATE as INFLATE_QUEUE
from balloon_spec.families.host_requests import HOST_REQUEST
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.pages import EMPTY, PageSet

CHUNKS = {"CHUNK_TRANSFER"}


# -- how a device differs ---------------------------------------------------------------------------------


def test_a_buffer_that_does_not_come_back():
    found = mismatch(ONE, changed(take_inflate=lambda self, state, buffer: (state, ())))
    assert (found.words, found.field) == ("buffer m1 was not returned", "queue 0")
    assert (found.expected, found.seen) == ("m1 returned", "nothing within 1 s")


def test_a_request_with_other_bytes_than_the_vectors():
    vector = VECTORS["request-id-0"]
    short = mismatch(vector, changed(encode_request=lambda self, identifier: b"\0" * 8))
    assert short.field == "used length"
    assert short.expected == "16 bytes " + "00 " * 15 + "00"
    assert short.seen == "8 bytes " + "00 " * 7 + "00"
    assert short.requirement == "REQ-03"
    marked = mismatch(
        vector, changed(encode_request=lambda self, identifier: struct.pack("<H3HQ", 0, 0, 1, 0, identifier))
    )
    assert (marked.field, marked.requirement) == ("written bytes", "REQ-04")


def test_a_request_for_something_else_is_found_and_not_played_on():
    adapter = changed(encode_request=lambda self, identifier: struct.pack("<H3HQ", 1, 0, 0, 0, identifier))
    outcome = play(VECTORS["request-id-0"], adapter, Side.DEVICE)
    assert outcome.status is Status.FAILED
    assert [finding.requirement for finding in outcome.findings] == ["REQ-28"]


def test_a_request_under_an_id_of_the_devices_own_cannot_be_played_on():
    outcome = play(
        VECTORS["request-id-0"],
        changed(encode_request=lambda self, _: b"\0" * 8 + b"\7" + b"\0" * 7),
        Side.DEVICE,
    )
    assert outcome.status is Status.NOT_EXERCISED
    assert "another id" in outcome.reason


def test_a_change_that_is_not_announced_and_one_to_another_number():
    vector = made_up("operator: {target: 5}", "device: {configuration: {num_pages: 5}}")
    silent = mismatch(vector, changed(change_target=lambda self, state, value: (state, ())))
    assert (silent.requirement, silent.expected, silent.seen) == ("CFG-07", "5", "no notification of it")
    other = play(vector, changed(target_pages=lambda self, value: value * 4096), Side.DEVICE)
    assert {finding.requirement for finding in other.findings} == {"CFG-11"}


def test_a_configuration_that_reads_otherwise():
    vector = made_up('driver: {read: {offset: 4, length: 4}, data: "00*4"}')
    found = mismatch(vector, changed(configuration=lambda self, state=None: b"\1" * 8))
    assert (found.requirement, found.field) == ("CFG-01", "configuration at offset 4")
    assert (found.expected, found.seen) == ("00 00 00 00", "01 01 01 01")


def test_an_event_out_of_silence_is_shown_as_its_line_of_a_trace():
    class Early(ReferenceDevice):
        def make_available(self, queue, buffer):
            super().make_available(queue, buffer)
            self.log.events.append(ev.Used(queue, buffer.name))

    found = mismatch(VECTORS["nothing-comes-back-before-driver-ok"], Early())
    assert json.loads(found.seen)["event"] == "used"
    assert (found.expected, found.field, found.requirement) == ("no buffer returned", "event", "QUEUE-10")


def test_a_reaction_that_is_not_allowed():
    vector = made_up(
        inflate(data="00"),
        "device: {reaction: m1, allowed: [returned, needs-reset]}",
        breaks="HDR-01",
        shows="SAFE-01",
    )
    found = mismatch(vector, changed(take_inflate=lambda self, state, buffer: (state, ())))
    assert (found.field, found.seen, found.requirement) == ("reaction", "silent", "SAFE-03")
    assert found.expected == "needs-reset or returned"


def test_after_a_reaction_other_than_a_return_what_needs_one_is_left_out():
    steps = (
        inflate(data="00"),
        "device: {reaction: m1, allowed: [returned, needs-reset, silent]}",
        '{if: returned, effect: {kept: ["0x1000"]}}',
    )
    vector = made_up(*steps, breaks="HDR-01", shows="SAFE-03")
    outcome = play(vector, changed(take_inflate=lambda self, state, buffer: (state, ())), Side.DEVICE)
    assert outcome.status is Status.PASSED
    assert outcome.reason.endswith("the buffer before it was not returned")


def test_pages_that_stay_and_pages_that_go():
    vector = made_up(inflate(), "device: {used: m1}", 'effect: {discarded: ["0x1000"]}', shows="INF-08")
    more = mismatch(vector, changed(discard=lambda self, pages: Device.discard(self, PageSet([(0xFFF, 3)]))))
    assert (more.words, more.expected, more.seen) == ("other pages were changed", "0x1000", "0xfff, 0x1001")
    effect = 'effect: {discarded: ["0x1000"]}'
    unannounced = mismatch(made_up(effect, shows="INF-08"), ReferenceDevice())
    assert unannounced.words == "pages were not discarded"
    assert (unannounced.requirement, unannounced.seen) == ("INF-07", "still there: 0x1000")


def test_a_device_that_need_not_discard_is_advised_and_played_to_the_end():
    outcome = play(VECTORS["inflate-two-runs"], changed(discard=lambda self, pages: ()), Side.DEVICE)
    assert outcome.status is Status.PASSED
    assert outcome.findings == ()
    assert [finding.requirement for finding in outcome.advice] == ["INF-07"]
    assert "pages were not discarded" in outcome.reason
    # The configuration space is read at the end of every vector, after the device was given its time.
    assert [json.loads(line)["event"] for line in outcome.trace if "quiet" in line]
    assert "RESET-06" not in outcome.exercised


def test_advice_does_not_end_a_vector_before_it_shows_what_is_binding():
    class Sticks(Device):
        stuck = False

        def take_inflate(self, state, buffer):
            if self.stuck:
                return state, ()
            self.stuck = len(buffer.readable) < 8
            return super().take_inflate(state, buffer)

    outcome = play(VECTORS["message-of-seven-bytes"], ReferenceDevice(Sticks), Side.DEVICE)
    assert outcome.status is Status.FAILED
    assert [finding.requirement for finding in outcome.advice] == ["SAFE-05"]
    assert [finding.requirement for finding in outcome.findings] == ["SAFE-04"]


# -- how a driver differs ---------------------------------------------------------------------------------


INFLATE = VECTORS["inflate-one-page"]


class NoStatistics(StatisticsOfDriver):
    """It makes no statistics buffer available."""

    def set_up(self, state):
        return state, ()


def test_a_buffer_that_does_not_come():
    found = mismatch(INFLATE, ReferenceDriver(partial(Driver, parts=(NoStatistics,))))
    assert found.field == "statistics queue"
    assert (found.expected, found.seen) == ("a buffer", "nothing within 1 s")
    advised = mismatch(INFLATE, otherwise(pages_to_inflate=lambda self, state: EMPTY))
    assert advised.requirement == "INF-10"


def test_a_driver_that_need_not_inflate_is_advised():
    outcome = play(INFLATE, otherwise(pages_to_inflate=lambda self, state: EMPTY), Side.DRIVER)
    assert outcome.status is Status.PASSED
    assert {finding.requirement for finding in outcome.advice} == {"INF-10"}


def test_a_buffer_with_other_parts():
    def large(self, state, flight, readable=b"", writable_bytes=0):
        return Driver.make_available(self, state, flight, readable, 2 * writable_bytes)

    found = mismatch(VECTORS["request-id-0"], otherwise(make_available=large))
    assert (found.requirement, found.field) == ("REQ-02", "buffer")
    assert (found.expected, found.seen) == (
        "0 readable and 16 writable bytes",
        "0 readable and 32 writable bytes",
    )


def test_a_header_with_another_id():
    found = mismatch(VECTORS["request-answered-by-an-empty-done"], otherwise(answer_id=lambda self, state: 7))
    assert found.requirement == "REQ-08"
    assert found.seen == "07 00"


def test_a_driver_that_names_pages_again_is_advised_and_played_on():
    def encode(self, state, pages):
        return Driver.encode_pages(self, state, pages | state.ballooning.balloon)

    outcome = play(VECTORS["inflate-twice"], otherwise(encode_pages=encode), Side.DRIVER)
    assert outcome.status is Status.PASSED
    assert {finding.requirement for finding in outcome.advice} == {"INF-11"}
    assert "another length than the vector's" in outcome.reason


def test_other_pages_than_the_vectors():
    vector = VECTORS["inflate-two-runs"]
    high = mismatch(
        vector,
        otherwise(encode_chunks=lambda self, pages: Driver.encode_chunks(self, PageSet([(0x1800, 1)]))),
    )
    assert (high.requirement, high.field) == ("CHUNK-01", "pages")
    long = mismatch(
        vector,
        otherwise(encode_chunks=lambda self, pages: Driver.encode_chunks(self, PageSet([(0x1000, 17)]))),
    )
    assert long.requirement == "CHUNK-02"
    array = VECTORS["pfn-inflate-four-pages"]
    assert mismatch(array, otherwise(encode_array=lambda self, pages: b"\7\0\0\0")).requirement == "PFN-03"


def test_a_driver_that_sends_its_pages_in_several_messages_has_them_returned():
    class Small(Driver):
        def message_capacity(self):
            return 1

        def has_room(self, state, queue):
            return not self.in_flight(state, queue)

    outcome = play(VECTORS["inflate-two-runs"], ReferenceDriver(Small), Side.DRIVER)
    assert (outcome.status, outcome.reason) == (Status.PASSED, "")


def test_a_driver_that_sends_empty_messages_for_ever_is_not_waited_for_for_ever():
    def encode(self, pages):
        return struct.pack("<QQ", 1 << 50, 1 << 12)

    found = mismatch(VECTORS["inflate-two-runs"], otherwise(encode_chunks=encode))
    assert found.seen == "no pages"


@pytest.mark.parametrize(
    ("written", "requirement", "seen"),
    [
        ((), "CFG-04", "no write"),
        ((ev.ConfigurationWritten(4, b"\2\0\0\0"),), "CFG-05", "02 00 00 00 at offset 4"),
        ((ev.ConfigurationWritten(5, b"\0"),), "CFG-03", "00 at offset 5"),
    ],
)
def test_actual_is_not_written_or_is_another_number(written, requirement, seen):
    found = mismatch(INFLATE, otherwise(write_actual=lambda self, pages: written))
    assert (found.requirement, found.field, found.seen) == (requirement, "actual", seen)


@pytest.mark.parametrize(
    "extra", [ev.Available(0, "more", b"\0" * 8), ev.ConfigurationWritten(4, b"\1\0\0\0")]
)
def test_more_than_the_vector_has_is_told_and_left_to_the_judge(extra):
    def write(self, pages):
        return (*Driver.write_actual(self, pages), extra)

    outcome = play(INFLATE, otherwise(write_actual=write), Side.DRIVER)
    judged = {"INF-02", "CHUNK-04"} if isinstance(extra, ev.Available) else set()
    assert {finding.requirement for finding in outcome.findings} <= judged
    assert outcome.status is (Status.FAILED if judged else Status.PASSED)
    if not judged:
        assert "the driver did more than the vector has" in outcome.reason


def test_a_driver_that_should_be_silent_and_is_not():
    found = mismatch(
        VECTORS["deflate-waits-for-the-target"],
        otherwise(most_wanted=lambda self, state, excess: state.ballooning.balloon.pages),
    )
    assert (found.requirement, json.loads(found.seen)["queue"]) == ("DEF-09", 1)


# -- a difference in bytes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queue", "at", "requirement"),
    [
        (INFLATE_QUEUE, 0, "HDR-04"),
        (INFLATE_QUEUE, 1, "HDR-04"),
        (DEFLATE, 3, "HDR-04"),
        (INFLATE_QUEUE, 4, "HDR-02"),
        (INFLATE_QUEUE, 8, "CHUNK-01"),
        (INFLATE_QUEUE, 23, "CHUNK-02"),
        (HOST_REQUEST, 0, "REQ-09"),
        (HOST_REQUEST, 1, "REQ-10"),
        (HOST_REQUEST, 2, "REQ-08"),
        (HOST_REQUEST, 7, "HDR-02"),
        (HOST_REQUEST, 15, "CHUNK-01"),
    ],
)
def test_a_byte_of_a_message_that_differs_names_its_field(queue, at, requirement):
    expected = struct.pack("<BBHIQQ", 0, 0, 0, 16, 0x1000 << 12, 1 << 12)
    seen = bytearray(expected)
    seen[at] ^= 0x80
    found = compare_readable(queue, expected, bytes(seen), features=CHUNKS)
    assert found is not None
    assert found.requirement == requirement
    assert found.field.endswith(f"at offset {at}")


def test_arrays_and_statistics_are_compared_in_their_own_form():
    array = compare_readable(INFLATE_QUEUE, b"\0\x10\0\0", b"\0\x20\0\0", features=())
    assert (array.requirement, array.expected, array.seen) == ("PFN-03", "00 10 00 00", "00 20 00 00")
    entry = compare_readable(STATISTICS, struct.pack("<HQ", 4, 1), struct.pack("<HQ", 5, 1), features=CHUNKS)
    assert (entry.requirement, entry.expected, entry.seen) == ("STATS-05", "04 00", "05 00")
    longer = compare_readable(INFLATE_QUEUE, b"\0" * 4, b"\0" * 8, features=())
    # The same page twice is no error of arithmetic.
    assert (longer.field, longer.requirement) == ("buffer", "INF-11")
    another = compare_readable(INFLATE_QUEUE, b"\0" * 4, b"\1" + b"\0" * 7, features=())
    assert (another.field, another.requirement) == ("buffer", "PFN-03")
    assert longer.expected == "4 bytes: 00 00 00 00"
    assert compare_readable(INFLATE_QUEUE, b"\0" * 4, b"\0" * 4, features=()) is None


ANSWER = comparison("response-message", HOST_REQUEST)


# -- fewer unused pages -----------------------------------------------------------------------------------


def page_set(*runs):
    return PageSet(runs)


@pytest.mark.parametrize(
    ("seen", "owed", "requirement"),
    [
        (page_set(), page_set(), ""),
        (page_set((0x10, 2)), page_set(), ""),
        (page_set((0x10, 2)), page_set((0x12, 1)), "CHUNK-02"),
        (page_set((0x11, 2)), page_set((0x10, 1)), "CHUNK-01"),
        # What was reported before need not be reported again.
        (page_set((0x10, 2)), page_set((0x10, 1)), ""),
        (page_set((0x10, 2), (0x20, 1)), page_set(), "CHUNK-01"),
    ],
)
def test_fewer_unused_pages_are_an_error_only_if_they_are_owed(seen, owed, requirement):
    wanted = page_set((0x10, 4))
    assert wrong_pages(wanted, seen, HOST_REQUEST, ANSWER, owed=owed) == requirement


def _names(pages_of):
    """A driver that reports, of the unused pages, those that ``pages_of`` returns."""

    class _Names(Driver):
        answers = 0

        def unused_pages(self, state):
            self.answers += 1
            return pages_of(self, super().unused_pages(state))

    return ReferenceDriver(_Names)


FEWER = {
    "none": lambda _self, _pages: PageSet(()),
    "every second run": lambda _self, pages: PageSet(pages.runs[1::2]),
    "the first page of each run": lambda _self, pages: PageSet((run.first, 1) for run in pages.runs),
    "none in its first answer": lambda self, pages: PageSet(()) if self.answers == 1 else pages,
}


@pytest.mark.parametrize("pages_of", FEWER.values(), ids=FEWER)
@pytest.mark.parametrize("vector", ["unused-run-of-4-gib-and-a-page", "request-answered-by-one-done"])
def test_a_driver_that_reports_fewer_unused_pages_is_within_its_rights(vector, pages_of):
    outcome = play(VECTORS[vector], _names(pages_of), Side.DRIVER)
    assert (outcome.status, outcome.findings, outcome.advice) == (Status.NOT_EXERCISED, (), ())
    assert outcome.reason == "the driver reports fewer unused pages than its guest has, as it may"


def test_a_driver_that_reported_all_before_and_now_reports_fewer_cuts_sizes():
    cut = _names(lambda self, pages: pages if self.answers == 1 else PageSet([(pages.runs[0].first, 1)]))
    outcome = play(VECTORS["unused-run-of-4-gib-and-a-page"], cut, Side.DRIVER)
    assert [finding.requirement for finding in outcome.findings] == ["CHUNK-02"]
