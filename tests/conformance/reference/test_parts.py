"""What a family's part can do to a reference beyond what any family of the suite needs of it."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

import pytest

from balloon_conformance.iut.contract import Buffer, Setup
from balloon_conformance.iut.reference.adapter import ReferenceDevice, ReferenceDriver
from balloon_conformance.iut.reference.free_driver import FreeReferenceDriver
from balloon_conformance.reference import Device, Driver
from balloon_conformance.reference.device_state import Discard, Overwrite
from balloon_conformance.reference.driver_state import Fill, Flight
from balloon_conformance.reference.parts import DevicePart, DriverPart
from balloon_spec.events import Available, Segment, Used
from balloon_spec.families import registry
from balloon_spec.families.family import Family
from balloon_spec.feature import Feature
from balloon_spec.pages import PageSet
from balloon_spec.profile import Profile
from balloon_spec.profiles import BASE
from balloon_spec.queues import Queue

LENDING = Queue("lending", 6, feature="LENDS")
FAMILY = Family("lending", features=(Feature("LENDS", 21), Feature("SHY", 22)), queues=(LENDING,))
LENT = PageSet([(0x10, 2)])
SEGMENTS = (Segment(4096, True, 0x10000), Segment(4096, True, 0x11000))
WORD = b"\x04\x03\x02\x01"


class Lender(DriverPart):
    """It fills two pages, lends them to the device, and keeps them until they come back."""

    family = FAMILY

    def choose(self, _offered, chosen):
        return chosen & ~(1 << 22)

    def set_up(self, state):
        state, lent = self.driver.lend(state, Flight(LENDING, LENT, note="first"), SEGMENTS)
        return self.remember(state, LENT), (Fill(LENT, WORD), *lent)

    def keeps(self, state):
        return self.recall(state) or PageSet()

    def returned(self, state, flight, _used):
        assert flight.note == "first"
        return self.remember(state, PageSet()), ()

    def reset(self, before, fresh):
        return self.remember(fresh, PageSet()) if self.recall(before) else fresh


class Borrower(DevicePart):
    """It changes one page, gives the other back to the host, and knows how often it was negotiated."""

    family = FAMILY

    def negotiated(self, state):
        return self.remember(state, (self.recall(state) or 0) + 1), ()

    def reset(self, before, fresh):
        return self.remember(fresh, self.recall(before))

    def take(self, state, _queue, buffer):
        pages = PageSet((one.address // 4096, 1) for one in buffer.segments)
        first = PageSet([(pages.runs[0].first, 1)])
        used = Used(buffer.queue, buffer.buffer)
        return state, (Overwrite(first), Discard(pages - first), used)


@pytest.fixture
def profile():
    with ExitStack() as stack:
        yield stack.enter_context(registry.added(Profile("lending", (*BASE.families, FAMILY))))


def test_a_driver_lends_pages_with_their_addresses_and_keeps_them_until_they_come_back(profile):
    adapter = ReferenceDriver(partial(Driver, parts=(Lender,)))
    adapter.start(Setup(profile, 0x100))
    mask = profile.mask(["VERSION_1", "LENDS", "SHY"])
    assert adapter.negotiate(mask, bytes(8)) == profile.mask(["VERSION_1", "LENDS"])
    (lent,) = (one for one in adapter.observe(0) if isinstance(one, Available))
    assert (lent.queue, lent.segments, lent.writable_bytes) == (6, SEGMENTS, 8192)
    driver = adapter.driver
    assert driver.held(driver.state) == LENT
    adapter.use(6, lent.buffer, 0, b"")
    assert driver.held(driver.state) == PageSet()


def test_what_a_driver_writes_into_pages_is_in_the_guests_memory(profile):
    adapter = FreeReferenceDriver(partial(Driver, parts=(Lender,)))
    adapter.start(Setup(profile, 0x1000))
    adapter.negotiate(profile.mask(["VERSION_1", "LENDS"]), bytes(8))
    assert adapter.read_memory(0x10FFC, 8) == WORD * 2
    assert adapter.read_memory(0x12000, 4) == bytes(4)


def test_a_device_changes_and_discards_what_it_was_lent_and_remembers_over_a_reset(profile):
    adapter = ReferenceDevice(partial(Device, parts=(Borrower,)))
    adapter.start(Setup(profile, 0x100))
    for times in (1, 2):
        assert adapter.accept(profile.mask(["VERSION_1", "LENDS"]))
        adapter.driver_ok()
        adapter.make_available(6, Buffer("b", b"", 8192, SEGMENTS))
        assert adapter.discarded(LENT) == (PageSet([(0x11, 1)]), PageSet([(0x10, 1)]))
        assert adapter.discarded(LENT) == (PageSet(), PageSet())
        assert adapter.device.state.parts["lending"] == times
        adapter.reset()
