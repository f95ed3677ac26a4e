"""Adapters that are each wrong in one way, in front of an implementation that is right: the doctor sees it."""

from __future__ import annotations

import pytest

from balloon_conformance.doctor.diagnosis import Health
from balloon_conformance.doctor.examination import examine
from balloon_conformance.iut.contract import AdapterError, Capability, ImplementationCrashed, Target
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.mutants import mutants
from balloon_spec.events import (
    Available,
    ConfigurationChanged,
    GuestAction,
    Operator,
    OperatorAction,
    Side,
    Used,
)
from balloon_spec.families.base import DEFLATE
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.profiles import CHUNK_TRANSFER, MAINLINE


def of(kind):
    side = Side.DEVICE if issubclass(kind, ReferenceDevice) else Side.DRIVER
    return Target(kind.__name__, side, kind)


def unwell(kind):
    """Return what is not well, with its words."""
    fine = {Health.WELL, Health.ADVICE}
    return {
        one.what: (one.health, one.text)
        for one in examine(of(kind), CHUNK_TRANSFER)
        if one.health not in fine
    }


# -- what survives a start ----------------------------------------------------------------------------------


class KeepsTheDevice(ReferenceDevice):
    """A start is a reset: num_pages and actual of the case before are still there."""

    def start(self, setup):
        if self._device is None:
            super().start(setup)
        else:
            self.reset()
            self.log.events.clear()


class KeepsWhatWasDiscarded(ReferenceDevice):
    def start(self, setup):
        kept = self._discarded
        super().start(setup)
        self._discarded = kept


class KeepsEvents(ReferenceDevice):
    """What nobody took of the case before is told in the next."""

    def start(self, setup):
        kept = self.log.events
        super().start(setup)
        self.log.events = kept


class KeepsTheFeatures(ReferenceDevice):
    """The first features that were accepted hold for ever."""

    first = None

    def accept(self, features):
        self.first = self.first or features
        return super().accept(self.first)


class KeepsTheTarget(ReferenceDevice):
    target = None

    def operate(self, action, value):
        if action == OperatorAction.TARGET:
            self.target = value
        super().operate(action, value)

    def start(self, setup):
        super().start(setup)
        if self.target is not None:
            self._tell(Operator(OperatorAction.TARGET, self.target))
            self.log.events.clear()


class OffersLessTheSecondTime(ReferenceDevice):
    starts = 0

    def start(self, setup):
        self.starts += 1
        super().start(setup)

    def offered(self):
        return super().offered() & ~(4 if self.starts > 1 else 0)


class KeepsAWish(ReferenceDriver):
    wish = None

    def steer(self, action, pages):
        self.wish = pages
        super().steer(action, pages)

    def start(self, setup):
        super().start(setup)
        if self.wish is not None:
            super().steer(GuestAction.INFLATE, self.wish)


class KeepsTheBalloon(ReferenceDriver):
    """The driver of the next case begins with what the one before wrote into the configuration."""

    actual = b""

    def observe(self, deadline_seconds):
        events = super().observe(deadline_seconds)
        for event in events:
            if type(event).__name__ == "ConfigurationWritten":
                self.actual = event.data
        return events

    def negotiate(self, offered, configuration):
        # A driver that has pages already gives some back at a target of none.
        accepted = super().negotiate(offered, configuration)
        if self.actual:
            self.log.events.append(Available(DEFLATE.place, "old", b"\x08\x10\0\0", 0))
            self.actual = b""
        return accepted

    def use(self, queue, buffer, length_bytes, written):
        if buffer != "old":
            super().use(queue, buffer, length_bytes, written)


SURVIVES = (
    KeepsTheDevice,
    KeepsWhatWasDiscarded,
    KeepsEvents,
    KeepsTheFeatures,
    KeepsTheTarget,
    OffersLessTheSecondTime,
    KeepsAWish,
    KeepsTheBalloon,
)


@pytest.mark.parametrize("kind", SURVIVES)
def test_what_survives_a_start_is_seen(kind):
    found = unwell(kind)
    health, words = found["a start forgets"]
    assert health is Health.MEND, found
    assert words.startswith("something survives a start: ")
    assert "\n" not in words


# -- what is shown, and is not there ------------------------------------------------------------------------


class SaysItAgain(ReferenceDevice):
    """Pages stay discarded after they were looked at."""

    def discarded(self, pages):
        return self._discarded & pages, EMPTY


class GivesUpWhatItIsAsked(ReferenceDevice):
    def discarded(self, pages):
        return pages, EMPTY


class OverwritesWhatItIsAsked(ReferenceDevice):
    def discarded(self, pages):
        gone, _ = super().discarded(pages)
        return gone, pages - gone


class ReadsFromTheBeginning(ReferenceDevice):
    """The offset of a read of the configuration is passed over."""

    def read_configuration(self, offset, length_bytes):
        return super().read_configuration(0, length_bytes)


class ReadsWords(ReferenceDevice):
    """A read of the configuration is of the word that it lies in."""

    def read_configuration(self, offset, length_bytes):
        return super().read_configuration(offset & ~3, length_bytes)


class WritesToTheBeginning(ReferenceDevice):
    """The offset of a write to the configuration is passed over: here the device then is one that takes it."""

    num_pages = b""

    def write_configuration(self, offset, data):
        self.num_pages = data

    def read_configuration(self, offset, length_bytes):
        whole = super().read_configuration(0, 8)
        return (self.num_pages + whole[len(self.num_pages) :])[offset : offset + length_bytes]


class HasNoOperator(ReferenceDevice):
    """Claims an operator, and passes no wish on."""

    def operate(self, action, value):
        pass


class ShowsAnotherConfiguration(ReferenceDriver):
    """The driver is shown zeros, whatever the suite, being the device, has there."""

    def negotiate(self, offered, configuration):
        return super().negotiate(offered, bytes(8))


class ShowsNoChange(ReferenceDriver):
    """The driver is told of a change, and still sees what was there before."""

    before = b""

    def negotiate(self, offered, configuration):
        self.before = configuration
        return super().negotiate(offered, configuration)

    def change_configuration(self, configuration):
        self._tell(ConfigurationChanged(self.before))


class TellsTwice(ReferenceDriver):
    """What the driver made available is told, and told again."""

    def observe(self, deadline_seconds):
        events = super().observe(deadline_seconds)
        return [*events, *(event for event in events if isinstance(event, Available))]


class SteersNothing(ReferenceDriver):
    """Claims to pass the guest's wish on, and gives up pages that nobody named."""

    def steer(self, action, pages):
        super().steer(action, PageSet((run.first + 0x100, run.count) for run in pages))


class Guest(ReferenceDriver):
    """A right one, whose guest has memory and takes commands."""

    def __init__(self):
        super().__init__()
        self.capabilities |= {Capability.GUEST_MEMORY, Capability.STEER_GUEST}
        self.memory = {}

    def read_memory(self, address, length_bytes):
        return bytes(self.memory.get(address + at, 0) for at in range(length_bytes))

    def write_memory(self, address, data):
        self.memory |= {address + at: byte for at, byte in enumerate(data)}

    def guest_begin(self, command, *words):
        raise AdapterError(f"the guest has no command {command}")

    def guest_answer(self, deadline_seconds):
        raise AssertionError

    def guest(self, command, *words):
        raise AssertionError


class WritesNoMemory(Guest):
    def write_memory(self, address, data):
        pass


class ReadsWholePages(Guest):
    """Memory is read from the beginning of the page."""

    def read_memory(self, address, length_bytes):
        return super().read_memory(address & ~0xFFF, length_bytes)


class KnowsEveryCommand(Guest):
    def guest_begin(self, command, *words):
        pass

    def guest_answer(self, deadline_seconds):
        return ""


SHOWN = (
    (SaysItAgain, "memory is looked at", Health.MEND, "when it is asked a second time"),
    (GivesUpWhatItIsAsked, "memory is looked at", Health.MEND, "which nobody gave up"),
    (OverwritesWhatItIsAsked, "memory is looked at", Health.MEND, "which nobody gave up"),
    (ReadsFromTheBeginning, "the configuration in parts", Health.MEND, "for 4 bytes at offset 4"),
    (ReadsWords, "the configuration in parts", Health.MEND, "for 1 bytes at offset 5"),
    # These may be the device's fault, and then the adapter is not blamed; but it is not said to be well.
    (WritesToTheBeginning, "the configuration in parts", Health.OPEN, "the adapter does not go by the offset"),
    (HasNoOperator, "the configuration in parts", Health.OPEN, "the adapter does not pass it on"),
    (SteersNothing, "pages as the guest wishes", Health.OPEN, "the adapter does not pass the guest's wish"),
    (ShowsAnotherConfiguration, "the configuration as the driver sees it", Health.MEND, "for 05000000"),
    (ShowsNoChange, "the configuration as the driver sees it", Health.MEND, "05000000 at offset 0 for 06000000"),
    (TellsTwice, "the configuration as the driver sees it", Health.MEND, "while a buffer of that name was in"),
    (WritesNoMemory, "guest memory", Health.MEND, "read back were 000000000000000000000000000000"),
    (ReadsWholePages, "guest memory", Health.MEND, "reach the memory at its address"),
    (KnowsEveryCommand, "a command that the guest does not know", Health.MEND, "make-coffee with ''"),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "what", "health", "words"), SHOWN, ids=[one[0].__name__ for one in SHOWN])
def test_what_is_shown_and_is_not_there_is_seen(kind, what, health, words):
    found = unwell(kind)
    assert what in found, found
    assert found[what][0] is health
    assert words in found[what][1]


def test_a_guest_with_memory_and_commands_is_well():
    assert unwell(Guest) == {}


def test_a_device_of_fixed_bit_numbers_is_advised_of_it():
    class Fixed(ReferenceDevice):
        def offered(self):
            return 0x10000001F

    for profile, name in ((CHUNK_TRANSFER, "CHUNK_TRANSFER"), (MAINLINE, MAINLINE.device_features[3].name)):
        (advice,) = [one for one in examine(of(Fixed), profile) if one.health is Health.ADVICE]
        assert advice.what == "bit numbers as they are given"
        assert f"although {name} was said to be bit 41" in advice.text


def test_every_start_has_the_profile_it_is_examined_under():
    profiles = set()

    class Listens(ReferenceDevice):
        def start(self, setup):
            profiles.add(setup.profile.name)
            super().start(setup)

    assert not [one for one in examine(of(Listens), MAINLINE) if one.health is Health.MEND]
    # The cases that nobody can pass are of profile base.
    assert profiles == {"mainline", "base"}


def test_a_device_without_discards_or_an_operator_is_not_asked_for_them():
    class Plain(ReferenceDevice):
        capabilities = frozenset()

        def discarded(self, pages):
            raise AssertionError

        def operate(self, action, value):
            raise AssertionError

    assert unwell(Plain) == {}


def test_a_driver_of_its_own_pages_is_well():
    class Free(ReferenceDriver):
        def __init__(self):
            super().__init__(steered=False)

    assert unwell(Free) == {}


@pytest.mark.parametrize("side", list(Side))
def test_an_implementation_that_is_wrong_is_not_laid_at_the_adapters_door(side):
    # One adapter, known to be right, in front of every implementation that breaks a requirement.
    to_mend = {
        one.name: diagnosis
        for one in mutants().values()
        if one.side is side
        for diagnosis in examine(Target(one.name, one.side, one.make), CHUNK_TRANSFER)
        if diagnosis.health is Health.MEND
    }
    assert to_mend == {}


def test_an_implementation_that_ends_hides_what_was_looked_for():
    class Ends(ReferenceDevice):
        def observe(self, deadline_seconds):
            events = super().observe(deadline_seconds)
            if any(isinstance(event, Used) for event in events):
                raise ImplementationCrashed("killed by SIGSEGV")
            return events

    assert unwell(Ends)["a start forgets"] == (
        Health.OPEN,
        "the implementation ended or hung over this: killed by SIGSEGV",
    )
