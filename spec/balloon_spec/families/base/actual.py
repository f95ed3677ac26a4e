"""What ``actual`` has to count, and the rules about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from balloon_spec import events as ev
from balloon_spec.events import (
    ConfigurationWritten,
    Quiet,
    Side,
)
from balloon_spec.families.base import DEFLATE, INFLATE, configuration
from balloon_spec.families.base.balloon import Balloon
from balloon_spec.families.base.configuration_space import Configuration
from balloon_spec.families.base.course import Course
from balloon_spec.families.base.returns import Returns
from balloon_spec.judge.buffers_in_flight import Buffers
from balloon_spec.judge.decision import Decision, broken, kept
from balloon_spec.judge.exchange import Exchange
from balloon_spec.judge.in_flight import InFlight
from balloon_spec.judge.ledger import Ledger
from balloon_spec.judge.rule import Scene, particulars, rule
from balloon_spec.judge.session import Session
from balloon_spec.wire.layout import swapped

__all__ = ["Count"]


@dataclass(slots=True, eq=False)
class Count(Ledger):
    """What happened to the balloon since ``actual`` was last written, and what it counted so far."""

    changes: int = 0
    """Inflate and deflate buffers returned since."""
    changed_with_length: bool = False
    """One of those was returned with a used length."""
    changed_out_of_order: bool = False
    """One of those was returned before an older one of its queue."""
    most_pages: int = 0
    """The most pages the balloon held since."""
    deflate_floor: int | None = None
    """The least num_pages at which a deflate buffer was made available that ``actual`` does not count yet."""
    furthest_pages: int = 0
    """The largest ``actual`` since the reset: so many pages the driver can give up."""
    has_shrunk: bool = False
    """``actual`` became less since the reset: the driver takes pages back when it may."""

    @property
    def counted_pages(self) -> int:
        """What the balloon shrinks from: ``actual``, or more if it grew and shrank between two writes."""
        shrank = self.exchange[Balloon].held.pages < self.most_pages
        return max(self.exchange[Configuration].actual or 0, self.most_pages if shrank else 0)

    @property
    def least_pages(self) -> int:
        """What the balloon may shrink to without DEFLATE_ON_OOM; 0 if no target was seen (DEF-09)."""
        # A target that rose while the deflate buffer was with the device came too late.
        target = self.exchange[Configuration].num_pages or 0
        late = target if self.deflate_floor is None else self.deflate_floor
        return min(target, late, self.counted_pages)

    def take(self, event: ev.Event, buffer: InFlight | None) -> None:
        """Take in a change of the balloon, and a write of ``actual`` that counts it."""
        match event:
            case ev.Available() if buffer is not None and buffer.queue is DEFLATE:
                target = self.exchange[Configuration].num_pages or 0
                self.deflate_floor = min(target, target if self.deflate_floor is None else self.deflate_floor)
            case ev.Used() if buffer is not None:
                self._used(event, buffer)
            case ev.ConfigurationWritten() if configuration.is_actual(event.offset, event.data):
                self._written(int.from_bytes(event.data, "little"))
            case _:
                pass

    def _used(self, event: ev.Used, buffer: InFlight) -> None:
        has_length = event.length_bytes > 0 and not buffer.event.writable_bytes
        self.changed_with_length |= has_length and not _is_held(buffer)
        if buffer.queue not in {INFLATE, DEFLATE}:
            return
        self.changes += 1
        self.changed_out_of_order |= self.exchange[Returns].last_overtook
        if buffer.queue is INFLATE:
            self.most_pages = max(self.most_pages, self.exchange[Balloon].held.pages)

    def _written(self, pages: int) -> None:
        self.has_shrunk |= pages < (self.exchange[Configuration].actual or 0)
        self.furthest_pages = max(self.furthest_pages, pages)
        self.changes = 0
        self.changed_with_length = self.changed_out_of_order = False
        self.most_pages = self.exchange[Balloon].held.pages
        if not self.exchange[Balloon].on_the_way_out:
            self.deflate_floor = None


def _is_held(buffer: InFlight) -> bool:
    """Tell whether a device may hold such a buffer as long as it likes: its return changes nothing."""
    return buffer.queue is not None and buffer.queue.held


@rule(
    ConfigurationWritten,
    *("CFG-04", "CFG-05", "CFG-10", "INF-03", "INF-05", "DEF-09", "DEF-10", "DEF-11", "CONC-05"),
)
def actual_counts_the_balloon(event: ConfigurationWritten, scene: Scene) -> Iterator[Decision]:
    """``actual`` counts the pages whose inflate buffers were returned, no more and no less."""
    balloon = scene[Balloon]
    count = scene[Count]
    space = scene[Configuration]
    if not configuration.is_actual(event.offset, event.data):
        return
    actual = int.from_bytes(event.data, "little")
    # While a deflate buffer is in flight its pages may be counted or not.
    least = balloon.held.pages
    most = least + balloon.deflating.pages
    named = most + balloon.inflating.pages
    if least <= actual <= most:
        yield from (kept(name) for name in ("CFG-05", "INF-03", "INF-05"))
        if space.actual is not None and actual < space.actual:
            yield kept("DEF-11")
        if count.changes:
            yield kept("CFG-04")
        if count.changes > 1:
            yield kept("CFG-10")
    else:
        if least == swapped(actual, 4):
            requirement, words, expected = "CFG-05", "actual is big-endian", f"{least}"
        elif actual > named:
            requirement, words = "INF-03", "actual counts pages that no inflate buffer named"
            expected = f"{named} at most"
        elif actual > most and _took_another_return(scene.exchange):
            requirement, words = (
                "CONC-05",
                "the return of another buffer is taken for that of an inflate buffer",
            )
            expected = f"{most} at most"
        elif actual > most:
            requirement, words = "INF-05", "actual counts pages whose inflate buffer was not returned"
            expected = f"{most} at most"
        elif _took_back_in_silence(scene.exchange):
            requirement, words = "DEF-11", "pages leave the balloon that no deflate buffer named"
            expected = f"{least} at least"
        else:
            requirement, words = "CFG-05", "actual is less than the pages in the balloon"
            expected = f"{least} at least"
        yield broken(requirement, words, field="actual", expected=expected, seen=actual, data=event.data)
    yield from _shrinking(actual, scene)


def _took_another_return(exchange: Exchange) -> bool:
    """Tell whether the last return was that of a buffer younger than an inflate buffer in flight."""
    last = exchange[Returns].last
    return last is not None and any(buffer.number < last for buffer in exchange[Buffers].on(INFLATE))


def _took_back_in_silence(exchange: Exchange) -> bool:
    """Tell whether ``actual`` was right, and no buffer came since that could have changed it."""
    at_rest = not exchange[Count].changes and not exchange[Buffers].on(INFLATE, DEFLATE)
    return at_rest and exchange[Configuration].actual == exchange[Balloon].held.pages


def _shrinking(actual: int, scene: Scene) -> Iterator[Decision]:
    """DEF-09 and DEF-10: whether the balloon may shrink to this."""
    session = scene[Session]
    count = scene[Count]
    space = scene[Configuration]
    if actual >= count.counted_pages or space.num_pages is None:
        return
    if space.num_pages < count.counted_pages:
        yield kept("DEF-10")
    if session.has("DEFLATE_ON_OOM"):
        return
    floor = count.least_pages
    if actual >= floor:
        yield kept("DEF-09")
    elif scene[Course].below is not None and session.sees_driver_ok:
        # The deflate buffer was evidence enough.
        return
    elif actual or scene[Balloon].held or session.sees_driver_ok:
        yield broken(
            "DEF-09",
            "the balloon shrank below num_pages without DEFLATE_ON_OOM",
            field="actual",
            expected=f"{floor} at least",
            seen=actual,
        )


@rule(Quiet, "CFG-04", "BUF-06", "CONC-05", further=particulars("CFG-04"))
def actual_follows_the_balloon(event: Quiet, scene: Scene) -> Iterator[Decision]:
    """A driver that was given its time has said how large its balloon is."""
    balloon = scene[Balloon]
    space = scene[Configuration]
    if event.side is not Side.DRIVER or scene[Buffers].on(INFLATE, DEFLATE):
        return
    # Pages that changed places, as where one is moved, leave nothing to be written.
    if scene[Count].changes and balloon.held.pages != (space.actual or 0):
        requirement, words = _why_actual_is_missing(scene.exchange)
        yield broken(
            requirement,
            words,
            field="actual",
            expected=balloon.held.pages,
            seen="no write" if space.actual is None else space.actual,
        )


def _why_actual_is_missing(exchange: Exchange) -> tuple[str, str]:
    """Say what was unusual about the returns that the driver does not count, though it counted others."""
    count = exchange[Count]
    space = exchange[Configuration]
    if count.changed_with_length:
        return "BUF-06", "the driver does not go on after a buffer was returned with a used length"
    if space.actual is not None and count.changed_out_of_order:
        return "CONC-05", "the driver does not go on after buffers were returned in another order"
    particular = None if space.actual is None else exchange.in_particular("CFG-04")
    return particular or ("CFG-04", "the balloon changed and actual was not written")
