"""Drives a device as a driver that keeps every requirement; the scenarios for devices share it."""

from __future__ import annotations

from collections.abc import Iterable

from balloon_conformance.family import additions
from balloon_conformance.iut.contract import Buffer, Capability
from balloon_conformance.running.case import NotExercised
from balloon_conformance.running.session import DeviceSession
from balloon_spec import events as ev
from balloon_spec.families.base import DEFLATE, INFLATE, configuration, pfn_array
from balloon_spec.families.base.pfn_array import PfnArray
from balloon_spec.families.chunk_transfer import response_message
from balloon_spec.families.chunk_transfer.chunk import Chunk
from balloon_spec.families.chunk_transfer.response_header import FLAG_DONE
from balloon_spec.families.host_requests import HOST_REQUEST, host_request
from balloon_spec.families.statistics import STATISTICS, statistics
from balloon_spec.families.statistics.statistics import Statistic, Statistics, Tag
from balloon_spec.feature import insisted_on
from balloon_spec.pages import EMPTY, PageSet, Run
from balloon_spec.queues import Queue

__all__ = ["Driving", "encode"]

_RING_FEATURES = frozenset({"INDIRECT_DESC", "EVENT_IDX", "IN_ORDER"})
"""Never accepted: they change only the transport, and an adapter may have no rings."""

_FEW_IN_FLIGHT = 32
"""The most buffers in flight on a queue whose size the adapter does not tell."""


def encode(runs: Iterable[Run], *, chunks: bool) -> bytes:
    """Return the bytes that name ``runs``: a message of chunks, or an array of page frame numbers."""
    if chunks:
        return response_message.build(response_message.message([Chunk(run.first, run.count) for run in runs]))
    pfns = tuple(pfn for run in runs for pfn in range(run.first, run.end))
    return pfn_array.build(PfnArray(pfns))


class Driving:
    """The state of one driver: the buffers in flight, the pages in the balloon, and those that are free.

    ``balloon`` are the pages whose inflate buffer was returned and whose deflate buffer was not made
    available yet. ``free`` are those of ``arena`` that the guest has and no buffer in flight names.
    """

    def __init__(self, session: DeviceSession, arena: PageSet, *, names: str = "b") -> None:
        """Drive ``session``. Every buffer name begins with ``names``, which tells drivers apart."""
        self.session = session
        self.names = names
        self.balloon = EMPTY
        self.free = arena
        self.features: frozenset[str] = frozenset()
        self.statistics: tuple[tuple[int, int], ...] = ()
        """The entries of the next statistics buffer; by default only the total memory."""
        self.early_statistics = True
        """Whether the first statistics buffer comes before DRIVER_OK, if HOST_REQ_VQ is accepted."""
        self._rooms: dict[int, int] = {}
        self._flying: dict[tuple[int, str], PageSet] = {}
        self._count = 0

    @property
    def chunks(self) -> bool:
        """Whether inflate and deflate buffers are messages of chunks."""
        return "CHUNK_TRANSFER" in self.features

    def begin(
        self,
        *,
        without: frozenset[str] = frozenset(),
        early: PageSet = EMPTY,
        accepted: int | None = None,
    ) -> None:
        """Accept ``accepted``, by default what the device offers and the profile knows; set DRIVER_OK.

        The features ``without`` are not accepted. The pages ``early`` are given up before DRIVER_OK, without
        a notification.
        """
        self.prepare(without=without, early=early, accepted=accepted)
        self.driver_ok()

    def driver_ok(self) -> None:
        """Set DRIVER_OK, and notify a device of the statistics if it need not look for them (QUEUE-04)."""
        for one in additions():
            if one.before_driver_ok is not None:
                one.before_driver_ok(self.session)
        self.session.driver_ok()
        if "STATS_VQ" in self.features and not self.in_flight(STATISTICS):
            self._post_statistics()

    def prepare(
        self,
        *,
        without: frozenset[str] = frozenset(),
        early: PageSet = EMPTY,
        accepted: int | None = None,
    ) -> None:
        """Do all that :meth:`begin` does before DRIVER_OK."""
        session, profile = self.session, self.session.profile
        offered = session.offered()
        chosen = offered if accepted is None else accepted
        wanted = profile.mask(profile.names(chosen) - _RING_FEATURES - without)
        if not session.negotiate(wanted, offered):
            if insisted := insisted_on(offered, wanted):
                raise NotExercised(f"the device insists on {', '.join(insisted)}, which it may")
            raise NotExercised("the device refuses what it offers")
        if ambiguity := session.ambiguity(wanted, offered):
            raise NotExercised(ambiguity)
        self.features = profile.names(wanted)
        self.free &= session.memory
        for entry in session.trace:
            if isinstance(entry.event, ev.Negotiated):
                self._rooms = {index: size for index, size in entry.event.ring_sizes if size}
        if "HOST_REQ_VQ" in self.features:
            if "STATS_VQ" in self.features and self.early_statistics:
                self._post_statistics(notify=False)
            self._post_request(notify=False)
        if early:
            self.free -= early
            self.send(INFLATE, encode(early.runs, chunks=self.chunks), early, notify=False)

    def in_flight(self, queue: Queue) -> int:
        """Tell how many buffers are in flight on the queue."""
        wanted = self.session.index(queue)
        return sum(index == wanted for index, _ in self._flying)

    def has_room(self, queue: Queue) -> bool:
        """Tell whether one more buffer fits into the queue's ring."""
        return self.in_flight(queue) < self._rooms.get(self.session.index(queue), _FEW_IN_FLIGHT)

    def inflate(self, pages: PageSet) -> None:
        """Give up pages that are free."""
        self.free -= pages
        self.send(INFLATE, encode(pages.runs, chunks=self.chunks), pages)

    def deflate(self, pages: PageSet) -> None:
        """Take pages of the balloon back. Look at them first, while the device may still discard them."""
        self.look(pages)
        self.balloon -= pages
        self.send(DEFLATE, encode(pages.runs, chunks=self.chunks), pages)

    def send(self, queue: Queue, data: bytes, pages: PageSet, *, notify: bool = True) -> None:
        """Send bytes, well-formed or not, that name ``pages``; NotExercised if the guest lacks these."""
        if missing := pages & self.session.setup.memory - self.session.memory:
            raise NotExercised(f"the guest has no pages {missing}; give it the memory that start asks for")
        self._make_available(queue, Buffer(self._name(), data, notify=notify), pages)

    def take_in(self) -> bool:
        """Await the return of any buffer; return False if none came before the deadline."""
        event = self.session.wait_for(lambda seen: isinstance(seen, ev.Used))
        if not isinstance(event, ev.Used):
            return False
        pages = self._flying.pop((event.queue, event.buffer), EMPTY)
        queue = self.session.queue(event.queue)
        if queue is INFLATE:
            self.balloon |= pages
        elif queue is DEFLATE:
            self.free |= pages
        elif queue is STATISTICS:
            self._post_statistics()
        elif len(event.written) == host_request.LENGTH_BYTES:
            self._answer(host_request.parse(event.written))
        return True

    def drain(self) -> bool:
        """Await the return of every inflate and deflate buffer; return False if one did not come."""
        while self.in_flight(INFLATE) or self.in_flight(DEFLATE):
            if not self.take_in():
                return False
        return True

    def tell_actual(self) -> None:
        """Write ``actual``, while no inflate or deflate buffer is in flight."""
        data = self.balloon.pages.to_bytes(4, "little")
        self.session.write_configuration(configuration.ACTUAL_OFFSET, data)

    def set_target(self, pages: int) -> None:
        """Have the operator set a target of so many pages, if it can; the driver is told of it."""
        if self.session.can(Capability.OPERATOR_TARGET):
            self.session.operate(ev.OperatorAction.TARGET, pages)
            self.session.wait_for(lambda seen: isinstance(seen, ev.ConfigurationChanged))

    def requested(self, wish: int) -> int | None:
        """Have the operator ask for unused pages; return the id of the request that comes, in 16 bits.

        Return None if no complete request comes. Raises :class:`NotExercised` if the device asks for
        something else.
        """
        self.session.operate(ev.OperatorAction.UNUSED_PAGES, wish)
        asked = self.session.wait_for(lambda seen: isinstance(seen, ev.Used) and bool(seen.written))
        if not isinstance(asked, ev.Used) or len(asked.written) != host_request.LENGTH_BYTES:
            return None
        request = host_request.parse(asked.written)
        if request.cmd:
            raise NotExercised(f"the device asks for something else, by command {request.cmd:#x}")
        return request.param & 0xFFFF

    def answered(self, name: str, data: bytes) -> bool:
        """Send a message of an answer, well-formed or not; False if its buffer ``name`` did not return."""
        self.session.make_available(self.session.index(HOST_REQUEST), Buffer(name, data))
        event = self.session.wait_for(lambda seen: isinstance(seen, ev.Used) and seen.buffer == name)
        return event is not None

    def look(self, pages: PageSet) -> None:
        """Look at guest memory if the adapter can."""
        if self.session.can(Capability.DISCARDS):
            self.session.look(pages & self.session.memory)

    def _answer(self, request: host_request.HostRequest) -> None:
        """Answer a request that the device made on its own: no page is unused."""
        if request.cmd == 0:
            answer = response_message.message([], flag=FLAG_DONE, id=request.param & 0xFFFF)
            data = response_message.build(answer)
            self._make_available(HOST_REQUEST, Buffer(self._name(), data), EMPTY)
        self._post_request()

    def _post_statistics(self, *, notify: bool = True) -> None:
        # The value has 64 bits, however much memory the adapter reports.
        entry = Statistic(Tag.MEMTOT, min(self.session.memory.size_bytes, (1 << 64) - 1))
        told = [Statistic(tag, value) for tag, value in self.statistics]
        data = statistics.build(Statistics(tuple(told or (entry,))))
        self._make_available(STATISTICS, Buffer(self._name(), data, notify=notify), EMPTY)

    def _post_request(self, *, notify: bool = True) -> None:
        buffer = Buffer(self._name(), writable_bytes=host_request.LENGTH_BYTES, notify=notify)
        self._make_available(HOST_REQUEST, buffer, EMPTY)

    def _make_available(self, queue: Queue, buffer: Buffer, pages: PageSet) -> None:
        index = self.session.index(queue)
        self._flying[index, buffer.name] = pages
        self.session.make_available(index, buffer)

    def _name(self) -> str:
        self._count += 1
        return f"{self.names}{self._count}"
