"""The observable interface: everything that can be seen between a driver and a device.

Adapters turn what an implementation does into these events, vectors are lists of them, the judge reads
nothing else, and a trace is the same list after it happened. :mod:`balloon_spec.trace` gives them a form
as JSON lines.

Conventions: ``queue`` is a virtqueue index. ``buffer`` names a buffer while it is in flight on its queue;
a name may be used again after the buffer was returned. Feature sets are integers with one bit a feature.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, TypeVar

from balloon_spec.pages import EMPTY, PAGE_SHIFT, PFN_LIMIT, PageSet
from balloon_spec.words import Word

__all__ = [
    "EVENTS",
    "Available",
    "BufferAltered",
    "ConfigurationChanged",
    "ConfigurationRead",
    "ConfigurationWritten",
    "Contents",
    "Discarded",
    "DriverOk",
    "Event",
    "Failed",
    "Failure",
    "Guest",
    "GuestAction",
    "Memory",
    "NeedsReset",
    "Negotiated",
    "Notified",
    "Operator",
    "OperatorAction",
    "Overwritten",
    "Quiet",
    "Reset",
    "RingBroken",
    "Segment",
    "Side",
    "Used",
    "added",
    "declared",
    "event_name",
]


class Side(StrEnum):
    """Who acts: the driver or the device."""

    DRIVER = "driver"
    DEVICE = "device"

    @property
    def other(self) -> Side:
        """The other end of the virtqueues."""
        return Side.DEVICE if self is Side.DRIVER else Side.DRIVER


class OperatorAction(Word):
    """What the operator of the host wants of the device; a family may declare further wishes."""

    __slots__ = ()

    TARGET: ClassVar[OperatorAction]
    """``value``: the number of 4 KiB pages the balloon shall hold (num_pages)."""
    UNUSED_PAGES: ClassVar[OperatorAction]
    """``value``: the id of a request for unused pages."""
    STATISTICS: ClassVar[OperatorAction]
    """The statistics shall be refreshed; no value."""


OperatorAction.TARGET = OperatorAction.declare("target")
OperatorAction.UNUSED_PAGES = OperatorAction.declare("unused-pages")
OperatorAction.STATISTICS = OperatorAction.declare("statistics")


class GuestAction(Word):
    """What the guest wants of its driver; a family may declare further wishes."""

    __slots__ = ()

    INFLATE: ClassVar[GuestAction]
    """The guest gives exactly these pages up, once the target asks for them."""
    DEFLATE: ClassVar[GuestAction]
    """The guest wants exactly these pages back."""
    UNUSED: ClassVar[GuestAction]
    """These are the pages the guest does not use; an answer to a host request names them."""
    USE: ClassVar[GuestAction]
    """Seen, not wanted: the guest wrote to these pages."""
    HOLD: ClassVar[GuestAction]
    """Seen, not wanted: the guest keeps data of its own in these pages, and nowhere else."""
    LEAVE: ClassVar[GuestAction]
    """Seen, not wanted: the guest wrote nothing to these pages since a buffer in flight named them."""
    RELY: ClassVar[GuestAction]
    """Known, not wanted: the guest relies on finding in these free pages what it left there; none is any."""


GuestAction.INFLATE = GuestAction.declare("inflate")
GuestAction.DEFLATE = GuestAction.declare("deflate")
GuestAction.UNUSED = GuestAction.declare("unused")
GuestAction.USE = GuestAction.declare("use")
GuestAction.HOLD = GuestAction.declare("hold")
GuestAction.LEAVE = GuestAction.declare("leave")
GuestAction.RELY = GuestAction.declare("rely")


class Failure(StrEnum):
    """How an implementation ceased to take part."""

    CRASH = "crash"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Event:
    """What can be seen between a driver and a device; every kind of event is a class of its own."""

    presupposes_a_start: ClassVar[bool] = False
    """It is judged by what was negotiated, or by the buffers that came after it."""


_declared: dict[str, type[Event]] = {}

EVENTS: Mapping[str, type[Event]] = MappingProxyType(_declared)
"""Every kind of event by the name that a trace gives it."""

_Kind = TypeVar("_Kind", bound=type[Event])


_names: dict[type, str] = {}


def event_name(kind: type) -> str:
    """Return the name that a trace gives a kind of event: that of its class, in lower case with hyphens."""
    name = _names.get(kind)
    if name is None:
        name = _names[kind] = re.sub("(?<!^)(?=[A-Z])", "-", kind.__name__).lower()
    return name


def declared(kind: _Kind) -> _Kind:
    """Enter a kind of event into the table, by which traces are read; a decorator.

    Raises :class:`ValueError` for a name that another kind has.
    """
    name = event_name(kind)
    if name in _declared:
        raise ValueError(f"there is an event {name} already; give this one another name")
    _declared[name] = kind
    return kind


@contextmanager
def added(kind: type[Event]) -> Iterator[None]:
    """Have a further kind of event in the table until the end of the block."""
    declared(kind)
    try:
        yield
    finally:
        del _declared[event_name(kind)]


@declared
@dataclass(frozen=True, slots=True)
class Negotiated(Event):
    """Feature negotiation ended: what was offered, what was accepted, and whether FEATURES_OK stayed.

    ``ring_sizes`` are the descriptors a queue has, by index; empty where the transport does not show them. A
    queue that a device said to lack has 0.
    ``shown`` is False where the transport has no FEATURES_OK: then no driver learned that its set was
    refused, and no device said that it took one that is not legal.
    """

    offered: int
    accepted: int
    features_ok: bool = True
    ring_sizes: tuple[tuple[int, int], ...] = ()
    shown: bool = True


@declared
@dataclass(frozen=True, slots=True)
class Memory(Event):
    """The guest memory that exists and may be named in a buffer."""

    pages: PageSet


@declared
@dataclass(frozen=True, slots=True)
class DriverOk(Event):
    """The driver set DRIVER_OK: from here on the device may use buffers."""

    presupposes_a_start: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Segment:
    """What one descriptor holds of a buffer: ``length_bytes`` bytes, for the device to read or to write.

    ``address`` is guest-physical. It is None if it cannot be seen, or if whoever lays the buffer chooses it.
    """

    length_bytes: int
    writable: bool = False
    address: int | None = None


@declared
@dataclass(frozen=True, slots=True)
class Available(Event):
    """The driver made a buffer available.

    ``readable`` is its device-readable part, the descriptors joined; ``writable_bytes`` the length of its
    device-writable part. ``notified`` tells whether the driver notified the device of it: False where a
    notification was due and none had come by then (a later one is :class:`Notified`), None where nothing is
    known, or where the device asked for none. ``segments`` are its descriptors, in their order; those of a
    part that cannot be seen are left out. A segment may lie where no memory is: ``readable`` has its bytes
    then, which no device can read. If it reaches beyond memory, it may be longer than the bytes that
    ``readable`` has of it.
    """

    presupposes_a_start: ClassVar[bool] = True

    queue: int
    buffer: str
    readable: bytes = b""
    writable_bytes: int = 0
    notified: bool | None = None
    segments: tuple[Segment, ...] = ()

    @property
    def cut(self) -> tuple[int, ...]:
        """The lengths in bytes of the descriptors of the device-readable part; empty if they are not seen."""
        return tuple(one.length_bytes for one in self.segments if not one.writable)

    @property
    def extents(self) -> tuple[tuple[int, int], ...]:
        """(guest-physical address, length in bytes) of every descriptor; empty unless all are known."""
        known = tuple((one.address, one.length_bytes) for one in self.segments if one.address is not None)
        return known if len(known) == len(self.segments) else ()


@declared
@dataclass(frozen=True, slots=True)
class Used(Event):
    """The device returned a buffer: ``length_bytes`` as the used ring gives it, ``written`` what is there.

    ``written`` is the start of the device-writable part, ``length_bytes`` long at most. ``notified`` tells
    whether the device notified the driver of it: False where a notification was due and none had come by then
    (a later one is :class:`Notified`), None where nothing is known, or where the driver asked for none.
    """

    presupposes_a_start: ClassVar[bool] = True

    queue: int
    buffer: str
    length_bytes: int = 0
    written: bytes = b""
    notified: bool | None = None


@declared
@dataclass(frozen=True, slots=True)
class Notified(Event):
    """One side notified the other of a virtqueue, later than it put something there.

    It covers every buffer of ``side`` on the queue that stands before it. Where a notification was seen
    together with a buffer, the buffer says so itself and this is left out.
    """

    presupposes_a_start: ClassVar[bool] = True

    side: Side
    queue: int


@declared
@dataclass(frozen=True, slots=True)
class BufferAltered(Event):
    """The device-readable part of a buffer in flight was seen to change.

    ``by`` is the side that can have done it: the one whose memory accesses the observer does not control.
    """

    presupposes_a_start: ClassVar[bool] = True

    queue: int
    buffer: str
    readable_now: bytes
    by: Side


@declared
@dataclass(frozen=True, slots=True)
class RingBroken(Event):
    """One side's part of a virtqueue was found to be what no virtqueue can be; no buffer came of it.

    ``fault`` says what in a word, as in ``loop`` or ``available-jump``, and ``detail`` where and what in a
    line. A buffer that is well-formed and says something wrong is not meant.
    """

    presupposes_a_start: ClassVar[bool] = True

    side: Side
    queue: int
    fault: str
    detail: str = ""


@declared
@dataclass(frozen=True, slots=True)
class ConfigurationRead(Event):
    """The driver read the configuration space.

    ``generation`` is the one in which it read all of that, None if the transport has none or nobody looked.
    """

    offset: int
    data: bytes
    generation: int | None = None


@declared
@dataclass(frozen=True, slots=True)
class ConfigurationWritten(Event):
    """The driver wrote to the configuration space, with one store."""

    presupposes_a_start: ClassVar[bool] = True

    offset: int
    data: bytes


@declared
@dataclass(frozen=True, slots=True)
class ConfigurationChanged(Event):
    """The device notified the driver of a configuration change; ``data`` is the whole space then."""

    data: bytes


@declared
@dataclass(frozen=True, slots=True)
class Reset(Event):
    """The driver reset the device, or was itself started again.

    ``status`` is the device status as it reads once the reset is complete, None where it cannot be read.
    """

    status: int | None = None


@declared
@dataclass(frozen=True, slots=True)
class NeedsReset(Event):
    """The device set DEVICE_NEEDS_RESET."""


@declared
@dataclass(frozen=True, slots=True)
class Discarded(Event):
    """Pages whose memory the device was found to have given back since memory was last looked at.

    Such a page reads as zeros, and is a hole in the file that backs it, if that can be told. ``looked`` are
    the pages that were examined. Where some were missing that the device was to discard, they were examined
    again for ``seconds``; ``late`` are the pages that were discarded only then. Whoever looks puts back what
    the guest had there, so a page that is discarded once more is found again.
    """

    presupposes_a_start: ClassVar[bool] = True

    pages: PageSet
    looked: PageSet
    late: PageSet = EMPTY
    seconds: float = 0.0


@declared
@dataclass(frozen=True, slots=True)
class Overwritten(Event):
    """Pages whose contents the device was found to have changed without giving the memory back.

    ``fill`` is what each of them holds now from its beginning to its end: these bytes, over and over. If they
    hold nothing of the kind, ``spans`` are the runs of bytes that are not as they were, each a
    guest-physical address and a length in bytes. Both are empty if nobody looked at the bytes.
    """

    presupposes_a_start: ClassVar[bool] = True

    pages: PageSet
    fill: bytes = b""
    spans: tuple[tuple[int, int], ...] = ()

    @property
    def stray_span(self) -> tuple[int, int] | None:
        """The first span that has no byte or does not lie in ``pages``, which is the observer's mistake."""
        for address, length_bytes in self.spans:
            first, last = address >> PAGE_SHIFT, (address + length_bytes - 1) >> PAGE_SHIFT
            if (
                not length_bytes
                or last >= PFN_LIMIT
                or not PageSet([(first, last - first + 1)]) <= self.pages
            ):
                return address, length_bytes
        return None


@declared
@dataclass(frozen=True, slots=True)
class Contents(Event):
    """What the guest left in pages of its memory, as it was written there or found there.

    ``fill`` is what each of them holds from its beginning to its end: these bytes, over and over. It is empty
    if they hold anything else. What a device may have done to a page since does not count.
    """

    pages: PageSet
    fill: bytes = b""


@declared
@dataclass(frozen=True, slots=True)
class Operator(Event):
    """The operator of the host made a wish known to the device."""

    action: OperatorAction
    value: int = 0


@declared
@dataclass(frozen=True, slots=True)
class Guest(Event):
    """The guest made a wish known to its driver, or was seen to use pages."""

    action: GuestAction
    pages: PageSet = EMPTY


@declared
@dataclass(frozen=True, slots=True)
class Quiet(Event):
    """One side was given ``seconds`` to act and did nothing more. What it owed by now, it failed to do."""

    side: Side
    seconds: float = 0.0


@declared
@dataclass(frozen=True, slots=True)
class Failed(Event):
    """One side ceased to take part; ``detail`` is the evidence in a line."""

    side: Side
    failure: Failure
    detail: str = ""
