"""What the doctor looks at in a program over standard streams, one function each.

A look returns the words of what is to mend, an empty string where all is well, None where there is nothing to
look at; :class:`Advice` where verdicts can be trusted all the same. Whatever the program does to the
conversation itself is raised, and told by the caller.
"""

from __future__ import annotations

import statistics
from typing import Any, Final

from balloon_conformance.doctor.claims import (
    claimed,
    discards_honestly,
    keeps_synchronous,
    rereads,
    unclaimed,
)
from balloon_conformance.doctor.look import PAGES, Advice, Look, lend_statistics, said
from balloon_conformance.doctor.patient import SETUP, Room
from balloon_conformance.iut.contract import Capability
from balloon_conformance.iut.stdio.forms import (
    LINE_LIMIT_BYTES,
    PROTOCOL_VERSION,
    ErrorKind,
)
from balloon_spec.events import OperatorAction, Side

__all__ = ["LOOKS", "NamedLook"]

_QUIET_SECONDS: Final = 0.2
_SLOW_SECONDS: Final = 0.05
_ENDURED_SECONDS: Final = 1.0
_TIMES: Final = 20


def negotiates(room: Room) -> str:
    """Negotiate, which nearly everything else needs."""
    room.negotiate()
    return ""


def unknown_command(room: Room) -> str:
    """Ask for a command that there is not, and go on."""
    answer = room.ask("make-coffee")
    if answer.error is not ErrorKind.UNKNOWN_COMMAND:
        return f'it answered the command make-coffee with {said(answer)}; answer "unknown-command"'
    room.observe()
    return ""


def other_side(room: Room) -> str:
    """Ask for a command of the other side."""
    name = "used" if room.side is Side.DEVICE else "driver-ok"
    answer = room.ask(name, extra={"queue": 0, "buffer": "b", "length": 0, "written": ""})
    if answer.error is not ErrorKind.UNKNOWN_COMMAND:
        return f'it is a {room.side}, and answered {name} with {said(answer)}; answer "unknown-command"'
    return ""


def unknown_field(room: Room) -> str:
    """Send a field that no version of the protocol has."""
    answer = room.ask("observe", milliseconds=0, extra={"sugar": [1, {"spoons": 2}]})
    if answer.error is not None:
        return f"it answered a command with the field sugar with {said(answer)}; pass over unknown fields"
    return ""


def unknown_capability(room: Room) -> str:
    """Say in ``may_ask`` what a later suite may ask for."""
    room.program.start(SETUP, more=("levitation",))
    return ""


def other_version(room: Room) -> str:
    """Start it with a version of the protocol that there is not, and then as it should be."""
    fields: dict[str, Any] = {
        "suite": "doctor",
        "profile": "base",
        "bits": {},
        "memory_pages": 1,
        "may_ask": (),
    }
    answer = room.ask("start", protocol=PROTOCOL_VERSION + 1, **fields)
    if answer.error is not ErrorKind.REFUSED:
        return (
            f"it answered start with protocol {PROTOCOL_VERSION + 1} with {said(answer)}; answer "
            f'"refused" to any but {PROTOCOL_VERSION}'
        )
    room.start_again()
    return ""


def long_line(room: Room) -> str:
    """Send a line as long as a line may be."""
    beside = len('{"seq":99,"command":"observe","milliseconds":0,"padding":""}\n')
    answer = room.ask("observe", milliseconds=0, extra={"padding": "x" * (LINE_LIMIT_BYTES - beside)})
    if answer.error is not None:
        return f"it answered a line of 4 MiB with {said(answer)}; read lines of any length up to that"
    return ""


def silence(room: Room) -> str:
    """Wait for lines that nobody asked for."""
    room.negotiate()
    unasked = room.program.process.look(_QUIET_SECONDS)
    if unasked:
        shown = unasked[:60].decode("utf-8", "backslashreplace")
        return (
            f"it wrote {shown!r} although nothing was asked; write events into answers, and logs to standard "
            "error"
        )
    return ""


def second_start(room: Room) -> str:
    """Start it again in the same process, with something going on, and see whether it is as before."""
    offered = room.started.fields.get("offered")
    before = _first_sight(room)
    again = room.start_again()
    if again.fields.get("offered") != offered:
        return f"it offered {offered:#x}, and {again.fields['offered']:#x} after a second start; begin anew"
    after = _first_sight(room)
    if before != after:
        return f"after a second start it shows {after}, and after the first {before}; begin anew"
    return ""


def _first_sight(room: Room) -> str:
    """Bring it up, tell what it shows then, and leave something going on."""
    came, events = room.negotiate()
    if room.side is Side.DRIVER:
        if came and room.claims(Capability.STEER_PAGES):
            room.ask("guest", action="inflate", pages=PAGES)
            room.ask("configuration-change", data=bytes([2, 0, 0, 0, 0, 0, 0, 0]))
        made = [(told["queue"], told["writable"]) for name, told in events if name == "available"]
        return f"buffers (queue, writable bytes) {sorted(made)}"
    configuration = room.ask("configuration-read", offset=0, length=8)
    if came and room.claims(Capability.OPERATOR_TARGET):
        room.ask("operator", action=OperatorAction.TARGET, value=0x13)
    if came:
        lend_statistics(room, "doctor")
    return f"the configuration {bytes(configuration.fields.get('data', b'')).hex()}"


def reset_forgets(room: Room) -> str:
    """Reset it with a buffer in flight, and see that the buffer is forgotten."""
    return _device_forgets(room) if room.side is Side.DEVICE else _driver_forgets(room)


def _device_forgets(room: Room) -> str:
    if not room.negotiate()[0]:
        return ""
    if lend_statistics(room, "before").error is not None:
        return ""
    room.started = room.program.ask("reset")
    _, events = room.negotiate()
    events += room.events(lend_statistics(room, "after"))
    if room.claims(Capability.OPERATOR_STATISTICS):
        events += room.events(room.ask("operator", action=OperatorAction.STATISTICS, value=0))
    if any(name == "used" and told["buffer"] == "before" for name, told in events):
        return "it returned a buffer of before a reset; a reset drops every buffer in flight"
    return ""


def _driver_forgets(room: Room) -> str:
    _, events = room.negotiate()
    before = {(told["queue"], told["buffer"]) for name, told in events if name == "available"}
    room.program.ask("reset")
    _, events = room.negotiate()
    after = {(told["queue"], told["buffer"]) for name, told in events if name == "available"}
    if before and not after:
        return "it made buffers available after start, and none after reset; begin anew with a reset"
    for queue, buffer in sorted(before - after):
        answer = room.ask("used", queue=queue, buffer=buffer, length=0, written=b"")
        # To refuse it, or to pass over it, is well.
        if any(name == "available" for name, _ in answer.events):
            return f"it took back {buffer}, a buffer of before a reset, and made another of it; forget it"
    return ""


def stop_in_the_middle(room: Room) -> str:
    """Stop it with a buffer in flight."""
    came, _ = room.negotiate()
    if came and room.side is Side.DEVICE:
        lend_statistics(room, "doctor")
    if not room.program.stop():
        return (
            "it did not answer stop and end within a second, with all it started; end the implementation, "
            "answer, and end"
        )
    return ""


def end_of_input(room: Room) -> str:
    """Close its standard input without a word, as when the suite is killed."""
    if not room.program.process.end(_ENDURED_SECONDS):
        return "it did not end with all its children when its standard input did; end with it"
    return ""


def swift(room: Room) -> str:
    """Ask often, and see how long answers take."""
    for _ in range(_TIMES):
        room.ask("observe", milliseconds=0)
    seconds = room.seconds
    if max(seconds) > _ENDURED_SECONDS:
        return Advice(
            f"one answer took {max(seconds):.1f} s, of at most {room.program.options.answer_seconds:g} s; be "
            "quicker, or give --stdio-answer-seconds"
        )
    if statistics.median(seconds) > _SLOW_SECONDS:
        return Advice(
            f"an answer takes {statistics.median(seconds) * 1000:.0f} ms in the median, and a run has tens "
            "of thousands; flush after every line, and do not poll"
        )
    return ""


NamedLook = tuple[str, str, Look]
"""What is looked at, the section of the page that explains it, and the look."""

LOOKS: Final[tuple[NamedLook, ...]] = (
    ("a negotiation", "negotiate", negotiates),
    ("an unknown command", "errors", unknown_command),
    ("a command of the other side", "errors", other_side),
    ("an unknown field", "lines", unknown_field),
    ("an unknown capability", "start", unknown_capability),
    ("another version of the protocol", "start", other_version),
    ("a very long line", "lines", long_line),
    ("nothing but answers on standard output", "lines", silence),
    ("a second start", "start", second_start),
    ("a reset forgets", "reset", reset_forgets),
    ("what it does not claim it refuses", "capabilities", unclaimed),
    ("what it claims it does", "capabilities", claimed),
    ("buffers read again", "reread", rereads),
    ("pages nobody gave up", "discarded", discards_honestly),
    ("events come in time", "capabilities", keeps_synchronous),
    ("a stop in the middle", "stop", stop_in_the_middle),
    ("the end of its input", "lines", end_of_input),
    ("how fast it answers", "errors", swift),
)
"""Everything that is looked at in a program; the last goes by the time that all before it took."""
