"""Forms that steps about pages share: pages under a verb, and a look that tells two kinds of pages apart."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from balloon_conformance.vectors.sequence import Drawing, Item, Lane, Note
from balloon_conformance.vectors.step import Form, Schema, Step
from balloon_conformance.vectors.steps.parts import RUNS, field, schemas
from balloon_spec.events import Side
from balloon_spec.pages import EMPTY, PageSet

if TYPE_CHECKING:
    from balloon_conformance.vectors.formats.plain import Exporting
    from balloon_conformance.vectors.reading import StepReader
    from balloon_conformance.vectors.write import Writing
    from balloon_spec.strict_yaml import Path

__all__ = ["LookStep", "PagesStep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PagesStep(Step):
    """Someone does something with pages: ``by: {verb: [pages]}``, in which the action's name is the verb.

    ``about`` says which pages. An arrow along ``ways`` stands for it in drawings, under the verb ``drawn``.
    """

    about: ClassVar[str]
    ways: ClassVar[tuple[Lane, Lane]]
    drawn: ClassVar[str]
    exported: ClassVar[Mapping[str, Schema]] = schemas(pages=RUNS)

    pages: PageSet

    def __init_subclass__(cls) -> None:
        cls.forms = (Form(cls.by, cls.action_name, {cls.action_name: field(cls.about, "someRuns")}),)

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read the pages."""
        del value
        return cls(pages=reader.pages((*path, cls.action_name)), **common)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the pages."""
        yield f"{self.by}: {{{self.action_name}: {writing.pages(self.pages)}}}"

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw an arrow."""
        yield drawing.arrow(self, self.ways, f"{self.drawn} {self.pages}")

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return the pages."""
        return {"pages": exporting.pages(self.pages)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LookStep(Step):
    """A look at what a device did with two kinds of pages; no page is of both.

    A subclass has a field for each kind, whose names are the ``words`` of files. ``kinds`` is what files say
    of each, ``names`` what exports call them, ``told`` what is looked at, in full, and ``drawn`` what a
    drawing calls it, and each kind.
    """

    by: ClassVar = "memory"
    words: ClassVar[tuple[str, str]]
    kinds: ClassVar[tuple[str, str]]
    names: ClassVar[tuple[str, str]]
    told: ClassVar[str]
    drawn: ClassVar[tuple[str, str, str]]

    def __init_subclass__(cls) -> None:
        fields = {word: field(kind, "someRuns") for word, kind in zip(cls.words, cls.kinds, strict=True)}
        cls.forms = (Form(cls.action_name, None, fields, about=cls.told, least=1),)
        cls.exported = schemas(**dict.fromkeys(cls.names, RUNS))

    @property
    @abstractmethod
    def sets(self) -> tuple[PageSet, PageSet]:
        """The pages of each kind."""

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read the pages."""
        first, second = (reader.pages((*path, word)) if word in value else EMPTY for word in cls.words)
        if both := first & second:
            reader.refuse(
                (*path, cls.words[1]),
                f"{both} is {' and '.join(cls.words)}",
                "name each page in one of the two",
            )
        return cls(**{**common, cls.words[0]: first, cls.words[1]: second})

    def _called(self, *words: str) -> Iterator[tuple[str, PageSet]]:
        """Yield the kinds of which there are pages, under these names."""
        return ((word, pages) for word, pages in zip(words, self.sets, strict=True) if pages)

    def write(self, writing: Writing) -> Iterator[str]:
        """Write the pages."""
        parts = (f"{word}: {writing.pages(pages)}" for word, pages in self._called(*self.words))
        yield f"{self.action_name}: {{{', '.join(parts)}}}"

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw a note over driver and device."""
        place, *words = self.drawn
        first, *more = (f"{word} {pages}" for word, pages in self._called(*words))
        yield Note(drawing.number, Lane.DRIVER, Lane.DEVICE, (f"{place}: {first}", *more), self.condition)

    def export(self, exporting: Exporting) -> dict[str, Any]:
        """Return the pages of each kind."""
        return {name: exporting.pages(pages) for name, pages in zip(self.names, self.sets, strict=True)}

    @property
    def awaited_of(self) -> Side | None:
        """The device."""
        return Side.DEVICE
