"""The reference implementations over standard streams get the verdicts they get in this process."""

import io
import json
import re
import subprocess
import sys

import pytest
from places import STDIO_PAGE
from run_command import run_command

from balloon_conformance.iut.contract import Buffer, Capability
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.iut.stdio.adapter import _EVENTS as EVENTS
from balloon_conformance.iut.stdio.device import StdioDevice
from balloon_conformance.iut.stdio.messages import read_answer
from balloon_conformance.iut.stdio.serve import serve
from balloon_spec.events import Available, Contents, Guest, GuestAction, Overwritten, Segment, Side
from balloon_spec.pages import PageSet

COMMAND = f"{sys.executable} -m balloon_conformance serve reference-{{}} --stdio"


OF_ITS_OWN = {"name", "version", "capabilities", "offered", "memory", "ring_sizes", "text"}
"""Fields in which programs that are both right differ."""


def results(path):
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    cases = {line["case"]: line["status"] for line in lines if "case" in line}
    verdicts = {line["requirement"]: line["verdict"] for line in lines if "requirement" in line}
    return cases, verdicts


UNSHOWN = {
    "device": {
        "a-notification-between-sessions",
        "a-window-of-an-illegal-length",
        "accesses-beyond-the-configuration-space",
        "driver-ok-is-written-again",
        "driver-ok-is-written-again-during-an-exchange",
        "the-configuration-through-a-window",
        "RESET-07",
        "QUEUE-14",
        "BUF-02",
        "CFG-16",
    },
    "driver": {"BUF-01"},
}
"""What standard streams do not show: registers, the generation of the space, and a buffer in flight."""


def without_broken_rings(path):
    """The cases that were not played because the adapter lays no ring that a driver may not lay."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {line["case"] for line in lines if line.get("reason") == "the adapter lacks broken-rings"}


@pytest.mark.parametrize("side", ["device", "driver"])
def test_every_case_ends_as_it_does_in_this_process(tmp_path, reference_run, side):
    here = results(reference_run(side).results)
    done = run_command(tmp_path, "run", f"stdio:{COMMAND.format(side)}", "--results", "there.jsonl")
    assert done.code == 0, done.out
    there = results(tmp_path / "there.jsonl")
    played = {name for name, status in here[0].items() if status != "not exercised"}
    unshown = UNSHOWN[side] | (without_broken_rings(tmp_path / "there.jsonl") & played)
    for shown, told in zip(here, there, strict=True):
        apart = {name for name in shown if told[name] != shown[name]}
        assert apart == unshown & shown.keys()
        assert {told[name] for name in apart} <= {"not exercised"}
    assert list(here[0].values()).count("passed") > 150


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give --vhost-user SOCKET, or --stdio, and not both"),
        (("--stdio", "--vhost-user", "x"), "give --vhost-user SOCKET, or --stdio, and not both"),
        (("--stdio", "--profile", "base"), "--profile is not for --stdio"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, arguments, words):
    done = run_command(tmp_path, "serve", "reference-device", *arguments)
    assert done.code == 2
    assert words in done.err


@pytest.mark.parametrize(("number", "side"), [(0, "device"), (1, "driver"), (2, "device")])
def test_the_exchange_on_the_page_is_what_the_reference_does(number, side):
    page = STDIO_PAGE.read_text(encoding="utf-8")
    block = re.findall(r"<!-- transcript -->\n```text\n(.*?)```", page, re.DOTALL)[number]
    lines = [(line[0], line[2:]) for line in block.splitlines()]
    done = subprocess.run(
        [sys.executable, "-m", "balloon_conformance", "serve", f"reference-{side}", "--stdio"],
        input="".join(f"{line}\n" for mark, line in lines if mark == ">"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    seen = [_shared(line) for line in done.stdout.splitlines()]
    assert seen == [_shared(line) for mark, line in lines if mark == "<"]
    assert len(seen) > 5


def _shared(answer):
    """An empty list of pages may be left out."""
    return {
        name: value for name, value in json.loads(answer).items() if name not in OF_ITS_OWN and value != []
    }


START = {
    "command": "start",
    "protocol": 2,
    "suite": "0",
    "profile": "chunk-transfer",
    "bits": {},
    "memory_pages": 16,
    "may_ask": [],
}


def answers(adapter, *lines):
    """Serve an adapter, and return the answers to commands."""
    said = io.BytesIO()
    numbered = ({**line, "seq": number} for number, line in enumerate(lines, 1))
    commands = io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in numbered))
    serve(adapter, commands, said, side=adapter_side(adapter), name="served")
    return list(map(json.loads, said.getvalue().splitlines()))


def adapter_side(adapter):
    return Side.DEVICE if isinstance(adapter, ReferenceDevice) else Side.DRIVER


class TakesBuffers(ReferenceDevice):
    """Keeps the buffers it was handed."""

    def __init__(self):
        super().__init__()
        self.taken = []

    def make_available(self, queue, buffer):
        self.taken.append(buffer)


STATED = [{"length": 4}, {"address": "0x1000", "length": 4}, {"length": 8, "writable": True}]
SEGMENTS = (Segment(4), Segment(4, False, 0x1000), Segment(8, True))


def test_segments_arrive_at_a_device_as_they_are_stated():
    """Through the program's side of the protocol, and from the suite's: one writes what the other reads."""
    adapter = TakesBuffers()
    buffer = {"command": "available", "queue": 0, "buffer": "m1", "readable": "00" * 8, "writable": 8}
    told = answers(adapter, START, buffer | {"segments": STATED}, buffer)
    assert [one.segments for one in adapter.taken] == [SEGMENTS, ()]
    assert not any("error" in one for one in told)
    adapter.capabilities -= {Capability.ADDRESSES}
    (*_, refused) = answers(adapter, START, buffer | {"segments": STATED})
    assert (refused["error"], refused["text"]) == ("not-implemented", "the adapter lacks addresses")


@pytest.mark.parametrize(
    ("protocol", "lengths"), [(1, {"cut": (3, 5)}), (2, {"segments": (Segment(3), Segment(5))})]
)
def test_a_device_of_the_first_version_is_told_lengths_alone_if_they_say_everything(protocol, lengths):
    device = object.__new__(StdioDevice)
    device._rereads, device._protocol, sent = False, protocol, []
    device._tell = lambda command, **fields: sent.append(fields)
    for segments in (SEGMENTS, (Segment(3), Segment(5)), ()):
        device.make_available(0, Buffer("m1", bytes(8), 8, segments))
    assert [{key: one[key] for key in ("cut", "segments") if key in one} for one in sent] == [
        {"segments": SEGMENTS},
        lengths,
        {},
    ]


class MakesOneAvailable(ReferenceDriver):
    """Makes a buffer available at its start, whose segments are known."""

    def start(self, setup):
        super().start(setup)
        self.enter(Available(0, "m1", bytes(8), 8, segments=SEGMENTS))


def test_the_segments_of_a_driver_are_told_and_understood():
    (answer,) = answers(MakesOneAvailable(), START)
    (told,) = answer["events"]
    assert told["segments"] == STATED
    ((_, fields),) = read_answer(answer, "start", Side.DRIVER).events
    assert EVENTS["available"](fields) == Available(0, "m1", bytes(8), 8, segments=SEGMENTS)


class LooksAtBytes(ReferenceDevice):
    """Finds pages overwritten, and pages missing in a copy, and keeps what the guest writes."""

    written = ()

    def discarded(self, pages):
        return PageSet([(0, 1)]), PageSet([(1, 3)])

    def changes(self):
        return CHANGED

    def write_pages(self, pages, data):
        self.written = (pages, data)

    def skipped(self, pages):
        return pages & PageSet([(2, 9)]), pages - PageSet([(1, 1)])


CHANGED = (Overwritten(PageSet([(1, 1)]), b"\1\2\3\4"), Overwritten(PageSet([(2, 1)]), spans=((0x2FFE, 2),)))


def test_what_became_of_memory_is_told_and_understood():
    adapter = LooksAtBytes()
    pages = {"pages": [[0, 4]]}
    told = answers(
        adapter,
        START,
        {"command": "write-pages", "data": "01020304", **pages},
        {"command": "discarded", **pages},
        {"command": "skipped", **pages},
    )
    assert adapter.written == (PageSet([(0, 4)]), b"\1\2\3\4")
    look = read_answer(told[2], "discarded", Side.DEVICE).fields
    assert look == {
        "discarded": PageSet([(0, 1)]),
        "overwritten": PageSet([(1, 3)]),
        "changes": CHANGED,
    }
    assert read_answer(told[3], "skipped", Side.DEVICE).fields == {
        "skipped": PageSet([(2, 2)]),
        "unknown": PageSet([(1, 1)]),
    }


def test_what_the_guest_left_in_pages_is_told_and_what_it_left_alone_is_not():
    class Fills(ReferenceDriver):
        def start(self, setup):
            super().start(setup)
            for event in (
                Contents(PageSet([(1, 1)]), b"\1\2\3\4"),
                Guest(GuestAction.USE, PageSet([(2, 1)])),
                Guest(GuestAction.LEAVE, PageSet([(3, 1)])),
            ):
                self.enter(event)
                if isinstance(event, Contents):
                    self.log.events.append(event)

    (answer,) = answers(Fills(), START)
    read = [EVENTS[name](fields) for name, fields in read_answer(answer, "start", Side.DRIVER).events]
    assert read == [Contents(PageSet([(1, 1)]), b"\1\2\3\4"), Guest(GuestAction.USE, PageSet([(2, 1)]))]


def test_a_served_adapter_without_memory_holes_refuses_them():
    adapter = ReferenceDevice()
    adapter.capabilities = adapter.capabilities - {Capability.MEMORY_HOLES}
    first, second = answers(adapter, START, START | {"memory_holes": [[1, 2]]})
    assert "error" not in first
    assert (second["error"], second["text"]) == ("not-implemented", "the adapter lacks memory-holes")
