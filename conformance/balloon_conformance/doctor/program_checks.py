"""The doctor's checks of a program over standard streams, one function each.

A check returns what is to mend, an empty string if all is well, or None if there is nothing to check. It
returns :class:`Advice` if verdicts can be trusted all the same. A program that breaks the protocol itself
makes the check raise, and the caller reports that.
"""

from __future__ import annotations

import statistics
from typing import Any, Final

from balloon_conformance.doctor.check import PAGES, Advice, Check, error_of, lend_statistics
from balloon_conformance.doctor.claim_checks import (
    claimed,
    discards_honestly,
    keeps_synchronous,
    rereads,
    unclaimed,
)
from balloon_conformance.doctor.examined_program import ProgramSession
from balloon_conformance.iut.contract import Capability
from balloon_conformance.iut.stdio.forms import (
    LINE_LIMIT_BYTES,
    PROTOCOL_VERSION,
    ErrorKind,
)
from balloon_spec.events import OperatorAction, Side

__all__ = ["PROGRAM_CHECKS", "NamedCheck"]

_QUIET_SECONDS: Final = 0.2
_SLOW_SECONDS: Final = 0.05
_LONGEST_SECONDS: Final = 1.0
_QUESTIONS: Final = 20


def negotiates(session: ProgramSession) -> str:
    """Negotiate. Nearly every other check needs that."""
    session.negotiate()
    return ""


def unknown_command(session: ProgramSession) -> str:
    """Send a command that does not exist, and go on."""
    answer = session.ask("make-coffee")
    if answer.error is not ErrorKind.UNKNOWN_COMMAND:
        return f'it answered the command make-coffee with {error_of(answer)}; answer "unknown-command"'
    session.observe()
    return ""


def other_side(session: ProgramSession) -> str:
    """Send a command of the other side."""
    name = "used" if session.side is Side.DEVICE else "driver-ok"
    answer = session.ask(name, extra={"queue": 0, "buffer": "b", "length": 0, "written": ""})
    if answer.error is not ErrorKind.UNKNOWN_COMMAND:
        return (
            f'it is a {session.side}, and answered {name} with {error_of(answer)}; answer "unknown-command"'
        )
    return ""


def unknown_field(session: ProgramSession) -> str:
    """Send a field that no version of the protocol has."""
    answer = session.ask("observe", milliseconds=0, extra={"sugar": [1, {"spoons": 2}]})
    if answer.error is not None:
        return f"it answered a command with the field sugar with {error_of(answer)}; pass over unknown fields"
    return ""


def unknown_capability(session: ProgramSession) -> str:
    """Name in ``may_ask`` a capability that only a later suite may ask for."""
    session.program.start(session.setup, more=("levitation",))
    return ""


def other_version(session: ProgramSession) -> str:
    """Start the program with a version of the protocol that does not exist, and then with the right one."""
    fields: dict[str, Any] = {
        "suite": "doctor",
        "profile": "base",
        "bits": {},
        "memory_pages": 1,
        "may_ask": (),
    }
    answer = session.ask("start", protocol=PROTOCOL_VERSION + 1, **fields)
    if answer.error is not ErrorKind.REFUSED:
        return (
            f"it answered start with protocol {PROTOCOL_VERSION + 1} with {error_of(answer)}; answer "
            '"refused" to a version that it does not speak'
        )
    session.start_again()
    return ""


def long_line(session: ProgramSession) -> str:
    """Send a line of the greatest length."""
    beside = len('{"seq":99,"command":"observe","milliseconds":0,"padding":""}\n')
    answer = session.ask("observe", milliseconds=0, extra={"padding": "x" * (LINE_LIMIT_BYTES - beside)})
    if answer.error is not None:
        return f"it answered a line of 4 MiB with {error_of(answer)}; read lines of any length up to that"
    return ""


def writes_only_answers(session: ProgramSession) -> str:
    """Wait for lines that nobody asked for."""
    session.negotiate()
    unasked = session.program.process.read_unasked(_QUIET_SECONDS)
    if unasked:
        shown = unasked[:60].decode("utf-8", "backslashreplace")
        return (
            f"it wrote {shown!r} although nothing was asked; write events into answers, and logs to standard "
            "error"
        )
    return ""


def second_start(session: ProgramSession) -> str:
    """Start the program again in the same process, with work going on, and compare what it shows."""
    offered = session.started.fields.get("offered")
    before = _first_behaviour(session)
    again = session.start_again()
    if again.fields.get("offered") != offered:
        return f"it offered {offered:#x}, and {again.fields['offered']:#x} after a second start; begin anew"
    after = _first_behaviour(session)
    if before != after:
        return f"after a second start it shows {after}, and after the first {before}; begin anew"
    return ""


def _first_behaviour(session: ProgramSession) -> str:
    """Negotiate, describe what the program shows then, and leave work going on."""
    negotiated, events = session.negotiate()
    if session.side is Side.DRIVER:
        if negotiated and session.claims(Capability.STEER_PAGES):
            session.ask("guest", action="inflate", pages=PAGES)
            session.ask("configuration-change", data=bytes([2, 0, 0, 0, 0, 0, 0, 0]))
        made = [(fields["queue"], fields["writable"]) for name, fields in events if name == "available"]
        return f"buffers (queue, writable bytes) {sorted(made)}"
    configuration = session.ask("configuration-read", offset=0, length=8)
    if negotiated and session.claims(Capability.OPERATOR_TARGET):
        session.ask("operator", action=OperatorAction.TARGET, value=0x13)
    if negotiated:
        lend_statistics(session, "doctor")
    return f"the configuration {bytes(configuration.fields.get('data', b'')).hex()}"


def reset_forgets(session: ProgramSession) -> str:
    """Reset the implementation with a buffer in flight, and check that the buffer is forgotten."""
    return _device_forgets(session) if session.side is Side.DEVICE else _driver_forgets(session)


def _device_forgets(session: ProgramSession) -> str:
    if not session.negotiate()[0]:
        return ""
    if lend_statistics(session, "before").error is not None:
        return ""
    session.started = session.program.ask("reset")
    _, events = session.negotiate()
    events += session.events(lend_statistics(session, "after"))
    if session.claims(Capability.OPERATOR_STATISTICS):
        events += session.events(session.ask("operator", action=OperatorAction.STATISTICS, value=0))
    if any(name == "used" and fields["buffer"] == "before" for name, fields in events):
        return "it returned a buffer of before a reset; a reset drops every buffer in flight"
    return ""


def _driver_forgets(session: ProgramSession) -> str:
    _, events = session.negotiate()
    before = {(fields["queue"], fields["buffer"]) for name, fields in events if name == "available"}
    session.program.ask("reset")
    _, events = session.negotiate()
    after = {(fields["queue"], fields["buffer"]) for name, fields in events if name == "available"}
    if before and not after:
        return "it made buffers available after start, and none after reset; begin anew with a reset"
    for queue, buffer in sorted(before - after):
        answer = session.ask("used", queue=queue, buffer=buffer, length=0, written=b"")
        # The driver may refuse the buffer, or ignore it.
        if any(name == "available" for name, _ in answer.events):
            return f"it took back {buffer}, a buffer of before a reset, and made another of it; forget it"
    return ""


def stop_in_the_middle(session: ProgramSession) -> str:
    """Stop the program with a buffer in flight."""
    negotiated, _ = session.negotiate()
    if negotiated and session.side is Side.DEVICE:
        lend_statistics(session, "doctor")
    if not session.program.stop():
        return (
            "it did not answer stop and end within a second, with all it started; end the implementation, "
            "answer, and end"
        )
    return ""


def end_of_input(session: ProgramSession) -> str:
    """Close the program's standard input without ``stop``, as if the suite had been killed."""
    if not session.program.process.end(_LONGEST_SECONDS):
        return "it did not end with all its children when its standard input did; end with it"
    return ""


def answers_quickly(session: ProgramSession) -> str:
    """Send many commands, and measure how long the answers take."""
    for _ in range(_QUESTIONS):
        session.ask("observe", milliseconds=0)
    seconds = session.seconds
    if max(seconds) > _LONGEST_SECONDS:
        return Advice(
            f"one answer took {max(seconds):.1f} s, of at most {session.program.options.answer_seconds:g} s; "
            "be quicker, or give --stdio-answer-seconds"
        )
    if statistics.median(seconds) > _SLOW_SECONDS:
        return Advice(
            f"an answer takes {statistics.median(seconds) * 1000:.0f} ms in the median, and a run has tens "
            "of thousands; flush after every line, and do not poll"
        )
    return ""


NamedCheck = tuple[str, str, Check]
"""The subject of a check, the section of the page that explains it, and the check."""

PROGRAM_CHECKS: Final[tuple[NamedCheck, ...]] = (
    ("a negotiation", "negotiate", negotiates),
    ("an unknown command", "errors", unknown_command),
    ("a command of the other side", "errors", other_side),
    ("an unknown field", "lines", unknown_field),
    ("an unknown capability", "start", unknown_capability),
    ("another version of the protocol", "start", other_version),
    ("a very long line", "lines", long_line),
    ("nothing but answers on standard output", "lines", writes_only_answers),
    ("a second start", "start", second_start),
    ("a reset forgets", "reset", reset_forgets),
    ("what it does not claim it refuses", "capabilities", unclaimed),
    ("what it claims it does", "capabilities", claimed),
    ("buffers read again", "reread", rereads),
    ("pages nobody gave up", "discarded", discards_honestly),
    ("events come in time", "capabilities", keeps_synchronous),
    ("a stop in the middle", "stop", stop_in_the_middle),
    ("the end of its input", "lines", end_of_input),
    ("how fast it answers", "errors", answers_quickly),
)
"""All checks of a program. The last one also uses the times that all before it measured."""
