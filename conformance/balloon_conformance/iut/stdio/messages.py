"""Reads and writes lines according to the table of messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from balloon_conformance.iut.stdio.forms import (
    COMMANDS,
    ERROR_FIELDS,
    EVENTS,
    PROTOCOL_VERSION,
    ROLE,
    ErrorKind,
    Field,
    answer_fields,
    command_fields,
    event_fields,
    known_capabilities,
)
from balloon_conformance.iut.stdio.values import BadValueError
from balloon_spec.events import Side

__all__ = ["Answer", "BadMessageError", "read_answer", "read_command", "write_line"]


class BadMessageError(ValueError):
    """The line is not the expected message: one line that names the field."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A parsed answer: its fields, its events as (name, fields), and its error if it is one."""

    fields: Mapping[str, Any]
    events: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    error: ErrorKind | None = None
    text: str = ""


def read_answer(
    answer: Mapping[str, Any], command: str, side: Side | None, version: int = PROTOCOL_VERSION
) -> Answer:
    """Read the answer to ``command`` in a version of the protocol; ``seq`` was checked before.

    If ``side`` is None, for the first ``start``, the answer says which side it is. Raises
    :class:`BadMessageError`.
    """
    rest = dict(answer)
    rest.pop("seq", None)
    told = rest.pop("events", ())
    if side is None:
        side = Side(_read_one(ROLE, rest)) if "error" not in rest else Side.DEVICE
    if type(told) not in {list, tuple}:
        raise BadMessageError(f"events: expected a list of events, found {_short(told)}")
    events = tuple(_read_event(event, side, at, version) for at, event in enumerate(told))
    if "error" in rest:
        fields = read_fields(rest, ERROR_FIELDS)
        return Answer({}, events, ErrorKind(fields["error"]), fields["text"])
    if command not in COMMANDS:
        raise BadMessageError("there is no such command; answer it with the error unknown-command")
    found = read_fields(rest, answer_fields(COMMANDS[command], side, version))
    if command == "start" and (foreign := found["capabilities"] - set(known_capabilities(side))):
        raise BadMessageError(f"capabilities: {min(foreign)} is not for a {side}")
    return Answer(found, events)


def _read_event(event: Any, side: Side, at: int, version: int) -> tuple[str, Mapping[str, Any]]:
    if type(event) is not dict:
        raise BadMessageError(f"events[{at}]: expected an object, found {_short(event)}")
    rest = dict(event)
    name = rest.pop("event", None)
    form = EVENTS.get((side, name)) if type(name) is str else None
    if form is None or version not in form.versions:
        known = ", ".join(
            name for (one, name), form in EVENTS.items() if one is side and version in form.versions
        )
        raise BadMessageError(f"events[{at}].event: a {side} has no event {_short(name)}; there are {known}")
    return form.name, read_fields(rest, event_fields(form, version), f"events[{at}].")


def read_fields(rest: Mapping[str, Any], fields: Iterable[Field], place: str = "") -> dict[str, Any]:
    """Read every field of a message and refuse all others; :class:`BadMessageError` names the field."""
    found: dict[str, Any] = {}
    seen = 0
    for one in fields:
        if one.name in rest:
            seen += 1
            try:
                found[one.name] = one.kind.read(rest[one.name])
            except BadValueError as fault:
                raise BadMessageError(f"{place}{one.name}: {fault}") from None
        elif one.required:
            raise BadMessageError(f"{place}{one.name}: this field is missing; it is {one.about}")
        else:
            found[one.name] = one.default
    if seen != len(rest):
        unknown = min(rest.keys() - found.keys())
        known = ", ".join(found) or "no fields of its own"
        raise BadMessageError(f"{place}{unknown}: unknown field; this message has {known}")
    return found


def _read_one(one: Field, rest: Mapping[str, Any]) -> Any:
    return read_fields({one.name: rest[one.name]} if one.name in rest else {}, (one,))[one.name]


def read_command(line: Mapping[str, Any], side: Side) -> tuple[str, dict[str, Any]]:
    """Read a command as a program of ``side`` does: its name and its fields; :class:`BadMessageError`.

    An unknown field is skipped, as the protocol demands of programs.
    """
    name = line.get("command")
    form = COMMANDS.get(name) if type(name) is str else None
    if form is None or side not in form.sides:
        raise BadMessageError(f"command: a {side} has no command {_short(name)}")
    fields = command_fields(form, side)
    return form.name, read_fields({one.name: line[one.name] for one in fields if one.name in line}, fields)


def write_line(message: Mapping[str, Any]) -> bytes:
    """Return the line for a message whose values are plain data."""
    return _encode(message).encode() + b"\n"


_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, check_circular=False).encode


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}..."
