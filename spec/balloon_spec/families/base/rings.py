"""Rules about the virtqueues themselves: rings and descriptor chains that can be what they are."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.events import Available, RingBroken, Side
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session
from balloon_spec.segments import are_in_order, are_well_laid, segments_outside

_SHOWN = 4
"""So many of the descriptors that are wrong are named."""


@rule(RingBroken, "QUEUE-11", "BUF-04")
def rings_are_well_formed(event: RingBroken, scene: Scene) -> Iterator[Decision]:
    """A driver lays legal chains, and a device names in the used ring what it was given.

    What a device that follows a broken ring takes for buffers comes back in the used ring.
    """
    by_driver = event.side is Side.DRIVER
    if not by_driver and event.queue in scene[Buffers].broken_rings:
        return
    yield broken(
        "QUEUE-11" if by_driver else "BUF-04",
        "the driver made available what cannot be a buffer"
        if by_driver
        else "the used ring names what cannot have been in flight",
        field=f"queue {event.queue}",
        expected="a well-formed descriptor chain" if by_driver else "the head of a buffer in flight",
        seen=f"{event.fault}: {event.detail}",
    )


@rule(Available, "QUEUE-11")
def a_buffer_in_flight_is_the_devices(event: Available, scene: Scene) -> Iterator[Decision]:
    """A driver does not make available what the device has not returned."""
    if (event.queue, event.buffer) in scene[Buffers].in_flight:
        yield broken(
            "QUEUE-11",
            "a buffer is made available that is in flight already",
            field=f"queue {event.queue}",
            expected=f"the return of {event.buffer} first",
            seen=f"{event.buffer} once more",
            data=event.readable,
        )


@rule(Available, "QUEUE-11")
def a_chain_that_was_followed_is_well_formed(event: Available, scene: Scene) -> Iterator[Decision]:
    """A buffer whose descriptors were seen came of a well-formed chain; elsewhere nobody laid one."""
    session, queue = scene[Session], f"queue {event.queue}"
    # A table of indirect descriptors has a length of its own.
    room = None if session.has("INDIRECT_DESC") else session.ring_sizes.get(event.queue)
    if outside := segments_outside(event.segments, session.memory):
        shown = ", ".join(f"{one.length_bytes} bytes at {one.address or 0:#x}" for one in outside[:_SHOWN])
        more = f", and {len(outside) - _SHOWN} more" if len(outside) > _SHOWN else ""
        yield broken(
            "QUEUE-11",
            "a descriptor points where no guest memory is",
            field=queue,
            expected="addresses in guest memory",
            seen=shown + more,
        )
    elif not are_in_order(event.segments):
        first = next(at for at, one in enumerate(event.segments) if one.writable)
        yield broken(
            "QUEUE-11",
            "a device-readable descriptor stands behind a device-writable one",
            field=queue,
            expected="the device-readable ones first",
            seen=f"descriptor {first} is device-writable, and one behind it device-readable",
        )
    elif room is not None and len(event.segments) > room:
        yield broken(
            "QUEUE-11",
            "a chain has more descriptors than its queue",
            field=queue,
            expected=f"{room} at most",
            seen=len(event.segments),
        )
    elif event.extents and are_well_laid(event.segments, len(event.readable), session.memory):
        yield kept("QUEUE-11")
