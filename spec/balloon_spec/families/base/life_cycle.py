"""Rules about what begins and ends a session: the status, a reset, and what comes before the next one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from balloon_spec.events import (
    Available,
    ConfigurationWritten,
    Event,
    Guest,
    GuestAction,
    Negotiated,
    Quiet,
    Reset,
    Side,
    Used,
)
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.families.base.guest_wishes import GuestWishes
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session

_SEEN = frozenset({GuestAction.USE, GuestAction.HOLD, GuestAction.LEAVE, GuestAction.RELY})
"""What is seen of a guest; any other action is a wish."""


@dataclass(slots=True, eq=False)
class BetweenSessions(Ledger):
    """Whether a driver that was reset has reason to act, which it must not before it negotiates."""

    had_reason_to_act: bool = False
    """When it was reset the driver had reason to act, or somebody gave it one since."""

    def take(self, event: Event, buffer: InFlight | None) -> None:
        """Take in a wish of the guest."""
        del buffer
        unsettled = self.exchange[Session].accepted is None
        self.had_reason_to_act |= unsettled and isinstance(event, Guest) and event.action not in _SEEN

    def after_reset(self) -> Self:
        """Leave whether the driver was about to do something for its balloon."""
        waiting = self.exchange[Buffers].on(INFLATE, DEFLATE)
        owed = self.exchange[GuestWishes].owed_to_inflate
        return type(self)(self.exchange, had_reason_to_act=bool(waiting) or bool(owed))


@rule(Reset, "RESET-07")
def the_status_is_zero(event: Reset, scene: Scene) -> Iterator[Decision]:
    """A device that was reset has no status bit set, where it can be read."""
    if event.status is None:
        return
    if event.status:
        yield broken(
            "RESET-07",
            "the device status is not 0 after a reset",
            field="status",
            expected="0",
            seen=f"{event.status:#x}",
        )
    elif scene[Session].accepted is not None:
        yield kept("RESET-07")


@rule(Negotiated, "RESET-08")
def what_was_accepted_is_accepted_again(event: Negotiated, scene: Scene) -> Iterator[Decision]:
    """A set that the device took before a reset it offers, and takes, after it."""
    # What a driver accepted and was not offered then need not be offered now.
    session = scene[Session]
    before = {offered & accepted for offered, accepted in session.accepted_before}
    lost = next((accepted & ~event.offered for accepted in sorted(before) if accepted & ~event.offered), 0)
    if lost:
        yield broken(
            "RESET-08",
            "the device does not offer after a reset what it offered before, and was accepted",
            field="features",
            expected=", ".join(sorted(scene.exchange.profile.names(lost))) or f"bits {lost:#x}",
            seen=f"{event.offered:#x}",
        )
    if (event.offered, event.accepted) not in session.accepted_before:
        return
    yield kept_if(
        "RESET-08",
        event.features_ok,
        "the device refuses after a reset what it accepted before",
        field="status",
        expected="FEATURES_OK kept",
        seen=scene.exchange.profile.told(event.accepted),
    )


@rule(Available, "RESET-09")
def no_buffer_comes_between_sessions(event: Available, scene: Scene) -> Iterator[Decision]:
    """Between a reset and the next negotiation there is no queue to make a buffer available on."""
    if scene[Session].is_unbound:
        yield broken(
            "RESET-09",
            "a buffer was made available between a reset and the next negotiation",
            field="queue",
            expected="no buffer",
            seen=f"{event.buffer} on queue {event.queue}",
            data=event.readable,
        )


@rule(ConfigurationWritten, "RESET-09")
def nothing_is_written_between_sessions(event: ConfigurationWritten, scene: Scene) -> Iterator[Decision]:
    """Between a reset and the next negotiation nobody writes to the configuration space."""
    if scene[Session].is_unbound:
        yield broken(
            "RESET-09",
            "the configuration was written between a reset and the next negotiation",
            field=f"configuration at offset {event.offset}",
            expected="no write",
            seen=event.data.hex(" "),
            data=event.data,
        )


@rule(Quiet, "RESET-09")
def an_unbound_driver_is_quiet(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A driver that had reason to act between two sessions, and did not, has kept still."""
    if event.side is Side.DRIVER and scene[Session].is_unbound and scene[BetweenSessions].had_reason_to_act:
        yield kept("RESET-09")


@rule(Used, "QUEUE-14")
def what_was_held_comes_back(_event: Used, scene: Scene) -> Iterator[Decision]:
    """A buffer that was in flight when DRIVER_OK was written again is returned."""
    buffer = scene.buffer
    if buffer is not None and buffer.number in scene[Buffers].held_over:
        yield kept("QUEUE-14")


@rule(Quiet, "QUEUE-14")
def what_was_held_is_not_lost(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A device that serves its operator's wishes again and again does so after DRIVER_OK was written again.

    It may hold a statistics buffer as long as it likes (STATS-09), and is judged by what it did before: it
    returned two when it was asked, or made a request that was answered.
    """
    flying = scene[Buffers]
    if event.side is not Side.DEVICE or scene[Session].needs_reset or not flying.held_over:
        return
    for buffer in flying.in_flight.values():
        queue = buffer.queue
        if buffer.number not in flying.held_over or queue is None:
            continue
        if any(one.is_wanted_again(queue) for one in scene.exchange.companions):
            yield broken(
                "QUEUE-14",
                "a buffer is lost since DRIVER_OK was written again",
                field=f"{buffer.queue} queue",
                expected=f"{buffer.event.buffer} returned",
                seen="in flight",
                data=buffer.event.readable,
            )
