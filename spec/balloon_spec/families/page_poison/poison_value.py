"""``poison_val`` as the driver wrote it and as it reads back: the ledger, and the rules about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from balloon_spec import events as ev
from balloon_spec.events import ConfigurationRead, ConfigurationWritten, DriverOk
from balloon_spec.families.base import configuration
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
    is_written: bool = False
    """The driver wrote to it since the reset."""
    runs: bool = False
    """DRIVER_OK was seen, or the driver counted pages in the balloon, which come there only after it."""
    was_set: bool = False
    """Some driver wrote another value than 0 before the last reset."""

    def after(self, event: ConfigurationWritten) -> tuple[int | None, ...]:
        """Return the four bytes after a store of the driver."""
        data = event.data
        return tuple(
            data[at - event.offset] if event.offset <= at < event.offset + len(data) else one
            for at, one in enumerate(self.value, _FIRST)
        )

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in what the driver wrote. Whether a device takes a store after DRIVER_OK, nobody knows."""
        del buffer
        self.runs = self.runs or isinstance(event, DriverOk) or _counts_pages(event)
        if not isinstance(event, ConfigurationWritten) or not is_meant(event):
            return
        if self.exchange[Session].has("PAGE_POISON"):
            late = self.runs and self.after(event) != self.value
            self.value = _UNKNOWN if late else self.after(event)
            self.is_written = True

    def after_reset(self) -> Self:
        """Leave whether there is something to forget."""
        return type(self)(self.exchange, was_set=self.was_set or any(self.value))


def is_meant(event: ConfigurationRead | ConfigurationWritten) -> bool:
    """Tell whether an access touches the field."""
    return event.offset < _END and event.offset + len(event.data) > _FIRST


def _counts_pages(event: ev.Event) -> bool:
    """Tell whether the driver says that there are pages in the balloon."""
    return (
        isinstance(event, ConfigurationWritten)
        and configuration.is_actual(event.offset, event.data)
        and any(event.data)
    )


@rule(DriverOk, "POISON-02")
def it_is_written_before_driver_ok(_event: DriverOk, scene: Scene) -> Iterator[Decision]:
    """A driver says with what it fills pages before the device may act on any."""
    if not scene[PoisonValue].runs:
        yield _written_by(scene, "DRIVER_OK is set")


def _written_by(scene: Scene, moment: str) -> Decision:
    return kept_if(
        "POISON-02",
        scene[PoisonValue].is_written,
        f"{moment} and poison_val was not written",
        field="poison_val",
        expected=f"a store at offset {_FIRST}",
        seen="none",
    )


@rule(ConfigurationWritten, "POISON-02", "POISON-03", "POISON-08")
def it_is_written_at_its_time(event: ConfigurationWritten, scene: Scene) -> Iterator[Decision]:
    """A driver changes the value before DRIVER_OK only, and leaves the field alone without the feature.

    If DRIVER_OK does not show, the first pages in the balloon tell that it was set.
    """
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
        return
    if _counts_pages(event) and not ledger.runs:
        yield _written_by(scene, "pages are in the balloon")
    elif ledger.runs and None not in ledger.value:
        before, after = ledger.value, ledger.after(event)
        yield kept_if(
            "POISON-03",
            after == before,
            "poison_val is changed after DRIVER_OK",
            field="poison_val",
            expected=_shown(before),
            seen=_shown(after),
            data=event.data,
        )


@rule(ConfigurationRead, "POISON-06", "POISON-07")
def it_reads_back(event: ConfigurationRead, scene: Scene) -> Iterator[Decision]:
    """A device gives the value back, in whole or in part, and has forgotten it after a reset."""
    ledger = scene[PoisonValue]
    if not scene[Session].has("PAGE_POISON") or not is_meant(event):
        return
    known = ledger.value if ledger.is_written else _ZEROS
    places = range(max(_FIRST, event.offset), min(_END, event.offset + len(event.data)))
    wanted = [known[at - _FIRST] for at in places]
    seen = [event.data[at - event.offset] for at in places]
    if None in wanted or not (ledger.is_written or ledger.was_set):
        return
    if not ledger.is_written:
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
