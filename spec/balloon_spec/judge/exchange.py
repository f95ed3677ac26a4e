"""What is known of an exchange between a driver and a device so far.

The judge keeps one :class:`Exchange`, shows it to the rules as it was before an event, and then lets it take
the event in. It holds what is in flight and sets of pages; nothing in it grows with the length of a trace.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from balloon_spec import events as ev
from balloon_spec.features import Profile
from balloon_spec.judge.content import read_message
from balloon_spec.judge.course import Course
from balloon_spec.judge.given_back import (
    ACT_TESTS,
    Circumstances,
    Form,
    LeftBehind,
    Since,
    blame,
    host_page_of,
)
from balloon_spec.judge.in_flight import InFlight, Key, Request, Unheard
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue, queue_map
from balloon_spec.wire import configuration, host_request, statistics
from balloon_spec.wire.errors import WireError

__all__ = ["Exchange", "Hope"]

_LASTING = frozenset({"UNUSED-01", "DEF-07", "DEF-08", "RESET-06"})
"""Requirements that forbid touching pages for as long as no inflate buffer names them."""


_WISHES = frozenset({ev.GuestAction.INFLATE, ev.GuestAction.DEFLATE, ev.GuestAction.UNUSED})
"""What a guest wants of its driver; the other actions are seen."""


@dataclass(frozen=True, slots=True)
class Hope:
    """Pages of a returned inflate buffer whose discard is awaited at the next look.

    ``number`` is that of the buffer, ``inflations`` the inflate buffers that the device was notified of up to
    its return.
    """

    pages: PageSet
    form: Form
    tests: frozenset[str]
    asked: bool
    number: int
    inflations: int
    at_seconds: float


@dataclass(slots=True)
class Exchange:
    """The state of one exchange; see the module's docstring."""

    profile: Profile
    now_seconds: float | None = None
    steered: bool | None = None
    """Whether the guest is told which pages to give up; None where nobody said, as in a recorded trace."""
    course: Course = field(default_factory=Course)
    event: int = 0
    """The number of the event that is judged."""
    offered: int | None = None
    accepted: int | None = None
    features: frozenset[str] = frozenset()
    queues: dict[int, Queue] = field(default_factory=dict)
    ring_sizes: dict[int, int] = field(default_factory=dict)
    is_blind: bool = False
    """A set that is not legal was accepted, and whether it was refused cannot be told: nothing follows."""
    memory: PageSet | None = None
    driver_ok: bool = False
    sees_driver_ok: bool = False
    """A DRIVER_OK was seen in this trace; where the transport hides it, nothing is decided by it."""
    resets: int = 0
    count: int = 0
    in_flight: dict[Key, InFlight] = field(default_factory=dict)
    taken: frozenset[tuple[int, int]] = frozenset()
    """Offers, each with a set of features that the device accepted of it before a reset."""
    tempted: bool = False
    """When it was reset the driver had reason to act, or somebody gave it one since."""
    held_over: frozenset[int] = frozenset()
    """The numbers of the buffers that were in flight when DRIVER_OK was written again."""
    wants_statistics: bool = False
    """The operator asked for statistics, and none came since."""
    refreshes: int = 0
    """How often the device returned a statistics buffer when its operator asked, since the reset."""
    requests: int = 0
    """How often it made a request for which the operator's wish was known, since the reset."""
    before_reset: frozenset[Key] = frozenset()
    """The buffers in flight at this reset or one before."""
    newest_tests: frozenset[str] = frozenset()
    """What the buffer that was made available last puts to the test."""
    latest: dict[Queue, int] = field(default_factory=dict)
    """By queue, the number of the last message or array made available there."""

    # Pages. A page is in at most one of the first three.
    inflating: dict[Key, PageSet] = field(default_factory=dict)
    balloon: PageSet = EMPTY
    deflating: dict[Key, PageSet] = field(default_factory=dict)
    touchable: PageSet = EMPTY
    """Pages the device may discard or change: named in an inflate buffer, and not yet taken back."""
    forbidden: dict[str, PageSet] = field(default_factory=dict)
    """Pages a device must leave alone, by the requirement that says why."""
    hoped: list[Hope] = field(default_factory=list)
    gone: PageSet = EMPTY
    """Pages seen discarded and not since taken back."""
    able: dict[Circumstances, float] = field(default_factory=dict)
    """The circumstances under which the device was seen to discard all pages of a buffer, and how soon."""
    losses: dict[tuple[Form, frozenset[str]], str] = field(default_factory=dict)
    """What was blamed for pages that were left behind so far."""
    left: list[LeftBehind] = field(default_factory=list)
    """Pages that were left, where no more than INF-07 could be said."""
    inflations: int = 0
    """How many inflate buffers the device was notified of since the reset."""
    host_page: int = 0
    """The largest host page, in pages of 4 KiB, that explains every discard seen; 0 before the first."""

    # Configuration space.
    num_pages: int | None = None
    num_pages_before: int | None = None
    """What it was before that: a driver's read may be seen after the change that it came before."""
    num_pages_was_seen: bool = False
    """It was read or announced since the reset; while a device is reset it may change unannounced."""
    actual: int | None = None
    """The last value the driver wrote, None before the first write since the reset."""
    actual_was_read: bool = False
    actuals_left: frozenset[bytes] | None = None
    """What a reset may have left of ``actual``; None where nobody knows, or the driver wrote there since."""
    target_left: int | None = None
    """The operator's newest wish as of the reset before, None where nobody knows it."""
    announced_early: bytes | None = None
    """What the first notification of a change showed that came before DRIVER_OK."""
    target_is_early: bool = False
    """The wish for it came before DRIVER_OK, and ``num_pages`` was not read since."""
    dropped_wish: bool = False
    """A wish for unused pages or statistics was not carried out when the device was reset."""
    actual_shown: bytes | None = None
    """The four bytes of ``actual`` as read since DRIVER_OK, None once the driver wrote there."""
    stirred: str = ""
    """What happened since ``actual`` was last read or written at which a device might have changed it."""
    announced: bytes | None = None
    """The space as shown by the notification of the last wish, None once anybody had reason to change it."""
    actuals: frozenset[bytes] = frozenset()
    """What ``actual`` held at any time since the last wish, as far as it is known."""
    late_reads: int = 0
    """How many reads since then showed the num_pages of before."""
    deflate_floor: int | None = None
    """The least num_pages at which a deflate buffer was made available that ``actual`` does not count yet."""
    target: int | None = None
    """What the operator last wished for and no configuration change has confirmed."""
    superseded: frozenset[int] = frozenset()
    """What the operator wished for before that, and a device that is slow may still announce."""
    wrote_num_pages: bytes | None = None
    changes: int = 0
    """Inflate and deflate buffers returned since actual was last written."""
    changed_with_length: bool = False
    """One of those was returned with a used length."""
    changed_out_of_order: bool = False
    """One of those was returned before an older one of its queue."""
    furthest_pages: int = 0
    """The largest ``actual`` since the reset: so many pages the driver can give up."""
    has_shrunk: bool = False
    """``actual`` became less since the reset: the driver takes pages back when it may."""
    most_pages: int = 0
    """The most pages the balloon held since actual was last written."""
    last_returned: int | None = None
    """The number of the buffer returned last, None once the driver did something after that."""

    # The guest's wishes.
    meant_to_inflate: PageSet | None = None
    """Every page the guest gave up since the reset; None for a guest that is not steered, as below."""
    meant_to_deflate: PageSet | None = None
    unused: PageSet | None = None
    given_up: PageSet = EMPTY
    """The pages the guest gave up and has not asked back: outside the balloon they are free."""
    guest_holds: PageSet = EMPTY
    """The pages in which the guest was seen to keep data."""
    owed_to_inflate: PageSet = EMPTY
    """The pages the guest gave up, has not asked back, and finds in no inflate buffer."""

    # Host requests and statistics.
    request: Request | None = None
    last_request_id: int | None = None
    request_posts: int = 0
    owed_request: str | None = None
    """Why the driver owes a request buffer: the requirement that says so."""
    wanted_request: int | None = None
    answered: frozenset[bool] = frozenset()
    """Whether the guest was said to have unused pages, of requests with zero in the reserved words that were
    answered."""
    statistics_tags: tuple[int, ...] | None = None
    statistics_posts: int = 0
    owes_statistics: bool = False
    statistics_returned: tuple[bytes, ...] = ()
    """What stood in the statistics buffers that were returned, the last two at the most, the newest first."""
    host_tags: frozenset[int] = frozenset()
    """The statistics that the host was seen to know, before a reset too."""
    upset: bool = False
    """A malformed buffer was seen since the reset."""
    provoked: bool = False
    """The driver did to the queues what a device need not put up with."""
    suspects: bool = False
    """A malformed buffer was seen whose effect may still show when memory is looked at."""
    saw_short_message: bool = False
    """One of those was shorter than its header."""
    looked: bool = False
    """All memory was looked at after every malformed buffer had come back; the next one is judged afresh."""
    needs_reset: bool = False
    missed: frozenset[int] = frozenset()
    """The numbers of buffers whose return was already found missing."""
    notified: set[Queue] = field(default_factory=set)
    """The queues on which the device was notified since DRIVER_OK."""
    unheard: dict[tuple[ev.Side, int], Unheard] = field(default_factory=dict)
    """The buffers of either side, by queue, of which the other was due a notification that has not come."""
    returned_on: set[int] = field(default_factory=set)
    """The queues on which the device returned a buffer since the reset."""
    returned_early: str = ""
    """The first buffer that was returned while no DRIVER_OK had been seen."""
    returned_out_of_order: bool = False
    """A buffer was returned before an older one it could be taken for, and the driver did nothing since."""
    returned_with_length: bool = False
    """A buffer was returned with a used length that means nothing, and the driver did nothing since."""

    # The session before the last reset.
    changed_format: bool = False
    """Whether CHUNK_TRANSFER was negotiated before some reset and is not now, or the reverse."""
    was_upset: bool = False
    """A malformed buffer was seen before the last reset."""
    was_asked: bool = False
    """A host request was open at the last reset."""
    _formats: frozenset[bool] = frozenset()
    """Whether CHUNK_TRANSFER was negotiated, in any session before."""

    # -- what rules ask -------------------------------------------------------------------------------

    def has(self, feature: str) -> bool:
        """Tell whether the feature was negotiated."""
        return feature in self.features

    def on(self, *queues: Queue) -> list[InFlight]:
        """Return the buffers in flight on the given queues, oldest first."""
        return [buffer for buffer in self.in_flight.values() if buffer.queue in queues]

    @property
    def is_misled(self) -> bool:
        """Tell whether the driver sent, since the reset, what a device need not put up with."""
        return self.upset or self.provoked

    @property
    def was_ever_misled(self) -> bool:
        """Tell whether it ever did; what a device makes of a malformed buffer may show after a reset."""
        return self.is_misled or self.was_upset

    @property
    def inflating_pages(self) -> PageSet:
        """The pages of inflate buffers in flight."""
        return PageSet.union(self.inflating.values())

    @property
    def deflating_pages(self) -> PageSet:
        """The pages of deflate buffers in flight that came out of the balloon."""
        return PageSet.union(self.deflating.values())

    @property
    def named(self) -> PageSet:
        """The pages of the balloon, whether or not the inflate buffers that name them were returned."""
        return self.balloon | self.inflating_pages

    @property
    def counted_pages(self) -> int:
        """What the balloon shrinks from: ``actual``, or more where it grew and shrank between two writes."""
        return max(self.actual or 0, self.most_pages if self.balloon.pages < self.most_pages else 0)

    @property
    def least_pages(self) -> int:
        """What the balloon may shrink to without DEFLATE_ON_OOM; 0 where no target was seen (DEF-09)."""
        # A target that rose while the deflate buffer was with the device came too late.
        target = self.num_pages or 0
        late = target if self.deflate_floor is None else self.deflate_floor
        return min(target, late, self.counted_pages)

    @property
    def chooses(self) -> bool:
        """Tell whether the driver picks its own pages: it was seen to, where nobody said."""
        if self.steered is not None:
            return not self.steered
        return self.meant_to_inflate is None and self.meant_to_deflate is None and self.course.guest_page > 0

    def wishes(self, queue: Queue | None) -> PageSet | None:
        """Return the pages the guest wants named on this queue, None where it is not steered."""
        if queue is Queue.INFLATE:
            return self.meant_to_inflate
        if queue is Queue.DEFLATE:
            return self.meant_to_deflate
        # An answer may be of any moment since the request: it takes time, and the guest goes on meanwhile.
        return self.request.was_unused if self.request else self.unused

    def unused_messages(self) -> list[InFlight]:
        """Return the unused-page messages in flight."""
        return [buffer for buffer in self.on(Queue.HOST_REQUEST) if buffer.shape == "message"]

    def request_buffers(self) -> list[InFlight]:
        """Return the request buffers in flight."""
        return [buffer for buffer in self.on(Queue.HOST_REQUEST) if buffer.shape == "request"]

    @property
    def discards(self) -> bool:
        """Whether the device was seen to discard all pages of a buffer."""
        return bool(self.able)

    def looked_at(self, event: ev.Discarded) -> list[LeftBehind]:
        """Return what a look shows of the pages of each buffer that it looks at."""
        gone = self.gone | event.pages
        return [self._looked_at(hope, event, gone) for hope in self.hoped if hope.pages & event.looked]

    def _looked_at(self, hope: Hope, event: ev.Discarded, gone: PageSet) -> LeftBehind:
        looked = hope.pages & event.looked
        if looked <= gone:
            since = Since.NOTHING if self.count == hope.number + 1 else Since.SOMETHING
            asked = hope.asked and self._is_asked()
        else:
            since = Since.INFLATED if self.inflations > hope.inflations else Since.SOMETHING
            asked = hope.asked or self._is_asked()
        seen = Circumstances(hope.form, self.features, hope.tests, since, asked)
        waited = (self.now_seconds or 0.0) - hope.at_seconds
        if not (looked - gone or looked & event.late):
            waited -= event.seconds
        return LeftBehind(seen, self.event, looked, looked - gone, waited)

    def able_after(self, event: ev.Discarded) -> dict[Circumstances, float]:
        """Return ``able`` with what a look shows."""
        able = dict(self.able)
        whole = {hope.pages for hope in self.hoped}
        for one in self.looked_at(event):
            if not one.missing and one.looked in whole:
                known = able.get(one.circumstances, one.waited_seconds)
                able[one.circumstances] = min(known, one.waited_seconds)
        return able

    def blamed(self, event: ev.Discarded) -> list[tuple[LeftBehind, str | None]]:
        """Return what a look shows to be left behind, and what that breaks; None for no more than INF-07."""
        able, host_page = self.able_after(event), self.host_page_after(event)
        return [
            (one, blame(one, able, host_page, losses=self.losses))
            for one in self.looked_at(event)
            if one.missing
        ]

    def host_page_after(self, event: ev.Discarded) -> int:
        """Return ``host_page`` with what a look finds discarded."""
        # Beside a page that was seen gone before, and is filled again, nothing ends.
        before = self.gone | self.forbidden.get("DEF-08", EMPTY)
        return min(
            filter(None, (self.host_page, host_page_of(event.pages, event.looked - before))), default=0
        )

    def _is_asked(self) -> bool:
        return self.request is not None and self.request.is_open

    @property
    def wants_more_than_memory(self) -> bool:
        """Whether the operator's wish is a target of more pages than guest memory has."""
        return self.target is not None and self.memory is not None and self.target > self.memory.pages

    def is_late(self, event: ev.ConfigurationChanged) -> bool:
        """Tell whether a notification was under way before the operator's last wish, which is yet to come.

        It shows an earlier wish, or what stood there before, if nothing called for it.
        """
        if self.target is None or len(event.data) < configuration.ACTUAL_OFFSET:
            return False
        seen = int.from_bytes(event.data[:4], "little")
        # With the two fields exchanged the target stands in the place of the other.
        misplaced = int.from_bytes(event.data[4:8], "little") == self.target
        known = seen in self.superseded or seen == self.num_pages
        return seen != self.target and known and not misplaced

    def is_due_notification(self, event: ev.Available) -> bool:
        """Tell whether a driver that makes this buffer available has to notify the device of it.

        It must not before DRIVER_OK. Where that cannot be seen, a driver is known to be past it only by pages
        that go into the balloon or out of it, and by what it does after the device returned a buffer.
        """
        queue = self.queues.get(event.queue)
        past = queue in {Queue.INFLATE, Queue.DEFLATE} or event.queue in self.returned_on
        return queue is not None and (self.driver_ok or past)

    @property
    def is_unbound(self) -> bool:
        """Whether the device was reset and no features are negotiated since."""
        return self.resets > 0 and self.accepted is None

    @property
    def could_ask(self) -> bool:
        """Whether nothing keeps the device from the next request but the open one, which REQ-05 advises."""
        waits = self.wanted_request is not None and bool(self.request_buffers())
        return waits and self.request is not None and (self.request.is_open or self.request.is_vague)

    def matches_request(self, buffer: InFlight) -> bool:
        """Tell whether an unused-page message belongs to the open request (REQ-19)."""
        header, request = buffer.content.header, self.request
        if header is None or request is None or not (request.is_open or request.is_vague):
            return False
        return header.id == request.parameter & 0xFFFF and header.cmd == request.command

    # -- taking events in -----------------------------------------------------------------------------

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take an event in; ``buffer`` is what was read of an Available event, before this."""
        self.course.take(event, buffer, self)
        match event:
            case ev.Negotiated():
                self._negotiated(event)
            case ev.Memory():
                self.memory = event.pages
            case ev.DriverOk():
                self.target_is_early = not self.driver_ok and self.target is not None
                if self.driver_ok:
                    self.held_over |= frozenset(one.number for one in self.in_flight.values())
                self.driver_ok = self.sees_driver_ok = True
                # What the driver did before it was not allowed to notify of.
                self._heard_from(ev.Side.DRIVER)
            case ev.Available() if buffer is not None:
                self._available(event, buffer)
            case ev.Used():
                self._used(event)
            case ev.Notified():
                self._notified(event)
            case ev.ConfigurationRead() | ev.ConfigurationChanged():
                self._configuration(event)
            case ev.ConfigurationWritten():
                self._written(event)
            case ev.Reset():
                self._reset()
            case ev.NeedsReset():
                self.needs_reset = True
            case ev.Quiet():
                self._quiet(event)
                self._heard_from(event.side)
            case ev.Discarded():
                self._discarded(event)
            case ev.Operator():
                self._operator(event)
            case ev.Guest():
                self._guest(event)
            case ev.StatisticsRead():
                self.host_tags |= {tag for tag, _ in event.entries}
            case _:
                pass

    def _quiet(self, event: ev.Quiet) -> None:
        # What was read by now and is seen late would have been seen.
        self.num_pages_before = None
        if event.side is ev.Side.DEVICE and self.driver_ok and self.could_ask and self.request is not None:
            self.request.is_patient = True
            self.request.calm |= self.request.plain
        if event.side is ev.Side.DEVICE and self.driver_ok:
            self.missed = frozenset(buffer.number for buffer in self.in_flight.values())

    def _negotiated(self, event: ev.Negotiated) -> None:
        self.offered, self.accepted = event.offered, event.accepted
        self.is_blind = not event.shown and not self.profile.may_accept(event.offered, event.accepted)
        self.features = self.profile.names(event.accepted) if event.features_ok else frozenset()
        self.queues = dict(queue_map(self.profile, event.accepted)) if event.features_ok else {}
        self.ring_sizes = dict(event.ring_sizes)
        self.changed_format = any(("CHUNK_TRANSFER" in self.features) != one for one in self._formats)

    def _available(self, event: ev.Available, buffer: InFlight) -> None:
        key = (event.queue, event.buffer)
        self.in_flight[key] = buffer
        self.newest_tests = buffer.tests
        self.count += 1
        self.last_returned = None
        self.returned_out_of_order = self.returned_with_length = False
        if self.driver_ok and event.notified and buffer.queue is not None:
            self.notified.add(buffer.queue)
        if event.notified or self.is_due_notification(event):
            self._hear(ev.Side.DRIVER, event.queue, event.buffer, event.notified)
        if buffer.queue is not None and buffer.shape in {"message", "array"}:
            self.latest[buffer.queue] = buffer.number
        if self.request is not None and self.request.is_patient:
            self.request.may_not_close(buffer)
        if self.looked:
            self._acquit()
        if buffer.is_malformed:
            self.upset = self.suspects = True
        if "SAFE-08" in buffer.content.twists:
            self.saw_short_message = True
        if buffer.queue in {Queue.INFLATE, Queue.HOST_REQUEST}:
            for requirement, harm in buffer.content.forbidden:
                self.forbidden[requirement] = self.forbidden.get(requirement, EMPTY) | harm
        self._take_pages(event, buffer)

    def _take_pages(self, event: ev.Available, buffer: InFlight) -> None:
        """Take in what a buffer that was made available says, by its queue."""
        key = (event.queue, event.buffer)
        pages, meant = buffer.content.pages, buffer.content.intended
        if buffer.queue is Queue.INFLATE:
            self.inflations += event.notified is True
            self.inflating[key] = meant - self.balloon
            self.touchable |= pages
            self.owed_to_inflate -= meant
            self.forbidden["DEF-07"] = self.forbidden.get("DEF-07", EMPTY) - pages
        elif buffer.queue is None and self.queues.get(event.queue) is Queue.INFLATE and self.memory:
            # The driver took the wrong queue; the device, which looks at no header (HDR-05), may act on it.
            self.touchable |= read_message(event.readable, self.memory, "balloon").pages
        elif buffer.queue is Queue.DEFLATE:
            self.deflating[key] = meant & self.balloon
            foreign = pages - self.named - self.touchable - self.forbidden.get("DEF-08", EMPTY)
            self.forbidden["DEF-07"] = self.forbidden.get("DEF-07", EMPTY) | foreign
            self.balloon -= meant
            if self.request is not None:
                self.request.let_go(meant)
            target = self.num_pages or 0
            self.deflate_floor = target if self.deflate_floor is None else min(target, self.deflate_floor)
        elif buffer.shape == "request":
            self.request_posts += 1
            self.owed_request = None
        elif buffer.shape == "statistics":
            self.statistics_posts += 1
            self.owes_statistics = False
            if self.statistics_tags is None:
                self.statistics_tags = _tags(event.readable)
        elif buffer.shape == "message":
            self._unused_message(buffer)

    def _hear(self, side: ev.Side, queue: int, buffer: str, notified: bool | None) -> None:
        """Take in whether the other side was notified of a buffer; one notification covers all before it."""
        key = (side, queue)
        if notified:
            self.unheard.pop(key, None)
        elif notified is False:
            before = self.unheard.get(key)
            self.unheard[key] = Unheard(buffer) if before is None else replace(before, count=before.count + 1)

    def _heard_from(self, side: ev.Side) -> None:
        """Await no more notifications of ``side``: none was due, or it was decided that they did not come."""
        self.unheard = {key: one for key, one in self.unheard.items() if key[0] is not side}

    def _notified(self, event: ev.Notified) -> None:
        self.unheard.pop((event.side, event.queue), None)
        if event.side is not ev.Side.DRIVER or (queue := self.queues.get(event.queue)) is None:
            return
        if self.driver_ok:
            self.notified.add(queue)
            return
        for key, buffer in self.in_flight.items():
            if buffer.queue is queue:
                loud = replace(buffer.event, notified=True)
                self.in_flight[key] = replace(buffer, event=loud, early=False)

    def _acquit(self) -> None:
        """What is found from here on is not the effect of malformed buffers that came back before."""
        self.looked = self.suspects = self.saw_short_message = False
        self.forbidden = {name: pages for name, pages in self.forbidden.items() if name in _LASTING}

    def _unused_message(self, buffer: InFlight) -> None:
        harm = buffer.content.pages
        self.forbidden["UNUSED-01"] = self.forbidden.get("UNUSED-01", EMPTY) | harm
        request, header = self.request, buffer.content.header
        if request is None or header is None:
            return
        if not self.matches_request(buffer):
            return
        request.messages += 1
        request.reported |= buffer.content.pages
        request.total += buffer.content.total
        if header.flag == 1:
            request.close(buffer)
            self.owed_request = "REQ-13"
            if not request.is_marked:
                self.answered |= {bool(request.was_unused)}

    def _used(self, event: ev.Used) -> None:
        key = (event.queue, event.buffer)
        buffer = self.in_flight.pop(key, None)
        if buffer is None:
            return
        self.stirred = f"a buffer was returned on the {buffer.queue} queue"
        self.returned_on.add(event.queue)
        self._hear(ev.Side.DEVICE, event.queue, event.buffer, event.notified)
        if any(
            other.queue in {buffer.queue, Queue.INFLATE, Queue.DEFLATE} and other.number < buffer.number
            for other in self.in_flight.values()
        ):
            self.returned_out_of_order = True
            self.changed_out_of_order |= buffer.queue in {Queue.INFLATE, Queue.DEFLATE}
        self.last_returned = buffer.number
        if event.length_bytes and not buffer.event.writable_bytes:
            self.returned_with_length = True
            self.changed_with_length = self.changed_with_length or buffer.queue is not Queue.STATISTICS
        if not self.driver_ok and not self.returned_early:
            self.returned_early = f"{event.buffer} on queue {event.queue}"
        if buffer.queue is Queue.INFLATE:
            self.balloon |= self.inflating.pop(key, EMPTY)
            self.most_pages = max(self.most_pages, self.balloon.pages)
            self.changes += 1
            if buffer.content.firm and not buffer.event.writable_bytes:
                self.hoped.append(self._hope(buffer))
        elif buffer.queue is Queue.DEFLATE:
            back = buffer.content.pages - self.named
            self.deflating.pop(key, None)
            self.changes += 1
            self.touchable -= back
            self.gone -= back
            self.hoped = [replace(hope, pages=hope.pages - back) for hope in self.hoped]
            self.forbidden["DEF-08"] = self.forbidden.get("DEF-08", EMPTY) | back
        elif buffer.shape == "statistics":
            self.owes_statistics = True
            if not buffer.is_malformed:
                self.statistics_returned = (buffer.event.readable, *self.statistics_returned[:1])
            self.refreshes += self.wants_statistics
            self.wants_statistics = False
        elif buffer.shape == "request":
            self._request(event)

    def _hope(self, buffer: InFlight) -> Hope:
        form = Form.ARRAY if buffer.shape == "array" else Form.MESSAGE
        tests = buffer.tests & frozenset(ACT_TESTS)
        seconds = self.now_seconds or 0.0
        asked = self._is_asked()
        return Hope(buffer.content.firm, form, tests, asked, buffer.number, self.inflations, seconds)

    def _request(self, event: ev.Used) -> None:
        whole = event.length_bytes == 16 and len(event.written) == 16
        busy = frozenset(buffer.queue for buffer in self.on(Queue.INFLATE, Queue.DEFLATE) if buffer.queue)
        asked = host_request.parse(event.written if whole else bytes(host_request.LENGTH_BYTES))
        request = Request(
            event,
            self.now_seconds,
            whole,
            asked.cmd,
            asked.param,
            was_unused=self.unused,
            was_free=self.given_up | self.deflating_pages,
            held_by_guest=self.guest_holds,
            named_throughout=self.named,
            beside=busy,
        )
        self.requests += self.wanted_request is not None and request.has_answer
        if not whole or asked.cmd == 0 or asked.param == self.wanted_request:
            self.wanted_request = None
        if whole:
            self.last_request_id = asked.param
        self.request = request
        if not request.has_answer:
            self.owed_request = "REQ-14" if whole else "REQ-15"

    def _configuration(self, event: ev.ConfigurationRead | ev.ConfigurationChanged) -> None:
        offset = event.offset if isinstance(event, ev.ConfigurationRead) else 0
        late = isinstance(event, ev.ConfigurationChanged) and self.is_late(event)
        answers = self.target is not None and self.target not in {*self.superseded, self.num_pages}
        answers = answers and int.from_bytes(event.data[:4], "little") == self.target
        if offset == configuration.NUM_PAGES_OFFSET and len(event.data) >= 4:
            seen = int.from_bytes(event.data[:4], "little")
            self.late_reads += isinstance(event, ev.ConfigurationRead) and seen == self.num_pages_before
            if isinstance(event, ev.ConfigurationChanged) or seen != self.num_pages_before:
                if seen != self.num_pages:
                    self.num_pages_before = self.num_pages
                self.num_pages = seen
            self.num_pages_was_seen = True
            self.target_is_early = self.target_is_early and isinstance(event, ev.ConfigurationChanged)
            if isinstance(event, ev.ConfigurationChanged) and not late:
                self.target, self.superseded = None, frozenset()
        if isinstance(event, ev.ConfigurationChanged):
            if not self.driver_ok and not self.needs_reset and self.announced_early is None:
                self.announced_early = event.data
            self.announced, self.late_reads = (event.data if answers else None), 0
            self.stirred = self.stirred or "the driver was notified of a change"
            return
        if offset <= configuration.ACTUAL_OFFSET and offset + len(event.data) >= configuration.LENGTH_BYTES:
            self.actual_was_read = True
            self.stirred = ""
            if self.driver_ok:
                at = configuration.ACTUAL_OFFSET - offset
                self.actual_shown = event.data[at : at + 4]

    def _written(self, event: ev.ConfigurationWritten) -> None:
        first, end = event.offset, event.offset + len(event.data)
        self.announced = None
        if first < configuration.ACTUAL_OFFSET:
            self.wrote_num_pages = event.data
            self.stirred = "the driver wrote num_pages"
        if first < configuration.LENGTH_BYTES and end > configuration.ACTUAL_OFFSET:
            self.actual_shown = self.actuals_left = None
            self.stirred = ""
        if (first, end) == (configuration.ACTUAL_OFFSET, configuration.ACTUAL_OFFSET + 4):
            pages = int.from_bytes(event.data, "little")
            self.has_shrunk |= pages < (self.actual or 0)
            self.furthest_pages = max(self.furthest_pages, pages)
            self.actual = pages
            self.actuals |= {event.data}
            self.actual_was_read = False
            self.changes = 0
            self.changed_with_length = self.changed_out_of_order = False
            self.most_pages = self.balloon.pages
            self.last_returned = None
            if not self.deflating:
                self.deflate_floor = None
        elif first < configuration.ACTUAL_OFFSET + 4 and end > configuration.ACTUAL_OFFSET:
            # The device may take of such a store what it likes; what it gives back is not held against it.
            self.actual = None

    def _discarded(self, event: ev.Discarded) -> None:
        able, host_page = self.able_after(event), self.host_page_after(event)
        # What comes late is not lost.
        left = [replace(one, missing=one.missing - event.pages) for one in self.left]
        losses = dict(self.losses)
        for one, name in self.blamed(event):
            if name is None:
                left.append(one)
            else:
                losses.setdefault((one.circumstances.form, one.circumstances.tests), name)
        self.left, self.losses = [one for one in left if one.missing], losses
        self.able, self.host_page = able, host_page
        self.gone |= event.pages
        hoped = (replace(hope, pages=hope.pages - event.looked) for hope in self.hoped)
        self.hoped = [hope for hope in hoped if hope.pages]
        whole = self.memory is not None and self.memory <= event.looked
        returned = not any(buffer.is_malformed for buffer in self.in_flight.values())
        self.looked = self.suspects and whole and returned

    def _operator(self, event: ev.Operator) -> None:
        self.announced = None
        self.stirred = f"the operator had a wish ({event.action})"
        if event.action is ev.OperatorAction.TARGET:
            known = self.actual_shown if self.actual is None else self.actual.to_bytes(4, "little")
            self.actuals = frozenset() if known is None else frozenset({known})
            if self.target is not None:
                self.superseded |= {self.target}
            self.target = event.value
            self.superseded -= {event.value}
        elif event.action is ev.OperatorAction.STATISTICS:
            self.wants_statistics = True
        elif event.action is ev.OperatorAction.UNUSED_PAGES:
            self.wanted_request = event.value

    def _guest(self, event: ev.Guest) -> None:
        pages = event.pages if self.memory is None else event.pages & self.memory
        self.tempted = self.tempted or (self.accepted is None and event.action in _WISHES)
        if event.action is ev.GuestAction.INFLATE:
            self.meant_to_inflate = (self.meant_to_inflate or EMPTY) | pages
            self.owed_to_inflate |= pages - self.named
            self.given_up |= pages
            if self.request is not None:
                self.request.was_free |= pages
        elif event.action is ev.GuestAction.DEFLATE:
            self.meant_to_deflate = (self.meant_to_deflate or EMPTY) | pages
            self.owed_to_inflate -= pages
            self.given_up -= pages
        elif event.action is ev.GuestAction.UNUSED:
            self.unused = pages
            if self.request is not None and self.request.was_unused is not None:
                self.request.was_unused |= pages
        elif event.action is ev.GuestAction.HOLD:
            self.guest_holds = pages
        else:
            # Pages the guest uses it does not give up.
            self.owed_to_inflate -= pages
            self.given_up -= pages

    def _actuals_to_leave(self) -> frozenset[bytes] | None:
        """Return what ``actual`` may be after a reset now: 0, or what it is."""
        known = self.actual_shown if self.actual is None else self.actual.to_bytes(4, "little")
        return self.actuals_left if known is None else frozenset({bytes(4), known})

    def _target_to_leave(self) -> int | None:
        if self.target is not None:
            return self.target
        return self.num_pages if self.num_pages_was_seen else self.target_left

    def _reset(self) -> None:
        """Forget everything but the profile, the memory, and what judging the next session needs."""
        fresh = Exchange(self.profile, self.now_seconds, self.steered)
        fresh.resets = self.resets + 1
        fresh.memory, fresh.num_pages = self.memory, self.num_pages
        fresh.sees_driver_ok, fresh.host_page = self.sees_driver_ok, self.host_page
        fresh.able, fresh.left, fresh.losses = self.able, self.left, self.losses
        fresh.tempted = bool(self.on(Queue.INFLATE, Queue.DEFLATE)) or bool(self.owed_to_inflate)
        fresh.taken, fresh.host_tags = self.taken, self.host_tags
        if self.accepted is not None and self.offered is not None and self.queues:
            fresh.taken |= {(self.offered, self.accepted)}
        fresh.actuals_left, fresh.target_left = self._actuals_to_leave(), self._target_to_leave()
        fresh.dropped_wish = self.wanted_request is not None or self.wants_statistics
        fresh.before_reset = self.before_reset | frozenset(self.in_flight)
        reported = self.forbidden.get("UNUSED-01", EMPTY)
        # Whatever was named, discarded or not, and taken back or not: the guest has it again.
        named = (self.touchable, *(self.forbidden.get(name, EMPTY) for name in ("RESET-06", "DEF-08")))
        fresh.forbidden = {"RESET-06": PageSet.union(named), "UNUSED-01": reported - self.touchable}
        fresh.last_request_id = self.last_request_id
        fresh.was_upset = self.upset or self.was_upset
        fresh.was_asked = self.request is not None and self.request.is_open
        fresh._formats = self._formats | ({"CHUNK_TRANSFER" in self.features} if self.queues else set())
        for name in Exchange.__slots__:
            setattr(self, name, getattr(fresh, name))


def _tags(data: bytes) -> tuple[int, ...] | None:
    try:
        return tuple(sorted(entry.tag for entry in statistics.parse(data).entries))
    except WireError:
        return None
