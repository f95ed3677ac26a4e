"""What is known of an exchange between a driver and a device, and what the rules ask of it.

It holds what is in flight and sets of pages; nothing in it grows with the length of a trace. What changes it
is in :mod:`balloon_spec.judge.exchange`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from balloon_spec import events as ev
from balloon_spec.judge.course import Course
from balloon_spec.judge.given_back import (
    Circumstances,
    Form,
    LeftBehind,
)
from balloon_spec.judge.in_flight import InFlight, Key, Request, Unheard
from balloon_spec.judge.looks import Returned
from balloon_spec.judge.pages_in_flight import PagesInFlight
from balloon_spec.page_map import PageMap
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.profile import Profile
from balloon_spec.queues import Queue
from balloon_spec.wire import configuration

__all__ = ["Known"]


@dataclass(slots=True)
class Known:
    """Everything of one exchange that is remembered; see the module's docstring."""

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
    refreshed_before: bool = False
    """It did so twice, with HOST_REQ_VQ, in an earlier session that followed a reset."""
    requests: int = 0
    """How often it made a request for which the operator's wish was known, since the reset."""
    before_reset: dict[Key, None] = field(default_factory=dict)
    """The buffers in flight at this reset or one before, the newest last; no more than there is use for."""
    newest_tests: frozenset[str] = frozenset()
    """What the buffer that was made available last puts to the test."""
    latest: dict[Queue, int] = field(default_factory=dict)
    """By queue, the number of the last message or array made available there."""

    # Pages. A page is in at most one of the first three.
    inflating: PagesInFlight = field(default_factory=PagesInFlight)
    balloon: PageSet = EMPTY
    deflating: PagesInFlight = field(default_factory=PagesInFlight)
    touchable: PageSet = EMPTY
    """Pages the device may discard or change: named in an inflate buffer, and not yet taken back."""
    forbidden: dict[str, PageSet] = field(default_factory=dict)
    """Pages a device must leave alone, by the requirement that says why."""
    awaited: PageMap[tuple[Returned, ...]] = field(default_factory=PageMap)
    """The pages of returned inflate buffers that were neither looked at nor taken back since, each with the
    last few buffers that named it."""
    returned_inflations: int = 0
    """How many inflate buffers with such pages were returned since the reset."""
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
    announced_actual: bool = False
    """That notification showed what ``actual`` held at some time since the wish, as far as that is known."""
    actuals: set[bytes] = field(default_factory=set)
    """What ``actual`` held at any time since the last wish, while no notification has answered it."""
    late_reads: int = 0
    """How many reads since then showed the num_pages of before."""
    deflate_floor: int | None = None
    """The least num_pages at which a deflate buffer was made available that ``actual`` does not count yet."""
    target: int | None = None
    """What the operator last wished for and no configuration change has confirmed."""
    superseded: set[int] = field(default_factory=set)
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

    has_deflated: bool = False
    """A sound deflate buffer was returned, before a reset too: the device serves that queue."""

    # The session before the last reset.
    changed_format: bool = False
    """Whether CHUNK_TRANSFER was negotiated before some reset and is not now, or the reverse."""
    was_upset: bool = False
    """A malformed buffer was seen before the last reset."""
    was_asked: bool = False
    """A host request was open at the last reset."""
    formats: frozenset[bool] = frozenset()
    """Whether CHUNK_TRANSFER was negotiated, in any session before."""

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
        return self.inflating.all

    @property
    def deflating_pages(self) -> PageSet:
        """The pages of deflate buffers in flight that came out of the balloon."""
        return self.deflating.all

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

    @property
    def is_asked(self) -> bool:
        """Whether a host request is open."""
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
