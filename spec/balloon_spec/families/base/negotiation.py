"""Rules about feature negotiation and the queues that follow from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from balloon_spec.events import Available, DriverOk, Negotiated
from balloon_spec.feature import LAST_BALLOON_BIT, insisted_on, means_nothing
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session
from balloon_spec.requirement import catalogue

if TYPE_CHECKING:
    from balloon_spec.families.family import Family

_TO_BE_ACCEPTED = {"MUST_TELL_HOST": "NEG-10", "VERSION_1": "NEG-12"}
"""What a driver accepts where it is offered, and the requirement that says so."""


def _has(scene: Scene, mask: int, feature: str) -> bool:
    return feature in scene.exchange.profile.names(mask)


def _on_prerequisites(families: tuple[Family, ...]) -> Iterator[str]:
    for family in families:
        for one in family.prerequisites:
            yield from (one.offering, one.accepting)


@rule(Negotiated, further=_on_prerequisites)
def prerequisites_stand_together(event: Negotiated, scene: Scene) -> Iterator[Decision]:
    """A feature stands with what it needs, on both sides."""
    profile = scene.exchange.profile
    offered, accepted = profile.names(event.offered), profile.names(event.accepted)
    for one in (one for family in profile.families for one in family.prerequisites):
        # A driver is put to the test only by an offer that tempts it: the feature, and not what it needs.
        tempts = one.feature in offered and one.needed not in offered
        for requirement, concerned, chosen, verb in (
            (one.offering, one.feature in offered, offered, "offered"),
            (one.accepting, tempts, accepted, "accepted"),
        ):
            if one.feature in chosen and one.needed not in chosen:
                yield broken(
                    requirement,
                    f"{one.feature} is {verb} without {one.needed}",
                    field="features",
                    expected=f"{one.feature} with {one.needed}, or neither",
                    seen=", ".join(sorted(chosen)),
                )
            elif concerned:
                yield kept(requirement)


@rule(Negotiated, "NEG-05")
def accepted_is_offered(event: Negotiated, scene: Scene) -> Iterator[Decision]:
    """Nothing is accepted that was not offered; an offer of all there is puts nobody to the test."""
    extra = event.accepted & ~event.offered
    if extra:
        yield broken(
            "NEG-05",
            "a feature bit is accepted that was not offered",
            field="features",
            expected=f"{event.offered & event.accepted:#x}",
            seen=f"{event.accepted:#x}",
        )
    elif any(not event.offered >> feature.bit & 1 for feature in scene.exchange.profile.features):
        yield kept("NEG-05")


@rule(Negotiated, "NEG-11")
def what_means_nothing_is_left_alone(event: Negotiated, scene: Scene) -> Iterator[Decision]:
    """An offer of a bit that has no meaning is not taken."""
    profile = scene.exchange.profile
    nothing = [
        bit
        for bit in profile.unknown_bits(event.offered)
        if means_nothing(bit) or profile.proposal(bit) is not None
    ]
    taken = [bit for bit in nothing if event.accepted >> bit & 1]
    if taken:
        proposed = next((one for bit in taken if (one := profile.proposal(bit)) is not None), None)
        yield broken(
            "NEG-11",
            "a feature bit is accepted that has no meaning"
            if proposed is None
            else f"{proposed.name} (bit {proposed.bit}) is accepted, which is a proposal and no feature",
            field="features",
            expected=f"{event.accepted & ~sum(1 << bit for bit in taken):#x}",
            seen=f"{event.accepted:#x}",
        )
    elif nothing:
        yield kept("NEG-11")


@rule(Negotiated, "NEG-10", "NEG-12")
def what_a_driver_must_accept_is_accepted(event: Negotiated, scene: Scene) -> Iterator[Decision]:
    """MUST_TELL_HOST and VERSION_1 are accepted where they are offered."""
    for feature, requirement in _TO_BE_ACCEPTED.items():
        if not _has(scene, event.offered, feature):
            continue
        yield kept_if(
            requirement,
            _has(scene, event.accepted, feature),
            f"{feature} was offered and not accepted",
            field="features",
            expected=feature,
            seen=scene.exchange.profile.told(event.accepted),
        )


def _on_legal_sets(families: tuple[Family, ...]) -> Iterator[str]:
    return (name for family in families for name in family.legal_sets)


@rule(Negotiated, "NEG-06", "NEG-07", "NEG-08", further=_on_legal_sets)
def features_ok_is_right(event: Negotiated, scene: Scene) -> Iterator[Decision]:
    """FEATURES_OK stays for every legal subset, and for no other set, where it can be seen."""
    if not event.shown:
        return
    profile = scene.exchange.profile
    seen = profile.told(event.accepted)
    if not profile.may_accept(event.offered, event.accepted):
        yield kept_if(
            "NEG-06",
            not event.features_ok,
            "the device kept FEATURES_OK for a set that is not legal",
            field="status",
            expected="FEATURES_OK cleared",
            seen=seen,
        )
        return
    untold = _has(scene, event.offered, "MUST_TELL_HOST") and not _has(
        scene, event.accepted, "MUST_TELL_HOST"
    )
    if untold and not event.features_ok:
        yield kept("NEG-08")
        return
    if insisted_on(event.offered, event.accepted) and not event.features_ok:
        # A device without a legacy interface, say, has nothing to say to a driver that wants one.
        return
    names, entries = profile.names(event.accepted), catalogue()
    particular = (one for one in _on_legal_sets(profile.families) if entries[one].when.holds(names))
    yield kept_if(
        next(particular, "NEG-07"),
        event.features_ok,
        "the device refused a legal set of features",
        field="status",
        expected="FEATURES_OK kept",
        seen=seen,
    )


def _may_have_more_queues(exchange: Exchange) -> bool:
    """Tell whether a balloon feature was accepted that the profile does not know; it may add a queue."""
    profile = exchange.profile
    unknown = profile.unknown_bits(exchange[Session].accepted or 0)
    return any(bit <= LAST_BALLOON_BIT and profile.proposal(bit) is None for bit in unknown)


@rule(Available, "QUEUE-01", "QUEUE-02")
def queue_exists(event: Available, scene: Scene) -> Iterator[Decision]:
    """Buffers are made available on queues of the negotiated features, and requests on their own."""
    session = scene[Session]
    if scene.buffer is not None and (astray := scene.buffer.astray) is not None:
        yield broken(
            "QUEUE-01",
            f"{astray.noun} was made available on another queue",
            field="queue",
            expected=next(index for index, queue in session.queues.items() if queue is astray.queue),
            seen=event.queue,
        )
        return
    if event.queue in session.queues and session.queues[event.queue].recognised:
        yield kept("QUEUE-01")
    if event.queue in session.queues:
        yield kept("QUEUE-02")
    elif not _may_have_more_queues(scene.exchange):
        yield broken(
            "QUEUE-02",
            "a buffer was made available on a queue that does not exist",
            field="queue",
            expected=" or ".join(str(index) for index in session.queues) or "no queue before negotiation",
            seen=event.queue,
        )


@rule(Available, "QUEUE-03")
def only_requests_are_written(event: Available, scene: Scene) -> Iterator[Decision]:
    """A buffer into which no device writes has no device-writable part."""
    queue = None if scene.buffer is None else scene.buffer.queue
    if queue is None or queue.written is not None or queue.ranges is not None:
        return
    yield kept_if(
        "QUEUE-03",
        not event.writable_bytes,
        f"a buffer on the {queue} queue has a device-writable part",
        field="device-writable part",
        expected="0 bytes",
        seen=f"{event.writable_bytes} bytes",
    )


@rule(Available, "QUEUE-08")
def ring_is_not_exceeded(event: Available, scene: Scene) -> Iterator[Decision]:
    """No more buffers are in flight than the ring has descriptors."""
    size = scene[Session].ring_sizes.get(event.queue)
    if size is None:
        return
    flying = sum(1 for queue, _ in scene[Buffers].in_flight if queue == event.queue)
    yield kept_if(
        "QUEUE-08",
        flying < size,
        "more buffers are in flight than the ring has descriptors",
        field="queue",
        expected=f"{size} at most",
        seen=flying + 1,
    )


@rule(DriverOk, "QUEUE-10")
def nothing_was_returned_before(_event: DriverOk, scene: Scene) -> Iterator[Decision]:
    """No buffer came back before DRIVER_OK."""
    flying = scene[Buffers]
    if scene[Session].driver_ok:
        # It was written before, and what came since is nothing to it.
        return
    if flying.returned_early:
        yield broken(
            "QUEUE-10",
            "the device returned a buffer before DRIVER_OK",
            field="used element",
            expected="none before DRIVER_OK",
            seen=flying.returned_early,
        )
    elif flying.in_flight:
        yield kept("QUEUE-10")


@rule(DriverOk, "QUEUE-09")
def early_buffers_are_not_notified(_event: DriverOk, scene: Scene) -> Iterator[Decision]:
    """Buffers made available before DRIVER_OK come without a notification."""
    early = scene[Buffers].in_flight.values() if not scene[Session].driver_ok else ()
    loud = next((buffer for buffer in early if buffer.event.notified), None)
    if loud is not None:
        yield broken(
            "QUEUE-09",
            "the driver notified the device before DRIVER_OK",
            field="notification",
            expected="none before DRIVER_OK",
            seen=f"queue {loud.event.queue}",
        )
    elif early and all(buffer.event.notified is False for buffer in early):
        # Where no notification can be seen, nothing says that none was sent.
        yield kept("QUEUE-09")
