"""How an event changes what is known of an exchange between a driver and a device.

The judge keeps one :class:`Exchange`, shows it to the rules as it was before an event, and then lets it take
the event in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import partial

from balloon_spec import events as ev
from balloon_spec.judge import looks
from balloon_spec.judge.content import read_message
from balloon_spec.judge.given_back import (
    ACT_TESTS,
    Form,
    LeftBehind,
)
from balloon_spec.judge.in_flight import InFlight, Request, Unheard
from balloon_spec.judge.known import Known
from balloon_spec.judge.left_by_a_reset import left_by_a_reset
from balloon_spec.judge.looks import Returned
from balloon_spec.page_map import Piece
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue
from balloon_spec.wire import configuration, host_request, statistics
from balloon_spec.wire.errors import WireError

__all__ = ["Exchange"]

_LASTING = frozenset({"UNUSED-01", "DEF-07", "DEF-08", "RESET-06"})
"""Requirements that forbid touching pages for as long as no inflate buffer names them."""


_WISHES = frozenset({ev.GuestAction.INFLATE, ev.GuestAction.DEFLATE, ev.GuestAction.UNUSED})
"""What a guest wants of its driver; the other actions are seen."""


_MOST_LEFT = 256
"""Under one and the same circumstances, what so many buffers left says all that there is to say."""
_MOST_NAMES = 16
"""Of so many returned buffers that name one page, and no more, it is kept what becomes of it."""


@dataclass(slots=True)
class Exchange(Known):
    """What is known of one exchange, as it takes events in."""

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
                    self.stirred = "DRIVER_OK was written again"
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
        self.queues = dict(self.profile.queue_map(event.offered, event.accepted)) if event.features_ok else {}
        self.ring_sizes = dict(event.ring_sizes)
        self.changed_format = any(("CHUNK_TRANSFER" in self.features) != one for one in self.formats)

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
            self.inflating.put(key, meant - self.balloon)
            self.touchable |= pages
            self.owed_to_inflate -= meant
            self.forbidden["DEF-07"] = self.forbidden.get("DEF-07", EMPTY) - pages
        elif buffer.queue is None and self.queues.get(event.queue) is Queue.INFLATE and self.memory:
            # The driver took the wrong queue; the device, which looks at no header (HDR-05), may act on it.
            self.touchable |= read_message(event.readable, self.memory, "balloon").pages
        elif buffer.queue is Queue.DEFLATE:
            self.deflating.put(key, meant & self.balloon)
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
            self.balloon |= self.inflating.take(key)
            self.most_pages = max(self.most_pages, self.balloon.pages)
            self.changes += 1
            if buffer.content.firm and not buffer.event.writable_bytes:
                self._await(buffer)
        elif buffer.queue is Queue.DEFLATE:
            back = buffer.content.pages - self.named
            self.deflating.take(key)
            self.has_deflated |= not buffer.is_malformed
            self.changes += 1
            self.touchable -= back
            self.gone -= back
            _let_go(self.awaited.remove(back))
            self.forbidden["DEF-08"] = self.forbidden.get("DEF-08", EMPTY) | back
        elif buffer.shape == "statistics":
            self.owes_statistics = True
            if not buffer.is_malformed:
                self.statistics_returned = (buffer.event.readable, *self.statistics_returned[:1])
            self.refreshes += self.wants_statistics
            self.wants_statistics = False
        elif buffer.shape == "request":
            self._request(event)

    def _await(self, buffer: InFlight) -> None:
        form = Form.ARRAY if buffer.shape == "array" else Form.MESSAGE
        tests = buffer.tests & frozenset(ACT_TESTS)
        seconds = self.now_seconds or 0.0
        asked = self.is_asked
        pages, order = buffer.content.firm, self.returned_inflations
        one = Returned(form, tests, asked, buffer.number, self.inflations, seconds, order, pages.pages)
        self.returned_inflations += 1
        self.awaited.change(pages, partial(_named_again, one))

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
        answers = self.target is not None and self.target not in self.superseded
        answers = answers and self.target != self.num_pages
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
                self.target, self.superseded = None, set()
        if isinstance(event, ev.ConfigurationChanged):
            if not self.driver_ok and not self.needs_reset and self.announced_early is None:
                self.announced_early = event.data
            self.announced, self.late_reads = (event.data if answers else None), 0
            at = configuration.ACTUAL_OFFSET
            self.announced_actual = event.data[at : configuration.LENGTH_BYTES] in self.actuals
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
            if self.target is not None:
                self.actuals.add(event.data)
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
        able, host_page = looks.able_after(self, event), looks.host_page_after(self, event)
        # What comes late is not lost.
        left = [_without(one, event.pages) for one in self.left]
        kinds = Counter(one.circumstances for one in left)
        losses = dict(self.losses)
        for one, name in looks.blamed(self, event):
            if name is None:
                kinds[one.circumstances] += 1
                if kinds[one.circumstances] <= _MOST_LEFT:
                    left.append(one)
            else:
                losses.setdefault((one.circumstances.form, one.circumstances.tests), name)
        self.left, self.losses = [one for one in left if one.missing], losses
        self.able, self.host_page = able, host_page
        self.gone |= event.pages
        _let_go(self.awaited.remove(event.looked))
        whole = self.memory is not None and self.memory <= event.looked
        returned = not any(buffer.is_malformed for buffer in self.in_flight.values())
        self.looked = self.suspects and whole and returned

    def _operator(self, event: ev.Operator) -> None:
        self.announced = None
        self.stirred = f"the operator had a wish ({event.action})"
        if event.action is ev.OperatorAction.TARGET:
            known = self.actual_shown if self.actual is None else self.actual.to_bytes(4, "little")
            self.actuals = set() if known is None else {known}
            if self.target is not None:
                self.superseded.add(self.target)
            self.target = event.value
            self.superseded.discard(event.value)
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

    def _reset(self) -> None:
        fresh = left_by_a_reset(self)
        for one in fields(self):
            setattr(self, one.name, getattr(fresh, one.name))


def _let_go(pieces: Iterable[Piece[tuple[Returned, ...]]]) -> None:
    """Note that pages of returned buffers are awaited no more."""
    for start, end, buffers in pieces:
        for one in buffers:
            one.pages -= end - start


def _without(one: LeftBehind, pages: PageSet) -> LeftBehind:
    return one if one.missing.isdisjoint(pages) else replace(one, missing=one.missing - pages)


def _named_again(one: Returned, before: tuple[Returned, ...] | None) -> tuple[Returned, ...]:
    """Add a buffer to those that named a page."""
    named = (*(before or ()), one)
    if len(named) > _MOST_NAMES:
        named[0].is_old = True
        named = named[1:]
    return named


def _tags(data: bytes) -> tuple[int, ...] | None:
    try:
        return tuple(sorted(entry.tag for entry in statistics.parse(data).entries))
    except WireError:
        return None
