"""The words of the free-page-hint family in which intents are written.

The standard library only, as in :mod:`~balloon_conformance.generation.intents.model`. A hint is memory: runs
of pages in text, as in ``"0x1000+1024"``, or (address, length in bytes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from balloon_conformance.families.free_page_hint import second_encoding
from balloon_conformance.generation.intents.model import (
    Content,
    DeviceWord,
    DriverBuffer,
    Features,
    GuestWish,
    Intent,
    Kind,
    OperatorWish,
    Raw,
    Runs,
    Segment,
    Step,
)
from balloon_conformance.generation.intents.shorthand import (
    Script,
    exchange,
    negotiated,
    returns,
    runs,
    shows,
)
from balloon_conformance.generation.intents.vocabulary import Vocabulary

__all__ = [
    "DONE",
    "HINTING",
    "ID",
    "LENGTH_BYTES",
    "NEXT",
    "OFFSET",
    "QUEUE",
    "STOP",
    "VOCABULARY",
    "Command",
    "Copy",
    "Hints",
    "Writes",
    "begins",
    "command",
    "copies",
    "ends",
    "hint",
    "hint_of",
    "hints",
    "of_device",
    "of_driver",
    "publishes",
    "raw_command",
    "round_of",
    "sends",
    "unused",
    "wants",
    "writes",
]

QUEUE: Final = "free-page"
OFFSET: Final = 8
LENGTH_BYTES: Final = 4
"""Where the command id stands in the configuration space, and how long it is there and in a buffer."""
STOP, DONE = 0, 1
ID, NEXT = 0x01020304, 0x01020305
"""The ids of the reference device, which stand for those of any other: the first, and the one after it."""


HINTING: Final = negotiated("FREE_PAGE_HINT")

_AREA: Final = "free-page-hint"
_PROFILE: Final = "mainline"


@dataclass(frozen=True, slots=True)
class Command(Content):
    """A command id of 32 bits."""

    cmd_id: int

    def build(self, schemas: Any) -> bytes:
        """Return the bytes through the schema of the command id."""
        built: bytes = schemas["command-id"].build(self)
        return built

    def encode(self) -> bytes:
        """Return the same by :mod:`struct`."""
        return second_encoding.command_id(self.cmd_id)


# -- steps of the family's own ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Writes(Step):
    """The guest writes to these pages."""

    pages: Runs

    def fill(self, filling: Any, common: Mapping[str, Any]) -> Any:
        """Have the reference device see it."""
        return filling.step_of_family("guest", "writes", self, common)


@dataclass(frozen=True, slots=True)
class Copy(Step):
    """The copy of guest memory lacks ``missing``, and has ``there``."""

    missing: Runs = ()
    there: Runs = ()

    def fill(self, filling: Any, common: Mapping[str, Any]) -> Any:
        """Hold it against the copy of the reference device."""
        return filling.step_of_family("copy", None, self, common)


@dataclass(frozen=True, slots=True)
class Hints(Step):
    """The driver hints these pages, in as many buffers as it likes, and has each back at once."""

    pages: Runs

    def fill(self, filling: Any, common: Mapping[str, Any]) -> Any:
        """Take the hints of the reference driver."""
        return filling.step_of_family("driver", "hints", self, common)


# -- the operator and the device ----------------------------------------------------------------------------


def wants(wish: str = "hint") -> OperatorWish:
    """Let the operator want hints, or want none for now (``stop-hints``), or need them no longer."""
    return OperatorWish(wish)


def publishes(value: int) -> DeviceWord:
    """Let the device publish a value, and tell the driver."""
    return DeviceWord("free_page_hint_cmd_id", value)


def begins(number: int = ID) -> tuple[Step, ...]:
    """Let the operator want hints, and the device publish an id."""
    return (wants(), *shows("HINT-23", publishes(number)))


def ends() -> tuple[Step, ...]:
    """Let the operator need the hinted pages no longer, and the device publish DONE."""
    return (wants("end-hints"), *shows("HINT-21", publishes(DONE)))


def copies(*missing: str, there: str = "") -> Copy:
    """Say which pages may be missing in the copy, and which (with blanks between) must not be."""
    return Copy(runs(*missing), runs(*there.split()))


# -- the driver and the guest -------------------------------------------------------------------------------


def command(name: str, number: int, *, cut: tuple[int, ...] = (), notify: bool = True) -> DriverBuffer:
    """Send a command id."""
    return DriverBuffer(QUEUE, name, Command(number), cut=cut, notify=notify)


def raw_command(name: str, data: bytes, *segments: Segment) -> DriverBuffer:
    """Send bytes that are no command id; with ``segments``, beside what these can be written to."""
    room = sum(one.length_bytes for one in segments if one.writable)
    readable = (Segment(len(data)),) if data and segments else ()
    return DriverBuffer(QUEUE, name, Raw(data) if data else None, room, segments=(*readable, *segments))


def hint(name: str, *texts: str) -> DriverBuffer:
    """Hint runs of pages, each as one descriptor of a buffer."""
    return hint_of(name, *((first << 12, pages << 12) for first, pages in runs(*texts)))


def hint_of(name: str, *extents: tuple[int, int]) -> DriverBuffer:
    """Hint memory by addresses and lengths in bytes."""
    segments = tuple(Segment(length, writable=True, address=address) for address, length in extents)
    return DriverBuffer(QUEUE, name, None, sum(length for _, length in extents), segments=segments)


def hints(*texts: str) -> Hints:
    """Let the driver hint runs of pages as it likes; each hint is returned at once."""
    return Hints(runs(*texts))


def sends(buffer: str | DriverBuffer, number: int = STOP) -> tuple[Step, ...]:
    """Make a command id of this name available, or another buffer, and have it returned."""
    step = command(buffer, number) if isinstance(buffer, str) else buffer
    return (step, *shows("HINT-22", returns(step.name)))


def round_of(*texts: str) -> tuple[Step, ...]:
    """Carry out a whole round under the first id, in which these runs are hinted in one buffer."""
    return (*begins(), *sends("c1", ID), *sends(hint("h1", *texts)), *sends("z1", STOP))


def unused(*texts: str) -> GuestWish:
    """Say which pages the guest does not use: these, and no others."""
    return GuestWish("unused", runs(*texts))


def writes(*texts: str) -> Writes:
    """Let the guest write to pages."""
    return Writes(runs(*texts))


# -- whole intents ------------------------------------------------------------------------------------------


def of_device(
    name: str, title: str, about: str, *script: Script, features: Features = HINTING, breaks: str = ""
) -> Intent:
    """Make an intent in which a device is judged; if the driver breaks something in it, it is malformed.

    It is about what is named here, and what its steps show.
    """
    return _intent("device", name, title, about, *script, features=features, breaks=breaks)


def of_driver(name: str, title: str, about: str, *script: Script, features: Features = HINTING) -> Intent:
    """Make an intent in which a driver is judged."""
    return _intent("driver", name, title, about, *script, features=features)


def _intent(
    sides: str, name: str, title: str, about: str, *script: Script, features: Features, breaks: str = ""
) -> Intent:
    kind: Kind = "malformed" if breaks else "exchange"
    made = exchange(
        _AREA,
        name,
        title,
        about,
        *script,
        features=features,
        sides=sides,
        profile=_PROFILE,
        kind=kind,
        breaks=breaks,
    )
    shown = (one for step in made.script for one in step.shows)
    return replace(made, about=tuple(dict.fromkeys((*made.about, *shown))))


VOCABULARY: Final = Vocabulary(
    bits=MappingProxyType({"FREE_PAGE_HINT": 3}), queues=MappingProxyType({QUEUE: 3})
)
