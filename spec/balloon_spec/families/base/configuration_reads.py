"""Rules about what the configuration space shows, and who writes to it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from balloon_spec.events import (
    ConfigurationChanged,
    ConfigurationRead,
    ConfigurationWritten,
    Quiet,
    Side,
)
from balloon_spec.families.base import configuration
from balloon_spec.families.base.configuration_space import Configuration
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session
from balloon_spec.wire.layout import swapped

_NUM_PAGES = configuration.NUM_PAGES_OFFSET
_ACTUAL = configuration.ACTUAL_OFFSET
_SPACE_BYTES = configuration.LENGTH_BYTES


def _num_pages_decisions(
    seen: int, target: int, actual: int, data: bytes, others: Collection[int | None] = ()
) -> Iterator[Decision]:
    """CFG-01 and CFG-11: the operator's wish, as the device shows it, or one of those that count as well."""
    of_actual = data[_ACTUAL:_SPACE_BYTES]
    is_misplaced = len(of_actual) == 4 and int.from_bytes(of_actual, "little") == target
    if seen == target or seen in others:
        yield kept("CFG-01")
        yield kept("CFG-11")
    elif target == swapped(seen, 4):
        yield broken(
            "CFG-01", "num_pages is big-endian", field="num_pages", expected=target, seen=seen, data=data
        )
    elif seen == actual and is_misplaced:
        yield broken(
            "CFG-01",
            "num_pages stands at the offset of actual",
            field="num_pages",
            expected="offset 0",
            seen=f"offset {_ACTUAL}",
            data=data,
        )
    else:
        yield broken(
            "CFG-11",
            "num_pages is not the target in 4 KiB pages",
            field="num_pages",
            expected=target,
            seen=seen,
            data=data,
        )


@rule(ConfigurationChanged, "CFG-01", "CFG-07", "CFG-11")
def a_change_is_announced(event: ConfigurationChanged, scene: Scene) -> Iterator[Decision]:
    """The driver is notified when the target changes, and finds it there."""
    space = scene[Configuration]
    if space.target is None or len(event.data) < 4 or space.is_late(event):
        return
    seen = int.from_bytes(event.data[:4], "little")
    yield kept("CFG-07")
    if space.wants_more_than_memory and seen != space.target:
        # CFG-14 lets a device make another target of it.
        return
    yield from _num_pages_decisions(seen, space.target, space.actual or 0, event.data)


@rule(Quiet, "CFG-07")
def no_change_is_missed(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A new target does not pass in silence."""
    space = scene[Configuration]
    if event.side is not Side.DEVICE or space.target is None or space.target == space.num_pages:
        return
    if not scene[Session].driver_ok or space.target_is_early:
        # A driver that does not run yet is not notified (CFG-13), and reads num_pages when it does.
        return
    if space.wants_more_than_memory:
        # CFG-14 lets a device leave it.
        return
    yield broken(
        "CFG-07",
        "the target changed and the driver was not notified",
        field="num_pages",
        expected=space.target,
        seen="no configuration change",
    )


@rule(Quiet, "CFG-14")
def a_target_beyond_memory_may_be_left(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A device that was given its time did with such a target what it may."""
    if event.side is Side.DEVICE and scene[Session].driver_ok and scene[Configuration].wants_more_than_memory:
        yield kept("CFG-14")


def _num_pages_reads_back(seen: int, data: bytes, exchange: Exchange) -> Iterator[Decision]:
    """CFG-09, CFG-01 and CFG-11: ``num_pages`` is what it was, or what the operator wished for since."""
    space = exchange[Configuration]
    known = {space.target, space.num_pages_before} | ({seen} & space.superseded)
    memory = exchange[Session].memory
    if memory is not None and space.wants_more_than_memory and seen == memory.pages:
        # CFG-14 lets a device make this of the target, and a driver may read it before it is notified.
        return
    if space.wrote_num_pages is None:
        if space.num_pages is not None and space.num_pages_was_seen:
            yield from _num_pages_decisions(seen, space.num_pages, space.actual or 0, data, known)
        return
    if not space.num_pages_was_seen:
        # What stood there before the write nobody knows, and a target that nobody set need not be 0.
        return
    before = space.num_pages
    yield kept_if(
        "CFG-09",
        seen == before or seen in known,
        "a driver's write changed num_pages",
        field="num_pages",
        expected=before,
        seen=seen,
        data=data,
    )


@rule(ConfigurationRead, "CFG-01", "CFG-06", "CFG-08", "CFG-09", "CFG-11")
def configuration_reads_back(event: ConfigurationRead, scene: Scene) -> Iterator[Decision]:
    """``actual`` reads back as written and stays, and ``num_pages`` is the device's alone."""
    space = scene[Configuration]
    end = event.offset + len(event.data)
    if event.offset == _NUM_PAGES and len(event.data) >= 4:
        yield from _num_pages_reads_back(int.from_bytes(event.data[:4], "little"), event.data, scene.exchange)
    first, last = max(event.offset, _ACTUAL), min(end, _ACTUAL + 4)
    if first >= last:
        return
    seen = event.data[first - event.offset : last - event.offset]
    place = slice(first - _ACTUAL, last - _ACTUAL)
    if space.actual is None or space.actual_was_read:
        yield from _actual_stays(seen, place, event.data, scene.exchange)
        if space.actual is None:
            return
    written = space.actual.to_bytes(4, "little")
    if seen == written[place]:
        yield kept("CFG-06")
        yield kept("CFG-01")
    elif not space.actual_was_read:
        is_big_endian = seen == written[::-1]
        yield broken(
            "CFG-01" if is_big_endian else "CFG-06",
            "actual is big-endian" if is_big_endian else "actual does not read back as it was written",
            field="actual",
            expected=written[place].hex(" "),
            seen=seen.hex(" "),
            data=event.data,
        )


def _actual_stays(seen: bytes, place: slice, data: bytes, exchange: Exchange) -> Iterator[Decision]:
    """CFG-08: ``actual`` is what it was when it was last read, whatever happened since.

    If nothing did, a part of it that reads otherwise lies elsewhere: that is CFG-01.
    """
    space = exchange[Configuration]
    before = space.actual_shown
    if before is None:
        return
    if seen == before[place]:
        if space.cause_of_change:
            yield kept("CFG-08")
        return
    if not space.cause_of_change and len(seen) < len(before):
        yield broken(
            "CFG-01",
            "a read of a part of actual shows other bytes than a read of all of it",
            field="actual",
            expected=before[place].hex(" "),
            seen=seen.hex(" "),
            data=data,
        )
        return
    since = f", after {space.cause_of_change}" if space.cause_of_change else ""
    yield broken(
        "CFG-08",
        f"actual changed without a write of the driver{since}",
        field="actual",
        expected=before[place].hex(" "),
        seen=seen.hex(" "),
        data=data,
    )


@rule(ConfigurationRead, "CFG-12")
def a_notification_shows_what_is_there(event: ConfigurationRead, scene: Scene) -> Iterator[Decision]:
    """What a notification of a change carries is what the driver then reads."""
    space = scene[Configuration]
    announced = space.announced
    if announced is None or event.offset != _NUM_PAGES or min(len(event.data), len(announced)) < _SPACE_BYTES:
        return
    seen, told = event.data[:_SPACE_BYTES], announced[:_SPACE_BYTES]
    if space.actual_shown not in {None, seen[_ACTUAL:]}:
        # The read is wrong, which is CFG-08, and need not be what was announced.
        return
    # One read that was on its way before the change may be seen after it.
    old = int.from_bytes(seen[:_ACTUAL], "little") == space.num_pages_before
    late = old and not space.late_reads
    # The notification was sent after the wish, and shows what actual held at any time since.
    holds = space.announced_actual or told[_ACTUAL:] == seen[_ACTUAL:]
    if not holds or not (late or seen[:_ACTUAL] == told[:_ACTUAL]):
        yield broken(
            "CFG-12",
            "a notification of a change shows another configuration space than a read",
            field="actual" if not holds else "num_pages",
            expected=told.hex(" "),
            seen=seen.hex(" "),
            data=event.data,
        )
    elif not late:
        yield kept("CFG-12")


@rule(ConfigurationWritten, "CFG-02", "CFG-03")
def only_actual_is_written(event: ConfigurationWritten, _scene: Scene) -> Iterator[Decision]:
    """A driver writes ``actual``, whole and with one store, and nothing else."""
    if event.offset < _ACTUAL:
        yield broken(
            "CFG-02",
            "the driver wrote num_pages",
            field="num_pages",
            expected="no write",
            seen=event.data.hex(" "),
            data=event.data,
        )
        return
    yield kept("CFG-02")
    if event.offset >= _SPACE_BYTES:
        # A field of another feature, of which this specification does not speak.
        return
    yield kept_if(
        "CFG-03",
        configuration.is_actual(event.offset, event.data),
        "actual is not written with one store of 4 bytes",
        field="actual",
        expected="4 bytes at offset 4",
        seen=f"{len(event.data)} bytes at offset {event.offset}",
        data=event.data,
    )
