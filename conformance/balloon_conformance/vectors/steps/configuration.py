"""The configuration space: what the driver writes and reads there, and what the device changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from balloon_conformance.vectors.sequence import Content, Drawing, Item, Lane
from balloon_conformance.vectors.step import Form, Schema, Step
from balloon_conformance.vectors.steps.parts import BYTES, COUNT, field, schemas, word
from balloon_spec.events import (
    ConfigurationChanged,
    ConfigurationRead,
    ConfigurationWritten,
    Event,
    Side,
)
from balloon_spec.families.base import configuration

if TYPE_CHECKING:
    from balloon_conformance.vectors.as_trace import Tracing
    from balloon_conformance.vectors.formats.plain import Exporting
    from balloon_conformance.vectors.reading import StepReader
    from balloon_conformance.vectors.write import Writing
    from balloon_spec.strict_yaml import Path

__all__ = ["ActualStep", "ConfigurationReadStep", "ConfigurationStep", "ConfigurationWriteStep"]

_TO_THE_DEVICE = (Lane.DRIVER, Lane.DEVICE)
_TO_THE_DRIVER = (Lane.DEVICE, Lane.DRIVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActualStep(Step):
    """The driver writes ``actual``, the pages in the balloon, as one store of 4 bytes at offset 4."""

    forms: ClassVar = (
        Form("driver", "actual", schemas(actual=field("the driver writes actual", "pageCount"))),
    )
    by: ClassVar = "driver"
    action_name: ClassVar = "actual"
    exported: ClassVar[Mapping[str, Schema]] = schemas(pages=COUNT)

    pages: int

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read the number of pages."""
        del reader, path
        return cls(pages=value["actual"], **common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the number of pages."""
        del writing
        yield f"driver: {{actual: {self.pages}}}"

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw an arrow to the device."""
        yield drawing.arrow(self, _TO_THE_DEVICE, f"actual = {self.pages}")

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return the number of pages."""
        del exporting
        return {"pages": self.pages}

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the store."""
        tracing.actual = self.pages
        yield ConfigurationWritten(configuration.ACTUAL_OFFSET, word(self.pages))

    def wire(self, queue_index: int | None) -> Mapping[tuple[str, ...], bytes]:
        """Return the number of pages."""
        del queue_index
        return {("driver", "actual"): word(self.pages)}

    @property
    def awaited_of(self) -> Side | None:
        """The driver."""
        return Side.DRIVER


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationWriteStep(Step):
    """The driver writes ``data`` to the configuration space at ``offset``, in bytes."""

    forms: ClassVar = (
        Form(
            "driver",
            "write",
            schemas(
                write={
                    "description": "the driver writes to the configuration space",
                    "type": "object",
                    "required": ["offset", "data"],
                    "additionalProperties": False,
                    "properties": {
                        "offset": field("the first byte", "lengthBytes"),
                        "data": field("the bytes written", "bytes"),
                    },
                }
            ),
        ),
    )
    by: ClassVar = "driver"
    action_name: ClassVar = "write"
    exported: ClassVar[Mapping[str, Schema]] = schemas(offset=COUNT, data=BYTES)

    offset: int
    data: bytes

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read a store of at least one byte."""
        data = reader.bytes((*path, "write", "data"), value["write"]["data"])
        if not data:
            reader.refuse((*path, "write", "data"), "there are no bytes", "write at least one hex pair")
        return cls(offset=value["write"]["offset"], data=data, **common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the store, and beside it which bytes of the space these are."""
        yield (
            f'driver: {{write: {{offset: {self.offset}, data: "{writing.inline(self.data)}"}}}}'
            f"  # {writing.comment_on_space(self.offset, self.data)}"
        )

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw an arrow to the device."""
        content = Content(self.data, configuration.NAME, self.offset)
        yield drawing.arrow(self, _TO_THE_DEVICE, f"configuration write at {self.offset}", content)

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return where, and which bytes."""
        del exporting
        return {"offset": self.offset, "data": self.data.hex()}

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the store."""
        del tracing
        yield ConfigurationWritten(self.offset, self.data)

    def wire(self, queue_index: int | None) -> Mapping[tuple[str, ...], bytes]:
        """Return where, and which bytes."""
        del queue_index
        return {("driver", "write", "offset"): word(self.offset), ("driver", "write", "data"): self.data}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationReadStep(Step):
    """The driver reads ``length_bytes`` of the configuration space; the device answers ``data``."""

    forms: ClassVar = (
        Form(
            "driver",
            "read",
            schemas(
                read={
                    "description": "the driver reads the configuration space; data beside it is what the "
                    "device answers",
                    "type": "object",
                    "required": ["offset", "length"],
                    "additionalProperties": False,
                    "properties": {
                        "offset": field("the first byte", "lengthBytes"),
                        "length": field("how many bytes", "lengthBytes"),
                    },
                },
                data=field("what the device answers to the read", "bytes"),
            ),
            {"read": ("data",), "data": ("read",)},
        ),
    )
    by: ClassVar = "driver"
    action_name: ClassVar = "read"
    exported: ClassVar[Mapping[str, Schema]] = schemas(offset=COUNT, length_bytes=COUNT, data=BYTES)

    offset: int
    length_bytes: int
    data: bytes

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read a read; its answer has as many bytes as were asked for."""
        data = reader.bytes((*path, "data"), value["data"])
        length = value["read"]["length"]
        if len(data) != length:
            reader.refuse(
                (*path, "data"), f"{len(data)} bytes answer a read of {length}", "make the lengths equal"
            )
        return cls(offset=value["read"]["offset"], length_bytes=length, data=data, **common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the read, and beside it which bytes of the space these are."""
        yield (
            f"driver: {{read: {{offset: {self.offset}, length: {self.length_bytes}}}, "
            f'data: "{writing.inline(self.data)}"}}'
            f"  # {writing.comment_on_space(self.offset, self.data)}"
        )

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw an arrow to the device, and the answer."""
        content = Content(self.data, configuration.NAME, self.offset)
        yield drawing.arrow(self, _TO_THE_DEVICE, f"configuration read at {self.offset}")
        yield drawing.arrow(self, _TO_THE_DRIVER, self.data.hex(" "), content)

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return where, how much, and the answer."""
        del exporting
        return {"offset": self.offset, "length_bytes": self.length_bytes, "data": self.data.hex()}

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the read."""
        del tracing
        yield ConfigurationRead(self.offset, self.data)

    def wire(self, queue_index: int | None) -> Mapping[tuple[str, ...], bytes]:
        """Return where, and the answer."""
        del queue_index
        return {("driver", "read", "offset"): word(self.offset), ("driver", "data"): self.data}

    @property
    def awaited_of(self) -> Side | None:
        """The device."""
        return Side.DEVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationStep(Step):
    """The device changes num_pages, a count of 4 KiB pages, and notifies the driver."""

    forms: ClassVar = (
        Form(
            "device",
            "configuration",
            schemas(
                configuration={
                    "description": "the configuration changes, and the driver is notified",
                    "type": "object",
                    "required": ["num_pages"],
                    "additionalProperties": False,
                    "properties": {"num_pages": field("how many pages the balloon shall hold", "pageCount")},
                }
            ),
        ),
    )
    by: ClassVar = "device"
    action_name: ClassVar = "configuration"
    exported: ClassVar[Mapping[str, Schema]] = schemas(num_pages=COUNT)

    num_pages: int

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read the number of pages."""
        del reader, path
        return cls(num_pages=value["configuration"]["num_pages"], **common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the number of pages."""
        del writing
        yield f"device: {{configuration: {{num_pages: {self.num_pages}}}}}"

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw an arrow to the driver."""
        yield drawing.arrow(self, _TO_THE_DRIVER, f"num_pages = {self.num_pages}")

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return the number of pages."""
        del exporting
        return {"num_pages": self.num_pages}

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the change, with the whole space."""
        tracing.num_pages = self.num_pages
        yield ConfigurationChanged(tracing.space())

    def wire(self, queue_index: int | None) -> Mapping[tuple[str, ...], bytes]:
        """Return the number of pages."""
        del queue_index
        return {("device", "configuration", "num_pages"): word(self.num_pages)}

    @property
    def awaited_of(self) -> Side | None:
        """The device."""
        return Side.DEVICE

    def is_answered_by(self, event: Event) -> bool:
        """Tell whether the driver was notified of a change."""
        return isinstance(event, ConfigurationChanged)
