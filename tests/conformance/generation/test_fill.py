"""Filling an intent: bytes written by hand here, and what the reference implementations are asked about."""

import dataclasses
import struct

import pytest

from balloon_conformance.families.base.vocabulary import PfnArray, gives_up, inflate_pfns, pfns, target
from balloon_conformance.families.chunk_transfer.vocabulary import (
    CHUNKS,
    Chunk,
    Message,
    chunk,
    deflates,
    exchange,
    inflates,
    malformed,
    words,
)
from balloon_conformance.families.host_requests.vocabulary import (
    REQUESTS,
    Request,
    asks,
    cont,
    done,
    posts,
    unused,
)
from balloon_conformance.families.statistics.vocabulary import STATS, Statistics
from balloon_conformance.generation.contents import build_content
from balloon_conformance.generation.fill import FillError, fill
from balloon_conformance.generation.intents.model import (
    DeviceConfiguration,
    DeviceReturn,
    DriverActual,
    DriverOk,
    DriverRead,
    Raw,
    Reset,
    Silent,
)
from balloon_conformance.generation.intents.shorthand import (
    discards,
    keeps,
    negotiated,
    reads,
    resets,
    returns,
    runs,
)
from balloon_conformance.generation.observed_references import ObservedDriver
from balloon_conformance.iut.contract import Setup
from balloon_conformance.iut.reference.adapter import ReferenceDriver
from balloon_conformance.vectors.model import FeatureSets
from balloon_conformance.vectors.steps import BufferStep, UsedStep
from balloon_spec.profiles import MAINLINE
from balloon_spec.wire.errors import WireError


def hexed(text):
    return bytes.fromhex(text)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, ""),
        (Message((Chunk(0x1234, 1),)), "00000000 10000000  0040230100000000 0010000000000000"),
        (Message(cmd=0, flag=1, id=0x1234), "00013412 00000000"),
        (Message(cmd=0xA5, flag=0xFF, id=0xFFFE), "a5fffeff 00000000"),
        (
            Message((Chunk(0x1000, 2, 0x555, 0xAAA),)),
            "00000000 10000000  5505000100000000 aa2a000000000000",
        ),
        (
            Message((Chunk(0x1000, 16), Chunk(0x2400, 3))),
            "00000000 20000000  0000000100000000 0000010000000000  0000400200000000 0030000000000000",
        ),
        (
            Message((Chunk(0x1000, 1, times=3),)),
            "00000000 30000000" + "0000000100000000 0010000000000000" * 3,
        ),
        (Message((Chunk(0x1000, 1),), data_len=17), "00000000 11000000 0000000100000000 0010000000000000"),
        (Message(data_len=16, tail=b"\x01\x02"), "00000000 10000000 0102"),
        (Message((Chunk((1 << 52) - 1, (1 << 52) - 1, 0xFFF, 0xFFF),)), "00000000 10000000" + "ff" * 16),
        (PfnArray((0x1000, 0xFFFFFFFF)), "00100000 ffffffff"),
        (PfnArray((), b"\x07"), "07"),
        (PfnArray((1,), b"\x00\x00\x00"), "01000000 000000"),
        (Statistics(((4, 1 << 24), (0xFFFF, (1 << 64) - 1))), "0400 0000000100000000 ffff ffffffffffffffff"),
        (Statistics((), b"\x04"), "04"),
        (Request(9, (1, 2, 3), 0x20), "0900 0100 0200 0300 2000000000000000"),
        (Raw(b"\xde\xad"), "dead"),
    ],
)
def test_what_a_buffer_means_has_these_bytes(content, expected):
    assert build_content(content) == hexed(expected)


@pytest.mark.parametrize(
    "content",
    [
        Message((Chunk(1 << 52, 1),)),
        Message((Chunk(1 << 52, 1),), data_len=1),
        Message(id=1 << 16),
        PfnArray((1 << 32,)),
        Statistics(((1 << 16, 0),)),
        Request(param=1 << 64),
    ],
)
def test_a_number_that_does_not_fit_has_no_bytes(content):
    with pytest.raises(WireError):
        build_content(content)


def test_words_make_what_they_say():
    assert runs("0x1000+16", "42") == ((0x1000, 16), (42, 1))
    assert pfns("0x10+3", "0x5") == (0x10, 0x11, 0x12, 0x5)
    assert words(0x1000ABC, 0x2003) == Chunk(0x1000, 2, 0xABC, 3)
    assert chunk("0x1000+0") == Chunk(0x1000, 0)
    assert cont("u1", 0x11234, "0x10") == done("u1", 0x1234, "0x10").__class__(
        "host-request", "u1", Message((Chunk(0x10, 1),), 0, 0, 0x1234)
    )


INFLATE = (target(2), gives_up("0x1000+2"), inflates("m1", "0x1000+2"), returns("m1"), discards("0x1000+2"))


def made(*script, features=CHUNKS, **more):
    return exchange("inflate", "made-up", "Made up", "NEG-05 NEG-07", *script, features=features, **more)


def bytes_of(vector, name):
    return next(step.readable for step in vector.steps if isinstance(step, BufferStep) and step.name == name)


def test_an_inflation_has_the_bytes_of_the_specification():
    vector = fill(made(*INFLATE, DriverActual(2)))
    assert bytes_of(vector, "m1") == struct.pack("<BBHIQQ", 0, 0, 0, 16, 0x1000 << 12, 2 << 12)
    assert bytes_of(vector, "s1") == struct.pack("<HQ", 4, 1 << 24)
    assert (vector.area, vector.path.name) == ("inflate", "made-up.yaml")


def test_a_request_is_what_the_reference_device_writes():
    script = (unused(), asks("r1", 0x1234), done("u1", 0x1234), returns("u1"), posts("r2"))
    vector = fill(made(*script, features=REQUESTS))
    (used,) = (step for step in vector.steps if isinstance(step, UsedStep) and step.name == "r1")
    assert used.written == struct.pack("<HHHHQ", 0, 0, 0, 0, 0x1234)
    assert used.length_bytes == 16
    assert bytes_of(vector, "u1") == struct.pack("<BBHI", 0, 1, 0x1234, 0)


def test_the_buffers_owed_come_by_themselves_and_again_after_a_reset():
    intent = made(
        resets(), asks("r2", 1), done("u1", 1), returns("u1"), posts("r3"), features=REQUESTS, sides="device"
    )
    assert [step.name for step in intent.script if hasattr(step, "name")] == [
        "s1", "r1", "s2", "r2", "r2", "u1", "u1", "r3",
    ]  # fmt: skip
    fill(intent)


def test_a_reset_that_another_follows_owes_nothing():
    intent = made(resets(), resets(), features=STATS, profile="base", sides="device")
    assert [type(step).__name__ for step in intent.script] == [
        "DriverBuffer",
        "Reset",
        "Reset",
        "DriverBuffer",
    ]


def test_an_equivalent_buffer_may_take_the_driver_several():
    isolated = [f"{0x1000 + 2 * at:#x}" for at in range(2050)]
    script = (target(2050), gives_up(*isolated), inflates("m1", *isolated, match="equivalent"), returns("m1"))
    vector = fill(made(*script, DriverActual(2050), sides="driver"))
    assert len(bytes_of(vector, "m1")) == 8 + 16 * 2050


@pytest.mark.parametrize(
    ("script", "options", "complaint"),
    [
        ((*INFLATE, DriverActual(3)), {}, "the reference driver writes 02 00 00 00"),
        ((*INFLATE,), {}, "the reference driver does more"),
        ((*INFLATE, DriverActual(2), DriverActual(2)), {}, "does not write to the configuration space"),
        ((target(2), gives_up("0x1000"), inflates("m1", "0x1001")), {}, "and those of the reference driver"),
        (
            (target(2), gives_up("0x1000"), inflates("m1", "0x1001", match="equivalent")),
            {},
            "the reference driver names 0x1000",
        ),
        ((inflates("m1", "0x1000"),), {"sides": "driver"}, "does not make a buffer available on the inflate"),
        ((posts("r2"),), {"features": REQUESTS, "sides": "driver"}, "does not make a buffer available"),
        (
            (target(2), gives_up("0x1000"), inflates("m1", "0x1000", writable_bytes=4)),
            {"sides": "driver"},
            "24 readable and 0 writable bytes available",
        ),
        ((inflates("m1", "0x1000"), returns("m2")), {"sides": "device"}, "does not return m2"),
        ((inflates("m1", "0x1000"),), {"sides": "device"}, "the reference device does more"),
        ((returns("m1"),), {"sides": "driver"}, "has made no m1 available"),
        (
            (inflates("m1", "0x1000"), DeviceReturn("m1", None, length_bytes=24)),
            {"sides": "device"},
            "returns m1 with length 0 and nothing written",
        ),
        ((inflates("m1", "0x1000"), returns("m1"), keeps("0x1000")), {"sides": "device"}, "discarded 0x1000"),
        (
            (inflates("m1", "0x1000+2"), returns("m1"), discards("0x1000")),
            {"sides": "device"},
            "discarded 0x1000+2",
        ),
        ((DeviceConfiguration(2),), {"sides": "device"}, "does not change the configuration"),
        ((target(2)[0], DeviceConfiguration(3)), {"sides": "device"}, "sets num_pages to 2"),
        ((reads(0, 4, num_pages=1),), {"sides": "device"}, "answers the read with 00 00 00 00"),
        ((reads(4, 8),), {"sides": "device"}, "the configuration space has 8 bytes"),
        ((target(2), gives_up("0x1000"), Silent("driver")), {}, "the reference driver does more"),
        ((inflates("m1", f"{1 << 52:#x}"),), {"sides": "device"}, "pfn"),
    ],
)
def test_an_intent_that_the_reference_does_not_bear_out_is_refused(script, options, complaint):
    with pytest.raises(FillError) as refused:
        fill(made(*script, **options))
    text = str(refused.value)
    assert text.startswith("inflate/made-up: ")
    assert complaint in text
    assert text.endswith("; mend the intent")
    assert "\n" not in text


def test_features_that_the_reference_does_not_take_are_refused():
    both = made(DriverOk(), features=CHUNKS)
    odd = dataclasses.replace(both.features, accepted=("VERSION_1", "CHUNK_TRANSFER"))
    with pytest.raises(FillError, match="the reference device does refuse the features"):
        fill(dataclasses.replace(both, features=odd, sides=("device",)))
    with pytest.raises(FillError, match="the reference driver accepts VERSION_1; mend"):
        fill(dataclasses.replace(both, features=odd, sides=("driver",)))
    good = dataclasses.replace(both.features, features_ok=False)
    with pytest.raises(FillError, match="the reference device does keep the features"):
        fill(dataclasses.replace(both, features=good, sides=("device",)))


def test_a_malformed_vector_plays_only_the_side_it_judges():
    """A driver that is judged meets a device that breaks the protocol as the intent says."""
    vector = fill(
        malformed(
            "host-request",
            "made-up",
            "Made up",
            "REQ-15",
            "REQ-03",
            unused(),
            DeviceReturn("r1", Raw(bytes(8))),
            posts("r2"),
            features=REQUESTS,
            sides="driver",
        )
    )
    assert [step.written for step in vector.steps if isinstance(step, UsedStep)] == [bytes(8)]


def test_what_holds_over_a_reset_is_the_target_alone():
    script = (target(1), inflate_pfns("m1", "0x1000"), returns("m1"), DriverActual(1), Reset())
    space = reads(0, 8, num_pages=1, actual=0)
    fill(made(*script, space, features=negotiated(), profile="base", sides="device"))
    assert isinstance(space, DriverRead)


def test_deflating_follows_the_same_path():
    script = (*INFLATE, DriverActual(2), target(0))
    with pytest.raises(
        FillError, match="the reference driver does not make a buffer available on the deflate"
    ):
        fill(made(*script, deflates("d1", "0x1000+2")))


def test_a_vector_lists_what_it_shows_and_an_intent_that_shows_nothing_is_refused():
    one = dataclasses.replace(made(*INFLATE, DriverActual(2)), about=("CHUNK-10", "INF-05", "NEG-07"))
    # Pages that are named once put nobody's treatment of chunks that overlap to the test (CHUNK-10).
    assert fill(one).requirements == ("INF-05", "NEG-07")
    with pytest.raises(FillError, match="of CHUNK-10, INF-05 it shows none that binds the device; mend"):
        fill(dataclasses.replace(one, about=("CHUNK-10", "INF-05")))


def test_a_new_target_leaves_the_words_behind_it(monkeypatch):
    seen = []
    change = ReferenceDriver.change_configuration
    monkeypatch.setattr(
        ReferenceDriver, "change_configuration", lambda self, data: seen.append(data) or change(self, data)
    )
    driver = ObservedDriver(Setup(MAINLINE, 0x4000), [0])
    driver.negotiate(FeatureSets(0, 0))
    driver.change_word(8, b"\1\2\3\4")
    driver.change_configuration(struct.pack("<II", 5, 0))
    driver.change_word(0, struct.pack("<I", 6))
    assert seen == [struct.pack("<II4B", pages, 0, 1, 2, 3, 4) for pages in (0, 5, 6)]
