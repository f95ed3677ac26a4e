"""The second encoder's opinion: it is independent, it speaks where the two part, and its own slips show."""

import struct
import subprocess
import sys
from dataclasses import replace

import pytest
from places import VECTOR_FILES

from balloon_conformance.families.base import second_encoding as arrays
from balloon_conformance.families.base.vocabulary import PfnArray, gives_up
from balloon_conformance.families.chunk_transfer import second_encoding as messages
from balloon_conformance.families.chunk_transfer.vocabulary import Chunk, Message
from balloon_conformance.families.host_requests import second_encoding as requests
from balloon_conformance.families.host_requests.vocabulary import Request
from balloon_conformance.families.statistics import second_encoding as statistics
from balloon_conformance.families.statistics.vocabulary import Statistics
from balloon_conformance.generation.all_intents import intents
from balloon_conformance.generation.intents import model as meant
from balloon_conformance.generation.intents import vocabulary
from balloon_conformance.second_encoder import structures
from balloon_conformance.second_encoder.encoder import Stream, encode, encode_content
from balloon_conformance.second_encoder.wishes import bursts
from balloon_conformance.vectors.loader import load
from balloon_conformance.verification.second_opinion import against_the_intent, against_the_wishes
from balloon_conformance.verification.verify import Check
from balloon_conformance.verification.verify_each import verify_each
from balloon_spec.segments import from_lengths

INTENTS = {intent.id: intent for intent in intents()}

_WITHOUT_THE_REST = """
import importlib.abc
import pkgutil
import sys

class Refusing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top != "balloon_conformance":
            raise ImportError(f"{name} is not to be had here")

sys.meta_path.insert(0, Refusing())
from balloon_conformance import families, intents
from balloon_conformance.second_encoder.encoder import encode
from balloon_conformance.second_encoder.wishes import bursts
rooms = [f"{families.__name__}.{one.name}.intents" for one in pkgutil.iter_modules(families.__path__)]
rooms = [importlib.import_module(name) for name in rooms if importlib.util.find_spec(name)]
names = [f"{room.__name__}.{one.name}" for room in (intents, *rooms) for one in pkgutil.iter_modules(room.__path__)]
tables = [vars(importlib.import_module(name)).get("INTENTS", ()) for name in names]
assert sum(map(len, tables)) > 700
for intent in (one for table in tables for one in table):
    assert len(encode(intent)) == 1 + len(intent.script)
    bursts(intent)
ours = sorted(name for name in sys.modules if name.startswith("balloon_"))
families_rooms = [f"{families.__name__}.{one.name}" for one in pkgutil.iter_modules(families.__path__)]
parents = ["balloon_conformance", "balloon_conformance.generation", families.__name__, *families_rooms]
own = ["balloon_conformance.generation.intents", "balloon_conformance.second_encoder", intents.__name__]
own += [room.__name__ for room in rooms]
own += [f"{room}.{name}" for room in families_rooms for name in ("vocabulary", "second_encoding")]
print([name for name in ours if name not in parents and not name.startswith(tuple(own))])
"""


def published(name):
    """A published vector and its intent."""
    (path,) = VECTOR_FILES.rglob(f"{name}.yaml")
    return load(path), INTENTS[name]


def said(differences):
    return [(difference.way, difference.offset, difference.words) for difference in differences]


def with_step(vector, at, **fields):
    """The vector with other fields in one step."""
    return replace(
        vector, steps=(*vector.steps[:at], replace(vector.steps[at], **fields), *vector.steps[at + 1 :])
    )


def test_it_makes_every_vector_with_the_intents_and_the_standard_library_alone():
    """Nothing else can be imported: not the schemas, not the generator, not what they stand on."""
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_THE_REST], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


# -- one of the two encoders is wrong ----------------------------------------------------------------------


def swapped_header(cmd, flag, identifier, data_len):
    return struct.pack(">BBHI", cmd, flag, identifier, data_len)


def size_first(first, count, *, base_low=0, size_low=0):
    return struct.pack("<QQ", count << 12 | size_low, first << 12 | base_low)


SLIPS = [
    (
        (messages, "header"),
        swapped_header,
        "inflate/inflate-two-runs",
        "byte 4 of 40 is 20; made again from the intent it is 00",
    ),
    (
        (messages, "chunk"),
        size_first,
        "inflate/inflate-two-runs",
        "byte 10 of 40 is 00; made again from the intent it is 01",
    ),
    (
        (requests, "request"),
        lambda cmd, param, reserved=(0, 0, 0): struct.pack("<QHHHH", param, cmd, *reserved),
        "unused-pages/unused-single-pages",
        "byte 0 of 16 is 00; made again from the intent it is 34",
    ),
    (
        (arrays, "page_frame_numbers"),
        lambda numbers: struct.pack(f">{len(numbers)}I", *numbers),
        "pfn-array/pfn-deflate-one-page",
        "byte 0 of 4 is ",
    ),
    (
        (statistics, "statistics"),
        lambda entries: b"".join(struct.pack("<QH", value, tag) for tag, value in entries),
        "statistics/statistics-every-known-tag",
        "byte 1 of 100 is 00; made again from the intent it is 10",
    ),
    (
        (structures, "word"),
        lambda number: struct.pack(">I", number),
        "inflate/inflate-two-runs",
        "driver.actual: it is 19; in the intent 318767104",
    ),
    (
        (vocabulary, "numbers_of_features"),
        lambda: {"STATS_VQ": 1, "CHUNK_TRANSFER": 5},
        "inflate/inflate-two-runs",
        "features.offered: it is 0x10000000a; in the intent 0x100000022",
    ),
    (
        (vocabulary, "numbers_of_queues"),
        lambda: {"inflate": 1, "deflate": 0, "statistics": 2},
        "inflate/inflate-two-runs",
        "driver.queue: it is 0; in the intent 1",
    ),
    (
        (requests, "_DONE"),
        2,
        "unused-pages/unused-without-the-balloon",
        "byte 1 of 24 is 01; by what the guest wanted it is 02",
    ),
]


@pytest.mark.parametrize(("place", "slip", "vector", "words"), SLIPS, ids=[place[1] for place, *_ in SLIPS])
def test_a_slip_of_the_second_encoder_is_a_difference_of_bytes_and_of_nothing_else(
    monkeypatch, place, slip, vector, words
):
    path = VECTOR_FILES / f"{vector}.yaml"
    monkeypatch.setattr(*place, slip)
    (verified,) = verify_each([path], published=True)
    assert {fault.check for fault in verified.faults} == {Check.BYTES}
    assert any(words in str(fault) for fault in verified.faults), verified.faults
    monkeypatch.undo()
    (verified,) = verify_each([path], published=True)
    assert verified.faults == []


# -- what it makes, byte by byte ---------------------------------------------------------------------------


CONTENTS = [
    (None, ""),
    (meant.Raw(b"\x01\x02"), "01 02"),
    (
        Message((Chunk(0x1000, 16), Chunk(0x2400, 3)), flag=1, id=0x1234),
        """00 01 34 12 20 00 00 00
           00 00 00 01 00 00 00 00  00 00 01 00 00 00 00 00
           00 00 40 02 00 00 00 00  00 30 00 00 00 00 00 00""",
    ),
    (
        Message((Chunk(1, 1, 0x800, 0x001, times=2),), data_len=7, tail=b"\xee"),
        "00 00 00 00 07 00 00 00" + 2 * "00 18 00 00 00 00 00 00  01 10 00 00 00 00 00 00" + "ee",
    ),
    (PfnArray((0x01020304, 5), tail=b"\xff"), "04 03 02 01  05 00 00 00  ff"),
    (Statistics(((4, 0x10),), tail=b"\x05"), "04 00  10 00 00 00 00 00 00 00  05"),
    (Request(1, (2, 3, 4), 5), "01 00 02 00 03 00 04 00  05 00 00 00 00 00 00 00"),
]


@pytest.mark.parametrize(("content", "written"), CONTENTS, ids=[str(at) for at in range(len(CONTENTS))])
def test_what_is_in_a_buffer(content, written):
    assert encode_content(content) == bytes.fromhex(written)


def test_the_streams_of_every_kind_of_step():
    features = meant.Features(("STATS_VQ", "VERSION_1"), ("STATS_VQ",))
    script = (
        meant.DriverBuffer("statistics", "s1", Statistics(((4, 1),)), cut=(2, 8)),
        meant.DriverBuffer("host-request", "r1", writable_bytes=16),
        meant.DeviceReturn("s1"),
        meant.DeviceReturn("r1", meant.Raw(b"\x07"), length_bytes=3),
        meant.DriverActual(0x102),
        meant.DriverStore(6, 2, 0x0304),
        meant.DriverRead(2, 4, meant.Configuration(0x04030201, 0x08070605)),
        meant.DeviceConfiguration(9),
        meant.Silent("device"),
        meant.Reset(),
        meant.Reset(meant.Features((), ())),
    )
    intent = meant.Intent(
        id="x", title="X", area="x", about=(), features=features, profile="base", script=script
    )
    both, one, none = "02 00 00 00 01 00 00 00", "02 00 00 00 00 00 00 00", "00 00 00 00 00 00 00 00"
    fields = [
        {"features.offered": both, "features.accepted": one},
        {
            "driver.queue": "02 00 00 00",
            "driver.readable": "04 00 01 00 00 00 00 00 00 00",
            "driver.writable": "00 00 00 00",
            "driver.cut": "02 00 00 00 08 00 00 00",
        },
        {
            "driver.queue": "03 00 00 00",
            "driver.readable": "",
            "driver.writable": "10 00 00 00",
            "driver.cut": "",
        },
        {"device.written": "", "device.length": "00 00 00 00"},
        {"device.written": "07", "device.length": "03 00 00 00"},
        {"driver.actual": "02 01 00 00"},
        {"driver.write.offset": "06 00 00 00", "driver.write.data": "04 03"},
        {"driver.read.offset": "02 00 00 00", "driver.data": "03 04 05 06"},
        {"device.configuration.num_pages": "09 00 00 00"},
        {},
        {"reset.offered": both, "reset.accepted": one},
        {"reset.offered": none, "reset.accepted": none},
    ]
    assert encode(intent) == tuple(
        tuple(Stream(tuple(name.split(".")), bytes.fromhex(data)) for name, data in step.items())
        for step in fields
    )


# -- the places where a vector and the second encoder part ---------------------------------------------------


def test_a_vector_that_is_as_its_intent_says_has_no_difference():
    vector, intent = published("inflate-two-runs")
    assert list(against_the_intent(vector, intent)) == []
    assert list(against_the_wishes(vector, intent)) == []


def test_a_step_too_few_is_named_and_the_others_are_still_compared():
    vector, intent = published("inflate-two-runs")
    assert said(against_the_intent(replace(vector, steps=vector.steps[:-1]), intent)) == [
        (("steps",), None, "there are 7 steps, in the intent 8")
    ]


def test_a_step_of_another_kind_is_named_with_what_it_holds():
    vector, intent = published("inflate-two-runs")
    swapped = replace(vector, steps=(*vector.steps[:5], vector.steps[7], vector.steps[6], vector.steps[5]))
    assert said(against_the_intent(swapped, intent)) == [
        (("steps", 5), None, "it holds driver.actual; in the intent device.written, device.length"),
        (("steps", 7), None, "it holds device.written, device.length; in the intent driver.actual"),
    ]
    silent = replace(vector, steps=(*vector.steps[:7], vector.steps[3]))
    assert said(against_the_intent(silent, intent)) == [
        (("steps", 7), None, "it holds no bytes; in the intent driver.actual")
    ]


def test_bytes_that_are_missing_and_bytes_too_many_differ_at_the_end():
    vector, intent = published("inflate-two-runs")
    step = vector.steps[4]
    for data, words in (
        (step.readable[:24], "byte 24 of 24 is the end; made again from the intent it is 00"),
        (step.readable + b"\xaa", "byte 40 of 41 is aa; made again from the intent it is the end"),
    ):
        other = with_step(vector, 4, readable=data)
        assert said(against_the_intent(other, intent)) == [
            (("steps", 4, "driver", "readable"), min(len(data), 40), words)
        ]


def test_another_cut_into_descriptors_is_a_difference_of_numbers():
    vector, intent = published("inflate-two-runs")
    assert said(against_the_intent(with_step(vector, 4, segments=from_lengths((8, 32))), intent)) == [
        (("steps", 4, "driver", "cut"), None, "it is 8, 32; in the intent nothing")
    ]


@pytest.mark.parametrize(
    ("features", "step", "words"),
    [
        (("NO_SUCH",), meant.Silent("device"), "the intent has no encoding: 'NO_SUCH'"),
        ((), meant.DriverActual(1 << 32), "the intent has no encoding: "),
        ((), meant.DriverStore(4, 1, 256), "the intent has no encoding: "),
    ],
)
def test_an_intent_that_no_field_has_room_for_is_said_to_have_no_encoding(features, step, words):
    vector, intent = published("inflate-two-runs")
    wrong = replace(intent, features=meant.Features(features, ()), script=(step,))
    ((way, offset, sentence),) = said(against_the_intent(vector, wrong))
    assert (way, offset) == (("steps",), None)
    assert sentence.startswith(words)


# -- what the guest wants ------------------------------------------------------------------------------------


def test_a_wish_without_an_encoding_is_said_to_have_none():
    vector, intent = published("inflate-two-runs")
    wrong = replace(intent, script=(gives_up(f"{1 << 52}"),))
    ((_, _, words),) = said(against_the_wishes(vector, wrong))
    assert words.startswith("what the guest wants has no encoding: ")


def test_a_driver_that_may_cut_runs_as_it_likes_has_to_name_the_pages_all_the_same():
    vector, intent = published("inflate-two-runs")
    apart = messages.message(messages.response_data([(0x2400, 3), (0x1008, 8), (0x1000, 8)]))
    assert list(against_the_wishes(with_step(vector, 4, readable=apart), intent)) == []
    short = messages.message(messages.response_data([(0x1000, 16), (0x2400, 2)]))
    assert said(against_the_wishes(with_step(vector, 4, readable=short), intent)) == [
        (
            ("steps", 4, "driver", "readable"),
            33,
            "byte 33 of 40 is 20; by what the guest wanted it is 30",
        )
    ]
    assert [
        words for _, _, words in said(against_the_wishes(with_step(vector, 4, readable=bytes(9)), intent))
    ] == ["byte 4 of 9 is 00; by what the guest wanted it is 20"]


def test_a_buffer_behind_those_that_carry_the_wish_is_one_too_many():
    vector, intent = published("inflate-two-runs")
    wish, buffer = intent.script[3], replace(intent.script[4], match="exact")
    twice = replace(intent, script=(wish, buffer, buffer))
    there = replace(vector, steps=(vector.steps[3], vector.steps[4], vector.steps[4]))
    assert said(against_the_wishes(there, twice)) == [
        (("steps", 2, "driver", "readable"), None, "the guest's wish was carried whole before this buffer")
    ]


def test_arrays_name_their_pages_one_by_one():
    vector, intent = published("pfn-inflate-four-pages")
    (burst,) = bursts(intent)
    pages = [number for (number,) in struct.iter_unpack("<I", burst.messages[0])]
    assert len(pages) == 4

    def with_pages(numbers):
        return with_step(vector, burst.steps[0], readable=struct.pack(f"<{len(numbers)}I", *numbers))

    assert list(against_the_wishes(with_pages(pages[::-1]), intent)) == []
    assert [offset for _, offset, _ in said(against_the_wishes(with_pages([*pages[:3], 9]), intent))] == [12]


def test_only_a_driver_that_is_judged_owes_what_its_guest_wants():
    _, intent = published("inflate-two-runs")
    assert len(bursts(intent)) == 1
    assert bursts(replace(intent, sides=("device",))) == []


def test_a_request_that_does_not_ask_for_unused_pages_is_no_wish():
    _, intent = published("unused-single-pages")
    ((at, returned),) = [
        (at, step)
        for at, step in enumerate(intent.script)
        if isinstance(step, meant.DeviceReturn) and isinstance(step.written, Request)
    ]
    assert len(bursts(intent)) == 1
    for other in (replace(returned, written=Request(cmd=1)), replace(returned, length_bytes=8)):
        script = (*intent.script[:at], other, *intent.script[at + 1 :])
        assert bursts(replace(intent, script=script)) == []
