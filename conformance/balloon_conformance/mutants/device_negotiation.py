"""Devices that are wrong about features, queues and DRIVER_OK."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from balloon_conformance.iut.contract import Buffer, Setup
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_requests import Step
from balloon_conformance.reference.device_state import DeviceState
from balloon_spec.events import Available, DriverOk, Event
from balloon_spec.families.base import DEFLATE
from balloon_spec.families.statistics import STATISTICS
from balloon_spec.segments import from_lengths

Pending = list[tuple[int, Buffer]]


def _bits(device: Device, *names: str) -> int:
    """Return the bits of those of the features that the profile has."""
    profile = device.options.profile
    return profile.mask(name for name in names if name in profile.by_name)


# -- features ---------------------------------------------------------------------------------------------


@mutant("NEG-06")
class KeepsAnyFeatures(Device):
    """FEATURES_OK stays whatever is accepted, and a driver learns only from failures that it was wrong."""

    def allows(self, features: int) -> bool:
        """Allow everything."""
        return True


@mutant("NEG-06")
class KeepsHighFeatures(Device):
    """FEATURES_OK stays if a driver accepts a feature from bit 40 on that was not offered."""

    def allows(self, features: int) -> bool:
        """Check only the lower bits."""
        return super().allows(features & (1 << 40) - 1)


@mutant("NEG-01", origin="chunk transfer as posted, where nothing ties bit 3 to bit 1")
class OffersChunksWithoutStatistics(Device):
    """CHUNK_TRANSFER is offered without STATS_VQ, and a driver that needs both cannot accept it."""

    def offer(self) -> int:
        """Leave the statistics out."""
        return super().offer() & ~_bits(self, "STATS_VQ", "HOST_REQ_VQ")


@mutant("NEG-02", origin="chunk transfer as posted, where nothing ties bit 4 to bit 1")
class OffersRequestsWithoutStatistics(Device):
    """HOST_REQ_VQ is offered without STATS_VQ, so queue 3 exists without queue 2."""

    def offer(self) -> int:
        """Leave the statistics out."""
        return super().offer() & ~_bits(self, "STATS_VQ", "CHUNK_TRANSFER")


@mutant("NEG-09")
class InsistsOnChunksForRequests(Device):
    """A driver that accepts host requests without chunk transfer is refused."""

    def allows(self, features: int) -> bool:
        """Allow host requests only with chunks."""
        names = self.options.profile.names(features)
        return super().allows(features) and not ("HOST_REQ_VQ" in names and "CHUNK_TRANSFER" not in names)


@mutant("NEG-09")
class ServesNoRequestsWithoutChunks(Device):
    """Without chunk transfer the host request queue is not served, although it was negotiated."""

    def has(self, state: DeviceState, feature: str) -> bool:
        """Count host requests as negotiated only with chunks."""
        own = super().has(state, feature)
        return own and (feature != "HOST_REQ_VQ" or super().has(state, "CHUNK_TRANSFER"))


@mutant("NEG-07")
class InsistsOnStatistics(Device):
    """A driver without statistics gets no balloon."""

    def allows(self, features: int) -> bool:
        """Allow only sets with statistics."""
        return super().allows(features) and "STATS_VQ" in self.options.profile.names(features)


@mutant("NEG-07")
class RefusesWhatItOffers(Device):
    """FEATURES_OK stays for VERSION_1 alone, and the offered features are of no use."""

    def allows(self, features: int) -> bool:
        """Allow none of the balloon's own features."""
        return super().allows(features) and features == self.options.profile.mask(["VERSION_1"])


@mutant("NEG-07", also=("NEG-09",))
class RefusesEveryDriver(Device):
    """No driver gets a balloon, whatever it accepts.

    MUST_TELL_HOST is not offered, so the device has no right to refuse. The drivers that want host requests
    without chunks are refused too.
    """

    def offer(self) -> int:
        """Leave MUST_TELL_HOST out."""
        return super().offer() & ~_bits(self, "MUST_TELL_HOST")

    def allows(self, features: int) -> bool:
        """Allow nothing."""
        return False


# -- DRIVER_OK and notifications --------------------------------------------------------------------------


@mutant("QUEUE-10", also=("QUEUE-04",), origin="posted driver, D14: it is kicked before DRIVER_OK")
class StartsBeforeDriverOk(Device):
    """Buffers are taken while the driver is still setting up, and it misses their return.

    A request buffer that the device cannot use yet is lost.
    """

    def keep_waiting(self, state: DeviceState, buffer: Available) -> Step:
        """Do not wait."""
        return self.take(state, buffer)


@mutant("QUEUE-10")
class DeflatesBeforeDriverOk(Device):
    """A driver that is still setting up misses the return of its deflate buffers."""

    def keep_waiting(self, state: DeviceState, buffer: Available) -> Step:
        """Do not wait for deflate buffers."""
        if self.queue(state, buffer.queue) is DEFLATE:
            return self.take(state, buffer)
        return super().keep_waiting(state, buffer)


@mutant("QUEUE-04", also=("QUEUE-07",), origin="posted driver, D14: a device that ignores its early kick")
class WaitsForANotification(Device):
    """A driver's first buffers, which it must not notify, are never returned.

    This holds for every queue, while QUEUE-04 names two.
    """

    def begin(self, state: DeviceState, given: DriverOk) -> Step:
        """Forget buffers that came without a notification."""
        waiting = tuple(one for one in state.waiting if one.notified)
        return super().begin(replace(state, waiting=waiting), given)


@mutant("QUEUE-04")
class WaitsForANotificationOfStatistics(Device):
    """The host asks a posted driver for its statistics, and never gets any."""

    def begin(self, state: DeviceState, given: DriverOk) -> Step:
        """Forget the statistics buffer that came without a notification."""
        waiting = tuple(
            one for one in state.waiting if one.notified or self.queue(state, one.queue) is not STATISTICS
        )
        return super().begin(replace(state, waiting=waiting), given)


# -- how many buffers, and in which descriptors -----------------------------------------------------------


class _LooksLater(ReferenceDevice):
    """It takes buffers only when it is observed: those that :meth:`chosen` returns. It forgets the others."""

    def __init__(self) -> None:
        super().__init__()
        self.pending: Pending = []

    def start(self, setup: Setup) -> None:
        """Start with nothing pending."""
        super().start(setup)
        self.pending = []

    def reset(self) -> None:
        """Forget what is pending."""
        self.pending = []
        super().reset()

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Keep the buffer for later."""
        self.pending.append((queue, buffer))

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Take the chosen buffers."""
        pending, self.pending = self.pending, []
        for queue, buffer in self.chosen(pending):
            super().make_available(queue, buffer)
        return super().observe(deadline_seconds)

    def chosen(self, pending: Pending) -> Iterable[tuple[int, Buffer]]:
        """Return the buffers to take in."""
        return pending


@mutant("QUEUE-06")
class TakesFourBuffersOfAQueue(_LooksLater):
    """A driver that fills its ring waits for ever for all buffers but the first four."""

    def chosen(self, pending: Pending) -> Iterable[tuple[int, Buffer]]:
        """Take four buffers of each queue."""
        counts = dict.fromkeys(range(4), 0)
        for queue, buffer in pending:
            counts[queue] += 1
            if counts[queue] <= 4:
                yield queue, buffer


@mutant("CONC-06", also=("REQ-23", "QUEUE-07"))
class ServesOneQueueAtATime(_LooksLater):
    """While one queue is busy the others stand still: migration waits for ballooning.

    Of inflate buffers, deflate buffers and messages it takes only the kind that came first. With an open
    request that breaks REQ-23, and without a host request queue only QUEUE-07.
    """

    def chosen(self, pending: Pending) -> Iterable[tuple[int, Buffer]]:
        """Take the buffers of one queue that names pages, and those of all other queues."""
        first = next((queue for queue, buffer in pending if self.has_pages(queue, buffer)), None)
        return [(queue, one) for queue, one in pending if queue == first or not self.has_pages(queue, one)]

    @staticmethod
    def has_pages(queue: int, buffer: Buffer) -> bool:
        """Tell whether the buffer names pages."""
        return queue < 2 or (queue == 3 and bool(buffer.readable))


@mutant(
    "QUEUE-05",
    also=("REQ-20",),
    origin="cloud-hypervisor, commit 52db3f865: first descriptor of a chain only",
)
class ReadsOnlyTheFirstDescriptor(ReferenceDevice):
    """Only the first descriptor of a buffer counts, and pages in the others are never given back.

    A DONE that it does not read completely does not close the exchange.
    """

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Pass on the first descriptor."""
        first = buffer.readable[: buffer.cut[0]] if buffer.cut else buffer.readable
        super().make_available(queue, replace(buffer, readable=first, segments=()))


@mutant("QUEUE-05", origin="StratoVirt and Dragonball, read in source: some chains are never returned")
class HoldsChains(ReferenceDevice):
    """A buffer of several descriptors never comes back, and its driver waits for ever."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Take only buffers of one descriptor."""
        if len(buffer.cut) < 2:
            super().make_available(queue, buffer)


@mutant("QUEUE-05")
class JoinsSixtyFourPieces(ReferenceDevice):
    """The bytes beyond the 64th descriptor of a buffer are lost."""

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Read the first descriptors."""
        if len(buffer.cut) > 64:
            first = buffer.cut[:64]
            buffer = replace(buffer, readable=buffer.readable[: sum(first)], segments=from_lengths(first))
        super().make_available(queue, buffer)
