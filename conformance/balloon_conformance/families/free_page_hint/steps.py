"""Steps of hinting: the device publishes a command id, the guest writes to pages, the copy is looked at.

Which id a device publishes is its own choice. A vector has an example in its place, and with a device under
test the bytes of a command are counted on from the id that the device chose: the example itself stands for
that id, the next number for the one after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, Self

from balloon_conformance.iut.contract import Capability
from balloon_conformance.iut.sight import Fact
from balloon_conformance.running.mismatch import Mismatch
from balloon_conformance.running.not_exercised import NotExercised
from balloon_conformance.running.word_step import WordStep
from balloon_conformance.vectors.sequence import Drawing, Item, Lane
from balloon_conformance.vectors.steps.pages import LookStep, PagesStep
from balloon_spec.events import (
    Available,
    ConfigurationChanged,
    ConfigurationRead,
    Event,
    Guest,
    GuestAction,
    Side,
    Used,
)
from balloon_spec.families.free_page_hint import COMMAND_ID, DONE, FIRST_ID, FREE_PAGE, STOP
from balloon_spec.families.free_page_hint.events import Skipped
from balloon_spec.families.free_page_hint.hinted_pages import HintedPages
from balloon_spec.families.free_page_hint.rounds import Rounds, word_of
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.queues import Queue
from balloon_spec.segments import inward, outward, over, writable_ranges

if TYPE_CHECKING:
    from balloon_conformance.running.session import DeviceSession, DriverSession
    from balloon_conformance.vectors.as_trace import Tracing
    from balloon_conformance.vectors.reading import StepReader
    from balloon_spec.families.family import ConfigurationWord
    from balloon_spec.strict_yaml import Path

__all__ = ["CommandIdStep", "CopyStep", "HintsStep", "WriteStep"]

_DATA: Final = b"\x5aNEW"
"""What the guest writes into a page, over and over, each time with the number of the page behind it."""
_NUMBER_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandIdStep(WordStep):
    """The device publishes ``free_page_hint_cmd_id``; one that is judged may publish any id from 2 up."""

    word: ClassVar[ConfigurationWord] = COMMAND_ID
    missing: ClassVar[str] = "HINT-23"
    otherwise: ClassVar[str] = "HINT-23"

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the change, and that the driver looks at it."""
        yield from WordStep.trace(self, tracing)
        yield ConfigurationRead(self.word.offset_bytes, self.data)

    def play_device(self, session: DeviceSession) -> None:
        """Await the device's announcement; note which id it chose.

        A device may publish no id, and no STOP: that is a SHOULD, which the judge decides by a read.
        """
        seen = session.wait_for(partial(self._answers, session))
        if seen is None:
            self._look(session)
            return
        if self.value >= FIRST_ID:
            self._choose(session, word_of(seen) or 0)
        session.show(self.shows)

    def _choose(self, session: DeviceSession, number: int) -> None:
        """Note which id the device chose. Whether it may use one again is for the judge."""
        if number in {chosen for example, chosen in session.chosen.items() if example != self.value}:
            raise NotExercised(f"the device asks under {number:#x} again, and the vector needs another id")
        session.chosen[self.value] = number

    def _answers(self, session: DeviceSession, event: Event) -> bool:
        """Tell whether an announcement says what this step does: any id for an id.

        One that another followed before anybody looked is no news.
        """
        if not isinstance(event, ConfigurationChanged):
            return False
        value = word_of(event)
        if value != session.judge[Rounds].current:
            return False
        return value is not None and (value == self.value or min(value, self.value) >= FIRST_ID)

    def _look(self, session: DeviceSession) -> NoReturn:
        """Say what an announcement that did not come breaks, by what stands there."""
        if hidden := session.unseen.get(Fact.CONFIGURATION_CHANGE):
            raise NotExercised(hidden)
        # Reading it may be the first that is seen of it.
        announced = session.judge[Rounds].announced
        value = int.from_bytes(
            session.read_configuration(COMMAND_ID.offset_bytes, COMMAND_ID.length_bytes), "little"
        )
        if min(value, self.value) >= FIRST_ID and value == announced:
            raise NotExercised("the device publishes no other id than the one that stands there")
        if value == self.value == STOP and session.judge[Rounds].showed_stop:
            raise NotExercised("the device shows 0 while it takes hints, and publishes no STOP, as it may")
        if value == self.value or min(value, self.value) >= FIRST_ID:
            # It stands there by now, and the device has its time to say so.
            session.leave(session.settle(session.quiet_seconds))
            raise self._missing(f"{value:#x}, and no notification of it")
        if self.value == DONE:
            raise Mismatch(
                "the hinted pages are not given back",
                requirement="HINT-21",
                field=COMMAND_ID.name,
                expected=DONE,
                seen=f"{value:#x}",
            )
        wanted = "command id" if self.value >= FIRST_ID else "STOP"
        raise NotExercised(f"the device publishes no {wanted}, as it may")


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteStep(PagesStep):
    """The guest writes to pages: what it hinted of them before does not count any more."""

    by: ClassVar = "guest"
    action_name: ClassVar = "writes"
    about: ClassVar = "the pages that the guest writes to"
    ways: ClassVar = (Lane.GUEST, Lane.DRIVER)
    drawn: ClassVar = "writes to"

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the use of the pages."""
        del tracing
        yield Guest(GuestAction.USE, self.pages)

    @classmethod
    def filled(cls, filling: Any, meant: Any, common: Mapping[str, Any]) -> Self:
        """Have the reference device see it."""
        pages = PageSet(meant.pages)
        if filling.device is not None:
            filling.device.write_pages(pages)
        return cls(pages=pages, **common)

    @property
    def device_needs(self) -> frozenset[Capability]:
        """A guest that the suite can play."""
        return frozenset({Capability.WRITE_PAGES})

    def play_device(self, session: DeviceSession) -> None:
        """Write to the pages, to each something else, by which it is known in a copy."""
        for page in (page for run in self.pages for page in range(run.first, run.end)):
            session.write_pages(PageSet([(page, 1)]), _DATA + page.to_bytes(_NUMBER_BYTES, "little"))
        session.record(Guest(GuestAction.USE, self.pages))


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyStep(LookStep):
    """What is in the copy of guest memory that the device made: pages that it left out, and that it has.

    A device may copy a page that it could leave out, so ``missing`` are those that may be missing.
    """

    action_name: ClassVar = "copy"
    words: ClassVar = ("missing", "there")
    kinds: ClassVar = ("the pages that the device may leave out", "the pages that it must not leave out")
    names: ClassVar = ("pages", "kept")
    told: ClassVar = (
        "what is in the copy of guest memory for which the device asked for hints, once it is over"
    )
    drawn: ClassVar = ("copy of guest memory", "without", "with")

    missing: PageSet = EMPTY
    there: PageSet = EMPTY

    @property
    def sets(self) -> tuple[PageSet, PageSet]:
        """The pages that may be missing, and those that are there."""
        return self.missing, self.there

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield the look at the copy."""
        del tracing
        yield Skipped(self.missing, self.missing | self.there)

    @classmethod
    def filled(cls, filling: Any, meant: Any, common: Mapping[str, Any]) -> Self:
        """Hold it against the copy of the reference device."""
        missing, there = PageSet(meant.missing), PageSet(meant.there)
        if filling.device is not None:
            filling.device.copied(missing, there)
        return cls(missing=missing, there=there, **common)

    def play_device(self, session: DeviceSession) -> str | None:
        """Look at the pages, if that can be done. What is missing without leave is found by the judge."""
        if not session.can(Capability.SKIPS):
            return f"the adapter lacks {Capability.SKIPS}"
        before, wanted = len(session.findings), (self.missing | self.there) & session.memory
        # What the guest wrote once the copy may have been over is there or not.
        hints = session.judge[HintedPages]
        late = hints.late
        missing, looked = session.look_at_copy(wanted)
        lost = missing & self.there - late
        if lost and len(session.findings) == before:
            raise Mismatch(
                "pages are missing in the copy",
                # The judge cannot tell under which id they were hinted, and the vector can.
                requirement="HINT-17" if lost <= hints.may_be_skipped else "HINT-26",
                field="page",
                expected=self.there,
                seen=f"missing: {lost}",
            )
        if wanted <= looked - late:
            session.show(self.shows)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class HintsStep(PagesStep):
    """The driver hints pages, in as many buffers as it likes; each is returned at once.

    It need not hint all of them: a driver may hint blocks of a size of its own. Other pages that are free may
    be among them.
    """

    by: ClassVar = "driver"
    action_name: ClassVar = "hints"
    about: ClassVar = "the pages that the driver hints"
    ways: ClassVar = (Lane.DRIVER, Lane.DEVICE)
    drawn: ClassVar = "hints"

    @classmethod
    def read(
        cls, reader: StepReader, path: Path, value: Mapping[str, Any], common: Mapping[str, Any]
    ) -> Self:
        """Read the pages; a vector that judges a device has buffers of its own."""
        if Side.DEVICE in reader.sides:
            reader.refuse(
                path, "how a driver cuts its hints is for a device to be told", "make buffers of them"
            )
        return super(HintsStep, cls).read(reader, path, value, common)

    def draw(self, drawing: Drawing) -> Iterator[Item]:
        """Draw an arrow to the device, and one back."""
        yield from PagesStep.draw(self, drawing)
        yield drawing.arrow(self, (Lane.DEVICE, Lane.DRIVER), "hints returned")

    def trace(self, tracing: Tracing) -> Iterator[Event]:
        """Yield a buffer with a descriptor for each run, and its return."""
        index = tracing.queue_index
        yield Available(index, f"hints-{self.line}", b"", self.pages.size_bytes, True, over(self.pages))
        yield Used(index, f"hints-{self.line}")

    @classmethod
    def filled(cls, filling: Any, meant: Any, common: Mapping[str, Any]) -> Self:
        """Take the hints of the reference driver."""
        pages, seen = PageSet(meant.pages), EMPTY
        while filling.driver is not None and seen != pages:
            event = filling.driver.makes_available(FREE_PAGE, "hint", readable=b"")
            seen |= inward(writable_ranges(event.segments))
            filling.driver.use("hint", 0, b"")
        return cls(pages=pages, **common)

    @property
    def lends(self) -> Queue | None:
        """The free-page queue."""
        return FREE_PAGE

    @property
    def awaited_of(self) -> Side | None:
        """The driver."""
        return Side.DRIVER

    def is_answered_by(self, event: Event) -> bool:
        """Tell whether something is hinted."""
        return isinstance(event, Available) and not event.readable and event.writable_bytes > 0

    def play_driver(self, session: DriverSession) -> None:
        """Return hints until all pages are hinted, or no more come."""
        index, seen = session.index(FREE_PAGE), EMPTY
        while not self.pages <= seen:
            event = session.wait_for(
                lambda one: self.is_answered_by(one) and isinstance(one, Available) and one.queue == index
            )
            if not isinstance(event, Available):
                break
            seen |= outward(writable_ranges(event.segments))
            session.use(index, event.buffer, 0, b"")
        if not seen:
            # What the driver owes by then is for the judge: it need not have pages as large as it hints.
            raise NotExercised("the driver hints none of the pages, as it may")
        # Any page that the guest does not use may be hinted, also one that was given back meanwhile.
        if foreign := seen - self.pages - (session.judge[Rounds].unused or EMPTY):
            raise Mismatch(
                "the driver hints other pages than the guest has free",
                requirement="HINT-13",
                field="address",
                expected=self.pages,
                seen=foreign,
            )
        session.show(self.shows)
