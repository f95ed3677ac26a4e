"""Devices that are wrong about negotiation, queues, configuration, requests or reset: each is caught."""

from __future__ import annotations

from dataclasses import replace

import pytest
from broken import BrokenOnes, assert_caught

from balloon_conformance.iut.reference import ReferenceDevice
from balloon_conformance.reference.device import Device
from balloon_conformance.reference.device_state import Discard, RequestPhase
from balloon_spec.events import ConfigurationChanged, Side
from balloon_spec.features import CHUNK_TRANSFER
from balloon_spec.pages import EMPTY
from balloon_spec.wire.host_request import HostRequest, build

DEVICES = BrokenOnes(Side.DEVICE)


# -- negotiation ------------------------------------------------------------------------------------------


@DEVICES.breaks("NEG-06")
class KeepsAnyFeatures(Device):
    def allows(self, features):
        return True


@DEVICES.breaks("NEG-01")
class OffersChunksWithoutStatistics(Device):
    def offer(self):
        return super().offer() & ~CHUNK_TRANSFER.mask(["STATS_VQ", "HOST_REQ_VQ"])


@DEVICES.breaks("NEG-02")
class OffersRequestsWithoutStatistics(Device):
    def offer(self):
        return super().offer() & ~CHUNK_TRANSFER.mask(["STATS_VQ", "CHUNK_TRANSFER"])


@DEVICES.breaks("NEG-09")
class InsistsOnChunksForRequests(Device):
    def allows(self, features):
        names = self.options.profile.names(features)
        return super().allows(features) and not ("HOST_REQ_VQ" in names and "CHUNK_TRANSFER" not in names)


@DEVICES.breaks("NEG-07")
class InsistsOnStatistics(Device):
    def allows(self, features):
        return super().allows(features) and "STATS_VQ" in self.options.profile.names(features)


# -- queues -----------------------------------------------------------------------------------------------


@DEVICES.breaks("QUEUE-10", also=("QUEUE-04",))
class StartsBeforeDriverOk(Device):
    """A request buffer it cannot use yet is lost."""

    def keep_waiting(self, state, buffer):
        return self.take(state, buffer)


@DEVICES.breaks("QUEUE-04", also=("QUEUE-07",))
class WaitsForANotification(Device):
    """On every queue, though QUEUE-04 speaks of two."""

    def begin(self, state, given):
        return super().begin(
            replace(state, waiting=tuple(one for one in state.waiting if one.notified)), given
        )


class _LooksLater(ReferenceDevice):
    """It takes buffers in only when it is observed, all that :meth:`chosen` leaves; the others it forgets."""

    def start(self, setup):
        super().start(setup)
        self.pending = []

    def reset(self):
        self.pending = []
        super().reset()

    def make_available(self, queue, buffer):
        self.pending.append((queue, buffer))

    def observe(self, deadline_seconds):
        pending, self.pending = self.pending, []
        for queue, buffer in self.chosen(pending):
            super().make_available(queue, buffer)
        return super().observe(deadline_seconds)


@DEVICES.breaks("QUEUE-06")
class TakesFourBuffersOfAQueue(_LooksLater):
    def chosen(self, pending):
        counts = dict.fromkeys(range(4), 0)
        for queue, buffer in pending:
            counts[queue] += 1
            if counts[queue] <= 4:
                yield queue, buffer


@DEVICES.breaks("CONC-06", also=("REQ-23", "QUEUE-07"))
class ServesOneQueueAtATime(_LooksLater):
    """Of inflate buffers, deflate buffers and messages it takes those of the kind that came first.

    With a request open that is REQ-23, and without a host request queue no more than QUEUE-07.
    """

    def chosen(self, pending):
        first = next((queue for queue, buffer in pending if self.has_pages(queue, buffer)), None)
        return [(queue, one) for queue, one in pending if queue == first or not self.has_pages(queue, one)]

    @staticmethod
    def has_pages(queue, buffer):
        return queue < 2 or (queue == 3 and buffer.readable)


@DEVICES.breaks("REQ-23", also=("SAFE-03",))
class BalloonsAfterTheAnswer(Device):
    """It leaves inflate and deflate buffers alone while a request is open."""

    def __init__(self, options):
        super().__init__(options)
        self.kept = []

    def reset(self, state, given):
        self.kept = []
        return super().reset(state, given)

    def take(self, state, buffer):
        if buffer.queue < 2 and state.requests.phase is RequestPhase.OPEN:
            self.kept.append(buffer)
            return state, ()
        state, outputs = super().take(state, buffer)
        if state.requests.phase is not RequestPhase.OPEN:
            kept, self.kept = self.kept, []
            for one in kept:
                state, more = super().take(state, one)
                outputs += more
        return state, outputs


# -- statistics -------------------------------------------------------------------------------------------


@DEVICES.breaks("STATS-07")
class KeepsUnknownStatistics(Device):
    def return_statistics(self, state):
        known = tuple(one for one in state.statistics if all(tag < 16 for tag in one.readable[0::10]))
        return super().return_statistics(replace(state, statistics=known))


@DEVICES.breaks("STATS-08")
class KeepsUnsortedStatistics(Device):
    def return_statistics(self, state):
        known = tuple(
            one for one in state.statistics if list(one.readable[0::10]) == sorted(one.readable[0::10])
        )
        return super().return_statistics(replace(state, statistics=known))


# -- configuration ----------------------------------------------------------------------------------------


@DEVICES.breaks("CFG-07")
class NeverAnnouncesATarget(Device):
    def change_target(self, state, value):
        state, outputs = super().change_target(state, value)
        return state, tuple(one for one in outputs if not isinstance(one, ConfigurationChanged))


@DEVICES.breaks("CFG-01")
class SwapsTheConfiguration(Device):
    def configuration(self, state=None):
        data = super().configuration(state)
        return data[3::-1] + data[:3:-1]


@DEVICES.breaks("CFG-11")
class CountsTheTargetInBytes(Device):
    def target_pages(self, value):
        return super().target_pages(value * 4096)


@DEVICES.breaks("CFG-06")
class ForgetsActual(Device):
    def configure(self, state, given):
        after, outputs = super().configure(state, given)
        return replace(after, actual=state.actual), outputs


@DEVICES.breaks("CFG-08")
class ChangesActual(Device):
    """It counts the balloon itself."""

    def take_inflate(self, state, buffer):
        state, outputs = super().take_inflate(state, buffer)
        return replace(state, actual=state.balloon.pages), outputs


@DEVICES.breaks("CFG-09")
class LetsTheDriverSetTheTarget(Device):
    def configure(self, state, given):
        after, outputs = super().configure(state, given)
        if given.offset == 0:
            after = replace(after, num_pages=int.from_bytes(given.data[:4], "little"))
        return after, outputs


# -- requests ---------------------------------------------------------------------------------------------


@DEVICES.breaks("REQ-03")
class WritesHalfARequest(Device):
    def encode_request(self, identifier):
        return super().encode_request(identifier)[:8]


@DEVICES.breaks("BUF-07", also=("REQ-03",))
class ReportsALongRequest(Device):
    def request_length_bytes(self, data):
        return 24


@DEVICES.breaks("REQ-04")
class FillsReservedWords(Device):
    def encode_request(self, identifier):
        return build(HostRequest(0, (0, 0, 1), identifier))


@DEVICES.breaks("REQ-06")
class RequestsUnderOneId(Device):
    def encode_request(self, identifier):
        return super().encode_request(0x41)


@DEVICES.breaks("REQ-07")
class RequestsUnderWideIds(Device):
    def encode_request(self, identifier):
        return super().encode_request(identifier | 1 << 32)


@DEVICES.breaks("REQ-18", also=("SAFE-03",))
class HoldsEmptyMessages(Device):
    """An empty CONT too, which is malformed."""

    def take_unused_message(self, state, buffer):
        if len(buffer.readable) == 8:
            return state, ()
        return super().take_unused_message(state, buffer)


@DEVICES.breaks("REQ-19", also=("SAFE-03",))
class HoldsStrayMessages(Device):
    """Those it cannot read are no answers either."""

    def return_stray(self, state, given):
        return state, ()


@DEVICES.breaks("REQ-20")
class RequestsOnce(Device):
    def close(self, state):
        return state, ()


@DEVICES.breaks("UNUSED-03")
class HoldsRepeatedHints(Device):
    def take_unused_message(self, state, buffer):
        reading = self.read_message(buffer.readable, self.options.memory, self.options.max_data_bytes)
        known = state.balloon | (state.requests.hints if state.requests.phase is RequestPhase.OPEN else EMPTY)
        return (state, ()) if reading.pages & known else super().take_unused_message(state, buffer)


# -- reset ------------------------------------------------------------------------------------------------


@DEVICES.breaks("RESET-01")
class KeepsTheFeatures(Device):
    """The form of the first messages stays, whatever is accepted later."""

    def __init__(self, options):
        super().__init__(options)
        self.first = None

    def accept(self, state, given):
        state, outputs = super().accept(state, given)
        self.first = self.first if self.first is not None else state.accepted
        return state, outputs

    def read_pages(self, state, buffer):
        return super().read_pages(replace(state, accepted=self.first), buffer)


@DEVICES.breaks("RESET-02")
class ReturnsOldBuffers(Device):
    def begin(self, state, given):
        held, self.held = self.__dict__.get("held", ()), ()
        state, outputs = super().begin(state, given)
        return state, (*(self.return_buffer(one) for one in held), *outputs)

    def reset(self, state, given):
        self.held = state.statistics
        return super().reset(state, given)


@DEVICES.breaks("RESET-03")
class KeepsTheOpenRequest(Device):
    def reset(self, state, given):
        self.was_open = state.requests.phase is RequestPhase.OPEN
        return super().reset(state, given)

    def ask(self, state):
        return (state, ()) if self.__dict__.get("was_open") else super().ask(state)


@DEVICES.breaks("RESET-06", also=("INF-07",))
class InflatesAfterTheReset(Device):
    """It discards late, when the next driver starts."""

    def discard(self, pages):
        self.late = self.__dict__.get("late", EMPTY) | pages
        return ()

    def begin(self, state, given):
        state, outputs = super().begin(state, given)
        late, self.late = self.__dict__.get("late", EMPTY), EMPTY
        return state, ((Discard(late), *outputs) if late else outputs)


@pytest.mark.parametrize("broken", DEVICES, ids=str)
def test_a_broken_device_is_caught_for_what_it_breaks(broken):
    assert_caught(broken)
