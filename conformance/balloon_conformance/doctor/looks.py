"""What the doctor looks at in a program over standard streams, one function each.

A look returns the words of what is to mend, an empty string where all is well, None where there is nothing to
look at; :class:`Advice` where verdicts can be trusted all the same. Whatever the program does to the
conversation itself is raised, and told by the caller.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, Final

from balloon_conformance.doctor.patient import FEATURES, SETTLE_SECONDS, SETUP, Room
from balloon_conformance.iut.contract import Capability
from balloon_conformance.iut.stdio.forms import (
    COMMANDS,
    LINE_LIMIT_BYTES,
    PROTOCOL_VERSION,
    REREAD,
    SYNCHRONOUS,
    ErrorKind,
)
from balloon_conformance.iut.stdio.messages import Answer
from balloon_spec.events import OperatorAction, Side
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue

__all__ = ["LOOKS", "Advice", "Look"]

_QUIET_SECONDS: Final = 0.2
_SLOW_SECONDS: Final = 0.05
_ENDURED_SECONDS: Final = 1.0
_TIMES: Final = 20
_STATISTICS: Final = bytes.fromhex("04000000000100000000")
"""One statistic: tag 4, value 0x1000000."""

_ARRAYS: Final = ("0510000006100000", "0710000008100000")
"""Page frame numbers, two to an array."""

_PAGES: Final = PageSet([(0x1000, 2)])
_OPERATOR: Final = {
    Capability.OPERATOR_TARGET: (OperatorAction.TARGET, 0x13),
    Capability.OPERATOR_UNUSED_PAGES: (OperatorAction.UNUSED_PAGES, 0x31),
    Capability.OPERATOR_STATISTICS: (OperatorAction.STATISTICS, 0),
}


class Advice(str):
    """What is not well, and takes nothing from the verdicts."""

    __slots__ = ()


Look = Callable[[Room], str | None]


def negotiates(room: Room) -> str:
    """Negotiate, which nearly everything else needs."""
    room.negotiate()
    return ""


def unknown_command(room: Room) -> str:
    """Ask for a command that there is not, and go on."""
    answer = room.ask("make-coffee")
    if answer.error is not ErrorKind.UNKNOWN_COMMAND:
        return f'it answered the command make-coffee with {_said(answer)}; answer "unknown-command"'
    room.observe()
    return ""


def other_side(room: Room) -> str:
    """Ask for a command of the other side."""
    name = "used" if room.side is Side.DEVICE else "driver-ok"
    answer = room.ask(name, extra={"queue": 0, "buffer": "b", "length": 0, "written": ""})
    if answer.error is not ErrorKind.UNKNOWN_COMMAND:
        return f'it is a {room.side}, and answered {name} with {_said(answer)}; answer "unknown-command"'
    return ""


def unknown_field(room: Room) -> str:
    """Send a field that no version of the protocol has."""
    answer = room.ask("observe", milliseconds=0, extra={"sugar": [1, {"spoons": 2}]})
    if answer.error is not None:
        return f"it answered a command with the field sugar with {_said(answer)}; pass over unknown fields"
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
            f"it answered start with protocol {PROTOCOL_VERSION + 1} with {_said(answer)}; answer "
            f'"refused" to any but {PROTOCOL_VERSION}'
        )
    room.start_again()
    return ""


def long_line(room: Room) -> str:
    """Send a line as long as a line may be."""
    beside = len('{"seq":99,"command":"observe","milliseconds":0,"padding":""}\n')
    answer = room.ask("observe", milliseconds=0, extra={"padding": "x" * (LINE_LIMIT_BYTES - beside)})
    if answer.error is not None:
        return f"it answered a line of 4 MiB with {_said(answer)}; read lines of any length up to that"
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
            room.ask("guest", action="inflate", pages=_PAGES)
            room.ask("configuration-change", data=bytes([2, 0, 0, 0, 0, 0, 0, 0]))
        made = [(told["queue"], told["writable"]) for name, told in events if name == "available"]
        return f"buffers (queue, writable bytes) {sorted(made)}"
    configuration = room.ask("configuration-read", offset=0, length=8)
    if came and room.claims(Capability.OPERATOR_TARGET):
        room.ask("operator", action=OperatorAction.TARGET, value=0x13)
    if came:
        _lend_statistics(room, "doctor")
    return f"the configuration {bytes(configuration.fields.get('data', b'')).hex()}"


def _lend_statistics(room: Room, name: str) -> Answer:
    return room.ask(
        "available", queue=Queue.STATISTICS.index, buffer=name, readable=_STATISTICS, writable=0, notify=True
    )


def reset_forgets(room: Room) -> str:
    """Reset it with a buffer in flight, and see that the buffer is forgotten."""
    return _device_forgets(room) if room.side is Side.DEVICE else _driver_forgets(room)


def _device_forgets(room: Room) -> str:
    if not room.negotiate()[0]:
        return ""
    if _lend_statistics(room, "before").error is not None:
        return ""
    room.started = room.program.ask("reset")
    _, events = room.negotiate()
    events += room.events(_lend_statistics(room, "after"))
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


def unclaimed(room: Room) -> str:
    """Ask for everything it does not claim: each has to be refused, and none imitated."""
    for command, capability, fields in _gated(room.side):
        if capability in room.introduction.capabilities:
            continue
        room.start_again()
        room.negotiate()
        answer = room.ask(command, **fields)
        if answer.error is None:
            return (
                f"it does not claim {capability}, and carried {_named(command, fields)} out all the same; "
                'claim it, or answer "not-implemented"'
            )
        if answer.error not in {ErrorKind.NOT_IMPLEMENTED, ErrorKind.UNKNOWN_COMMAND}:
            return Advice(
                f"it does not claim {capability}, and answered {_named(command, fields)} with "
                f'{_said(answer)}; answer "not-implemented"'
            )
    return ""


def claimed(room: Room) -> str:
    """Ask for everything it claims: none may be unknown to it."""
    for command, capability, fields in _gated(room.side):
        if capability not in room.introduction.capabilities:
            continue
        room.start_again()
        came, events = room.negotiate()
        if not came:
            return ""
        asked = dict(fields)
        if command == "reread":
            lent = _lent(room, events)
            if lent is None:
                continue
            asked = lent
        answer = room.ask(command, **asked)
        # Refused is an honest answer to what makes no sense now: no statistics buffer to return, say.
        if answer.error in {ErrorKind.NOT_IMPLEMENTED, ErrorKind.UNKNOWN_COMMAND}:
            return (
                f"it claims {capability}, and answered {_named(command, fields)} with {_said(answer)}; "
                "carry it out, or do not claim it"
            )
    return ""


def rereads(room: Room) -> str | None:
    """Have buffers read again: of those in flight each, twice; of those returned in one answer, all."""
    if not room.claims(REREAD):
        return None
    return _device_rereads(room) if room.side is Side.DEVICE else _driver_rereads(room)


def _driver_rereads(room: Room) -> str:
    _, events = room.negotiate()
    made = [told for name, told in events if name == "available"]
    for told in (*made, *made):
        if words := _read_again(room, told["queue"], told["buffer"], told["readable"], "in flight"):
            return words
    return ""


def _device_rereads(room: Room) -> str:
    """Give it two buffers before DRIVER_OK: most devices return both in the answer to that."""
    offered = room.started.fields["offered"]
    if not room.program.ask("negotiate", accepted=FEATURES & offered).fields["features_ok"]:
        return ""
    given: dict[tuple[int, str], bytes] = {}
    for queue, name, readable in (
        (Queue.STATISTICS.index, "doctor-s", _STATISTICS),
        *((Queue.INFLATE.index, f"doctor-{page[:2]}", bytes.fromhex(page)) for page in _ARRAYS),
    ):
        given[queue, name] = readable
        answer = room.ask("available", queue=queue, buffer=name, readable=readable, writable=0)
        if words := _returned_again(room, answer, given):
            return words
    answer = room.program.ask("driver-ok")
    while True:
        if words := _returned_again(room, answer, given):
            return words
        if room.claims(SYNCHRONOUS) or not (answer := room.observe(SETTLE_SECONDS)).events:
            break
    for _ in range(2):
        for (queue, name), readable in given.items():
            if words := _read_again(room, queue, name, readable, "in flight"):
                return words
    return ""


def _returned_again(room: Room, answer: Answer, given: dict[tuple[int, str], bytes]) -> str:
    """Read what an answer returned again, one after another; ``given`` keeps what is still in flight."""
    keys = [(told["queue"], told["buffer"]) for name, told in answer.events if name == "used"]
    words = ""
    for number, key in enumerate(keys, 1):
        if (readable := given.pop(key, None)) is not None and not words:
            words = _read_again(room, *key, readable, f"returned, {number} of {len(keys)} in one answer")
    return words


def _read_again(room: Room, queue: int, buffer: str, readable: bytes, state: str) -> str:
    answer = room.ask("reread", queue=queue, buffer=buffer)
    if answer.error is not None:
        return (
            f"it claims {REREAD}, and answered reread of a buffer {state} with {_said(answer)}; keep buffers "
            "that were returned until the next command that is no reread"
        )
    if (now := answer.fields["readable"]) != readable:
        return (
            f"it claims {REREAD}, and a buffer {state} that held {readable.hex()} reads {now.hex()}, which "
            "nobody changed; read the buffer that is asked for"
        )
    return ""


def _lent(room: Room, events: list[tuple[str, Any]]) -> dict[str, Any] | None:
    """Return a buffer in flight."""
    if room.side is Side.DEVICE:
        _lend_statistics(room, "doctor")
        return {"queue": Queue.STATISTICS.index, "buffer": "doctor"}
    made = (told for name, told in events if name == "available")
    return next(({"queue": told["queue"], "buffer": told["buffer"]} for told in made), None)


def _gated(side: Side) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (command, capability, fields) of everything that needs a capability."""
    fields: dict[str, dict[str, Any]] = {
        "guest": {"action": "inflate", "pages": _PAGES},
        "guest-command": {"words": ("compact",)},
        "discarded": {"pages": _PAGES},
        "host-statistics": {},
        "reread": {"queue": 0, "buffer": "doctor"},
        "memory-read": {"address": 0x1000, "length": 8},
        "memory-write": {"address": 0x1000, "data": bytes(8)},
    }
    found = [
        ("operator", str(capability), {"action": action, "value": value})
        for capability, (action, value) in _OPERATOR.items()
        if side is Side.DEVICE
    ]
    for form in COMMANDS.values():
        if side in form.sides and form.name in fields:
            found += [(form.name, str(name), fields[form.name]) for name in form.needs]
    return found


def discards_honestly(room: Room) -> str | None:
    """Ask about pages that nobody gave up."""
    if room.side is Side.DRIVER:
        return None
    if Capability.DISCARDS not in room.introduction.capabilities:
        return Advice(
            "it does not claim discards: whether pages are given back is not judged; if the memory can be "
            "looked at, claim it"
        )
    room.negotiate()
    answer = room.program.ask("discarded", pages=_PAGES)
    if changed := answer.fields["discarded"] | (answer.fields["overwritten"] or EMPTY):
        return f"it says that {changed} was discarded or overwritten, which nobody gave up; look at memory"
    return ""


def keeps_synchronous(room: Room) -> str:
    """Look for events that come late from a program that says none do, and for waits that are not needed."""
    room.negotiate()
    if room.side is Side.DEVICE:
        if room.claims(Capability.OPERATOR_TARGET):
            room.ask("operator", action=OperatorAction.TARGET, value=0x13)
        _lend_statistics(room, "doctor")
    else:
        room.ask("configuration-change", data=bytes([2, 0, 0, 0, 0, 0, 0, 0]))
    began = time.monotonic()
    late = room.observe(_QUIET_SECONDS).events
    waited = time.monotonic() - began
    if not room.claims(SYNCHRONOUS):
        if not late and waited < _QUIET_SECONDS / 2:
            return Advice("nothing happened between commands; if that is so by design, claim synchronous")
        return ""
    if late:
        return f"it claims synchronous, and told {late[0][0]} only later; tell all in the answer"
    return ""


def stop_in_the_middle(room: Room) -> str:
    """Stop it with a buffer in flight."""
    came, _ = room.negotiate()
    if came and room.side is Side.DEVICE:
        _lend_statistics(room, "doctor")
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


def _said(answer: Answer) -> str:
    return f"the error {answer.error}" if answer.error is not None else "no error"


def _named(command: str, fields: dict[str, Any]) -> str:
    return f"{command} {fields['action']}" if "action" in fields else command


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
