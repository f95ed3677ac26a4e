"""Guest memory: what became of its pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from balloon_conformance.vectors.sequence import Drawing, Item, Lane, Note
from balloon_conformance.vectors.step import Form, Schema, Step
from balloon_conformance.vectors.steps.parts import RUNS, field, schemas
from balloon_spec.events import Discarded, Event, Side
from balloon_spec.pages import EMPTY, PageSet

if TYPE_CHECKING:
    from balloon_conformance.vectors.as_trace import Tracing
    from balloon_conformance.vectors.formats.plain import Exporting
    from balloon_conformance.vectors.reading import StepReader
    from balloon_conformance.vectors.write import Writing
    from balloon_spec.strict_yaml import Path

__all__ = ["EffectStep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectStep(Step):
    """What became of guest memory since the last effect, or the start.

    ``discarded`` are pages that were discarded, ``kept`` pages that are as they were. The page before and
    the page after every discarded run are looked at in any case; of others nothing is said.
    """

    forms: ClassVar = (
        Form(
            "effect",
            None,
            schemas(
                discarded=field("the pages that were discarded", "someRuns"),
                kept=field("pages that are as they were", "someRuns"),
            ),
            about="what became of guest memory since the last effect: discarded, kept, or both",
            least=1,
        ),
    )
    by: ClassVar = "memory"
    action_name: ClassVar = "effect"
    exported: ClassVar[Mapping[str, Schema]] = schemas(discarded=RUNS, kept=RUNS)

    discarded: PageSet = EMPTY
    kept: PageSet = EMPTY

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read the pages; none is discarded and kept."""
        discarded = reader.pages((*path, "discarded")) if "discarded" in value else EMPTY
        kept = reader.pages((*path, "kept")) if "kept" in value else EMPTY
        if not kept.isdisjoint(discarded):
            reader.refuse(
                (*path, "kept"),
                f"{kept & discarded} is discarded and kept",
                "name each page in one of the two",
            )
        return cls(discarded=discarded, kept=kept, **common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the pages, those of which there are any."""
        parts = [f"discarded: {writing.pages(self.discarded)}"] if self.discarded else []
        parts += [f"kept: {writing.pages(self.kept)}"] if self.kept else []
        yield f"effect: {{{', '.join(parts)}}}"

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw a note over driver and device."""
        lines = [f"discarded {self.discarded}"] if self.discarded else []
        lines += [f"kept {self.kept}"] if self.kept else []
        said = (f"guest memory: {lines[0]}", *lines[1:])
        yield Note(drawing.number, Lane.DRIVER, Lane.DEVICE, said, self.condition)

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return the pages."""
        return {"discarded": exporting.pages(self.discarded), "kept": exporting.pages(self.kept)}

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the look at memory."""
        yield Discarded(self.discarded, (self.discarded | self.kept) & tracing.memory)

    @property
    def awaited_of(self) -> Side | None:
        """The device."""
        return Side.DEVICE
