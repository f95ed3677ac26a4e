"""Traces: the events of one or more exchanges as JSON lines.

The first line is the header, ``{"trace": "virtio-balloon", "version": 1, "profile": "chunk-transfer"}``, with
``"bits"`` for the numbers of features that were moved.
Each further line is one event: ``{"event": NAME, ...}`` with the fields of its class in
:mod:`balloon_spec.events`, bytes in hex, feature sets as hex strings, pages as runs, and optionally
``t``, the time in seconds on any one clock. A field that has its default value may be left out.

Reading is strict: an unknown event, an unknown field, a missing one or one of the wrong type is a
:class:`TraceError` that names the line.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, get_type_hints

from balloon_spec.events import EVENTS, Event
from balloon_spec.features import BASE_FEATURES, CHUNK_FEATURES, PROFILES, Profile, profile
from balloon_spec.pages import PageSet

__all__ = [
    "VERSION",
    "Entry",
    "Header",
    "TraceError",
    "event_fields",
    "objects",
    "read",
    "read_event",
    "write",
]

VERSION = 1
_KIND = "virtio-balloon"
_NAMES = {event: name for name, event in EVENTS.items()}
_FEATURE_FIELDS = frozenset({"offered", "accepted"})


class TraceError(ValueError):
    """A trace that cannot be read: one line that names the file, the line and the field."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the first line states: the profile, with its bit numbers, and free notes about the recording."""

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
    base = PROFILES.get(header.profile.name)
    features = CHUNK_FEATURES + BASE_FEATURES
    own = {f.name: header.profile.by_name[f.name].bit for f in features if f.name in header.profile.by_name}
    moved = {name: bit for name, bit in own.items() if base is None or base.by_name[name].bit != bit}
    first: dict[str, Any] = {"trace": _KIND, "version": VERSION, "profile": header.profile.name}
    if moved:
        first["bits"] = moved
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
    line: dict[str, Any] = {"event": _NAMES[type(event)]}
    for one in dataclasses.fields(event):
        value = getattr(event, one.name)
        default = one.default_factory() if one.default_factory is not dataclasses.MISSING else one.default
        if default is dataclasses.MISSING or value != default:
            line[one.name] = _plain(one.name, value)
    return line


def _plain(name: str, value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, PageSet):
        return value.texts()
    if name in _FEATURE_FIELDS and isinstance(value, int):
        return hex(value)
    if isinstance(value, tuple):
        return [list(part) if isinstance(part, tuple) else part for part in value]
    return value.value if isinstance(value, StrEnum) else value


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
            line = json.loads(text)
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


def _header(line: dict[str, Any], place: str) -> Header:
    if line.get("trace") != _KIND:
        raise TraceError(
            f"{place}: trace: not the header of a trace; the first line states trace, version and profile"
        )
    if line.get("version") != VERSION:
        raise TraceError(
            f"{place}: version: this program reads version {VERSION}, the trace is {line.get('version')!r}"
        )
    unknown = line.keys() - {"trace", "version", "profile", "bits", "notes"}
    if unknown:
        raise TraceError(f"{place}: {min(unknown)}: unknown field of a trace header; remove it or use notes")
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
    return Header(chosen, MappingProxyType({str(key): str(value) for key, value in notes.items()}))


def _entry(line: dict[str, Any], number: int, place: str) -> Entry:
    seconds = line.pop("t", None)
    if seconds is not None and (
        isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds)
    ):
        raise TraceError(f"{place}: t: expected a time in seconds, found {seconds!r}")
    return Entry(read_event(line, place), number, seconds)


def read_event(line: Mapping[str, Any], place: str) -> Event:
    """Turn the JSON object of a line into its event; :class:`TraceError` names ``place`` and the field."""
    kind = EVENTS.get(str(line.get("event")))
    if kind is None:
        raise TraceError(f"{place}: event: no event {line.get('event')!r}; there are {', '.join(EVENTS)}")
    hints = get_type_hints(kind)
    known = {one.name: one for one in dataclasses.fields(kind)}
    unknown = line.keys() - known.keys() - {"event"}
    if unknown:
        raise TraceError(
            f"{place}: {min(unknown)}: {line['event']} has no such field; it has {', '.join(known) or 'none'}"
        )
    values: dict[str, Any] = {}
    for name, one in known.items():
        if name in line:
            try:
                values[name] = _value(name, hints[name], line[name])
            except (ValueError, TypeError) as error:
                raise TraceError(f"{place}: {name}: {error}") from error
        elif one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING:
            raise TraceError(f"{place}: {name}: missing; {line['event']} must have it")
    return kind(**values)


def _value(name: str, hint: object, value: Any) -> object:
    """Turn one JSON value into what its field holds; :class:`ValueError` or TypeError say what is wrong."""
    if hint is bytes:
        return bytes.fromhex(_of(str, value, "bytes as a string of hex pairs"))
    if hint is PageSet:
        return PageSet.parse(
            *(_of(str, run, "runs as strings") for run in _of(list, value, "a list of runs"))
        )
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        try:
            return hint(value)
        except ValueError:
            raise ValueError(f"expected {' or '.join(hint)}, found {value!r}") from None
    if name in _FEATURE_FIELDS:
        return int(_of(str, value, "a feature set as a hex string"), 16)
    if hint in {bool, bool | None}:
        return _of(bool, value, "true or false")
    if hint is float:
        return float(_of((int, float), value, "a number"))
    if hint in {int, int | None}:
        number = _of(int, value, "a whole number")
        if isinstance(number, bool) or number < 0:
            raise ValueError(f"expected a whole number from 0, found {value!r}")
        return number
    if hint is str:
        return _of(str, value, "a string")
    if hint == tuple[int, ...]:
        if not isinstance(value, list) or not all(type(part) is int for part in value):
            raise ValueError("expected a list of numbers")
        return tuple(value)
    pairs = _of(list, value, "a list of pairs of numbers")
    if not all(
        isinstance(pair, list) and len(pair) == 2 and all(type(n) is int for n in pair) for pair in pairs
    ):
        raise ValueError("expected a list of pairs of numbers")
    return tuple((first, second) for first, second in pairs)


def _of(kind: type | tuple[type, ...], value: Any, words: str) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"expected {words}, found {value!r}")
    return value
