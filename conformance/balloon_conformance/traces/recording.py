"""Reads recordings: what a device saw of a driver, as JSON lines that name buffers by queue and head.

A recorder takes the place of a device (e.g. a vhost-user back-end). It writes one JSON object on each line,
with ``t``, the time in seconds, and ``event``:

========================  =============================================================================
``negotiated``            ``offered``, ``accepted``: feature words in hex
``memory``                ``regions``: pairs of guest-physical address and length in bytes, in hex
``available``             ``queue``, ``id`` (the descriptor head), ``readable`` (hex), ``writable`` (bytes),
                          and ``segments`` if the descriptors were seen: in hints and reports the address
                          is the message (:mod:`balloon_spec.segments` has their form)
``used``                  ``queue``, ``id``, ``written`` (hex), and ``readable_now`` (hex) if the readable
                          bytes changed since they were made available
``config_change``         ``config``: the whole configuration space, in hex
``config_read``           ``offset``, ``data`` (hex): what the driver was given
``config_write``          ``offset``, ``data`` (hex)
``note``                  ``text``
========================  =============================================================================

:func:`read` turns these into the events of :mod:`balloon_spec.events`, so that the same judge serves both
forms. A recording leaves three things out, which are read as follows:

- **DRIVER_OK and FEATURES_OK.** No DRIVER_OK is added, so nothing is decided by it. FEATURES_OK counts as
  set: a driver that was refused makes no buffers available.
- **Used lengths.** The used length is the length of ``written``.
- **Time to act.** If nothing but notes comes between two lines for ``quiet_seconds``, the driver had that
  long to do what it must, and did not do it. Before its first act after a negotiation it has ten times as
  long, because it may be busy setting up. Three silences decide nothing: one before another negotiation,
  because the driver may have been away; a silence of the device, which may hold a buffer on purpose; and the
  end of a recording, which may have been cut.

After a second negotiation the driver begins anew. Reading is as strict as for traces, and raises the same
:class:`~balloon_spec.trace.TraceError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from balloon_spec import events as ev
from balloon_spec import segments
from balloon_spec.field_values import read_seconds, shown
from balloon_spec.pages import PAGE_BYTES, PageSet
from balloon_spec.profiles import Profile
from balloon_spec.trace import Entry, Header, TraceError, objects

__all__ = ["QUIET_SECONDS", "is_recording", "read"]

QUIET_SECONDS = 1.0
"""How long a driver has to do what it must, in seconds, as in a run."""

_HEX_WORD = re.compile(r"0[xX][0-9a-fA-F]{1,16}")


def _wrong(expected: str, value: object) -> ValueError:
    return ValueError(f"expected {expected}, found {shown(value)}")


def _whole(value: object, bits: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0 or value >> bits:
        raise _wrong(f"a whole number of at least 0 and of {bits} bits", value)
    return value


def _word_of_a_ring(value: object) -> int:
    return _whole(value, 16)


def _length(value: object) -> int:
    return _whole(value, 32)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong("a text", value)
    return value


def _bytes(value: object) -> bytes:
    try:
        return bytes.fromhex(_text(value))
    except ValueError as error:
        raise _wrong("bytes as pairs of hex digits", value) from error


def _word(value: object) -> int:
    if not isinstance(value, str) or not _HEX_WORD.fullmatch(value):
        raise _wrong('a number of 64 bits as hex text, as in "0x1f"', value)
    return int(value, 16)


def _regions(value: object) -> PageSet:
    if not isinstance(value, list) or not value:
        raise _wrong("at least one pair of address and length", value)
    bounds = []
    for region in value:
        if not isinstance(region, list) or len(region) != 2:
            raise _wrong("pairs of address and length", region)
        address, length = map(_word, region)
        if address % PAGE_BYTES or length % PAGE_BYTES or not length:
            raise _wrong(f"whole pages of {PAGE_BYTES} bytes", region)
        bounds.append((address // PAGE_BYTES, length // PAGE_BYTES))
    return PageSet(bounds)


def _segments(value: object) -> tuple[ev.Segment, ...]:
    try:
        return segments.read(value)
    except TypeError as error:
        raise ValueError(str(error)) from error


_Read = Callable[[object], Any]

_FIELDS: Mapping[str, Mapping[str, _Read]] = MappingProxyType(
    {
        "negotiated": {"offered": _word, "accepted": _word},
        "memory": {"regions": _regions},
        "available": {
            "queue": _word_of_a_ring,
            "id": _word_of_a_ring,
            "readable": _bytes,
            "writable": _length,
            "segments": _segments,
        },
        "used": {"queue": _word_of_a_ring, "id": _word_of_a_ring, "written": _bytes, "readable_now": _bytes},
        "config_change": {"config": _bytes},
        "config_read": {"offset": _length, "data": _bytes},
        "config_write": {"offset": _length, "data": _bytes},
        "note": {"text": _text},
    }
)
"""The kinds of lines, the fields of each, and how each field is read."""

_OPTIONAL = frozenset({"readable_now", "segments"})
_SET_UP_TIMES = 10
_BY_DRIVER = frozenset({"available", "config_read", "config_write"})


def is_recording(line: Mapping[str, Any]) -> bool:
    """Tell whether an object, the first line of a file, begins a recording; otherwise a trace begins."""
    return "trace" not in line and line.get("event") in _FIELDS and "t" in line


def read(
    lines: Iterable[str], profile: Profile, name: str = "recording", *, quiet_seconds: float = QUIET_SECONDS
) -> Iterator[Header | Entry]:
    """Read a recording as :func:`balloon_spec.trace.read` does a trace: a header, then its events.

    ``profile`` says what bits 3 and up mean, because a recording does not. An added event has the number of
    the line that follows it. Raises :class:`TraceError` at a wrong line; what was yielded before it is valid.
    """
    yield Header(profile)
    latest: float | None = None
    acted: float | None = None
    negotiated = sets_up = False
    for number, place, line in objects(lines, name):
        kind, seconds, values = _line(line, place)
        if latest is not None and seconds < latest:
            raise TraceError(
                f"{place}: t: {seconds:g} comes after {latest:g}; keep the lines in the order they happened"
            )
        latest = seconds
        if kind == "note":
            continue
        patience = quiet_seconds * (_SET_UP_TIMES if sets_up else 1)
        if acted is not None and seconds - acted >= patience and kind != "negotiated":
            yield Entry(ev.Quiet(ev.Side.DRIVER, round(seconds - acted, 6)), number, seconds)
        acted = seconds
        sets_up = kind == "negotiated" or (sets_up and kind not in _BY_DRIVER)
        if kind == "negotiated":
            if negotiated:
                yield Entry(ev.Reset(), number, seconds)
            negotiated = True
        for event in _events(kind, values):
            yield Entry(event, number, seconds)
    if latest is None:
        raise TraceError(f"{name}:1: empty; a recording has an event a line")


def _line(line: dict[str, Any], place: str) -> tuple[str, float, dict[str, Any]]:
    """Return the kind of event, its time in seconds, and the values of its fields."""
    kind = line.get("event")
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None or not isinstance(kind, str):
        raise TraceError(
            f"{place}: event: a recording has no event {shown(kind)}; there are {', '.join(_FIELDS)}"
        )
    try:
        seconds = read_seconds(line.get("t"))
    except ValueError as error:
        raise TraceError(f"{place}: t: {error}") from error
    unknown = line.keys() - fields.keys() - {"t", "event"}
    if unknown:
        raise TraceError(
            f"{place}: {shown(min(unknown))[1:-1]}: {kind} has no such field; "
            f"it has t, event, {', '.join(fields)}"
        )
    values: dict[str, Any] = {}
    for name, read_field in fields.items():
        if name in line:
            try:
                values[name] = read_field(line[name])
            except ValueError as error:
                raise TraceError(f"{place}: {name}: {error}") from error
        elif name not in _OPTIONAL:
            raise TraceError(f"{place}: {name}: missing; {kind} must have it")
    return kind, seconds, values


def _events(kind: str, values: Mapping[str, Any]) -> Iterator[ev.Event]:
    match kind:
        case "negotiated":
            yield ev.Negotiated(values["offered"], values["accepted"])
        case "memory":
            yield ev.Memory(values["regions"])
        case "available":
            seen = values.get("segments", ())
            yield ev.Available(
                values["queue"], str(values["id"]), values["readable"], values["writable"], segments=seen
            )
        case "used":
            queue, buffer, written = values["queue"], str(values["id"]), values["written"]
            if "readable_now" in values:
                # The recorder is the device. It writes to no readable part, so the driver did.
                yield ev.BufferAltered(queue, buffer, values["readable_now"], ev.Side.DRIVER)
            yield ev.Used(queue, buffer, len(written), written)
        case "config_change":
            yield ev.ConfigurationChanged(values["config"])
        case "config_read":
            yield ev.ConfigurationRead(values["offset"], values["data"])
        case _:
            yield ev.ConfigurationWritten(values["offset"], values["data"])
