"""``poison_val`` as the driver wrote it and as it reads back: the ledger, and the rules about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from balloon_spec import events as ev
from balloon_spec.events import ConfigurationRead, ConfigurationWritten, DriverOk
from balloon_spec.families.base.running import counts_pages
from balloon_spec.families.page_poison import POISON_VAL
from balloon_spec.judge.decision import Decision, broken, kept, kept_if
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger
from balloon_spec.judge.rule import Scene, rule
from balloon_spec.judge.session import Session

__all__ = ["PoisonValue"]

_FIRST: Final = POISON_VAL.offset_bytes
_END: Final = POISON_VAL.end_bytes
_UNKNOWN: Final[tuple[int | None, ...]] = (None,) * POISON_VAL.length_bytes
_ZEROS: Final[tuple[int | None, ...]] = (0,) * POISON_VAL.length_bytes


@dataclass(slots=True, eq=False)
class PoisonValue(Ledger):
    """The four bytes of ``poison_val``, each as the driver wrote it, or None if nobody knows it."""

    value: tuple[int | None, ...] = _UNKNOWN
    is_untouched: bool = True
    """The driver stored nothing there since the features were negotiated."""
    serves: bool = False
    """The device has returned a buffer, so that DRIVER_OK was set even if the transport does not show it."""
    unwritten: frozenset[int] = frozenset()
    """The offsets of the bytes that the driver did not write since the features were negotiated."""
    in_time: bool | None = None
    """Whether all of it was written when the first buffer came that tells of pages; None before one came."""
    was_set: bool = False
    """Some driver wrote another value than 0 before the last reset."""

    def after(self, event: ConfigurationWritten) -> tuple[int | None, ...]:
        """Return the four bytes after a store of the driver."""
        return POISON_VAL.after(self.value, event.offset, event.data)

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in what the driver wrote. Whether a device takes a store after DRIVER_OK, nobody knows."""
        session = self.exchange[Session]
        if isinstance(event, ev.Negotiated):
            self.value, self.is_untouched, self.serves = _UNKNOWN, True, False
            self.in_time, self.unwritten = None, frozenset(range(_FIRST, _END))
        elif isinstance(event, ev.Used):
            self.serves = True
        elif isinstance(event, ev.Available) and self.in_time is None:
            queue = None if buffer is None else buffer.queue
            if queue is not None and (queue.names_pages or queue.ranges is not None):
                self.in_time = not self.unwritten
        elif isinstance(event, ConfigurationWritten) and session.has("PAGE_POISON") and is_meant(event):
            self.is_untouched = False
            self.unwritten -= set(range(event.offset, event.offset + len(event.data)))
            late = (session.driver_ok or self.serves) and self.after(event) != self.value
            self.value = _UNKNOWN if late else self.after(event)

    def after_reset(self) -> Self:
        """Leave whether there is something to forget."""
        return type(self)(self.exchange, was_set=self.was_set or any(self.value))


def is_meant(event: ConfigurationRead | ConfigurationWritten) -> bool:
    """Tell whether an access touches the field."""
    return POISON_VAL.is_touched(event.offset, len(event.data))


@rule(DriverOk, "POISON-02")
def it_is_written_before_driver_ok(_event: DriverOk, scene: Scene) -> Iterator[Decision]:
    """A driver says with what it fills pages before the device may act on any."""
    session = scene[Session]
    if session.driver_ok or not session.has("PAGE_POISON"):
        return
    value = scene[PoisonValue].value
    yield kept_if(
        "POISON-02",
        None not in value,
        "DRIVER_OK is set and poison_val was not written",
        field="poison_val",
        expected=f"4 bytes at offset {_FIRST}",
        seen=_shown(value),
    )


@rule(ConfigurationWritten, "POISON-02")
def it_is_written_before_pages_count(event: ConfigurationWritten, scene: Scene) -> Iterator[Decision]:
    """A driver that counts pages in its balloon has set DRIVER_OK, if the transport does not show when.

    A store that came behind the first buffer with pages may have come before DRIVER_OK all the same.
    """
    session, ledger = scene[Session], scene[PoisonValue]
    if session.driver_ok or not session.has("PAGE_POISON") or not counts_pages(event, scene):
        return
    if ledger.unwritten:
        yield broken(
            "POISON-02",
            "pages are in the balloon, so DRIVER_OK is set, and poison_val was not written",
            field="poison_val",
            expected=f"4 bytes at offset {_FIRST}",
            seen=_shown(ledger.value),
            data=event.data,
        )
    elif ledger.in_time:
        yield kept("POISON-02")


@rule(ConfigurationWritten, "POISON-03", "POISON-08")
def it_is_written_at_its_time(event: ConfigurationWritten, scene: Scene) -> Iterator[Decision]:
    """A driver changes the value before DRIVER_OK only, and leaves the field alone without the feature."""
    session, ledger = scene[Session], scene[PoisonValue]
    if session.accepted is None:
        return
    if not session.has("PAGE_POISON"):
        yield kept_if(
            "POISON-08",
            not is_meant(event),
            "poison_val is written, and PAGE_POISON was not negotiated",
            field="poison_val",
            expected="no store",
            seen=f"{event.data.hex(' ')} at offset {event.offset}",
            data=event.data,
        )
    elif session.driver_ok or ledger.serves:
        before, after = ledger.value, ledger.after(event)
        # What was not written before DRIVER_OK is POISON-02, and no change.
        if any(one not in {None, other} for one, other in zip(before, after, strict=True)):
            yield broken(
                "POISON-03",
                "poison_val is changed after DRIVER_OK",
                field="poison_val",
                expected=_shown(before),
                seen=_shown(after),
                data=event.data,
            )
        elif None not in before:
            yield kept("POISON-03")


@rule(ConfigurationRead, "POISON-06", "POISON-07")
def it_reads_back(event: ConfigurationRead, scene: Scene) -> Iterator[Decision]:
    """A device gives the value back, in whole or in part, and has forgotten it after a reset."""
    ledger = scene[PoisonValue]
    if not scene[Session].has("PAGE_POISON") or not is_meant(event):
        return
    is_new = ledger.is_untouched
    known = _ZEROS if is_new else ledger.value
    places = range(max(_FIRST, event.offset), min(_END, event.offset + len(event.data)))
    wanted = [known[at - _FIRST] for at in places]
    seen = [event.data[at - event.offset] for at in places]
    if None in wanted or (is_new and not ledger.was_set):
        return
    if is_new:
        yield kept_if(
            "POISON-07",
            seen == wanted,
            "poison_val holds something after a reset",
            field="poison_val",
            expected=_shown(wanted),
            seen=_shown(seen),
            data=event.data,
        )
    elif seen == wanted:
        yield kept("POISON-06")
    else:
        swapped = len(seen) == POISON_VAL.length_bytes and seen == wanted[::-1]
        yield broken(
            "POISON-06",
            "poison_val is big-endian" if swapped else "poison_val does not read back as it was written",
            field="poison_val",
            expected=_shown(wanted),
            seen=_shown(seen),
            data=event.data,
        )


def _shown(value: tuple[int | None, ...] | list[int | None] | list[int]) -> str:
    return " ".join("??" if one is None else f"{one:02x}" for one in value)
