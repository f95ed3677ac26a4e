"""Rules about a device that meets what it need not put up with: it stays, or asks for a reset."""

from __future__ import annotations

from collections.abc import Iterator

from balloon_spec.events import Failed, Failure, NeedsReset, Side, Used
from balloon_spec.judge import trials
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session


@rule(Failed, "SAFE-02", "SAFE-12", "SAFE-13")
def a_device_stays(event: Failed, scene: Scene) -> Iterator[Decision]:
    """A device neither ends nor ceases to answer; a driver's end is reported by the suite."""
    if event.side is not Side.DEVICE:
        return
    crashed = event.failure is Failure.CRASH
    words = "the device ended" if crashed else "the device does not answer, or never pauses,"
    # After a buffer it need not put up with that is the likeliest cause, and a rule of its own.
    if scene[Buffers].was_ever_misled:
        yield broken(
            "SAFE-02" if crashed else "SAFE-12",
            f"{words} after a malformed buffer",
            field="device",
            expected="to go on",
            seen=event.detail,
        )
    else:
        yield broken(
            "SAFE-13",
            f"{words} although no malformed buffer was sent",
            field="device",
            expected="to go on",
            seen=event.detail,
        )


@rule(Used, "SAFE-02", "SAFE-12", "SAFE-13")
def a_device_that_returns_a_buffer_is_there(_event: Used, scene: Scene) -> Iterator[Decision]:
    """What returns a buffer has survived it, and whatever was sent before."""
    if scene.buffer is None:
        return
    if scene[Buffers].was_ever_misled:
        yield kept("SAFE-02")
        yield kept("SAFE-12")
    elif scene.buffer.is_sound:
        yield kept("SAFE-13")


@rule(NeedsReset, "SAFE-10", "QUEUE-07", further=trials.welcome)
def a_device_may_ask_for_a_reset(_event: NeedsReset, scene: Scene) -> Iterator[Decision]:
    """DEVICE_NEEDS_RESET is an answer to malformed input; said again it means nothing more."""
    flying = scene[Buffers]
    if scene[Session].needs_reset:
        return
    if flying.is_misled:
        yield kept("SAFE-10")
    else:
        last = flying.newest
        newest = last.trials if last is not None else frozenset()
        yield broken(
            trials.first(scene.exchange.trials.welcome, newest) or "QUEUE-07",
            "the device needs a reset although nothing malformed was sent",
            field="status",
            expected="no DEVICE_NEEDS_RESET",
            seen="DEVICE_NEEDS_RESET",
        )
