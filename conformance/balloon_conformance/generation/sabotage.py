"""Proves that the steps of a vector which show something can fail, by spoiling what they await.

For each step that names requirements, the reference implementation is played once more behind an adapter that
spoils this step: a buffer is held back, a page counts as touched, a byte reads differently. If none of these
plays blames a requirement, the step cannot show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from balloon_conformance.iut.contract import Buffer
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.running.blame import queue_blame
from balloon_conformance.running.player import play_to_a_line
from balloon_conformance.vectors import model, steps
from balloon_conformance.vectors.step import Step
from balloon_spec import events as ev
from balloon_spec.events import Side
from balloon_spec.families.base import configuration
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue
from balloon_spec.requirement import catalogue

__all__ = ["cannot_fail"]

_WORD_BYTES = 4
_HEAD_BYTES = 24
"""The bytes of a buffer that are spoilt one by one: a header and a chunk."""


def cannot_fail(vector: model.Vector, side: Side) -> Iterator[tuple[Step, str]]:
    """Yield each step, and a requirement of ``side`` that it names and no spoiling of the step breaks."""
    entries = catalogue()
    for step in vector.steps:
        if step.awaited_of is not side:
            continue
        wanted = {name for name in step.shows if entries[name].subject is side}
        for spoilt in _spoilt(step, vector, side) if wanted else ():
            outcome, _ = play_to_a_line(vector, spoilt, side, begins=spoilt.begins)
            wanted -= {one.requirement for one in (*outcome.findings, *outcome.advice)}
            if not wanted:
                break
        yield from ((step, name) for name in sorted(wanted))


class _SpoiltDevice(ReferenceDevice):
    """The reference device, with the events and answers of one step spoilt by the functions given."""

    def __init__(
        self,
        step: Step,
        *,
        event: Callable[[ev.Event], ev.Event | None] = lambda event: event,
        look: Callable[[PageSet, PageSet], PageSet] = lambda gone, _: gone,
        read: Callable[[bytes], bytes] = bytes,
        speaks: bool = False,
    ) -> None:
        super().__init__()
        self._step, self._event, self._look, self._read, self._speaks = step, event, look, read, speaks
        self._is_on = False
        self._lent: list[tuple[int, Buffer]] = []

    def begins(self, step: Step) -> None:
        """Note the step that is about to be played."""
        self._is_on = step is self._step

    def make_available(self, queue: int, buffer: Buffer) -> None:
        """Remember the buffer, for a device that returns one when it has to be silent."""
        self._lent.append((queue, buffer))
        super().make_available(queue, buffer)

    def observe(self, deadline_seconds: float) -> Sequence[ev.Event]:
        """Return what the device did, spoilt."""
        events = [self._event(event) for event in super().observe(deadline_seconds)]
        for event in events:
            if isinstance(event, ev.Used):
                self._lent = [
                    one for one in self._lent if (one[0], one[1].name) != (event.queue, event.buffer)
                ]
        if self._is_on and self._speaks and self._lent:
            events += [self._returned(*one) for one in self._lent]
            self._lent = []
        return [event for event in events if event is not None]

    def _returned(self, index: int, buffer: Buffer) -> ev.Used:
        """Return the return of a buffer; the device has written something if it can."""
        if buffer.readable:
            return ev.Used(index, buffer.name)
        queue = self.device.queue(self.device.state, index)
        written = queue_blame(queue).example_written(buffer.writable_bytes) if queue else b""
        return ev.Used(index, buffer.name, len(written), written)

    def discarded(self, pages: PageSet) -> tuple[PageSet, PageSet]:
        """Return which pages were discarded, spoilt while the step is played."""
        gone, changed = super().discarded(pages)
        return (self._look(gone, pages) if self._is_on else gone), changed

    def read_configuration(self, offset: int, length_bytes: int) -> bytes:
        """Read the configuration space, spoilt while the step is played."""
        data = super().read_configuration(offset, length_bytes)
        return self._read(data) if self._is_on else data


class _SpoiltDriver(ReferenceDriver):
    """The reference driver, with what one step awaits spoilt by ``event``.

    ``event`` is given each act and whether the step has begun. ``extra`` are bits accepted too many from then
    on, and ``speaks`` is the queue of a buffer that is made available although the driver has to be silent.
    """

    def __init__(
        self,
        step: Step,
        *,
        event: Callable[[ev.Event, bool], Sequence[ev.Event]] = lambda event, _: [event],
        extra: int = 0,
        speaks: Queue | None = None,
        more: ev.Event | None = None,
    ) -> None:
        super().__init__()
        self._step, self._event, self._extra, self._speaks, self._more = step, event, extra, speaks, more
        self._is_on = False
        self._said: dict[int, bytes] = {}

    def begins(self, step: Step) -> None:
        """Learn which step is about to be played; what is spoilt stays spoilt."""
        self._is_on = self._is_on or step is self._step

    def negotiate(self, offered: int, configuration: bytes) -> int | None:
        """Accept what is offered, plus a bit if that is what this adapter spoils."""
        accepted = super().negotiate(offered, configuration)
        return accepted if accepted is None or not self._is_on else accepted | (self._extra & ~offered)

    def _index(self, queue: Queue) -> int:
        return self.driver.index(self.driver.state, queue)

    def _means_nothing(self, event: ev.Available) -> bool:
        state, profile = self.driver.state, self.driver.options.profile
        queue = profile.queue_map(state.offered, state.accepted).get(event.queue)
        return queue is not None and queue_blame(queue).means_nothing(event)

    def observe(self, deadline_seconds: float) -> Sequence[ev.Event]:
        """Return what the driver did, spoilt."""
        events = super().observe(deadline_seconds)
        for event in events:
            if isinstance(event, ev.Available) and event.readable and not self._means_nothing(event):
                self._said[event.queue] = event.readable
        spoilt = [one for event in events for one in self._event(event, self._is_on)]
        if self._is_on and self._speaks is not None:
            like = queue_blame(self._speaks).speaks_like or self._speaks
            said = self._said.get(self._index(like), bytes(8))
            spoilt.append(ev.Available(self._index(self._speaks), "spoilt", said))
            self._speaks = None
        if self._is_on and self._more is not None:
            spoilt.append(self._more)
            self._more = None
        return spoilt


# -- the ways to spoil a step -----------------------------------------------------------------------------


def _spoilt(step: Step, vector: model.Vector, side: Side) -> Iterator[_SpoiltDevice | _SpoiltDriver]:
    """Yield reference implementations that do otherwise than the step says, each in one way."""
    return _spoilt_device(step) if side is Side.DEVICE else _spoilt_driver(step, vector)


def _spoilt_device(step: Step) -> Iterator[_SpoiltDevice]:
    match step:
        case steps.EffectStep():
            wanted, around = step.discarded, _around(step.discarded)
            yield _SpoiltDevice(step, look=lambda gone, _: gone - wanted)
            yield _SpoiltDevice(step, look=lambda gone, pages: gone | (pages & around) or gone | pages)
            yield _SpoiltDevice(step, look=lambda gone, pages: gone | pages)
        case steps.ConfigurationReadStep():
            yield _SpoiltDevice(step, read=lambda data: bytes(byte ^ 0x5A for byte in data))
            yield _SpoiltDevice(step, read=lambda data: data[::-1])
        case steps.SilentStep():
            yield _SpoiltDevice(step, speaks=True)
        case _:
            # Whatever else a step awaits is held back.
            yield _SpoiltDevice(step, event=lambda event: None if step.is_answered_by(event) else event)


def _around(pages: PageSet) -> PageSet:
    """Return the pages beside each run; a look at the run shows them as well."""
    return PageSet((max(run.first - 1, 0), run.count + 2) for run in pages) - pages if pages else EMPTY


def _spoilt_driver(step: Step, vector: model.Vector) -> Iterator[_SpoiltDriver]:
    match step:
        case steps.BufferStep():
            queue = vector.queue_indices()[vector.steps.index(step)]
            buffers = [other for other in vector.steps if isinstance(other, steps.BufferStep)]
            mine = [other for other in buffers if other.queue is step.queue]
            place = mine.index(step)
            yield _SpoiltDriver(step, event=_nth(queue, place, lambda _: None))
            for offset in range(min(len(step.readable), _HEAD_BYTES)):
                yield _SpoiltDriver(step, event=_nth(queue, place, _flip(offset)))
            yield _SpoiltDriver(step, event=_nth(queue, place, _reverse))
        case steps.ActualStep():
            yield _SpoiltDriver(step, event=_halved)
        case steps.SilentStep():
            for one in vector.profile.queues:
                if queue_blame(one).unasked:
                    yield _SpoiltDriver(step, speaks=one)
            yield _SpoiltDriver(step, more=ev.ConfigurationWritten(configuration.NUM_PAGES_OFFSET, bytes(4)))
        case steps.ResetStep():
            for feature in vector.profile.features:
                yield _SpoiltDriver(step, extra=1 << feature.bit)
        case _:
            yield _SpoiltDriver(step, event=lambda event, _: [] if step.is_answered_by(event) else [event])


def _nth(
    queue: int, place: int, spoil: Callable[[ev.Available], ev.Available | None]
) -> Callable[[ev.Event, bool], Sequence[ev.Event]]:
    """Spoil the buffers of a queue from the one at ``place`` on, counted from 0."""
    count = 0

    def event(one: ev.Event, _: bool) -> Sequence[ev.Event]:
        nonlocal count
        if not isinstance(one, ev.Available) or one.queue != queue:
            return [one]
        count += 1
        if count <= place:
            return [one]
        spoilt = spoil(one)
        return [] if spoilt is None else [spoilt]

    return event


def _flip(offset: int) -> Callable[[ev.Available], ev.Available]:
    def flip(buffer: ev.Available) -> ev.Available:
        data = bytearray(buffer.readable)
        if offset < len(data):
            data[offset] ^= 1
        return replace(buffer, readable=bytes(data))

    return flip


def _reverse(buffer: ev.Available) -> ev.Available:
    """Turn the byte order of every field of a message: the header's length, and the words of the chunks.

    What is no longer than a word is one.
    """
    data = buffer.readable
    if len(data) <= _WORD_BYTES:
        return replace(buffer, readable=data[::-1])
    words = b"".join(data[at : at + 8][::-1] for at in range(8, len(data), 8))
    return replace(buffer, readable=data[:4] + data[4:8][::-1] + words)


def _halved(event: ev.Event, is_on: bool) -> Sequence[ev.Event]:
    """Divide a store to ``actual`` in two."""
    if not is_on or not isinstance(event, ev.ConfigurationWritten) or len(event.data) != 4:
        return [event]
    return [
        ev.ConfigurationWritten(event.offset, event.data[:2]),
        ev.ConfigurationWritten(event.offset + 2, event.data[2:]),
    ]
