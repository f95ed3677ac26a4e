"""Rules about buffers as such: who may touch them and when, and that they come back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from balloon_spec.events import Available, BufferAltered, Quiet, Side, Used
from balloon_spec.families.base import INFLATE
from balloon_spec.families.base.returns import Returns
from balloon_spec.judge import trials
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.rule import Scene, particulars, rule
from balloon_spec.judge.session import Session
from balloon_spec.queues import Queue

if TYPE_CHECKING:
    from balloon_spec.families.family import Family

__all__ = ["is_looked_for"]


@rule(BufferAltered, "BUF-01", "BUF-02")
def buffers_in_flight_do_not_change(event: BufferAltered, scene: Scene) -> Iterator[Decision]:
    """The driver leaves a buffer in flight alone, and the device its device-readable part."""
    if event.by is Side.DEVICE and scene[Buffers].broken_rings:
        # The memory of a broken ring may be lost to the device, with all that lies there.
        return
    buffer = scene[Buffers].in_flight.get((event.queue, event.buffer))
    before = buffer.event.readable if buffer is not None else b""
    at = next(
        (at for at, (was, now) in enumerate(zip(before, event.readable_now, strict=False)) if was != now),
        min(len(before), len(event.readable_now)),
    )
    by_driver = event.by is Side.DRIVER
    yield broken(
        "BUF-01" if by_driver else "BUF-02",
        "the driver changed a buffer that is in flight"
        if by_driver
        else "the device wrote to a device-readable buffer",
        field=f"offset {at}",
        expected=before[at : at + 16].hex(" "),
        seen=event.readable_now[at : at + 16].hex(" "),
        data=event.readable_now,
    )


@rule(Used, "BUF-01", "BUF-02", "BUF-03", "BUF-04", "BUF-07", "RESET-02")
def returns_are_in_order(event: Used, scene: Scene) -> Iterator[Decision]:
    """A buffer comes back once, with a used length that tells what was written."""
    flying = scene[Buffers]
    buffer = scene.buffer
    if buffer is None:
        stale = (event.queue, event.buffer) in flying.before_reset
        yield broken(
            "RESET-02" if stale else "BUF-04",
            "a buffer from before the reset is returned"
            if stale
            else "a buffer is returned that is not in flight",
            field="used element",
            expected="a buffer in flight",
            seen=f"{event.buffer} on queue {event.queue}",
        )
        return
    yield kept("BUF-04")
    if flying.before_reset:
        yield kept("RESET-02")
    if buffer.event.readable and not flying.broken_rings:
        # An alteration would have been seen before the return.
        yield kept("BUF-01")
        yield kept("BUF-02")
    room = buffer.event.writable_bytes
    if event.length_bytes > room and room:
        yield broken(
            "BUF-07",
            "the used length exceeds the device-writable part",
            field="used length",
            expected=f"{room} at most",
            seen=event.length_bytes,
        )
    elif room:
        yield kept("BUF-07")
    elif scene[Session].has("VERSION_1"):
        yield kept_if(
            "BUF-03",
            not event.length_bytes,
            "the used length of a buffer without a device-writable part is not 0",
            field="used length",
            expected=0,
            seen=event.length_bytes,
        )


@rule(Available, "BUF-05", further=particulars("BUF-05"))
def buffers_have_memory_of_their_own(event: Available, scene: Scene) -> Iterator[Decision]:
    """Buffers in flight do not share memory, and the two kinds of pages never do."""
    if scene.buffer is None or not event.extents:
        return
    mine = _parts(event)
    for other in scene[Buffers].in_flight.values():
        if not other.event.extents or scene.exchange.may_be_taken_back(other):
            continue
        particular = scene.exchange.in_particular("BUF-05", scene.buffer, other)
        shared = _shared(mine, _parts(other.event))
        yield kept_if(
            "BUF-05" if particular is None else particular[0],
            shared is None,
            "a buffer shares memory with one that is in flight",
            field="buffer address",
            expected="memory of its own",
            seen=f"{shared or 0:#x}, also of {other.event.buffer} on queue {other.event.queue}",
        )


def _parts(event: Available) -> list[tuple[int, int, bytes | None]]:
    """Return (address, end, bytes) of each segment by address; None for bytes that the device may write."""
    parts: list[tuple[int, int, bytes | None]] = []
    read = 0
    for one in event.segments:
        address = one.address or 0
        data = None if one.writable else event.readable[read : read + one.length_bytes]
        read += len(data or b"")
        parts.append((address, address + one.length_bytes, data))
    return sorted(parts, key=lambda part: part[0])


def _shared(
    mine: list[tuple[int, int, bytes | None]], others: list[tuple[int, int, bytes | None]]
) -> int | None:
    """Return the first address of a segment that meets one of the others, unless the two are the same."""
    for one in mine:
        for other in others:
            is_same = one == other and one[2] is not None
            if one[0] < other[1] and other[0] < one[1] and not is_same:
                return one[0]
    return None


@rule(
    Used,
    *("QUEUE-04", "QUEUE-07", "SAFE-03", "CONC-07", "INF-09"),
    further=trials.by_return,
)
def a_return_answers_what_was_asked(_event: Used, scene: Scene) -> Iterator[Decision]:
    """The return of a buffer keeps whatever that buffer put to the test."""
    buffer = scene.buffer
    if buffer is None:
        return
    older = [
        other
        for other in scene[Buffers].in_flight.values()
        if other.event.queue == buffer.event.queue and other.number < buffer.number
    ]
    if older and not scene[Session].has("IN_ORDER"):
        yield kept("CONC-07")
    if buffer.early and is_looked_for(scene.exchange, buffer.queue):
        yield kept("QUEUE-04")
    if not buffer.shape.is_of_pages:
        return
    if not buffer.is_sound:
        yield kept("SAFE-03")
    else:
        yield kept("QUEUE-07")
        if buffer.queue is INFLATE:
            yield kept("INF-09")
    for requirement in trials.among(scene.exchange.trials.by_any_return, buffer.trials):
        yield kept(requirement)


@rule(Quiet, "QUEUE-04")
def held_buffers_are_found_at_driver_ok(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A device that serves its operator's wishes finds the buffer it may hold that was there at DRIVER_OK.

    It may hold one as long as it likes (STATS-09), and is judged by what it did before, with the same
    features and after a reset as well: it returned two when it was asked.
    """
    session = scene[Session]
    flying = scene[Buffers]
    if event.side is not Side.DEVICE or session.needs_reset or not session.driver_ok or flying.broken_rings:
        return
    for buffer in flying.in_flight.values():
        queue = buffer.queue
        if queue is None or not queue.held or queue in flying.notified or not buffer.early:
            continue
        wanted = any(one.is_wanted_at_start(queue) for one in scene.exchange.companions)
        if wanted and buffer.number not in flying.held_over and is_looked_for(scene.exchange, queue):
            yield broken(
                "QUEUE-04",
                f"a {queue} buffer that was there at DRIVER_OK is not used",
                field=f"{queue} queue",
                expected=f"{buffer.event.buffer} returned",
                seen="in flight",
                data=buffer.event.readable,
            )


def is_looked_for(exchange: Exchange, queue: Queue | None) -> bool:
    """Tell whether a device finds at DRIVER_OK what is on a queue, if nobody notified it (QUEUE-04)."""
    features = exchange[Session].features
    return any(
        one.queue is queue and one.feature in features
        for family in exchange.profile.families
        for one in family.found_at_start
    )


def _why_not_returned(scene: Scene, buffer: InFlight) -> tuple[str, str]:
    """Return the requirement that a buffer breaks which is not returned, and the words for it."""
    table = scene.exchange.trials
    if not buffer.is_sound:
        name = trials.first(table.by_return_of_malformed, buffer.trials)
        return name or "SAFE-03", "a malformed buffer is not returned"
    name = trials.first(table.by_return, buffer.trials)
    if name is not None:
        return name, table.of(name).not_returned
    particular = scene.exchange.in_particular("QUEUE-07", buffer)
    return particular or ("QUEUE-07", "a well-formed buffer is not returned")


def _by_return(families: tuple[Family, ...]) -> Iterator[str]:
    yield from trials.by_return(families)
    yield from particulars("QUEUE-07")(families)


@rule(Quiet, "QUEUE-07", "SAFE-03", further=_by_return)
def nothing_is_held_back(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A device that was given its time has returned every message and array."""
    session = scene[Session]
    flying = scene[Buffers]
    if event.side is not Side.DEVICE or session.needs_reset or not session.driver_ok or flying.broken_rings:
        return
    for buffer in flying.in_flight.values():
        if not buffer.shape.is_of_pages or buffer.number in flying.missed or not buffer.is_well_laid:
            continue
        if (
            buffer.early
            and not is_looked_for(scene.exchange, buffer.queue)
            and buffer.queue not in flying.notified
        ):
            # Without a notification since DRIVER_OK the device need not know of it.
            continue
        yield broken(
            *_why_not_returned(scene, buffer),
            field=f"{buffer.queue} queue",
            expected=f"{buffer.event.buffer} returned",
            seen="in flight",
            data=buffer.event.readable,
        )


@rule(Available, "CONC-05", "BUF-06")
def returns_in_any_manner_are_taken(_event: Available, scene: Scene) -> Iterator[Decision]:
    """A driver that goes on after a return out of order, or with a used length, has coped with it."""
    returns = scene[Returns]
    if returns.out_of_order:
        yield kept("CONC-05")
    if returns.with_length:
        yield kept("BUF-06")
