"""Plays a vector against a driver: the suite performs the device's lines and awaits the driver's."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from balloon_conformance.iut.contract import Capability
from balloon_conformance.running.blame import Lapse, blame, blame_unasked, queue_blame, unaccompanied
from balloon_conformance.running.mismatch import (
    Comparison,
    Mismatch,
    compare_readable,
    comparison,
    wrong_pages,
)
from balloon_conformance.running.not_exercised import NotExercised
from balloon_conformance.running.session import DriverSession
from balloon_conformance.vectors import model, steps
from balloon_conformance.vectors.step import Step
from balloon_spec import events as ev
from balloon_spec.families.base import configuration
from balloon_spec.families.base.configuration import Configuration
from balloon_spec.judge.content import Content
from balloon_spec.judge.shape import read_content
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue
from balloon_spec.trace import event_fields
from balloon_spec.wire.carried import readable_structure

__all__ = ["DriverPlayer"]

_OTHER_PAGES = "the driver takes back more than its guest wants, or reports more unused pages, as it may"
_FEWER_PAGES = "the driver reports fewer unused pages than its guest has, as it may"


class DriverPlayer:
    """Plays one vector in one session; ``left_out`` and ``line`` as in the device's player."""

    def __init__(
        self,
        vector: model.Vector,
        session: DriverSession,
        quiet_seconds: float,
        begins: Callable[[Step], None] = lambda _: None,
    ) -> None:
        self._vector = vector
        self._session = session
        self._quiet_seconds = quiet_seconds
        self._begins = begins
        self._configuration = Configuration(0, 0)
        self._names: dict[str, tuple[int, str]] = {}
        self._features: frozenset[str] = frozenset()
        self._came: set[tuple[Queue, bool]] = set()
        """The kinds of buffers that were made available since the reset: the queue, and whether writable."""
        self._was_reset = False
        self._reported = EMPTY
        """The unused pages of the answers that came as the vector has them."""
        self._reports_all = False
        """Whether an earlier request was answered by all the pages that the vector has there."""
        self.left_out: list[str] = []
        self.line = 1

    def play(self) -> None:
        """Play every step; raises Mismatch, NotExercised, or Ended."""
        if not self._negotiate(self._vector.features):
            return
        steered = any(isinstance(step, steps.GuestStep) for step in self._vector.steps)
        if steered and not self._session.can(Capability.STEER_PAGES):
            self.left_out.append("the adapter lacks steer-pages: played as far as the negotiation")
            self._session.settle(self._quiet_seconds)
            return
        for step in self._vector.steps:
            self.line = step.line
            self._begins(step)
            self._step(step)
        self._nothing_left()

    def _negotiate(self, sets: model.FeatureSets) -> bool:
        """Negotiate; False where the driver refused and the vector has it so."""
        profile = self._vector.profile
        accepted = self._session.negotiate(sets.offered, configuration.build(self._configuration))
        if accepted is None:
            if profile.may_offer(sets.offered):
                raise NotExercised("the driver refuses the features offered")
            self.left_out.append("the driver refuses the device, which is its right with such an offer")
            return False
        self._features = profile.names(accepted)
        if not profile.may_accept(sets.offered, accepted):
            # The suite's device clears FEATURES_OK here; what the driver does from now on means nothing.
            foreign = accepted & ~sets.offered
            raise Mismatch(
                "the driver accepted a set of features that is not legal",
                requirement="NEG-05" if foreign else unaccompanied(self._features),
                field="features",
                expected="a legal subset of the offer",
                seen=", ".join(sorted(self._features)),
            )
        if accepted != sets.accepted:
            differ = sorted(profile.names(accepted ^ sets.accepted))
            if self._vector.steps:
                raise NotExercised(f"the driver chose otherwise about {', '.join(differ)}")
            self.left_out.append(f"the driver chose otherwise about {', '.join(differ)}")
        return bool(self._vector.steps) or accepted == sets.accepted

    def _needs(self, pages: PageSet) -> None:
        """Refuse to tell a guest to give up what it does not have, where the vector says that it has it."""
        memory = self._session.judge.memory
        if memory is None:
            return
        if missing := (pages & self._vector.memory) - memory:
            raise NotExercised(
                f"the guest has no pages {missing}; give it {self._vector.memory_pages >> 8} MiB of memory"
            )

    def _step(self, step: Step) -> None:
        session = self._session
        match step:
            case steps.OperatorStep():
                session.operate(step.action, step.value)
            case steps.GuestStep():
                self._needs(step.pages)
                session.steer(step.action, step.pages)
            case steps.BufferStep():
                self._buffer(step)
            case steps.ActualStep():
                self._actual(step)
            case steps.SilentStep() if step.side is ev.Side.DRIVER:
                if self._nothing_left(step.shows):
                    session.show(step.shows)
            case steps.UsedStep():
                queue, name = self._names[step.name]
                # A request: of what was reported before, nothing more is to come.
                self._reports_all = self._reports_all or bool(step.written and self._reported)
                session.use(queue, name, step.length_bytes, step.written)
            case steps.ConfigurationStep():
                self._configuration = Configuration(step.num_pages, self._configuration.actual)
                session.change_configuration(configuration.build(self._configuration))
            case steps.ResetStep():
                session.reset()
                self._names.clear()
                self._came.clear()
                self._was_reset = True
                self._configuration = Configuration(self._configuration.num_pages, 0)
                self._negotiate(step.features)
                session.show(step.shows)
            case _:
                # Effects and reactions are a device's; a driver reads the configuration when it likes.
                step.play_driver(session)

    def _advice(self, event: ev.Event) -> str:
        """Return the requirement the judge advises of at this event; empty where it found none, or worse.

        What a driver should not do and may, such as to name a page again, makes its bytes differ from the
        vector's and ends nothing.
        """
        line = next(entry.line for entry in reversed(self._session.trace) if entry.event is event)
        found = [finding for finding in self._session.findings if finding.event == line]
        return "" if any(finding.level.binding for finding in found) or not found else found[0].requirement

    def _next_buffer(self, step: steps.BufferStep) -> ev.Available:
        queue, writable = step.queue, step.writable_bytes > 0
        index = self._session.index(queue)
        event = self._session.wait_for(lambda seen: isinstance(seen, ev.Available) and seen.queue == index)
        if event is None:
            plain = queue_blame(queue).not_made_available(
                writable=writable, again=(queue, writable) in self._came, was_reset=self._was_reset
            )
            requirement = self._advice(self._session.trace[-1].event) or blame(
                Lapse.NOT_MADE_AVAILABLE, step.shows, plain
            )
            if not requirement:
                raise NotExercised(f"the driver makes no buffer available on the {queue} queue, as it may")
            raise Mismatch(
                f"no buffer was made available on the {queue} queue",
                requirement=requirement,
                field=f"{queue} queue",
                expected="a buffer",
                seen=f"nothing within {self._session.deadline_seconds:g} s",
            )
        assert isinstance(event, ev.Available)
        self._came.add((queue, writable))
        return event

    def _buffer(self, step: steps.BufferStep) -> None:
        event = self._next_buffer(step)
        self._names[step.name] = (event.queue, event.buffer)
        if event.writable_bytes != step.writable_bytes or bool(event.readable) != bool(step.readable):
            known = self._comparison(step.queue)
            requirement = queue_blame(step.queue).other_parts(
                writable=step.writable_bytes > 0,
                is_empty=not event.readable,
                absent=known.absent if known else "",
            ) or next(iter(step.shows), "")
            if not requirement:
                raise NotExercised(f"the buffer on the {step.queue} queue has other parts, as it may")
            raise Mismatch(
                f"the buffer on the {step.queue} queue has other parts than the vector's",
                requirement=requirement,
                field="buffer",
                expected=f"{len(step.readable)} readable and {step.writable_bytes} writable bytes",
                seen=f"{len(event.readable)} readable and {event.writable_bytes} writable bytes",
                data=event.readable,
            )
        if step.match is model.Match.EXACT:
            difference = compare_readable(
                step.queue,
                step.readable,
                event.readable,
                features=self._features,
                owed=self._owed(step),
                shows=step.shows,
            )
            if difference is not None and self._is_a_part(step, event):
                # The rest comes in messages of its own, as the driver likes (CHUNK-12).
                self._equivalent(step, event)
                difference = None
            if difference is not None and not self._advice(event):
                if not difference.requirement and not step.queue.names_pages:
                    raise NotExercised(f"{difference.words}, as it may")
                if not difference.requirement:
                    raise self._may_name(step, self._pages(step.queue, event.readable))
                raise difference
            if difference is not None:
                self.left_out.append(f"line {step.line}: {difference}")
                return
        elif step.match is model.Match.EQUIVALENT:
            self._equivalent(step, event)
        if queue_blame(step.queue).may_name_fewer:
            self._reported |= self._pages(step.queue, step.readable)
        self._session.show(step.shows)

    def _owed(self, step: steps.BufferStep) -> PageSet:
        """Return the unused pages whose absence from this message is an error.

        No requirement asks a driver for all that it could report. One that answered an earlier request in
        full is taken to do so again, except that it need not repeat what it reported then.
        """
        if not queue_blame(step.queue).may_name_fewer or not self._reports_all:
            return EMPTY
        return self._pages(step.queue, step.readable) - self._reported

    def _may_name(self, step: steps.BufferStep, named: PageSet) -> NotExercised:
        """Return what ends a case in which the driver named other pages than the vector, as it may."""
        of_the_queue = queue_blame(step.queue)
        fewer = of_the_queue.may_name_fewer and named <= self._pages(step.queue, step.readable)
        return NotExercised(_FEWER_PAGES if fewer else _OTHER_PAGES)

    def _comparison(self, queue: Queue) -> Comparison | None:
        structure = readable_structure(queue, self._features)
        return None if structure is None else comparison(structure, queue)

    def _content(self, queue: Queue, data: bytes) -> Content:
        return read_content(queue, data, self._vector.memory, self._features)

    def _pages(self, queue: Queue, data: bytes) -> PageSet:
        return self._content(queue, data).pages

    def _is_a_part(self, step: steps.BufferStep, event: ev.Available) -> bool:
        """Tell whether a balloon message, else in order, names some of the vector's pages and no others."""
        reports = queue_blame(step.queue).may_name_fewer
        if reports or not step.queue.names_pages or not event.readable:
            return False
        content = self._content(step.queue, event.readable)
        wanted = self._pages(step.queue, step.readable)
        named = content.pages
        return bool(named) and named <= wanted and named != wanted and not content.is_malformed

    def _equivalent(self, step: steps.BufferStep, event: ev.Available) -> None:
        """Take buffers until they name the vector's pages; all but the last are returned at once."""
        wanted, seen = self._pages(step.queue, step.readable), EMPTY
        while True:
            named, before = self._pages(step.queue, event.readable), seen
            seen |= named
            # A buffer that names nothing new would be followed by others like it for ever.
            if not seen <= wanted or (seen == before and seen != wanted):
                known, owed = self._comparison(step.queue), self._owed(step)
                requirement = wrong_pages(wanted, seen, step.queue, known, owed=owed)
                if not requirement:
                    raise self._may_name(step, seen)
                raise Mismatch(
                    f"the {step.queue} queue names other pages than the vector",
                    requirement=requirement,
                    field="pages",
                    expected=wanted,
                    seen=seen,
                    data=event.readable,
                )
            self._names[step.name] = (event.queue, event.buffer)
            if seen == wanted:
                return
            self._session.use(event.queue, event.buffer, 0, b"")
            event = self._next_buffer(step)

    def _actual(self, step: steps.ActualStep) -> None:
        """Await the value. A driver may write after every return, and the judge decides each such value."""
        expected = step.pages.to_bytes(4, "little")
        seen: ev.ConfigurationWritten | None = None
        while seen is None or seen.data != expected:
            # What stands behind actual belongs to other families, which await it themselves.
            event = self._session.wait_for(
                lambda one: (
                    isinstance(one, ev.ConfigurationWritten) and one.offset < configuration.LENGTH_BYTES
                )
            )
            if event is None:
                raise self._not_actual(step, seen)
            assert isinstance(event, ev.ConfigurationWritten)
            seen = event
            if seen.offset != configuration.ACTUAL_OFFSET or len(seen.data) != len(expected):
                raise self._not_actual(step, seen)
        self._configuration = Configuration(self._configuration.num_pages, step.pages)
        self._session.show(step.shows)

    @staticmethod
    def _not_actual(step: steps.ActualStep, seen: ev.ConfigurationWritten | None) -> Mismatch:
        if seen is None:
            return Mismatch(
                "actual was not written",
                requirement="CFG-04",
                field="actual",
                expected=step.pages,
                seen="no write",
            )
        return Mismatch(
            "actual is not what the vector has",
            requirement="CFG-05" if seen.offset == configuration.ACTUAL_OFFSET else "CFG-03",
            field="actual",
            expected=step.pages.to_bytes(4, "little").hex(" "),
            seen=f"{seen.data.hex(' ')} at offset {seen.offset}",
            data=seen.data,
        )

    def _nothing_left(self, shows: Sequence[str] = ()) -> bool:
        """Give the driver its time; False where it did more than the vector has, statistics excepted.

        Whether that was wrong the judge says, or the step by what it shows: a driver may write ``actual``
        twice, and do more of the kind.
        """
        extra = [event for event in self._session.settle(self._quiet_seconds) if self._is_extra(event)]
        for event in extra:
            more = json.dumps(event_fields(event))
            made = event if isinstance(event, ev.Available) else None
            queue = None if made is None else self._session.queue(made.queue)
            if made and queue and (requirement := blame_unasked(queue, made, shows)):
                raise Mismatch(
                    "the driver did more than the vector has",
                    requirement=requirement,
                    field="event",
                    expected="nothing",
                    seen=more,
                )
            self.left_out.append(f"line {self.line}: the driver did more than the vector has: {more}")
        return not extra

    def _may_come(self, index: int) -> bool:
        """Tell whether a driver may make a buffer available on the queue at any time."""
        queue = self._session.queue(index)
        return queue is not None and queue.held

    def _is_extra(self, event: ev.Event) -> bool:
        return isinstance(event, ev.ConfigurationWritten) or (
            isinstance(event, ev.Available) and not self._may_come(event.queue)
        )
