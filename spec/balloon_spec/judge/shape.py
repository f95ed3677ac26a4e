"""What a buffer is: by its queue, the negotiated features and its bytes. Each family declares its shapes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from balloon_spec.events import Available
from balloon_spec.families import registry
from balloon_spec.judge.content import Content
from balloon_spec.pages import PageSet
from balloon_spec.queues import Queue

if TYPE_CHECKING:
    from balloon_spec.families.family import Family

__all__ = [
    "NO_SHAPE",
    "Mistaken",
    "Place",
    "Shape",
    "by_bytes",
    "known_shapes",
    "on_places",
    "read_content",
    "shape_of",
]

Reader: TypeAlias = Callable[[Queue, Available, PageSet, Collection[str], Sequence[PageSet]], Content]
"""Reads a buffer that came on a queue, by its bytes or its addresses.

It is given the pages that exist, the names of the negotiated features, and sets of pages, of which the sender
is known to mean no others; none if nobody knows.
"""


def _has_a_part_too_many(event: Available, _content: Content, queue: Queue) -> bool:
    """Tell whether a buffer has a device-writable part on a queue where a device writes nothing."""
    return event.writable_bytes > 0 and queue.written is None


def _size(data: bytes) -> str:
    return f"{len(data)} bytes"


@dataclass(frozen=True, slots=True)
class Place:
    """A field that says where pages are, and the requirement that it says so rightly."""

    requirement: str
    field: str


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One thing that a buffer may be; there is one object for each, compared by identity.

    ``structure`` is the name of the structure that such a buffer carries; of one that carries none it is what
    its queue has as ``ranges``. ``noun`` says what it is, and ``told`` what was seen of it. ``names_pages``:
    it names pages in a form that was negotiated. ``read`` reads it, None if it says nothing of pages;
    ``decides`` are the requirements on its sender that they decide, of which those that ``rest_on_memory``
    are seen broken only if guest memory is known.
    ``is_malformed`` tells whether it by itself breaks what a device relies on, apart from those.
    ``is_mistaken``: it is of the form of other features than were negotiated, and acted on in no reading;
    ``lacks`` is the feature that would make it right, empty if it is one too many. ``acted_on`` is the
    requirement to act on the pages it names, ``start`` and ``count`` say where these begin and how many there
    are.
    """

    name: str
    structure: str
    noun: str = "a buffer"
    told: Callable[[bytes], str] = _size
    names_pages: bool = False
    read: Reader | None = None
    decides: frozenset[str] = frozenset()
    rest_on_memory: frozenset[str] = frozenset()
    is_malformed: Callable[[Available, Content, Queue], bool] = _has_a_part_too_many
    is_mistaken: bool = False
    lacks: str = ""
    acted_on: str = ""
    start: Place | None = None
    count: Place | None = None

    @property
    def on_places(self) -> tuple[str, ...]:
        """The requirements to name the pages that are meant, each once."""
        return tuple(dict.fromkeys(one.requirement for one in (self.start, self.count) if one is not None))

    @property
    def is_of_pages(self) -> bool:
        """Whether it carries pages, in the right form or the wrong one, and so has to come back."""
        return self.names_pages or self.is_mistaken

    def __repr__(self) -> str:
        return f"<shape {self.name}>"


NO_SHAPE: Final = Shape("none", "")
"""A buffer on a queue that does not exist, or of which no family says what it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Mistaken:
    """How a buffer of the wrong form is recognised: ``tells``, given the bytes and the pages that exist.

    They are None as long as nobody said which do.
    """

    shape: Shape
    tells: Callable[[bytes, PageSet | None], bool]


def shape_of(
    queue: Queue | None, event: Available, features: frozenset[str], memory: PageSet | None
) -> Shape:
    """Tell what a buffer is; ``memory`` are the pages that exist, None as long as nobody said."""
    if queue is None:
        return NO_SHAPE
    families = registry.families()
    writable = queue.written or queue.ranges
    if writable is not None and (not event.readable or queue.readable is None):
        return _by_structure(families).get(writable, NO_SHAPE)
    expected, mistaken = _expected(families, queue, features)
    return next((one.shape for one in mistaken if one.tells(event.readable, memory)), expected)


def read_content(
    queue: Queue | None,
    data: bytes,
    memory: PageSet,
    features: Collection[str],
    meant: Sequence[PageSet] = (),
) -> Content:
    """Read what the device-readable part of a buffer says: the pages it names, and all that is wrong with it.

    ``features`` are the names of those negotiated, ``memory`` the pages that exist. ``meant`` are sets of
    pages, of which the sender is known to mean no others; none if nobody knows. A buffer on a queue that
    carries no pages has no content.
    """
    if queue is None:
        return Content()
    shape, _ = _expected(registry.families(), queue, frozenset(features))
    if shape.read is None:
        return Content()
    return shape.read(queue, Available(queue.place, "", data), memory, features, meant)


def known_shapes() -> tuple[Shape, ...]:
    """Return the shapes that the families of all profiles declare."""
    return tuple(_by_structure(registry.families()).values())


def by_bytes(families: tuple[Family, ...]) -> frozenset[str]:
    """Return the requirements that the bytes of a buffer may decide by themselves."""
    return frozenset(name for family in families for one in family.shapes for name in one.decides)


def on_places(families: tuple[Family, ...]) -> frozenset[str]:
    """Return the requirements to name the pages that are meant."""
    return frozenset(name for family in families for one in family.shapes for name in one.on_places)


@lru_cache(maxsize=8)
def _by_structure(families: tuple[Family, ...]) -> dict[str, Shape]:
    return {one.structure: one for family in families for one in family.shapes}


@lru_cache(maxsize=1024)
def _expected(
    families: tuple[Family, ...], queue: Queue, features: frozenset[str]
) -> tuple[Shape, tuple[Mistaken, ...]]:
    """Return the shape of what a queue carries, and the mistakes that are made there."""
    shapes = _by_structure(families)
    others = [one for family in families for one in family.carries if one.queue is queue]
    for one in others:
        if one.feature in features:
            return shapes.get(one.structure, NO_SHAPE), (() if one.unheeded is None else (one.unheeded,))
    plain = NO_SHAPE if queue.readable is None else shapes.get(queue.readable, NO_SHAPE)
    return plain, tuple(one.unasked for one in others if one.unasked is not None)
