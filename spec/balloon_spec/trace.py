"""Traces: the events of one or more exchanges as JSON lines.

The first line is the header, ``{"trace": "virtio-balloon", "version": 1, "profile": "chunk-transfer"}``, with
``"bits"`` for the numbers of features that were moved, and ``"numbering"`` if virtqueues are not numbered
``fixed`` (:class:`~balloon_spec.queues.Numbering`).
Each further line is one event: ``{"event": NAME, ...}`` with the fields of its class in
:mod:`balloon_spec.events`, bytes in hex, feature sets as hex strings, pages as runs, and optionally
``t``, the time in seconds on any one clock. A field that has its default value may be left out. Segments
have a form of their own (:mod:`balloon_spec.segments`).

Reading is strict: an unknown event, an unknown field, a missing one, one that stands twice, one of the wrong
type or a number that its field cannot hold is a :class:`TraceError` that names the line.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from balloon_spec import segments, strict_json
from balloon_spec.events import (
    EVENTS,
    Available,
    Event,
    Negotiated,
    Operator,
    OperatorAction,
    Overwritten,
    Quiet,
    Reset,
    event_name,
)
from balloon_spec.field_values import fields_of, plain, read_seconds, reader, shown
from balloon_spec.profiles import Profile, profile
from balloon_spec.queues import Numbering

__all__ = [
    "VERSION",
    "Entry",
    "Header",
    "TraceError",
    "event_fields",
    "from_the_start",
    "objects",
    "read",
    "read_event",
    "write",
]

VERSION = 1
_KIND = "virtio-balloon"


class TraceError(ValueError):
    """A trace that cannot be read: one line that names the file, the line and the field."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the first line states: the profile, with its bit and queue numbers, and free notes."""

    profile: Profile
    notes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Entry:
    """One event with its line number in the trace and its time in seconds, if it has one."""

    event: Event
    line: int = 0
    at_seconds: float | None = None


def write(header: Header, entries: Iterable[Entry | Event]) -> Iterator[str]:
    """Yield the lines of a trace, without line ends."""
    moved = header.profile.moved_bits
    first: dict[str, Any] = {"trace": _KIND, "version": VERSION, "profile": header.profile.name}
    if moved:
        first["bits"] = dict(moved)
    if header.profile.numbering is not Numbering.FIXED:
        first["numbering"] = header.profile.numbering.value
    if header.notes:
        first["notes"] = dict(header.notes)
    yield json.dumps(first)
    for entry in entries:
        event, seconds = (entry.event, entry.at_seconds) if isinstance(entry, Entry) else (entry, None)
        line = event_fields(event)
        if seconds is not None:
            line["t"] = round(seconds, 6)
        yield json.dumps(line)


def event_fields(event: Event) -> dict[str, Any]:
    """Return an event as the JSON object of its line; fields with their default value are left out."""
    line: dict[str, Any] = {"event": event_name(type(event))}
    for one in dataclasses.fields(event):
        value = getattr(event, one.name)
        default = one.default_factory() if one.default_factory is not dataclasses.MISSING else one.default
        if default is dataclasses.MISSING or value != default:
            line |= segments.plain(value) if one.name == "segments" else {one.name: plain(one.name, value)}
    return line


def read(lines: Iterable[str], name: str = "trace") -> Iterator[Header | Entry]:
    """Read a trace: its header first, then its entries as they come.

    Raises :class:`TraceError` at the line that is wrong; what was yielded before it stands. A last line
    without a line end that is not whole JSON is reported as cut off.
    """
    header: Header | None = None
    for number, place, line in objects(lines, name):
        if header is None:
            header = _header(line, place)
            yield header
        else:
            yield _entry(line, number, place)
    if header is None:
        raise TraceError(
            f'{name}:1: empty; a trace begins with {{"trace": "{_KIND}", "version": {VERSION}, ...}}'
        )


def objects(lines: Iterable[str], name: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield the JSON object of each line that is not blank, with its number and its place ``name:number``.

    Raises :class:`TraceError` as :func:`read` does.
    """
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        place = f"{name}:{number}"
        try:
            line = strict_json.loads(text)
        except strict_json.RepeatedKey as error:
            raise TraceError(f"{place}: {error}") from error
        except RecursionError as error:
            raise TraceError(f"{place}: nested too deep for an event; write one object a line") from error
        except ValueError as error:
            if not text.endswith("\n"):
                raise TraceError(
                    f"{place}: the trace is cut off in the middle of a line; remove the line or record again"
                ) from error
            raise TraceError(f"{place}: not a JSON object: {error}; write one object a line") from error
        if not isinstance(line, dict):
            raise TraceError(f"{place}: expected a JSON object, found {type(line).__name__}")
        yield number, place, line


def from_the_start(items: Iterable[Header | Entry], name: str = "trace") -> Iterator[Header | Entry]:
    """Pass on what :func:`read` yields, of an exchange that was recorded from its start.

    Where a queue is used before any negotiation or reset was seen, nobody can tell whether a driver did that
    or a recorder came late. Neither side is to be blamed for it: a :class:`TraceError` says what is missing.
    """
    begun = False
    for item in items:
        if isinstance(item, Entry):
            begun = begun or isinstance(item.event, Negotiated | Reset)
            if not begun and item.event.presupposes_a_start:
                raise TraceError(
                    f"{name}:{item.line}: event: this comes before any negotiated line, so that nobody knows "
                    "which queues there are; record from before the negotiation, or leave out what comes "
                    "before the first negotiated line"
                )
        yield item


def _header(line: dict[str, Any], place: str) -> Header:
    if line.get("trace") != _KIND:
        raise TraceError(
            f"{place}: trace: not the header of a trace; the first line states trace, version and profile"
        )
    if line.get("version") != VERSION:
        raise TraceError(
            f"{place}: version: this program reads version {VERSION}, "
            f"the trace is {shown(line.get('version'))}"
        )
    unknown = line.keys() - {"trace", "version", "profile", "bits", "numbering", "notes"}
    if unknown:
        raise TraceError(
            f"{place}: {_key(min(unknown))}: unknown field of a trace header; remove it or use notes"
        )
    bits = line.get("bits", {})
    notes = line.get("notes", {})
    if not isinstance(bits, dict) or not all(type(bit) is int for bit in bits.values()):
        raise TraceError(f"{place}: bits: expected a feature name and a bit number each")
    if not isinstance(notes, dict):
        raise TraceError(f"{place}: notes: expected an object of texts")
    try:
        chosen = profile(str(line.get("profile")), bits)
    except ValueError as error:
        raise TraceError(f"{place}: profile: {error}") from error
    try:
        numbering = Numbering(line.get("numbering", Numbering.FIXED))
    except ValueError:
        raise TraceError(
            f"{place}: numbering: expected {' or '.join(Numbering)}, found {shown(line['numbering'])}"
        ) from None
    texts = {str(key): str(value) for key, value in notes.items()}
    return Header(chosen.with_numbering(numbering), MappingProxyType(texts))


def _entry(line: dict[str, Any], number: int, place: str) -> Entry:
    seconds = line.pop("t", None)
    if seconds is not None:
        try:
            seconds = read_seconds(seconds)
        except ValueError as error:
            raise TraceError(f"{place}: t: {error}") from error
    return Entry(read_event(line, place), number, seconds)


def read_event(line: Mapping[str, Any], place: str) -> Event:
    """Turn the JSON object of a line into its event; :class:`TraceError` names ``place`` and the field."""
    kind = EVENTS.get(str(line.get("event")))
    if kind is None:
        raise TraceError(
            f"{place}: event: no event {shown(line.get('event'))}; there are {', '.join(EVENTS)}"
        )
    of_the_kind: Any = kind
    known = fields_of(of_the_kind)
    unknown = line.keys() - known.keys() - {"event"}
    if kind is Available:
        unknown -= _EARLIER.keys()
    if unknown:
        raise TraceError(
            f"{place}: {_key(min(unknown))}: {line['event']} has no such field; "
            f"it has {', '.join(known) or 'none'}"
        )
    values: dict[str, Any] = {}
    for name, (read_value, is_required) in known.items():
        if name in line:
            try:
                values[name] = read_value(line[name])
            except (ValueError, TypeError) as error:
                raise TraceError(f"{place}: {name}: {error}") from error
        elif is_required:
            raise TraceError(f"{place}: {name}: missing; {line['event']} must have it")
    event = kind(**values)
    if isinstance(event, Available) and line.keys() & _EARLIER:
        event = _with_earlier(event, line, place)
    if isinstance(event, Operator) and event.action is OperatorAction.TARGET and event.value >> 32:
        raise TraceError(f"{place}: value: a target is a whole number of 32 bits, found {shown(event.value)}")
    if isinstance(event, Overwritten) and (stray := event.stray_span):
        raise TraceError(
            f"{place}: spans: {stray[1]} bytes at {stray[0]:#x} do not lie in pages; "
            "give the bytes that changed, and in pages every page that has one"
        )
    if isinstance(event, Quiet) and event.seconds <= 0:
        raise TraceError(
            f"{place}: seconds: {shown(event.seconds)} is no time to act in; "
            f"say how long the {event.side} was given, which is more than 0"
        )
    return event


_EARLIER: Mapping[str, object] = MappingProxyType(
    {"cut": tuple[int, ...], "extents": tuple[tuple[int, int], ...]}
)
"""The fields in which segments stood before; ``cut`` is still written if their lengths say everything."""


def _with_earlier(event: Available, line: Mapping[str, Any], place: str) -> Available:
    """Return a buffer with the segments that ``cut`` and ``extents`` of its line state."""
    if "segments" in line:
        raise TraceError(
            f"{place}: segments: stands beside {min(line.keys() & _EARLIER)}; say it in segments alone"
        )
    found: dict[str, Any] = {}
    for name in _EARLIER.keys() & line.keys():
        try:
            found[name] = reader(name, _EARLIER[name])(line[name])
        except (ValueError, TypeError) as error:
            raise TraceError(f"{place}: {name}: {error}") from error
    try:
        stated = segments.from_parts(found.get("cut", ()), found.get("extents", ()), len(event.readable))
    except ValueError as error:
        raise TraceError(f"{place}: extents: {error}") from error
    return dataclasses.replace(event, segments=stated)


def _key(name: str) -> str:
    return shown(name)[1:-1]
