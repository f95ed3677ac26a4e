"""Buffers that the driver makes available."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from balloon_conformance.iut.contract import Capability
from balloon_conformance.vectors.model import Kind, Match
from balloon_conformance.vectors.sequence import Content, Drawing, Item, Lane, Message
from balloon_conformance.vectors.step import Form, Schema, Step
from balloon_conformance.vectors.steps.parts import BYTES, COUNT, NAME, choice, field, schemas, word
from balloon_spec.events import Available, Event, Segment, Side
from balloon_spec.families import registry
from balloon_spec.queues import Queue
from balloon_spec.segments import are_in_order, are_lengths_alone, are_well_laid, from_lengths, objects
from balloon_spec.wire.carried import readable_structure

if TYPE_CHECKING:
    from balloon_conformance.vectors.as_trace import Tracing
    from balloon_conformance.vectors.formats.plain import Exporting
    from balloon_conformance.vectors.reading import StepReader
    from balloon_conformance.vectors.write import Writing
    from balloon_spec.strict_yaml import Path

__all__ = ["BufferStep"]

_ANYWHERE = (1 << 64) - 1
"""On the wire, the address of a descriptor that may lie where it likes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferStep(Step):
    """The driver makes a buffer available.

    ``readable`` is the device-readable part. ``segments`` are the descriptors; a part of which none is stated
    is one descriptor, wherever it lies. ``notify`` False leaves the device to find the buffer by itself.

    In a malformed vector the descriptors may be such as no driver lays: of no bytes, in the wrong order, or
    the last device-readable one longer than what is left of ``readable``, because it reaches beyond memory.
    """

    forms: ClassVar = (
        Form(
            "driver",
            "queue",
            schemas(
                queue={
                    "description": "a buffer is made available on this virtqueue",
                    "$ref": "#/$defs/queueName",
                },
                **{"as": field("the buffer's name", "bufferName")},
                readable=field("the device-readable bytes of the buffer", "bytes"),
                writable=field("the length of the device-writable part", "lengthBytes"),
                match={
                    "description": "how a driver's bytes are compared: exact, byte by byte; equivalent, by "
                    "the pages they name; any, not at all",
                    **choice(*Match),
                    "default": Match.EXACT,
                },
                cut={
                    "description": "the lengths in bytes of the descriptors of the device-readable part",
                    "type": "array",
                    "minItems": 1,
                    "items": {"$ref": "#/$defs/lengthBytes"},
                },
                segments={
                    "description": "the descriptors of the buffer in their order; in place of cut, to say "
                    "where they lie",
                    "type": "array",
                    "minItems": 1,
                    "items": {"$ref": "#/$defs/segment"},
                },
                notify={
                    "description": "false: the device is left to find the buffer by itself",
                    "type": "boolean",
                    "default": True,
                },
            ),
            {
                "queue": ("as",),
                "as": ("queue",),
                "readable": ("queue",),
                "writable": ("queue",),
                "match": ("queue",),
                "cut": ("queue",),
                "segments": ("queue",),
                "notify": ("queue",),
            },
        ),
    )
    by: ClassVar = "driver"
    action_name: ClassVar = "available"
    exported: ClassVar[Mapping[str, Schema]] = schemas(
        queue={"$ref": "#/$defs/queueName"},
        queue_index=COUNT,
        buffer=NAME,
        readable=BYTES,
        writable_bytes=COUNT,
        cut={
            "description": "the lengths of the descriptors of the readable part in bytes; empty for one",
            "type": "array",
            "items": dict(COUNT),
        },
        segments={
            "description": "the descriptors one by one; there only if more is stated than the lengths in cut",
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["length"],
                "properties": {
                    "address": {
                        "description": "the guest-physical address; without it, anywhere",
                        "type": "string",
                        "pattern": "^0x[0-9a-f]+$",
                    },
                    "length": dict(COUNT),
                    "writable": {"const": True},
                },
            },
        },
        match=choice(*Match),
        notify={"type": "boolean"},
    )
    not_always_exported: ClassVar = frozenset({"segments"})

    queue: Queue
    name: str
    readable: bytes = b""
    writable_bytes: int = 0
    match: Match = Match.EXACT
    segments: tuple[Segment, ...] = ()
    notify: bool = True

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read a buffer: its queue exists, its name is free, and its segments make it up."""
        name, writable = value["as"], value.get("writable", 0)
        queue = registry.queue(value["queue"])
        reader.check_queue((*path, "queue"), queue)
        reader.check_free((*path, "as"), name)
        readable = reader.bytes((*path, "readable"), value.get("readable", ""))
        if not readable and not writable and not value.keys() & {"cut", "segments"}:
            reader.refuse(path, f"buffer {name} has no bytes", "give it readable bytes or a writable length")
        match = Match(value.get("match", "exact"))
        if match is Match.EQUIVALENT and not queue.names_pages:
            reader.refuse((*path, "match"), f"a {queue} buffer names no pages", "write exact or any")
        segments = _read_segments(reader, path, value, len(readable), writable)
        reader.lend(name, writable, common)
        return cls(
            queue=queue,
            name=name,
            readable=readable,
            writable_bytes=writable,
            match=match,
            segments=segments,
            notify=value.get("notify", True),
            **common,
        )

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the buffer, its bytes as a block with what they say beside them."""
        writing.queues[self.name] = self.queue
        fields = [f"queue: {self.queue}", f"as: {self.name}"]
        fields += [f"match: {self.match}"] if self.match is not Match.EXACT else []
        fields += _write_segments(self.segments)
        fields += [f"writable: {self.writable_bytes}"] if self.writable_bytes else []
        fields += [] if self.notify else ["notify: false"]
        if not self.readable:
            yield f"driver: {{{', '.join(fields)}}}"
            return
        yield "driver:"
        yield from (f"  {one}" for one in fields)
        yield "  readable: |"
        yield from (f"    {line}" for line in writing.readable_lines(self.queue, self.readable))

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw an arrow to the device, with what is special about the buffer."""
        drawing.queues[self.name] = self.queue
        details = [f"{len(self.readable)} bytes"] if self.readable else []
        details += [f"{self.writable_bytes} writable"] if self.writable_bytes else []
        details += [f"cut {'+'.join(map(_drawn, self.segments))}"] if self.segments else []
        details += [] if self.match is Match.EXACT else [f"match {self.match}"]
        details += [] if self.notify else ["not notified"]
        content = None
        if self.readable and (structure := readable_structure(self.queue, drawing.features)):
            content = Content(self.readable, structure)
        yield Message(
            drawing.number,
            Lane.DRIVER,
            Lane.DEVICE,
            f"{self.queue} {self.name}",
            tuple(details),
            self.queue,
            self.name,
            content,
            condition=self.condition,
        )

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return the buffer; segments only if lengths do not say everything."""
        exporting.queues[self.name] = exporting.queue_index
        return {
            "queue": self.queue.name,
            "queue_index": exporting.queue_index,
            "buffer": self.name,
            "readable": self.readable.hex(),
            "writable_bytes": self.writable_bytes,
            "cut": [one.length_bytes for one in self.segments if not one.writable],
            **({} if are_lengths_alone(self.segments) else {"segments": objects(self.segments)}),
            "match": self.match.value,
            "notify": self.notify,
        }

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the buffer."""
        index = tracing.queues[self.name] = tracing.queue_index
        yield Available(index, self.name, self.readable, self.writable_bytes, self.notify, self.segments)

    def wire(self, queue_index: int | None) -> Mapping[tuple[str, ...], bytes]:
        """Return the index of the queue, the bytes, and the descriptors."""
        lengths = are_lengths_alone(self.segments)
        return {
            ("driver", "queue"): word(queue_index or 0),
            ("driver", "readable"): self.readable,
            ("driver", "writable"): word(self.writable_bytes),
            ("driver", "cut" if lengths else "segments"): b"".join(
                word(one.length_bytes) if lengths else _descriptor(one) for one in self.segments
            ),
        }

    @property
    def lends(self) -> Queue | None:
        """The queue."""
        return self.queue

    @property
    def awaited_of(self) -> Side | None:
        """The driver."""
        return Side.DRIVER

    @property
    def device_needs(self) -> frozenset[Capability]:
        """Descriptors of the suite's choice, if the step states any."""
        needs = {Capability.DESCRIPTORS} if self.segments else set()
        if not are_well_laid(self.segments, len(self.readable), None):
            needs.add(Capability.BROKEN_RINGS)
        if any(one.address is not None for one in self.segments):
            needs.add(Capability.ADDRESSES)
        return frozenset(needs)


def _read_segments(
    reader: StepReader, path: Path, value: Mapping[str, Any], readable_bytes: int, writable_bytes: int
) -> tuple[Segment, ...]:
    if "segments" in value and "cut" in value:
        reader.refuse((*path, "cut"), "cut and segments stand together", "say it in segments alone")
    here = (*path, "segments" if "segments" in value else "cut")
    stated = tuple(
        Segment(one["length"], one.get("writable", False), one.get("address"))
        for one in value.get("segments", ())
    ) or from_lengths(value.get("cut", ()))
    for part, writable, length in (("readable", False, readable_bytes), ("writable", True, writable_bytes)):
        there = [one for one in stated if one.writable is writable]
        held = sum(one.length_bytes for one in there)
        reaches_beyond = there and not writable and held > length and there[-1].address is not None
        if there and held != length and not (reaches_beyond and reader.kind is Kind.MALFORMED):
            words = f"the descriptors hold {held} bytes, {part} has {length}"
            reader.refuse(here, words, "make the sum equal")
    if reader.kind is Kind.MALFORMED:
        return stated
    if not are_in_order(stated):
        words = "a device-readable segment stands behind a device-writable one"
        reader.refuse(here, words, "put the device-writable ones last")
    if any(not one.length_bytes for one in stated):
        reader.refuse(here, "a descriptor has no bytes", "give it one, or remove it")
    return stated


def _write_segments(segments: tuple[Segment, ...]) -> list[str]:
    """Write the segments of a buffer: their lengths, if these say everything."""
    if not segments:
        return []
    if are_lengths_alone(segments):
        return [f"cut: [{', '.join(str(one.length_bytes) for one in segments)}]"]
    each = ", ".join(f"{{{_written(one)}}}" for one in segments)
    return [f"segments: [{each}]"]


def _written(segment: Segment) -> str:
    fields = [] if segment.address is None else [f"address: {segment.address:#x}"]
    fields.append(f"length: {segment.length_bytes}")
    return ", ".join([*fields, "writable: true"] if segment.writable else fields)


def _drawn(segment: Segment) -> str:
    place = "" if segment.address is None else f" at {segment.address:#x}"
    return f"{segment.length_bytes}{' writable' if segment.writable else ''}{place}"


def _descriptor(segment: Segment) -> bytes:
    address = _ANYWHERE if segment.address is None else segment.address
    return address.to_bytes(8, "little") + word(segment.length_bytes) + word(segment.writable)
