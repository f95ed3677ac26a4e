"""A difference from a vector: the field that is wrong, and the requirement that is broken by it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from balloon_conformance import family
from balloon_conformance.running.blame import queue_blame
from balloon_spec.judge.content import Content
from balloon_spec.pages import EMPTY, PFN_LIMIT, PageSet
from balloon_spec.queues import Queue
from balloon_spec.wire.annotate import annotate
from balloon_spec.wire.carried import readable_structure

__all__ = ["EVERY_PAGE", "Comparison", "Mismatch", "compare_readable", "comparison", "wrong_pages"]

EVERY_PAGE = PageSet([(0, PFN_LIMIT)])


class Mismatch(Exception):  # noqa: N818 - a verdict on the implementation, not an error of the suite
    """The implementation did not do what the vector says, and broke ``requirement`` by that."""

    def __init__(
        self,
        words: str,
        *,
        requirement: str,
        field: str = "",
        expected: object = "",
        seen: object = "",
        data: bytes = b"",
    ) -> None:
        super().__init__(words)
        self.words = words
        self.requirement = requirement
        self.field = field
        self.expected = str(expected)
        self.seen = str(seen)
        self.data = data


class Comparison:
    """What a buffer breaks that carries one structure, with other bytes than the vector's.

    A family declares a subclass for each of its structures; with a ``queue``, one for the buffers of that
    queue alone, where the fields have another meaning. An answer is the id of a requirement, empty if the
    sender may do so.
    """

    absent = ""
    """What a driver breaks whose buffer carries nothing at all."""
    numbers: frozenset[str] = frozenset()
    """The requirements on numbers that name pages: broken only if other pages are named."""

    def __init__(self, structure: str, queue: Queue | None = None) -> None:
        self.structure = structure
        self.queue = queue

    def read(self, _data: bytes) -> Content | None:
        """Return the pages that the bytes name, None if the structure names none."""
        return None

    def head(self, _data: bytes) -> bytes:
        """Return the bytes that must be the vector's even if the same pages are named otherwise."""
        return b""

    def malformed(self, _seen: bytes) -> str:
        """Return what bytes of another length than the vector's break that are not well-formed."""
        return ""

    def wrong_length(self) -> str:
        """Return what well-formed bytes break that have another length, if the structure names no pages."""
        return ""

    def wrong_field(self, _name: str) -> str:
        """Return what a field breaks that is not the vector's."""
        return ""

    def wrong_pages(self, _wanted: PageSet, _seen: PageSet) -> str:
        """Return what a buffer breaks that names other pages than those wanted."""
        return ""


def comparison(structure: str, queue: Queue) -> Comparison | None:
    """Return what is known of a structure that buffers of a queue carry: the queue's own first."""
    declared = [one for each in family.additions() for one in each.comparisons if one.structure == structure]
    own = (one for one in declared if one.queue is queue)
    return next(own, None) or next((one for one in declared if one.queue is None), None)


def compare_readable(
    queue: Queue,
    expected: bytes,
    seen: bytes,
    *,
    features: Collection[str],
    owed: PageSet = EMPTY,
    shows: Sequence[str] = (),
) -> Mismatch | None:
    """Compare a driver's buffer with the vector's, byte by byte; name the first field that differs.

    None also where the bytes differ and name the same pages, each once: how runs are cut and ordered is the
    driver's choice (CHUNK-12). A structure that no family compares breaks the first requirement that the
    step ``shows``. ``features`` are the names of those accepted; ``owed`` is that of :func:`wrong_pages`.
    """
    if expected == seen:
        return None
    structure = readable_structure(queue, features)
    known = None if structure is None else comparison(structure, queue)
    first = next(iter(shows), "")
    if known is not None and _says_the_same(known, expected, seen):
        return None
    if len(expected) != len(seen):
        return Mismatch(
            f"the buffer on the {queue} queue has another length than the vector's",
            requirement=first if known is None else _wrong_length(known, expected, seen, queue, owed),
            field="buffer",
            expected=f"{len(expected)} bytes: {expected[:64].hex(' ')}",
            seen=f"{len(seen)} bytes: {seen[:64].hex(' ')}",
            data=seen,
        )
    at = next(index for index, (want, have) in enumerate(zip(expected, seen, strict=True)) if want != have)
    parts = () if structure is None else annotate(structure, seen)
    field = next((part for part in parts if part.offset <= at < part.offset + len(part.raw)), None)
    name = field.name if field else "buffer"
    raw = slice(field.offset, field.offset + len(field.raw)) if field else slice(at, at + 1)
    requirement = first if known is None else known.wrong_field(name)
    if known is not None and requirement in known.numbers:
        want, have = known.read(expected), known.read(seen)
        assert want is not None
        assert have is not None
        if not wrong_pages(want.pages, have.pages, queue, known, owed=owed):
            requirement = ""
    return Mismatch(
        f"the buffer on the {queue} queue differs from the vector's",
        requirement=requirement,
        field=f"{name} at offset {at}",
        expected=expected[raw].hex(" "),
        seen=seen[raw].hex(" "),
        data=seen,
    )


def wrong_pages(
    wanted: PageSet, seen: PageSet, queue: Queue, known: Comparison | None, *, owed: PageSet = EMPTY
) -> str:
    """Return the requirement that is broken where other pages are named than those wanted.

    Empty if none need be: a driver may take back more than its guest wants, and report more pages that are
    free. The judge's rules decide about that. It may report fewer unused pages too, for no requirement asks
    for all of them. ``owed`` are those that are expected of it all the same, because it showed in an earlier
    answer that it reports all.
    """
    of_the_queue = queue_blame(queue)
    if of_the_queue.may_name_more and wanted <= seen:
        return ""
    if of_the_queue.may_name_fewer and seen <= wanted and owed <= seen:
        return ""
    return "" if known is None else known.wrong_pages(wanted, seen)


def _says_the_same(known: Comparison, expected: bytes, seen: bytes) -> bool:
    want, have = known.read(expected), known.read(seen)
    if want is None or have is None or known.head(expected) != known.head(seen):
        return False
    once = have.total == have.pages.pages
    return have.pages == want.pages and once and not have.is_malformed and not want.is_malformed


def _wrong_length(known: Comparison, expected: bytes, seen: bytes, queue: Queue, owed: PageSet) -> str:
    """Return what a buffer of another length breaks: its own form, or else the pages it names."""
    if malformed := known.malformed(seen):
        return malformed
    want, have = known.read(expected), known.read(seen)
    if want is None or have is None:
        return known.wrong_length()
    if want.pages == have.pages:
        # The same pages, some of them more than once.
        return queue_blame(queue).twice
    return wrong_pages(want.pages, have.pages, queue, known, owed=owed)
