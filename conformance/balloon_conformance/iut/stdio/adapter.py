"""What the adapters to a device and to a driver share: the program, and its events so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from balloon_conformance.iut import sight
from balloon_conformance.iut.contract import Capability, Setup
from balloon_conformance.iut.stdio.forms import REREAD
from balloon_conformance.iut.stdio.messages import Answer
from balloon_conformance.iut.stdio.program import Introduction, Program, StdioOptions
from balloon_spec import events as ev
from balloon_spec.events import Event
from balloon_spec.pages import PageSet
from balloon_spec.segments import from_parts

__all__ = ["StdioAdapter"]

_KNOWN: Final = frozenset(map(str, Capability))


def _segments_of_before(told: Mapping[str, Any]) -> tuple[ev.Segment, ...]:
    """Return the segments as version 1 states them; none in a later one."""
    return from_parts(told.get("cut", ()), told.get("extents", ()), len(told["readable"]))


_EVENTS: Mapping[str, Callable[[Mapping[str, Any]], Event]] = MappingProxyType(
    {
        "used": lambda told: ev.Used(
            told["queue"], told["buffer"], told["length"], told["written"], told["notify"]
        ),
        "configuration-changed": lambda told: ev.ConfigurationChanged(told["data"]),
        "needs-reset": lambda _told: ev.NeedsReset(),
        "driver-ok": lambda _told: ev.DriverOk(),
        "available": lambda told: ev.Available(
            *(told["queue"], told["buffer"], told["readable"], told["writable"], told["notify"]),
            told["segments"] or _segments_of_before(told),
        ),
        "configuration-read": lambda told: ev.ConfigurationRead(told["offset"], told["data"]),
        "configuration-written": lambda told: ev.ConfigurationWritten(told["offset"], told["data"]),
        "reset": lambda _told: ev.Reset(),
        "guest-used": lambda told: ev.Guest(ev.GuestAction.USE, told["pages"]),
        "contents": lambda told: ev.Contents(told["pages"], told["fill"]),
    }
)
"""The event of the suite for each event of an answer."""

_NOTIFICATIONS: Mapping[str, sight.Fact] = MappingProxyType(
    {"used": sight.Fact.USED_NOTIFICATION, "available": sight.Fact.AVAILABLE_NOTIFICATION}
)
"""The events with a field that says whether the other side was notified, and the fact that this shows."""


class StdioAdapter:
    """A program that keeps the protocol over standard streams, behind the contract of its side."""

    _kind: sight.Kind
    _side: ev.Side

    def __init__(self, options: StdioOptions, introduction: Introduction) -> None:
        self.program = Program(options, introduction)
        self.description = introduction.description
        self.capabilities = frozenset(
            Capability(name) for name in introduction.capabilities if name in _KNOWN
        )
        self.unseen = sight.unseen(self._kind, frozenset(introduction.capabilities))
        self._synchronous = introduction.synchronous
        self._rereads = REREAD in introduction.capabilities
        self._protocol = introduction.protocol
        self._events: list[Event] = []
        self._memory = PageSet()
        self._lent: dict[tuple[int, str], bytes] = {}

    def start(self, setup: Setup) -> None:
        """Have the program begin anew; start a fresh one if there is none."""
        self._forget()
        answer = self.program.start(setup)
        self._take(answer)
        self._memory = setup.memory
        self._take_memory(answer)
        if absent := self._memory & setup.memory_holes:
            raise self.program.fault(
                f"claims {Capability.MEMORY_HOLES} and says that pages {absent} exist, which start named as "
                "holes; leave them out of memory"
            )
        self._started(answer)

    def stop(self) -> None:
        """End the program and its children."""
        self._forget()
        self.program.stop()

    def reset(self) -> None:
        """Reset the device, or have the driver begin anew."""
        answer = self.program.ask("reset")
        self._forget()
        self._take(answer)
        self._started(answer)

    def observe(self, deadline_seconds: float) -> Sequence[Event]:
        """Return what the implementation did since the last call."""
        if not self._events and not self._synchronous:
            self._take(self.program.observe(deadline_seconds))
        if not self._events:
            self._look_again(deadline_seconds)
        events, self._events = self._events, []
        return events

    def said(self) -> Sequence[str]:
        """Return the last lines that the program wrote to standard error since the last start."""
        return self.program.said()

    # -- for the sides ------------------------------------------------------------------------------------

    def _started(self, answer: Answer) -> None:
        """Read the side's own fields of the answer to a start or a reset."""

    def _look_again(self, deadline_seconds: float) -> None:
        """Read buffers again if nothing else happened; ``deadline_seconds`` is that of :meth:`observe`."""

    def _enter(self, event: Event) -> None:
        """Record one event."""
        self._events.append(event)

    def _tell(self, command: str, **fields: Any) -> Answer:
        """Send a command and record the events of its answer."""
        answer = self.program.ask(command, **fields)
        if answer.events:
            self._take(answer)
        return answer

    def _take(self, answer: Answer) -> None:
        for name, told in answer.events:
            if name in _NOTIFICATIONS and told["notify"] is not None:
                self.unseen = sight.without(self.unseen, _NOTIFICATIONS[name])
            if name == "notified":
                self._enter(ev.Notified(self._side, told["queue"]))
            elif name in _EVENTS:
                self._enter(_EVENTS[name](told))
            else:
                self._take_other(name, told)

    def _take_other(self, name: str, told: Mapping[str, Any]) -> None:
        """Record an event of an answer that is not an event of the exchange."""

    def _take_memory(self, answer: Answer) -> None:
        if answer.fields["memory"] is not None:
            self._memory = answer.fields["memory"]

    def _forget(self) -> None:
        self._events.clear()
        self._lent.clear()

    def _reread(self, queue: int, buffer: str, by: ev.Side) -> None:
        """Read the readable part of a buffer again; record an event if it changed."""
        before = self._lent.get((queue, buffer))
        if before is None:
            return
        now = self._tell("reread", queue=queue, buffer=buffer).fields["readable"]
        if now != before:
            self._lent[queue, buffer] = now
            self._events.append(ev.BufferAltered(queue, buffer, now, by))

    def _reread_all(self, by: ev.Side) -> None:
        for queue, buffer in tuple(self._lent):
            self._reread(queue, buffer, by)
