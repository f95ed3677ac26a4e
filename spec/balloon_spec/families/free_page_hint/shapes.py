"""What the buffers of the free-page queue are: a command id to be read, or hints to be written to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from balloon_spec.events import Available
from balloon_spec.families.free_page_hint import command_id
from balloon_spec.judge.content import Content
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.shape import Shape
from balloon_spec.pages import PAGE_BYTES, PageSet
from balloon_spec.queues import Queue
from balloon_spec.segments import inward, outward, writable_ranges
from balloon_spec.wire.structure import counted

__all__ = ["COMMAND", "HINT"]


def _read(
    _queue: Queue, event: Available, memory: PageSet, _features: Collection[str], _meant: Sequence[PageSet]
) -> Content:
    ranges = writable_ranges(event.segments)
    pages, parts = inward(ranges) & memory, outward(ranges) & memory
    decisions = tuple(_decide(event))
    if event.readable:
        # What is hinted beside a command id is for nobody to tell.
        return Content(intended=parts, decisions=decisions)
    return Content(pages, parts, decisions=decisions)


def _decide(event: Available) -> Iterator[Decision]:
    """Tell a command from hints, and from what is neither."""
    data, room = event.readable, event.writable_bytes
    if not data:
        if room:
            yield kept("HINT-11")
        return
    if len(data) > command_id.LENGTH_BYTES and len(data) % PAGE_BYTES == 0:
        yield broken(
            "HINT-11",
            "pages are hinted in a device-readable buffer",
            field="buffer",
            expected="device-writable descriptors",
            seen=f"{len(data)} device-readable bytes",
        )
        return
    yield kept_if(
        "HINT-01",
        len(data) == command_id.LENGTH_BYTES,
        "a command id has not 4 bytes",
        field="buffer",
        expected=f"{command_id.LENGTH_BYTES} bytes",
        seen=counted(len(data), "byte"),
        data=data,
    )
    if room:
        yield broken(
            "HINT-11",
            "a command id and hints are in one buffer",
            field="buffer",
            expected="a buffer of its own for each",
            seen=f"{counted(len(data), 'byte')} to be read and {room} to be written",
            data=data,
        )


def _has_room(event: Available, _content: Content, _queue: Queue) -> bool:
    return event.writable_bytes > 0


def _is_empty(event: Available, _content: Content, _queue: Queue) -> bool:
    return not event.writable_bytes


_DECIDES: Final = frozenset({"HINT-01", "HINT-11"})

COMMAND: Final = Shape(
    "command",
    command_id.NAME,
    "a command id",
    names_pages=True,
    read=_read,
    decides=_DECIDES,
    is_malformed=_has_room,
)
"""A buffer to be read; one that has hints beside is malformed."""

HINT: Final = Shape(
    "hint",
    "hint",
    "hinted pages",
    names_pages=True,
    read=_read,
    decides=_DECIDES,
    is_malformed=_is_empty,
)
"""A buffer of which the addresses are the message."""
