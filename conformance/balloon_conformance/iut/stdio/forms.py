"""Every message of the protocol as a table: its name, its fields, and the kind of value in each.

The published schemas (:mod:`.schema`) are made from this table, and every line is read by it
(:mod:`.messages`), so the two always agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from balloon_conformance.iut.contract import Capability, operator_capability
from balloon_conformance.iut.stdio import values
from balloon_conformance.iut.stdio.values import Kind
from balloon_spec.events import GuestAction, OperatorAction, Side
from balloon_spec.pages import EMPTY
from balloon_spec.profiles import PROFILES
from balloon_spec.queues import Numbering

__all__ = [
    "COMMANDS",
    "ERROR_FIELDS",
    "EVENTS",
    "FIRST_PROFILES",
    "LINE_LIMIT_BYTES",
    "PROTOCOL_VERSION",
    "REREAD",
    "ROLE",
    "SYNCHRONOUS",
    "VERSIONS",
    "CommandForm",
    "ErrorKind",
    "EventForm",
    "Field",
    "answer_fields",
    "command_fields",
    "event_fields",
    "known_capabilities",
]

PROTOCOL_VERSION = 2
"""The version that the suite speaks with every program that knows it."""
VERSIONS = (1, PROTOCOL_VERSION)
"""The versions that the suite can speak."""
FIRST_PROFILES = ("base", "chunk-transfer")
"""The profiles of version 1, in which a program need not take or state the segments of a buffer."""
LINE_LIMIT_BYTES = 1 << 22
"""The longest line that either side may write, including its line end. HDR-07 allows messages of 512 KiB."""

SYNCHRONOUS = "synchronous"
"""Capability: the program acts only before it answers; between commands nothing happens."""
REREAD = "reread"
"""Capability: the device-readable part of a buffer can be read again."""

_OF: Mapping[Side, tuple[str, ...]] = MappingProxyType(
    {
        Side.DEVICE: (
            *map(operator_capability, OperatorAction),
            Capability.DISCARDS,
            Capability.DESCRIPTORS,
            Capability.ADDRESSES,
            Capability.HOST_STATISTICS,
            Capability.WRITE_PAGES,
            Capability.SKIPS,
            Capability.RAW_FEATURES,
            Capability.MEMORY_HOLES,
            REREAD,
            SYNCHRONOUS,
        ),
        Side.DRIVER: (
            Capability.STEER_PAGES,
            Capability.STEER_GUEST,
            Capability.GUEST_MEMORY,
            Capability.RAW_FEATURES,
            Capability.MEMORY_HOLES,
            REREAD,
            SYNCHRONOUS,
        ),
    }
)

_EVERY_CAPABILITY = tuple(dict.fromkeys(str(name) for side in Side for name in _OF[side]))


def known_capabilities(side: Side | None = None) -> tuple[str, ...]:
    """Return the capabilities that a program of ``side`` may claim; those of both sides without ``side``."""
    return _EVERY_CAPABILITY if side is None else tuple(str(name) for name in _OF[side])


class ErrorKind(StrEnum):
    """The kinds of errors in a program's answers. The kind tells whose fault it is."""

    UNKNOWN_COMMAND = "unknown-command"
    """The program has no such command."""
    NOT_IMPLEMENTED = "not-implemented"
    """The program knows the command, cannot carry it out, and does not claim the capability for it."""
    REFUSED = "refused"
    """The command, or a field of it, makes no sense now."""
    CRASHED = "crashed"
    """The implementation behind the program ended."""
    HUNG = "hung"
    """The implementation behind the program does not answer it."""
    VIOLATION = "violation"
    """The implementation broke a rule of its transport, and nothing more can be exchanged."""


_SECOND = (2,)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message. If it may be absent, ``default`` is its value then.

    ``versions`` are those of the protocol that have the field; in any other it has its default.
    """

    name: str
    kind: Kind
    about: str
    required: bool = True
    default: Any = None
    versions: tuple[int, ...] = VERSIONS


def _optional(
    name: str, kind: Kind, about: str, default: Any = None, *, versions: tuple[int, ...] = VERSIONS
) -> Field:
    return Field(name, kind, about, required=False, default=default, versions=versions)


@dataclass(frozen=True, slots=True)
class CommandForm:
    """One command: the sides that have it, its fields, and the fields of its answer by side.

    The suite sends it only if the program claims at least one of the capabilities in ``needs``, and in one of
    ``versions`` of the protocol.
    """

    name: str
    about: str
    sides: tuple[Side, ...]
    fields: tuple[Field, ...] = ()
    answers: Mapping[Side, tuple[Field, ...]] = field(default_factory=lambda: MappingProxyType({}))
    needs: tuple[str, ...] = ()
    versions: tuple[int, ...] = VERSIONS


_SEEN = frozenset({GuestAction.USE, GuestAction.HOLD, GuestAction.LEAVE})
_GUEST_WISHES = tuple(one for one in GuestAction if one not in _SEEN)
"""What a guest can be told to want. The others are seen."""

_DEVICE = (Side.DEVICE,)
_DRIVER = (Side.DRIVER,)
_BOTH = (Side.DEVICE, Side.DRIVER)

_QUEUE = Field("queue", values.UNSIGNED_16, "the index of the virtqueue")
_BUFFER = Field("buffer", values.NAME, "the name of the buffer, chosen by the side that makes it available")
_READABLE = Field("readable", values.BYTES, "the device-readable part, all descriptors joined")
_WRITABLE = Field("writable", values.UNSIGNED_32, "the length in bytes of the device-writable part")
_LENGTH_USED = Field("length", values.UNSIGNED_32, "the length in bytes in the used ring")
_WRITTEN = Field("written", values.BYTES, "what the device wrote at the start of the device-writable part")
_OFFSET = Field("offset", values.UNSIGNED_32, "the offset in the configuration space, in bytes")
_DATA = Field("data", values.BYTES, "the bytes")
_SPACE = Field("data", values.BYTES, "the whole configuration space")
_PAGES = Field("pages", values.PAGES, "the pages")
_ADDRESS = Field("address", values.BITS_64, "a guest-physical address")
_LENGTH = Field("length", values.UNSIGNED_32, "how many bytes")
_NOTIFY = _optional(
    "notify", values.BOOLEAN, "whether the device is notified; true when absent", default=True
)
_NOTIFIED_DEVICE = _optional(
    "notify", values.BOOLEAN, "whether the device was notified of it, or will be; not known when absent"
)
_NOTIFIED_DRIVER = _optional(
    "notify", values.BOOLEAN, "whether the driver was notified of it, or will be; not known when absent"
)
_CUT = _optional(
    "cut",
    values.LENGTHS,
    "the lengths of the descriptors of the readable part; one when absent",
    default=(),
    versions=(1,),
)
_OFFERED = Field("offered", values.BITS_64, "the feature bits the device offers")
_MEMORY = _optional(
    "memory", values.PAGES, "the guest pages that exist; those that start asks for when absent"
)

ROLE = Field("role", values.choice(*Side), "which side the implementation under test is")
"""The field of the answer to ``start`` that decides its other fields."""

_INTRODUCTION = (
    Field("protocol", values.UNSIGNED_32, "the version of this protocol the program speaks"),
    ROLE,
    Field("name", values.NAME, "what the implementation is called"),
    Field("version", values.TEXT, "its version"),
    Field(
        "capabilities",
        values.names(_EVERY_CAPABILITY, "capability"),
        "what it can do beyond what every program of its role must do",
    ),
    _optional(
        "numbering",
        values.NUMBERING,
        "how the implementation numbers its virtqueues, if the program states that",
    ),
    _MEMORY,
)

_FORMS = (
    CommandForm(
        "start",
        "Bring the implementation up as after power-on, for one case.",
        _BOTH,
        (
            Field("protocol", values.UNSIGNED_32, "the version of this protocol the suite speaks"),
            Field("suite", values.TEXT, "the version of the suite"),
            Field("profile", values.NAME, f"what the feature bits mean: {' or '.join(PROFILES)}"),
            Field("bits", values.BIT_NUMBERS, "the features of the profile with their bit numbers"),
            _optional(
                "queues",
                values.PLACES,
                "the virtqueues of the profile with their places in the list",
                default=MappingProxyType({}),
                versions=_SECOND,
            ),
            _optional(
                "numbering",
                values.NUMBERING,
                "which index a virtqueue has if queues before it do not exist",
                default=Numbering.FIXED,
            ),
            Field(
                "memory_pages", values.UNSIGNED_32, "the guest memory the case needs, in 4 KiB pages from 0"
            ),
            _optional(
                "memory_holes",
                values.PAGES,
                "pages below memory_pages that do not exist; only for a program with memory-holes",
                default=EMPTY,
            ),
            Field("may_ask", values.NAMES, "the capabilities this suite can make use of"),
        ),
        MappingProxyType({Side.DEVICE: (*_INTRODUCTION, _OFFERED), Side.DRIVER: _INTRODUCTION}),
    ),
    CommandForm(
        "reset",
        "Reset the device, or have the driver begin anew.",
        _BOTH,
        answers=MappingProxyType({Side.DEVICE: (_OFFERED,)}),
    ),
    CommandForm(
        "negotiate",
        "Negotiate features.",
        _BOTH,
        (),  # of each side its own: see _NEGOTIATE
        MappingProxyType(
            {
                Side.DEVICE: (
                    Field("features_ok", values.BOOLEAN, "whether the device kept FEATURES_OK"),
                    _optional(
                        "ring_sizes",
                        values.RING_SIZES,
                        "the number of descriptors of each queue, if known",
                        default=(),
                    ),
                    _MEMORY,
                ),
                Side.DRIVER: (
                    Field(
                        "accepted",
                        values.MAYBE_BITS_64,
                        "what the driver accepted; null if it refuses the device",
                    ),
                    _MEMORY,
                ),
            }
        ),
    ),
    CommandForm("driver-ok", "The driver sets DRIVER_OK.", _DEVICE),
    CommandForm(
        "available",
        "The driver makes a buffer available.",
        _DEVICE,
        (
            *(_QUEUE, _BUFFER, _READABLE, _WRITABLE, _NOTIFY, _CUT),
            _optional(
                "segments",
                values.SEGMENTS,
                "the descriptors one by one; one for each part that is not empty when absent",
                default=(),
            ),
        ),
    ),
    CommandForm("used", "The device returns a buffer.", _DRIVER, (_QUEUE, _BUFFER, _LENGTH_USED, _WRITTEN)),
    CommandForm(
        "configuration-read",
        "The driver reads the configuration space.",
        _DEVICE,
        (_OFFSET, _LENGTH),
        MappingProxyType({Side.DEVICE: (_DATA,)}),
    ),
    CommandForm(
        "configuration-write",
        "The driver writes the configuration space, with one store if the length allows it.",
        _DEVICE,
        (_OFFSET, _DATA),
    ),
    CommandForm(
        "configuration-change",
        "The device changes the configuration space and notifies the driver.",
        _DRIVER,
        (_SPACE,),
    ),
    CommandForm(
        "operator",
        "The operator of the host asks the device for something.",
        _DEVICE,
        (
            Field("action", values.choice(*OperatorAction), "what the operator wants"),
            Field("value", values.BITS_64, "the target in pages, or the id of the request; else 0x0"),
        ),
        needs=tuple(map(operator_capability, OperatorAction)),
    ),
    CommandForm(
        "guest",
        "The guest tells its driver which pages to give up, to take back or to report as unused.",
        _DRIVER,
        (Field("action", values.choice(*_GUEST_WISHES), "what the guest wants"), _PAGES),
        needs=(Capability.STEER_PAGES,),
    ),
    CommandForm(
        "guest-command",
        "The guest around the driver begins to carry a command out; an event tells when it is done.",
        _DRIVER,
        (Field("words", values.WORDS, "the command and its arguments"),),
        needs=(Capability.STEER_GUEST,),
    ),
    CommandForm(
        "discarded",
        "Look at guest memory.",
        _DEVICE,
        (_PAGES,),
        MappingProxyType(
            {
                Side.DEVICE: (
                    Field("discarded", values.PAGES, "those whose memory was given back since the last look"),
                    _optional(
                        "overwritten",
                        values.PAGES,
                        "those whose contents were changed without giving their memory back",
                    ),
                    _optional(
                        "changes",
                        values.CHANGES,
                        "what the overwritten ones hold, or which of their bytes were changed",
                        default=(),
                        versions=_SECOND,
                    ),
                )
            }
        ),
        (Capability.DISCARDS,),
    ),
    CommandForm(
        "write-pages",
        "The guest writes the data into each of the pages, over and over.",
        _DEVICE,
        (_PAGES, Field("data", values.BYTES, "the bytes; their number divides 4096")),
        needs=(Capability.WRITE_PAGES,),
        versions=_SECOND,
    ),
    CommandForm(
        "skipped",
        "Look at the copy of guest memory for which the device asked for hints.",
        _DEVICE,
        (_PAGES,),
        MappingProxyType(
            {
                Side.DEVICE: (
                    Field(
                        "skipped",
                        values.PAGES,
                        "those that the copy lacks with what they held when it was finished",
                    ),
                    _optional(
                        "unknown",
                        values.PAGES,
                        "those of which the program cannot tell; all if there is no copy",
                        EMPTY,
                    ),
                )
            }
        ),
        (Capability.SKIPS,),
        _SECOND,
    ),
    CommandForm(
        "host-statistics",
        "Ask the host what it read of the guest's statistics.",
        _DEVICE,
        (),
        MappingProxyType(
            {
                Side.DEVICE: (
                    Field(
                        "statistics",
                        values.STATISTICS,
                        "the statistics that the host has, each tag with its value",
                    ),
                )
            }
        ),
        (Capability.HOST_STATISTICS,),
    ),
    CommandForm(
        "reread",
        "Read the device-readable part of a buffer again.",
        _BOTH,
        (_QUEUE, _BUFFER),
        MappingProxyType({Side.DEVICE: (_READABLE,), Side.DRIVER: (_READABLE,)}),
        (REREAD,),
    ),
    CommandForm(
        "memory-read",
        "The device reads guest memory.",
        _DRIVER,
        (_ADDRESS, _LENGTH),
        MappingProxyType({Side.DRIVER: (_DATA,)}),
        (Capability.GUEST_MEMORY,),
    ),
    CommandForm(
        "memory-write",
        "The device writes guest memory.",
        _DRIVER,
        (_ADDRESS, _DATA),
        needs=(Capability.GUEST_MEMORY,),
    ),
    CommandForm(
        "observe",
        "Wait until the implementation does something, or the time is over.",
        _BOTH,
        (Field("milliseconds", values.UNSIGNED_32, "how long to wait at the most; 0: not at all"),),
    ),
    CommandForm("stop", "End the implementation, and the program with it.", _BOTH),
)

COMMANDS: Mapping[str, CommandForm] = MappingProxyType({form.name: form for form in _FORMS})
"""Every command by its name."""

_NEGOTIATE: Mapping[Side, tuple[Field, ...]] = MappingProxyType(
    {
        Side.DEVICE: (Field("accepted", values.BITS_64, "the feature bits the driver accepts"),),
        Side.DRIVER: (
            _OFFERED,
            Field("configuration", values.BYTES, "what the driver finds in the configuration space"),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class EventForm:
    """One event that an answer may carry, in ``versions`` of the protocol."""

    name: str
    about: str
    sides: tuple[Side, ...]
    fields: tuple[Field, ...] = ()
    versions: tuple[int, ...] = VERSIONS


_EVENT_FORMS = (
    EventForm(
        "used",
        "The device returned a buffer.",
        _DEVICE,
        (_QUEUE, _BUFFER, _LENGTH_USED, _WRITTEN, _NOTIFIED_DRIVER),
    ),
    EventForm(
        "notified",
        "The implementation notified the other side of a virtqueue, later than of its buffers was said.",
        _BOTH,
        (_QUEUE,),
    ),
    EventForm(
        "configuration-changed",
        "The device notified the driver of a configuration change.",
        _DEVICE,
        (_SPACE,),
    ),
    EventForm("needs-reset", "The device set DEVICE_NEEDS_RESET.", _DEVICE),
    EventForm("driver-ok", "The driver set DRIVER_OK.", _DRIVER),
    EventForm(
        "available",
        "The driver made a buffer available.",
        _DRIVER,
        (
            *(_QUEUE, _BUFFER, _READABLE, _WRITABLE, _NOTIFIED_DEVICE, _CUT),
            _optional(
                "extents",
                values.ADDRESSES,
                "the address and length of each descriptor, if known",
                default=(),
                versions=(1,),
            ),
            _optional(
                "segments",
                values.SEGMENTS,
                "the descriptors one by one, as far as they are known",
                default=(),
            ),
        ),
    ),
    EventForm("configuration-read", "The driver read the configuration space.", _DRIVER, (_OFFSET, _DATA)),
    EventForm(
        "configuration-written", "The driver wrote the configuration space.", _DRIVER, (_OFFSET, _DATA)
    ),
    EventForm("reset", "The driver reset the device of its own accord.", _DRIVER),
    EventForm("guest-used", "The guest was seen to write to pages.", _DRIVER, (_PAGES,)),
    EventForm(
        "contents",
        "What the guest left in pages that the next buffer names, if the suite cannot read guest memory.",
        _DRIVER,
        (
            _PAGES,
            _optional(
                "fill",
                values.BYTES,
                "what each holds, over and over from its beginning to its end; anything else when absent",
                default=b"",
            ),
        ),
        versions=_SECOND,
    ),
    EventForm(
        "guest-answer",
        "The guest carried out its command.",
        _DRIVER,
        (Field("text", values.TEXT, "what it answered; empty if there is nothing to say"),),
    ),
    EventForm(
        "guest-refused",
        "The guest could not carry out its command.",
        _DRIVER,
        (Field("text", values.TEXT, "why"),),
    ),
)

EVENTS: Mapping[tuple[Side, str], EventForm] = MappingProxyType(
    {(side, form.name): form for form in _EVENT_FORMS for side in form.sides}
)
"""Every event by its side and its name."""


def command_fields(form: CommandForm, side: Side, version: int = PROTOCOL_VERSION) -> tuple[Field, ...]:
    """Return the fields of a command to a program of ``side`` in a version of the protocol."""
    return _COMMAND_FIELDS[version][form.name, side]


def answer_fields(form: CommandForm, side: Side, version: int = PROTOCOL_VERSION) -> tuple[Field, ...]:
    """Return the fields of the answer of a program of ``side``, without ``seq`` and ``events``."""
    return _ANSWER_FIELDS[version].get((form.name, side), ())


def event_fields(form: EventForm, version: int = PROTOCOL_VERSION) -> tuple[Field, ...]:
    """Return the fields of an event in a version of the protocol."""
    return _EVENT_FIELDS[version][form.name]


def _of(version: int, fields: tuple[Field, ...]) -> tuple[Field, ...]:
    return tuple(one for one in fields if version in one.versions)


# Every line is read by these, so they are worked out once.
_COMMAND_FIELDS = {
    version: {
        (form.name, side): _of(version, _NEGOTIATE[side] if form.name == "negotiate" else form.fields)
        for form in _FORMS
        for side in Side
    }
    for version in VERSIONS
}
_ANSWER_FIELDS = {
    version: {
        (form.name, side): _of(version, fields) for form in _FORMS for side, fields in form.answers.items()
    }
    for version in VERSIONS
}
_EVENT_FIELDS = {
    version: {form.name: _of(version, form.fields) for form in _EVENT_FORMS} for version in VERSIONS
}


ERROR_FIELDS = (
    Field("error", values.choice(*ErrorKind), "what kind of error it is"),
    _optional("text", values.TEXT, "what is wrong, in one line", default=""),
)
"""The fields of an error answer."""
