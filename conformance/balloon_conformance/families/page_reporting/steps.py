"""The step in which the guest writes something into pages, before its driver reports them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from balloon_conformance.iut.contract import Capability
from balloon_conformance.vectors.sequence import Drawing, Item, Lane
from balloon_conformance.vectors.step import Form, Schema, Step
from balloon_conformance.vectors.steps.parts import BYTES, RUNS, field, schemas
from balloon_spec.events import Contents, Event
from balloon_spec.pages import PAGE_BYTES, PageSet

if TYPE_CHECKING:
    from balloon_conformance.running.session import DeviceSession
    from balloon_conformance.vectors.as_trace import Tracing
    from balloon_conformance.vectors.formats.plain import Exporting
    from balloon_conformance.vectors.reading import StepReader
    from balloon_conformance.vectors.write import Writing
    from balloon_spec.strict_yaml import Path

__all__ = ["FillStep"]

_WITH: Final = "with"


@dataclass(frozen=True, slots=True, kw_only=True)
class FillStep(Step):
    """The guest writes ``data`` into each of the pages, over and over.

    A driver under test fills its pages by itself, and shows what they hold when it reports them.
    """

    forms: ClassVar = (
        Form(
            "guest",
            "fills",
            schemas(
                fills=field("the pages into which the guest writes", "someRuns"),
                **{_WITH: field("what it writes into each of them, over and over", "bytes")},
            ),
            {"fills": (_WITH,), _WITH: ("fills",)},
        ),
    )
    by: ClassVar = "guest"
    action_name: ClassVar = "fills"
    exported: ClassVar[Mapping[str, Schema]] = schemas(pages=RUNS, data=BYTES)

    pages: PageSet
    data: bytes

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read the pages, and bytes that fill a page evenly."""
        data = reader.bytes((*path, _WITH), value[_WITH])
        if not data or PAGE_BYTES % len(data):
            reader.refuse(
                (*path, _WITH), f"{len(data)} bytes do not fill a page", "write 1, 2, 4 or up to 4096 bytes"
            )
        return cls(pages=reader.pages((*path, "fills")), data=data, **common)

    @classmethod
    def filled(cls, filling: Any, meant: Any, common: Mapping[str, Any]) -> Self:
        """Return the step for what is meant; no reference keeps the contents of pages."""
        del filling
        return cls(pages=PageSet(meant.pages), data=meant.data, **common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the pages and the bytes."""
        yield f"guest: {{fills: {writing.pages(self.pages)}, {_WITH}: {self.data.hex(' ')!r}}}"

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw an arrow from the guest to its driver."""
        label = f"fills {self.pages} with {self.data[:8].hex(' ')}{' ...' if len(self.data) > 8 else ''}"
        yield drawing.arrow(self, (Lane.GUEST, Lane.DRIVER), label)

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return the pages and the bytes."""
        return {"pages": exporting.pages(self.pages), "data": self.data.hex()}

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield what the pages hold."""
        del tracing
        yield Contents(self.pages, self.data)

    def wire(self, queue_index: int | None) -> Mapping[tuple[str, ...], bytes]:
        """Return the bytes."""
        del queue_index
        return {("guest", _WITH): self.data}

    @property
    def device_needs(self) -> frozenset[Capability]:
        """A guest that the suite can play."""
        return frozenset({Capability.WRITE_PAGES})

    def play_device(self, session: DeviceSession) -> None:
        """Write to the pages."""
        session.write_pages(self.pages, self.data)
