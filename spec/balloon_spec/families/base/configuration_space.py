"""The configuration space as both sides have seen it, and the operator's target behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from balloon_spec import events as ev
from balloon_spec.families.base import configuration
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger
from balloon_spec.judge.session import Session

__all__ = ["Configuration"]

_ACTUAL = configuration.ACTUAL_OFFSET
_END = configuration.LENGTH_BYTES


@dataclass(slots=True, eq=False)
class Configuration(Ledger):
    """``num_pages`` and ``actual``, what they were, and who had reason to change them."""

    # num_pages, and the target that it shows.
    num_pages: int | None = None
    """The target that the driver has seen, before a reset too."""
    num_pages_before: int | None = None
    """What it was before that: a driver's read may be seen after the change that it came before."""
    num_pages_was_seen: bool = False
    """It was read or announced since the reset; while a device is reset it may change unannounced."""
    wrote_num_pages: bytes | None = None
    """What the driver wrote there."""
    target: int | None = None
    """What the operator last wished for and no configuration change has confirmed."""
    superseded: set[int] = field(default_factory=set)
    """What the operator wished for before that, and a device that is slow may still announce."""
    target_is_early: bool = False
    """The wish for it came before DRIVER_OK, and ``num_pages`` was not read since."""
    target_left: int | None = None
    """The operator's newest wish as of the reset before, None if nobody knows it."""

    # actual.
    actual: int | None = None
    """The last value the driver wrote, None before the first write since the reset."""
    actual_was_read: bool = False
    actual_shown: bytes | None = None
    """The four bytes of ``actual`` as read since DRIVER_OK, None once the driver wrote there."""
    actuals_left: frozenset[bytes] | None = None
    """What a reset may have left of ``actual``; None if nobody knows, or the driver wrote there since."""
    cause_of_change: str = ""
    """What happened since ``actual`` was last read or written at which a device might have changed it."""

    # Notifications of a change.
    announced: bytes | None = None
    """The space as shown by the notification of the last wish, None once anybody had reason to change it."""
    announced_actual: bool = False
    """That notification showed what ``actual`` held at some time since the wish, as far as that is known."""
    actuals: set[bytes] = field(default_factory=set)
    """What ``actual`` held at any time since the last wish, while no notification has answered it."""
    announced_early: bytes | None = None
    """What the first notification of a change showed that came before DRIVER_OK."""
    late_reads: int = 0
    """How many reads since the last notification showed the num_pages of before."""

    @property
    def wants_more_than_memory(self) -> bool:
        """Whether the operator's wish is a target of more pages than guest memory has."""
        memory = self.exchange[Session].memory
        return self.target is not None and memory is not None and self.target > memory.pages

    @property
    def _known_actual(self) -> bytes | None:
        return self.actual_shown if self.actual is None else self.actual.to_bytes(4, "little")

    def is_late(self, event: ev.ConfigurationChanged) -> bool:
        """Tell whether a notification was under way before the operator's last wish, which is yet to come.

        It shows an earlier wish, or what stood there before, if nothing called for it.
        """
        if self.target is None or len(event.data) < _ACTUAL:
            return False
        seen = int.from_bytes(event.data[:4], "little")
        # With the two fields exchanged the target stands in the place of the other.
        misplaced = int.from_bytes(event.data[4:8], "little") == self.target
        known = seen in self.superseded or seen == self.num_pages
        return seen != self.target and known and not misplaced

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in what was read, written, announced or wished, and what might change the space."""
        match event:
            case ev.DriverOk():
                began = self.exchange[Session].driver_ok
                self.target_is_early = not began and self.target is not None
                if began:
                    self.cause_of_change = "DRIVER_OK was written again"
            case ev.Used() if buffer is not None:
                self.cause_of_change = f"a buffer was returned on the {buffer.queue} queue"
            case ev.ConfigurationRead():
                self._read(event)
            case ev.ConfigurationChanged():
                self._changed(event)
            case ev.ConfigurationWritten():
                self._written(event)
            case ev.Operator():
                self._operator(event)
            case ev.Quiet():
                # What was read by now and is seen late would have been seen.
                self.num_pages_before = None
            case _:
                pass

    def _read(self, event: ev.ConfigurationRead) -> None:
        if event.offset == configuration.NUM_PAGES_OFFSET and len(event.data) >= 4:
            seen = int.from_bytes(event.data[:4], "little")
            if seen == self.num_pages_before:
                self.late_reads += 1
            else:
                self._see_num_pages(seen)
            self.num_pages_was_seen = True
            self.target_is_early = False
        if event.offset <= _ACTUAL and event.offset + len(event.data) >= _END:
            self.actual_was_read = True
            self.cause_of_change = ""
            if self.exchange[Session].driver_ok:
                at = _ACTUAL - event.offset
                self.actual_shown = event.data[at : at + 4]

    def _see_num_pages(self, seen: int) -> None:
        if seen != self.num_pages:
            self.num_pages_before = self.num_pages
        self.num_pages = seen

    def _changed(self, event: ev.ConfigurationChanged) -> None:
        session, late = self.exchange[Session], self.is_late(event)
        seen = int.from_bytes(event.data[:4], "little")
        answers = seen == self.target and seen != self.num_pages and seen not in self.superseded
        if len(event.data) >= 4:
            self._see_num_pages(seen)
            self.num_pages_was_seen = True
            if not late:
                self.target, self.superseded = None, set()
        if not session.driver_ok and not session.needs_reset and self.announced_early is None:
            self.announced_early = event.data
        self.announced, self.late_reads = (event.data if answers else None), 0
        self.announced_actual = event.data[_ACTUAL:_END] in self.actuals
        self.cause_of_change = self.cause_of_change or "the driver was notified of a change"

    def _written(self, event: ev.ConfigurationWritten) -> None:
        first, end = event.offset, event.offset + len(event.data)
        self.announced = None
        if first < _ACTUAL:
            self.wrote_num_pages = event.data
            self.cause_of_change = "the driver wrote num_pages"
        if first < _END and end > _ACTUAL:
            self.actual_shown = self.actuals_left = None
            self.cause_of_change = ""
        if configuration.is_actual(event.offset, event.data):
            self.actual = int.from_bytes(event.data, "little")
            self.actual_was_read = False
            if self.target is not None:
                self.actuals.add(event.data)
        elif first < _END and end > _ACTUAL:
            # The device may take of such a store what it likes; what it gives back is not held against it.
            self.actual = None

    def _operator(self, event: ev.Operator) -> None:
        self.announced = None
        self.cause_of_change = f"the operator had a wish ({event.action})"
        if event.action is not ev.OperatorAction.TARGET:
            return
        known = self._known_actual
        self.actuals = set() if known is None else {known}
        if self.target is not None:
            self.superseded.add(self.target)
        self.target = event.value
        self.superseded.discard(event.value)

    def after_reset(self) -> Self:
        """Leave the target, and what ``actual`` may be: 0, or what it is.

        A device that may have changed it before the reset, which CFG-08 is about, may have left anything.
        """
        target = self.target
        if target is None:
            target = self.num_pages if self.num_pages_was_seen else self.target_left
        known = frozenset(one for one in (self._known_actual, self.actual_shown) if one is not None)
        left = known | {bytes(4)} if known else self.actuals_left
        return type(self)(
            self.exchange,
            num_pages=self.num_pages,
            actuals_left=None if self.cause_of_change else left,
            target_left=target,
        )
