"""Rules about the statistics queue: its one buffer, and what stands in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from balloon_spec.events import (
    Available,
    Quiet,
    Side,
    Used,
)
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.statistics import STATISTICS, statistics
from balloon_spec.families.statistics.ledger import Statistics
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session
from balloon_spec.wire.errors import WireError
from balloon_spec.wire.layout import swapped

_FREE = frozenset({statistics.Tag.MEMFREE, statistics.Tag.AVAIL})
_AMOUNTS = frozenset({statistics.Tag.MEMFREE, statistics.Tag.MEMTOT, statistics.Tag.AVAIL})
"""Statistics that are amounts of the guest's memory, in bytes."""
_SHARE = 2
"""How many times the memory shared with the device a guest may say that it has."""


def _concerns(scene: Scene) -> bool:
    return scene.buffer is not None and scene.buffer.queue is STATISTICS


@rule(Available, "STATS-01", "STATS-02", "STATS-03")
def one_buffer_at_a_time(_event: Available, scene: Scene) -> Iterator[Decision]:
    """One statistics buffer is in flight, from the start and again after each return."""
    flying = scene[Buffers]
    if not _concerns(scene):
        return
    if flying.on(STATISTICS):
        yield broken(
            "STATS-02",
            "a second statistics buffer is in flight",
            field="statistics buffer",
            expected="one",
            seen=len(flying.on(STATISTICS)) + 1,
        )
        return
    yield kept("STATS-02")
    yield kept("STATS-03" if scene[Statistics].is_owed else "STATS-01")


@rule(Available, "STATS-04", "STATS-05", "STATS-06", "STATS-10", "STATS-11")
def entries_are_whole(event: Available, scene: Scene) -> Iterator[Decision]:
    """The buffer holds whole entries, the same tags each time."""
    if not _concerns(scene):
        return
    data = event.readable
    if not data:
        yield broken(
            "STATS-10",
            "the statistics buffer is empty",
            field="statistics buffer",
            expected="an entry for each statistic",
            seen="0 bytes",
        )
        return
    yield kept("STATS-10")
    try:
        tags = tuple(sorted(entry.tag for entry in statistics.parse(data).entries))
    except WireError as error:
        yield broken(
            "STATS-04",
            "the statistics buffer does not hold whole entries",
            field=error.field,
            expected=error.expected,
            seen=error.seen,
            data=data,
        )
        return
    yield kept("STATS-04")
    yield from _values(data, scene)
    if scene[Session].has("VERSION_1") and any(tags):
        # No statistic has a number of two bytes, so tags that are all multiples of 256 were sent big-endian.
        if all(tag % 256 == 0 for tag in tags):
            yield broken(
                "STATS-06",
                "tags are big-endian",
                field="tag",
                expected=f"{max(tags) >> 8}",
                seen=f"{max(tags)}",
                data=data,
            )
        else:
            yield from _byte_order(data, scene)
    before = scene[Statistics].tags
    if before is None:
        return
    yield kept_if(
        "STATS-05",
        tags == before,
        "the statistics are not those of the first buffer",
        field="tag",
        expected=" ".join(map(str, before)),
        seen=" ".join(map(str, tags)),
        data=data,
    )


def _values(data: bytes, scene: Scene) -> Iterator[Decision]:
    """STATS-11, where the values by themselves can decide it: a guest that runs has memory."""
    values = {entry.tag: entry.value for entry in statistics.parse(data).entries}
    total = values.get(statistics.Tag.MEMTOT)
    # A guest may run out of free memory later. Before it gave any up, it has some.
    is_first = not scene[Statistics].posts and not scene[Balloon].named
    free = _FREE & values.keys() if is_first and len(values) > 1 else frozenset()
    if total == 0 or (total is None and free and not any(values.values())):
        yield broken(
            "STATS-11",
            "the total memory is 0" if total == 0 else "every value of the first statistics buffer is 0",
            field="val",
            expected="the memory that the guest has",
            seen=0,
            data=data,
        )
    elif total is not None and _is_beyond(total, scene) and _is_beyond(swapped(total), scene):
        yield broken(
            "STATS-11",
            "the total memory is more than the guest has",
            field="val",
            expected=f"{_memory_bytes(scene)} at most",
            seen=total,
            data=data,
        )
    elif total is not None and (more := _more_than(total, values, scene)) is not None:
        yield broken(
            "STATS-11",
            "the total memory is less than what of it is free",
            field="val",
            expected=f"{more} at least",
            seen=total,
            data=data,
        )
    elif total is not None or free:
        yield kept("STATS-11")


def _more_than(total: int, values: Mapping[int, int], scene: Scene) -> int | None:
    """Return an amount of free memory that exceeds the total, and that the guest can have; None for none."""
    if scene[Session].memory is None:
        return None
    amounts = (values[tag] for tag in sorted(_FREE & values.keys()))
    return next((one for one in amounts if one > total and not _is_beyond(one, scene)), None)


def _byte_order(data: bytes, scene: Scene) -> Iterator[Decision]:
    """STATS-06 for the values: an amount of memory that the guest cannot have, and swapped it can.

    Tags alone say nothing of the values. Without an amount of memory, or if nobody knows how much the guest
    has, nothing is decided.
    """
    amounts = [
        entry.value for entry in statistics.parse(data).entries if entry.tag in _AMOUNTS and entry.value
    ]
    if not amounts or scene[Session].memory is None:
        return
    wrong = next(
        (one for one in amounts if _is_beyond(one, scene) and not _is_beyond(swapped(one), scene)), None
    )
    yield kept_if(
        "STATS-06",
        wrong is None,
        "values are big-endian",
        field="val",
        expected=wrong and swapped(wrong),
        seen=wrong,
        data=data,
    )


def _memory_bytes(scene: Scene) -> int:
    memory = scene[Session].memory
    return 0 if memory is None else memory.size_bytes


def _is_beyond(amount_bytes: int, scene: Scene) -> bool:
    """Tell whether the guest cannot have as much; not all of its memory need be shared with the device."""
    return scene[Session].memory is not None and amount_bytes > _SHARE * _memory_bytes(scene)


@rule(Used, "STATS-07", "STATS-08", "STATS-09")
def statistics_are_returned(_event: Used, scene: Scene) -> Iterator[Decision]:
    """The device takes any tags in any order, and returns the buffer when it likes."""
    if not _concerns(scene) or scene.buffer is None:
        return
    yield kept("STATS-09")
    try:
        tags = [entry.tag for entry in statistics.parse(scene.buffer.event.readable).entries]
    except WireError:
        return
    if any(tag > max(statistics.Tag) for tag in tags):
        yield kept("STATS-07")
    if tags != sorted(tags):
        yield kept("STATS-08")


@rule(Quiet, "STATS-01", "STATS-03")
def statistics_are_offered(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A driver that was given its time has a statistics buffer in flight."""
    if event.side is not Side.DRIVER or not scene[Session].has("STATS_VQ") or scene[Buffers].on(STATISTICS):
        return
    yield broken(
        "STATS-03" if scene[Statistics].posts else "STATS-01",
        "no statistics buffer is in flight",
        field="statistics buffer",
        expected="one",
        seen="none",
    )
