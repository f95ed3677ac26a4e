"""The doctor's checks of what a program claims: it does everything that it claims, and nothing else."""

from __future__ import annotations

import time
from typing import Any, Final

from balloon_conformance.doctor.check import PAGES, STATISTICS, Advice, error_of, lend_statistics
from balloon_conformance.doctor.examined_program import SETTLE_SECONDS, ProgramSession
from balloon_conformance.iut.contract import Capability, operator_capability
from balloon_conformance.iut.stdio.forms import COMMANDS, REREAD, SYNCHRONOUS, ErrorKind
from balloon_conformance.iut.stdio.messages import Answer
from balloon_spec.events import OperatorAction, Side
from balloon_spec.pages import EMPTY

__all__ = ["claimed", "discards_honestly", "keeps_synchronous", "rereads", "unclaimed"]

_QUIET_SECONDS: Final = 0.2
_ARRAYS: Final = ("0510000006100000", "0710000008100000")
"""Arrays of two page frame numbers each, in hexadecimal."""

_WRITTEN: Final = bytes.fromhex("01020304")

_VALUES: Final = {OperatorAction.TARGET: 0x13, OperatorAction.STATISTICS: 0}
_OPERATOR: Final = {
    operator_capability(action): (action, _VALUES.get(action, 0x31)) for action in OperatorAction
}


def unclaimed(session: ProgramSession) -> str:
    """Ask for everything that the program does not claim. It has to refuse each, and imitate none."""
    for command, capability, fields in _gated_commands(session.side):
        if capability in session.introduction.capabilities:
            continue
        session.start_again()
        session.negotiate()
        answer = session.ask(command, **fields)
        if answer.error is None:
            return (
                f"it does not claim {capability}, and carried {_named(command, fields)} out all the same; "
                'claim it, or answer "not-implemented"'
            )
        if answer.error not in {ErrorKind.NOT_IMPLEMENTED, ErrorKind.UNKNOWN_COMMAND}:
            return Advice(
                f"it does not claim {capability}, and answered {_named(command, fields)} with "
                f'{error_of(answer)}; answer "not-implemented"'
            )
    return ""


def claimed(session: ProgramSession) -> str:
    """Ask for everything that the program claims. It has to know each of them."""
    for command, capability, fields in _gated_commands(session.side):
        if capability not in session.introduction.capabilities:
            continue
        session.start_again()
        negotiated, events = session.negotiate()
        if not negotiated:
            return ""
        asked = dict(fields)
        if command == "reread":
            lent = _buffer_in_flight(session, events)
            if lent is None:
                continue
            asked = lent
        answer = session.ask(command, **asked)
        # A refusal is an honest answer if the request makes no sense now, e.g. if no statistics buffer is in
        # flight.
        if answer.error in {ErrorKind.NOT_IMPLEMENTED, ErrorKind.UNKNOWN_COMMAND}:
            return (
                f"it claims {capability}, and answered {_named(command, fields)} with {error_of(answer)}; "
                "carry it out, or do not claim it"
            )
    return ""


def rereads(session: ProgramSession) -> str | None:
    """Have buffers read again: each one in flight twice, and every one that was returned in one answer."""
    if not session.claims(REREAD):
        return None
    return _device_rereads(session) if session.side is Side.DEVICE else _driver_rereads(session)


def _driver_rereads(session: ProgramSession) -> str:
    _, events = session.negotiate()
    made = [fields for name, fields in events if name == "available"]
    for fields in (*made, *made):
        if text := _read_again(session, fields["queue"], fields["buffer"], fields["readable"], "in flight"):
            return text
    return ""


def _device_rereads(session: ProgramSession) -> str:
    """Make two buffers available before DRIVER_OK: most devices return both in their answer to it."""
    offered = session.started.fields["offered"]
    if not session.program.ask("negotiate", accepted=session.features & offered).fields["features_ok"]:
        return ""
    given: dict[tuple[int, str], bytes] = {}
    for queue, name, readable in (
        (session.statistics_index, "doctor-s", STATISTICS),
        *((session.inflate_index, f"doctor-{page[:2]}", bytes.fromhex(page)) for page in _ARRAYS),
    ):
        given[queue, name] = readable
        answer = session.ask("available", queue=queue, buffer=name, readable=readable, writable=0)
        if text := _returned_again(session, answer, given):
            return text
    answer = session.program.ask("driver-ok")
    while True:
        if text := _returned_again(session, answer, given):
            return text
        if session.claims(SYNCHRONOUS) or not (answer := session.observe(SETTLE_SECONDS)).events:
            break
    for _ in range(2):
        for (queue, name), readable in given.items():
            if text := _read_again(session, queue, name, readable, "in flight"):
                return text
    return ""


def _returned_again(session: ProgramSession, answer: Answer, given: dict[tuple[int, str], bytes]) -> str:
    """Read each returned buffer of an answer again, and remove it from ``given``, the buffers in flight."""
    keys = [(fields["queue"], fields["buffer"]) for name, fields in answer.events if name == "used"]
    text = ""
    for number, key in enumerate(keys, 1):
        if (readable := given.pop(key, None)) is not None and not text:
            text = _read_again(session, *key, readable, f"returned, {number} of {len(keys)} in one answer")
    return text


def _read_again(session: ProgramSession, queue: int, buffer: str, readable: bytes, state: str) -> str:
    answer = session.ask("reread", queue=queue, buffer=buffer)
    if answer.error is not None:
        return (
            f"it claims {REREAD}, and answered reread of a buffer {state} with {error_of(answer)}; keep "
            "buffers that were returned until the next command that is no reread"
        )
    if (now := answer.fields["readable"]) != readable:
        return (
            f"it claims {REREAD}, and a buffer {state} that held {readable.hex()} reads {now.hex()}, which "
            "nobody changed; read the buffer that is asked for"
        )
    return ""


def _buffer_in_flight(session: ProgramSession, events: list[tuple[str, Any]]) -> dict[str, Any] | None:
    """Return the queue and the name of a buffer in flight, or None if there is none."""
    if session.side is Side.DEVICE:
        lend_statistics(session, "doctor")
        return {"queue": session.statistics_index, "buffer": "doctor"}
    made = (fields for name, fields in events if name == "available")
    return next(({"queue": fields["queue"], "buffer": fields["buffer"]} for fields in made), None)


def _gated_commands(side: Side) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (command, capability, fields) for everything that needs a capability."""
    fields: dict[str, dict[str, Any]] = {
        "guest": {"action": "inflate", "pages": PAGES},
        "guest-command": {"words": ("compact",)},
        "discarded": {"pages": PAGES},
        "write-pages": {"pages": PAGES, "data": bytes(4)},
        "skipped": {"pages": PAGES},
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


def discards_honestly(session: ProgramSession) -> str | None:
    """Ask about pages that nobody gave up."""
    if session.side is Side.DRIVER:
        return None
    if Capability.DISCARDS not in session.introduction.capabilities:
        return Advice(
            "it does not claim discards: whether pages are given back is not judged; if the memory can be "
            "looked at, claim it"
        )
    session.negotiate()
    if session.claims(Capability.WRITE_PAGES):
        # What the guest wrote is no change that a device made.
        session.program.ask("write-pages", pages=PAGES, data=_WRITTEN)
    answer = session.program.ask("discarded", pages=PAGES)
    if changed := answer.fields["discarded"] | (answer.fields["overwritten"] or EMPTY):
        return f"it says that {changed} was discarded or overwritten, which nobody gave up; look at memory"
    return ""


def keeps_synchronous(session: ProgramSession) -> str:
    """Check for late events of a program that claims to have none, and for time that could be saved."""
    session.negotiate()
    if session.side is Side.DEVICE:
        if session.claims(Capability.OPERATOR_TARGET):
            session.ask("operator", action=OperatorAction.TARGET, value=0x13)
        lend_statistics(session, "doctor")
    else:
        session.ask("configuration-change", data=bytes([2, 0, 0, 0, 0, 0, 0, 0]))
    began = time.monotonic()
    late = session.observe(_QUIET_SECONDS).events
    waited = time.monotonic() - began
    if not session.claims(SYNCHRONOUS):
        if not late and waited < _QUIET_SECONDS / 2:
            return Advice("nothing happened between commands; if that is so by design, claim synchronous")
        return ""
    if late:
        return f"it claims synchronous, and told {late[0][0]} only later; tell all in the answer"
    return ""


def _named(command: str, fields: dict[str, Any]) -> str:
    return f"{command} {fields['action']}" if "action" in fields else command
