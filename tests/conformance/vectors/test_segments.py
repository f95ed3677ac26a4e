"""A vector that says where the segments of a buffer lie: read, written, exported, traced and played."""

import pytest

from balloon_conformance.families.base.vocabulary import PfnArray
from balloon_conformance.generation.intents import model as meant
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import play, play_as_trace
from balloon_conformance.second_encoder.encoder import encode
from balloon_conformance.vectors import as_trace
from balloon_conformance.vectors.formats.as_c import c_lines
from balloon_conformance.vectors.formats.plain import plain
from balloon_conformance.vectors.loader import VectorError, load_text
from balloon_conformance.vectors.model import needs
from balloon_conformance.vectors.write import write_vector
from balloon_conformance.verification.second_opinion import held
from balloon_spec.events import Available, Segment, Side

STATED = """\
vector: stated
title: Buffers lie where the vector says
profile: base
sides: [device]
requirements: [INF-07]
features: {offered: [VERSION_1], accepted: [VERSION_1]}
memory: {pages: 0x4000}
steps:
  - driver:
      queue: inflate
      as: m1
      segments: [{length: 4}, {address: 0x2000000, length: 4}, {address: 0x2001000, length: 8, writable: true}]
      writable: 8
      readable: 00 10 00 00  00 11 00 00
  - device: {used: m1}
provenance: {written: by hand}
"""
BEYOND = """\
vector: beyond
title: A descriptor points where no memory is, and the device serves again after a reset
profile: base
kind: malformed
sides: [device]
requirements: [SAFE-04]
breaks: [QUEUE-11]
features: {offered: [VERSION_1], accepted: [VERSION_1]}
memory: {pages: 0x4000}
steps:
  - driver:
      queue: inflate
      as: bad
      segments: [{length: 4}, {address: 0x7f000000, length: 4}]
      readable: 00 10 00 00  00 11 00 00
  - device: {reaction: bad, allowed: [returned, needs-reset, silent]}
  - reset: {}
  - driver: {queue: inflate, as: good, segments: [{address: 0x2000000, length: 4}], readable: 00 12 00 00}
  - device: {used: good}
provenance: {written: by hand}
"""
SEGMENTS = (Segment(4), Segment(4, False, 0x2000000), Segment(8, True, 0x2001000))


def test_segments_are_read_written_and_traced_as_they_stand():
    vector = load_text(STATED, "stated")
    assert vector.steps[0].segments == SEGMENTS
    assert needs(vector, Side.DEVICE) == {"descriptors", "addresses"}
    again = load_text(write_vector(vector, "by hand"), "stated")
    assert again.steps[0].segments == SEGMENTS
    assert next(one for one in as_trace.events(vector) if isinstance(one, Available)).segments == SEGMENTS


def test_segments_are_exported_if_they_say_more_than_lengths():
    step = plain(load_text(STATED, "stated"))["steps"][0]
    assert step["cut"] == [4, 4]
    assert step["segments"] == [
        {"length": 4},
        {"address": "0x2000000", "length": 4},
        {"address": "0x2001000", "length": 8, "writable": True},
    ]
    header = "".join(c_lines([load_text(STATED, "stated")]))
    assert "_segments[] = {{0x0u, 0, 4u, 0}, {0x2000000u, 1, 4u, 0}, {0x2001000u, 1, 8u, 1}};" in header
    lengths = STATED.replace(", {address: 0x2001000, length: 8, writable: true}", "")
    plainly = load_text(
        lengths.replace("address: 0x2000000, ", "").replace("      writable: 8\n", ""), "stated"
    )
    assert "segments" not in plain(plainly)["steps"][0]
    assert "balloon_segment" not in "".join(c_lines([plainly]))


def test_the_second_encoder_holds_the_place_of_every_descriptor():
    intent = meant.Intent(
        id="stated",
        title="",
        area="",
        about=(),
        features=meant.Features((), ()),
        profile="base",
        script=(
            meant.DriverBuffer(
                "inflate",
                "m1",
                PfnArray((0x1000, 0x1100)),
                8,
                segments=tuple(
                    meant.Segment(*one) for one in ((4,), (4, False, 0x2000000), (8, True, 0x2001000))
                ),
            ),
        ),
    )
    assert encode(intent)[1] == held(load_text(STATED, "stated"))[1]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "length: 8, w",
            "length: 9, w",
            "driver.segments: the descriptors hold 9 bytes, writable has 8; make",
        ),
        (
            "{length: 4}",
            "{length: 5}",
            "driver.segments: the descriptors hold 9 bytes, readable has 8; make the",
        ),
        (
            "{length: 4}",
            "{length: 4, writable: true}",
            "driver.segments: the descriptors hold 4 bytes, readable",
        ),
        (
            "      writable: 8",
            "      writable: 8\n      cut: [8]",
            "driver.cut: cut and segments stand together",
        ),
        (
            "address: 0x2000000",
            "address: x",
            "segments[1].address: 'x' is not a whole number; write a guest-phys",
        ),
        (
            "[{length: 4}, {address: 0x2000000, length: 4}, {address: 0x2001000, length: 8, writable: true}]",
            "[{length: 8, writable: true}, {length: 8}]",
            "driver.segments: a device-readable segment stands behind a device-writable one; put the",
        ),
    ],
)
def test_segments_that_do_not_make_up_the_buffer_are_refused(old, new, says):
    assert STATED.count(old) == 1
    with pytest.raises(VectorError) as error:
        load_text(STATED.replace(old, new), "stated")
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("segments", "breaks"),
    [
        ("[{address: 0x3fffff8, length: 0x40000000}]", "QUEUE-11"),
        ("[{length: 0}, {address: 0x2000000, length: 8}]", ""),
        ("[{address: 0x2000000, length: 8}, {address: 0x7f000000, length: 0}]", ""),
    ],
)
def test_a_malformed_vector_may_have_descriptors_that_no_driver_lays(segments, breaks):
    text = BEYOND.replace("[{length: 4}, {address: 0x7f000000, length: 4}]", segments)
    text = text.replace("breaks: [QUEUE-11]", f"breaks: [{breaks}]")
    vector = load_text(text, "beyond")
    assert needs(vector, Side.DEVICE) == {"descriptors", "addresses", "broken-rings"}
    assert load_text(write_vector(vector, "by hand"), "again").breaks == vector.breaks
    _, found = play_as_trace(vector)
    assert [one.requirement for one in found] == ([breaks] if breaks else [])
    outcome = play(vector, ReferenceDevice(), Side.DEVICE)
    assert (outcome.status, outcome.findings) == (Status.PASSED, ())


def test_more_bytes_than_are_stated_lie_at_an_address():
    text = BEYOND.replace("{address: 0x7f000000, length: 4}", "{length: 8}")
    with pytest.raises(
        VectorError, match=r"the descriptors hold 12 bytes, readable has 8; make the sum equal"
    ):
        load_text(text, "beyond")


def test_a_descriptor_beyond_memory_is_the_drivers_fault_and_the_device_owes_no_return():
    vector = load_text(BEYOND, "beyond")
    _, found = play_as_trace(vector)
    assert [one.requirement for one in found] == ["QUEUE-11"]
    outcome = play(vector, ReferenceDevice(), Side.DEVICE)
    assert (outcome.status, outcome.findings) == (Status.PASSED, ())
