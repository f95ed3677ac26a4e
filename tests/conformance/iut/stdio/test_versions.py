"""The two versions of the protocol: which is spoken with a program, and what the first one lacks."""

import pytest
import stdio_programs as programs
from run_command import run_command

from balloon_conformance.iut.contract import AdapterError
from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.stdio import messages
from balloon_conformance.run.options import RunOptions
from balloon_spec.events import Available, Segment, Side

BUFFER = {
    "event": "available",
    "queue": 0,
    "buffer": "b",
    "readable": "00" * 8,
    "writable": 4,
    "notify": True,
}
AS_BEFORE = BUFFER | {"cut": [8], "extents": [["0x1000", 8], ["0x2000", 4]]}
SEGMENTS = [{"address": "0x1000", "length": 8}, {"address": "0x2000", "length": 4, "writable": True}]

DRIVER = "for seq, command, line in answers(): tell(seq=seq, accepted='0x0', events=[{}])"


def observed(protocol, event):
    """Return the events of a driver that makes a buffer available."""
    body = DRIVER.replace("{}", repr(event))
    adapter = programs.target(programs.program(body, role="driver", protocol=protocol)).make()
    try:
        adapter.start(programs.SETUP)
        adapter.negotiate(0, bytes(8))
        return list(adapter.observe(0.0))
    finally:
        adapter.stop()


@pytest.mark.parametrize(
    ("protocol", "event"),
    [(1, AS_BEFORE), (1, BUFFER | {"segments": SEGMENTS}), (2, BUFFER | {"segments": SEGMENTS})],
)
def test_a_driver_of_either_version_says_the_same_of_a_buffer(protocol, event):
    (_, seen) = observed(protocol, event)
    segments = (Segment(8, False, 0x1000), Segment(4, True, 0x2000))
    assert seen == Available(0, "b", bytes(8), 4, True, segments)


def test_what_the_second_version_left_out_is_an_unknown_field_in_it():
    for name in ("cut", "extents"):
        event = BUFFER | {name: AS_BEFORE[name]}
        answer = {"seq": 1, "events": [event]}
        messages.read_answer(answer, "observe", Side.DRIVER, 1)
        with pytest.raises(messages.BadMessageError, match=f"{name}: unknown field"):
            messages.read_answer(answer, "observe", Side.DRIVER, 2)


@pytest.mark.parametrize(
    ("segments", "part"),
    [
        ([{"length": 7}], "8 device-readable bytes and device-readable segments of 7"),
        ([{"length": 5, "writable": True}], "4 device-writable bytes and device-writable segments of 5"),
    ],
)
def test_segments_that_are_not_those_of_the_buffer_are_the_programs_fault(segments, part):
    with pytest.raises(AdapterError, match=f"made b available with {part}"):
        observed(2, BUFFER | {"segments": segments})


def test_one_part_of_a_buffer_may_be_unseen():
    (_, seen) = observed(2, BUFFER | {"segments": SEGMENTS[1:]})
    assert seen.segments == (Segment(4, True, 0x2000),)


def test_the_suite_asks_for_the_newest_version_first_and_then_for_the_version_it_knows(tmp_path):
    """A program that refused is ended and started again: it may end by itself after a refusal."""
    log = tmp_path / "asked"
    body = f"""
        text = json.loads(sys.stdin.readline())
        open({str(log)!r}, "a").write(f"{{text['protocol']}} ")
        tell(seq=text["seq"], **(started if text["protocol"] == 1 else {{"error": "refused"}}))
        if text["protocol"] == 1:
            for seq, *_ in answers(): pass
    """
    target = programs.target(programs.program(body, protocol=1))
    assert log.read_text() == "2 1 "
    adapter = target.make()
    adapter.start(programs.SETUP)
    adapter.stop()
    assert log.read_text() == "2 1 1 "


def test_a_program_of_the_first_version_has_the_profiles_of_the_first_version():
    target = programs.target(programs.program("for _ in answers(): pass", protocol=1))
    for name in ("base", "chunk-transfer"):
        assert RunOptions("", profile=name).chosen_profile(target).name == name
    with pytest.raises(IutError) as caught:
        RunOptions("", profile="mainline").chosen_profile(target)
    text = str(caught.value)
    assert (
        "fake speaks version 1 of the protocol over standard streams, which has only base and chunk-transfer"
        in text
    )
    assert "\n" not in text
    of_now = programs.target(programs.program("for _ in answers(): pass"))
    assert RunOptions("", profile="mainline").chosen_profile(of_now).name == "mainline"


def test_the_command_says_so_in_one_line(tmp_path):
    words = programs.program("for _ in answers(): pass", protocol=1)
    program = tmp_path / "old.py"
    program.write_text(words[2])
    for command in ("run", "doctor"):
        done = run_command(tmp_path, command, f"stdio:{words[0]} {program}", "--profile", "mainline")
        assert done.code == 2
        assert done.err.count("\n") == 1
        assert "have it speak version 2, see docs/test/stdio-protocol.md#versions" in done.err
