"""What the doctor looks at in what a program claims: it does that, and nothing that it does not claim."""

from __future__ import annotations

import time
from typing import Any, Final

from balloon_conformance.doctor.look import PAGES, STATISTICS, Advice, lend_statistics, said
from balloon_conformance.doctor.patient import (
    FEATURES,
    INFLATE_INDEX,
    SETTLE_SECONDS,
    STATISTICS_INDEX,
    Room,
)
from balloon_conformance.iut.contract import Capability
from balloon_conformance.iut.stdio.forms import COMMANDS, REREAD, SYNCHRONOUS, ErrorKind
from balloon_conformance.iut.stdio.messages import Answer
from balloon_spec.events import OperatorAction, Side
from balloon_spec.pages import EMPTY

__all__ = ["claimed", "discards_honestly", "keeps_synchronous", "rereads", "unclaimed"]

_QUIET_SECONDS: Final = 0.2
_ARRAYS: Final = ("0510000006100000", "0710000008100000")
"""Page frame numbers, two to an array."""

_OPERATOR: Final = {
    Capability.OPERATOR_TARGET: (OperatorAction.TARGET, 0x13),
    Capability.OPERATOR_UNUSED_PAGES: (OperatorAction.UNUSED_PAGES, 0x31),
    Capability.OPERATOR_STATISTICS: (OperatorAction.STATISTICS, 0),
}


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
                f'{said(answer)}; answer "not-implemented"'
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
                f"it claims {capability}, and answered {_named(command, fields)} with {said(answer)}; "
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
        (STATISTICS_INDEX, "doctor-s", STATISTICS),
        *((INFLATE_INDEX, f"doctor-{page[:2]}", bytes.fromhex(page)) for page in _ARRAYS),
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
            f"it claims {REREAD}, and answered reread of a buffer {state} with {said(answer)}; keep buffers "
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
        lend_statistics(room, "doctor")
        return {"queue": STATISTICS_INDEX, "buffer": "doctor"}
    made = (told for name, told in events if name == "available")
    return next(({"queue": told["queue"], "buffer": told["buffer"]} for told in made), None)


def _gated(side: Side) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (command, capability, fields) of everything that needs a capability."""
    fields: dict[str, dict[str, Any]] = {
        "guest": {"action": "inflate", "pages": PAGES},
        "guest-command": {"words": ("compact",)},
        "discarded": {"pages": PAGES},
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
    answer = room.program.ask("discarded", pages=PAGES)
    if changed := answer.fields["discarded"] | (answer.fields["overwritten"] or EMPTY):
        return f"it says that {changed} was discarded or overwritten, which nobody gave up; look at memory"
    return ""


def keeps_synchronous(room: Room) -> str:
    """Look for events that come late from a program that says none do, and for waits that are not needed."""
    room.negotiate()
    if room.side is Side.DEVICE:
        if room.claims(Capability.OPERATOR_TARGET):
            room.ask("operator", action=OperatorAction.TARGET, value=0x13)
        lend_statistics(room, "doctor")
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


def _named(command: str, fields: dict[str, Any]) -> str:
    return f"{command} {fields['action']}" if "action" in fields else command
