"""Drivers that are wrong about features, queues, statistics or the form of a buffer's parts."""

from __future__ import annotations

from dataclasses import replace

from balloon_conformance.mutants.driver_parts import AltersBuffers
from balloon_conformance.mutants.mutant import mutant
from balloon_conformance.reference.driver import Driver
from balloon_conformance.reference.driver_pages import Step
from balloon_conformance.reference.driver_state import (
    AnswerInput,
    DriverOptions,
    DriverState,
    Flight,
    Offer,
)
from balloon_spec.events import Available
from balloon_spec.families.base import INFLATE
from balloon_spec.families.host_requests import HOST_REQUEST


def _bits(driver: Driver, *names: str) -> int:
    """Return the bits of those of the features that the profile has."""
    profile = driver.options.profile
    return profile.mask(name for name in names if name in profile.by_name)


# -- features ---------------------------------------------------------------------------------------------


@mutant("NEG-03", origin="posted driver, D12: bit 3 is acknowledged without bit 1 and dropped too late")
class AcceptsChunksWithoutStatistics(Driver):
    """Chunks are accepted from a device without statistics, so the meaning of queue 2 is unknown."""

    def choose(self, offered: int) -> int:
        """Accept CHUNK_TRANSFER whenever it is offered."""
        return super().choose(offered) | (offered & _bits(self, "CHUNK_TRANSFER"))


@mutant("NEG-04", origin="posted driver, D12: bit 4 is acknowledged without bit 1 and dropped too late")
class AcceptsRequestsWithoutStatistics(Driver):
    """Host requests are accepted from a device without statistics, and never served."""

    def choose(self, offered: int) -> int:
        """Accept HOST_REQ_VQ whenever it is offered."""
        return super().choose(offered) | (offered & _bits(self, "HOST_REQ_VQ"))


@mutant("NEG-05", origin="viobaloon for Windows, commit b13a87ca: features are accepted without a look")
class AcceptsWhatIsNotOffered(Driver):
    """The driver relies on a feature that the device does not have."""

    def choose(self, offered: int) -> int:
        """Always accept DEFLATE_ON_OOM."""
        return super().choose(offered) | _bits(self, "DEFLATE_ON_OOM")


@mutant("NEG-05", also=("REPORT-01",))
class AcceptsTheFeaturesOfBefore(Driver):
    """After a reset onto another device the features of the first are accepted once more."""

    def __init__(self, options: DriverOptions) -> None:
        super().__init__(options)
        self.first = 0

    def choose(self, offered: int) -> int:
        """Choose once."""
        self.first = self.first or super().choose(offered)
        return self.first


@mutant("NEG-11")
class AcceptsWhateverIsOffered(Driver):
    """A later device finds a feature accepted that the driver has never heard of."""

    def choose(self, offered: int) -> int:
        """Accept every bit that the profile does not know, too."""
        unknown = self.options.profile.unknown_bits(offered)
        return super().choose(offered) | sum(1 << bit for bit in unknown)


@mutant("NEG-11", origin="Linux, its maintainer's branch of June 2026: bits 6 and 7 before any text has them")
class AcceptsProposals(Driver):
    """A device that gives bits 6 and 7 another meaning one day finds them accepted."""

    def choose(self, offered: int) -> int:
        """Accept every feature that was proposed, too."""
        profile = self.options.profile
        proposed = (bit for bit in profile.unknown_bits(offered) if profile.proposal(bit) is not None)
        return super().choose(offered) | sum(1 << bit for bit in proposed)


@mutant("NEG-11")
class AcceptsTheHighBitsUnseen(Driver):
    """A driver that knows the lower word of the features accepts the upper one unread."""

    def choose(self, offered: int) -> int:
        """Accept every bit from 33 on."""
        return super().choose(offered) | (offered >> 33 << 33)


@mutant("NEG-12")
class LeavesOutVersion1(Driver):
    """A present-day device takes the driver for one of the legacy interface."""

    def choose(self, offered: int) -> int:
        """Leave VERSION_1 out."""
        return super().choose(offered) & ~_bits(self, "VERSION_1")


@mutant("NEG-10", origin="viobaloon for Windows and the FreeBSD driver: MUST_TELL_HOST is never accepted")
class TellsNobody(Driver):
    """A device that wants to be told before pages are used again is not told."""

    def choose(self, offered: int) -> int:
        """Leave MUST_TELL_HOST out."""
        return super().choose(offered) & ~_bits(self, "MUST_TELL_HOST")


# -- queues -----------------------------------------------------------------------------------------------


@mutant(
    "QUEUE-02",
    also=("HINT-02",),
    origin="posted driver, D12: it asks for four queues and then drops the features",
)
class PostsARequestBufferNobodyAskedFor(Driver):
    """A buffer is on a queue that does not exist, and stays there."""

    def set_up_requests(self, state: DriverState) -> Step:
        """Post it whatever was accepted."""
        return self.exchange(AnswerInput.START, state)

    def negotiate(self, state: DriverState, given: Offer) -> Step:
        """Post it under a profile without such a queue too, whose drivers set no requests up."""
        state, outputs = super().negotiate(state, given)
        if HOST_REQUEST in self.options.profile.queues:
            return state, outputs
        state, more = self.exchange(AnswerInput.START, state)
        return state, (*outputs, *more)


@mutant("QUEUE-03")
class LetsInflateBuffersBeWritten(AltersBuffers):
    """A device may write to memory in which the driver keeps something else."""

    def alter(self, state: DriverState, flight: Flight, event: Available) -> Available:
        """Give inflate buffers a device-writable part."""
        return replace(event, writable_bytes=16) if flight.queue is INFLATE else event


@mutant("QUEUE-09", origin="posted driver, D14: it kicks during set-up; Linux until 2022, statistics queue")
class NotifiesBeforeDriverOk(AltersBuffers):
    """A device that is not ready is notified, and the notification is lost or does harm."""

    def alter(self, state: DriverState, flight: Flight, event: Available) -> Available:
        """Always notify."""
        return replace(event, notified=True)


@mutant(
    "QUEUE-01",
    also=("REQ-01", "RESET-04"),
    origin="chunk transfer as posted a month later: the queue's number depends on the features",
)
class PostsTheRequestBufferOnAnotherQueue(AltersBuffers):
    """The device waits on queue 3 for a request buffer that is on queue 2.

    After a reset it is on the wrong queue again.
    """

    def alter(self, state: DriverState, flight: Flight, event: Available) -> Available:
        """Post it beside the statistics."""
        return replace(event, queue=2) if flight.is_request else event


@mutant(
    "QUEUE-01", also=("REQ-11", "CONC-02", "CONC-03"), origin="posted driver, D3: pages on the wrong queue"
)
class AnswersOnTheDeflateQueue(AltersBuffers):
    """Unused pages arrive as pages that are taken back.

    The host request queue gets no answer.
    """

    def alter(self, state: DriverState, flight: Flight, event: Available) -> Available:
        """Send messages of unused pages on queue 1."""
        is_message = flight.queue is HOST_REQUEST and not flight.is_request
        return replace(event, queue=1) if is_message else event
