"""The adapter against the balloon device of the QEMU that is installed here."""

from __future__ import annotations

import os
import shutil
import signal
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from reporting_profile import DENSE_OFFERED, FIXED

from balloon_conformance.iut.contract import (
    AdapterError,
    Buffer,
    Capability,
    DeviceAdapter,
    ImplementationCrashed,
    ImplementationHung,
    Setup,
)
from balloon_conformance.iut.machine.mmio import VirtioMmio
from balloon_conformance.iut.machine.transport import Status
from balloon_conformance.iut.qemu import QemuDevice, QemuOptions
from balloon_conformance.iut.sight import NotVisible
from balloon_conformance.running.session import DeviceSession
from balloon_spec.events import ConfigurationChanged, NeedsReset, Notified, Segment, Side, Used
from balloon_spec.families.free_page_hint import END_HINTS, HINT
from balloon_spec.pages import EMPTY, PageSet
from balloon_spec.profiles import BASE, MAINLINE
from balloon_spec.queues import Numbering
from balloon_spec.segments import from_lengths

PAGES = 0x1000
MEMORY = PageSet([(0, 0x40), (0x100, PAGES - 0x100)])
SETUP = Setup(BASE, PAGES)

STATS_VQ = 1 << 1
DEFLATE_ON_OOM = 1 << 2
INDIRECT_DESC = 1 << 28
EVENT_IDX = 1 << 29
VERSION_1 = 1 << 32
USUAL = VERSION_1 | STATS_VQ | DEFLATE_ON_OOM

INFLATE, DEFLATE, STATISTICS, HINTS = range(4)


def returned(device):
    """The next buffers that come back, whenever they are notified of."""
    while not (seen := [one for one in device.observe(5) if not isinstance(one, Notified)]):
        pass
    return [replace(one, notified=None) for one in seen]


@pytest.fixture
def make():
    """Make adapters for the installed QEMU; stop them, and see that nothing of them is left."""
    if not shutil.which("qemu-system-x86_64"):
        if os.environ.get("BALLOON_REQUIRE_INTEROP") == "1":
            pytest.fail("BALLOON_REQUIRE_INTEROP=1, but qemu-system-x86_64 is not installed")
        pytest.skip("qemu-system-x86_64 is not installed")
    descriptors = sorted(fd.name for fd in Path("/proc/self/fd").iterdir())
    adapters = []

    def make(**options):
        adapters.append(QemuDevice(QemuOptions(**options)))
        return adapters[-1]

    yield make
    for adapter in adapters:
        adapter.stop()
    children = Path("/proc/thread-self/children").read_text().split()
    assert [pid for pid in children if "qemu" in Path(f"/proc/{pid}/cmdline").read_text()] == []
    assert sorted(fd.name for fd in Path("/proc/self/fd").iterdir()) == descriptors


@pytest.fixture
def device(make):
    device = make()
    device.start(SETUP)
    return device


@pytest.fixture
def driving(device):
    negotiate(device)
    return device


def negotiate(device, features=USUAL):
    assert device.accept(features)
    device.prepare()
    device.driver_ok()


def pfns(*numbers):
    return struct.pack(f"<{len(numbers)}I", *numbers)


def statistics(*entries):
    return b"".join(struct.pack("<HQ", tag, value) for tag, value in entries)


def process_of(device):
    return device._process


def test_keeps_the_contract(make):
    device = make()
    assert isinstance(device, DeviceAdapter)
    assert Capability.OPERATOR_UNUSED_PAGES not in device.capabilities
    assert device.memory == EMPTY
    assert device.description.startswith("QEMU ")


def test_offers_the_base_features_and_no_other_meaning_of_bits_3_to_5(device):
    offered = device.offered()
    assert offered & USUAL == USUAL
    assert not offered & 0b111000
    assert device.memory == MEMORY


def test_a_device_property_changes_what_is_offered(make):
    device = make(device_properties="deflate-on-oom=off")
    device.start(SETUP)
    assert not device.offered() & DEFLATE_ON_OOM


def test_sets_up_the_queues_of_the_accepted_features(device):
    negotiate(device, VERSION_1)
    assert device.ring_sizes() == ((0, 1024), (1, 1024))
    with pytest.raises(AdapterError, match="queue 2 was not set up; accept its feature"):
        device.make_available(STATISTICS, Buffer("b", b"x"))
    device.reset()
    assert device.ring_sizes() == ()
    negotiate(device, VERSION_1 | STATS_VQ)
    assert device.ring_sizes() == ((0, 1024), (1, 1024), (2, 1024))


def test_the_interrupt_of_a_return_is_seen_with_it_or_behind_it(driving):
    driving.make_available(INFLATE, Buffer("a", pfns(0x100)))
    (used,) = driving.observe(5)
    late = driving.observe(0.05) if used.notified is False else ()
    assert used.notified or list(late) == [Notified(Side.DEVICE, INFLATE)]


def test_inflation_discards_exactly_the_named_pages(driving):
    named = [0, 0x3F, 0x100, 0x200, 0x201, PAGES - 1]
    driving.make_available(INFLATE, Buffer("a", pfns(*named)))
    assert returned(driving) == [Used(INFLATE, "a", 0, b"")]
    assert driving.discarded(MEMORY) == (PageSet((pfn, 1) for pfn in named), EMPTY)
    assert driving.discarded(MEMORY) == (EMPTY, EMPTY)


def test_pages_outside_guest_memory_are_outside_of_it(driving):
    driving.make_available(INFLATE, Buffer("a", pfns(PAGES, 0x80000200, 0xFFFFFFFF, 0x300)))
    assert returned(driving) == [Used(INFLATE, "a", 0, b"")]
    assert driving.discarded(MEMORY) == (PageSet([(0x300, 1)]), EMPTY)


@pytest.mark.parametrize("features", [USUAL, USUAL | INDIRECT_DESC, USUAL | INDIRECT_DESC | EVENT_IDX])
def test_a_buffer_may_be_cut_anywhere(device, features):
    negotiate(device, features)
    device.make_available(
        INFLATE, Buffer("a", pfns(0x200, 0x300, 0x400), segments=from_lengths((3, 6, 1, 2)))
    )
    assert returned(device) == [Used(INFLATE, "a", 0, b"")]
    assert device.discarded(MEMORY)[0] == PageSet.parse("0x200", "0x300", "0x400")


def test_a_descriptor_lies_where_it_is_stated(driving):
    segments = (Segment(2), Segment(2, address=0x300123))
    driving.make_available(INFLATE, Buffer("a", pfns(0x200), segments=segments))
    assert returned(driving) == [Used(INFLATE, "a", 0, b"")]
    assert driving.discarded(MEMORY) == (PageSet.parse("0x200"), EMPTY)


def test_a_descriptor_may_point_where_no_memory_is(driving):
    """This QEMU reads zeros there, and so takes page 0 for named."""
    segments = (Segment(4), Segment(4, address=0x7F000000))
    driving.make_available(INFLATE, Buffer("a", pfns(0x200, 0x300), segments=segments))
    assert returned(driving) == [Used(INFLATE, "a", 0, b"")]
    assert driving.discarded(MEMORY)[0] - PageSet.parse("0") == PageSet.parse("0x200")


@pytest.mark.parametrize("cut", [(3,), (4, 1), (5, -1)])
def test_a_cut_that_does_not_fit_the_bytes_is_refused(driving, cut):
    with pytest.raises(AdapterError, match="buffer a: a cut into"):
        driving.make_available(INFLATE, Buffer("a", pfns(0x200), segments=from_lengths(cut)))


def test_a_full_queue_comes_back_whole_and_can_be_filled_again(make):
    device = make(ring_size=16)
    device.start(SETUP)
    negotiate(device)
    for begin in (0x200, 0x300):
        for n in range(16):
            device.make_available(INFLATE, Buffer(f"{n}", pfns(begin + n), notify=n == 15))
        assert [event.buffer for event in returned(device)] == [f"{n}" for n in range(16)]
        assert device.discarded(MEMORY)[0] == PageSet([(begin, 16)])


def test_more_buffers_than_the_ring_has_room_for_are_refused(make):
    device = make(ring_size=2)
    device.start(SETUP)
    negotiate(device)
    for name in ("a", "b"):
        device.make_available(INFLATE, Buffer(name, pfns(0x200), notify=False))
    with pytest.raises(
        AdapterError, match="buffer c, queue 0: the buffer needs 1 descriptors and 0 of 2 are free"
    ):
        device.make_available(INFLATE, Buffer("c", pfns(0x200)))
    device.make_available(DEFLATE, Buffer("d", pfns(0x200)))
    assert returned(device) == [Used(DEFLATE, "d", 0, b"")]


def test_a_notification_is_sent_when_the_case_says_so_even_before_driver_ok(device):
    assert device.accept(USUAL)
    device.prepare()
    device.make_available(INFLATE, Buffer("unheard", pfns(0x200), notify=False))
    assert device.observe(0.05) == ()
    # QEMU acts on it (against QUEUE-10), which shows that the notification was sent.
    device.make_available(INFLATE, Buffer("early", pfns(0x201)))
    assert returned(device) == [Used(INFLATE, "unheard", 0, b""), Used(INFLATE, "early", 0, b"")]


def test_a_device_writable_part_is_returned_untouched(driving):
    driving.make_available(INFLATE, Buffer("w", pfns(0x200), writable_bytes=16))
    assert returned(driving) == [Used(INFLATE, "w", 0, b"")]
    driving.make_available(DEFLATE, Buffer("only", writable_bytes=16))
    assert returned(driving) == [Used(DEFLATE, "only", 0, b"")]


def test_statistics_come_back_when_the_operator_asks_and_not_before(driving):
    driving.make_available(STATISTICS, Buffer("s", statistics((5, 4096), (0x7777, 1))))
    assert driving.observe(0.05) == ()
    for name in ("s", "s2"):
        driving.operate("statistics", 0)
        assert returned(driving) == [Used(STATISTICS, name, 0, b"")]
        driving.make_available(STATISTICS, Buffer("s2", statistics((5, 8192))))
        assert driving.observe(0.05) == ()
    seen = process_of(driving).monitor.execute(
        "qom-get", path="/machine/peripheral/balloon0", property="guest-stats"
    )
    assert seen["stats"]["stat-total-memory"] == 8192


def test_a_wish_for_statistics_waits_for_the_buffer(driving):
    driving.operate("statistics", 0)
    assert driving.observe(0) == ()
    driving.make_available(STATISTICS, Buffer("late", statistics((5, 1))))
    assert returned(driving) == [Used(STATISTICS, "late", 0, b"")]


def test_what_qemu_read_of_the_statistics_can_be_asked(driving):
    assert driving.statistics() == ()
    values = ((0x7777, 1), (9, 1 << 40), (4, 0x0102030405060708))
    driving.make_available(STATISTICS, Buffer("s", statistics(*values)))
    driving.operate("statistics", 0)
    assert returned(driving) == [Used(STATISTICS, "s", 0, b"")]
    assert driving.statistics() == ((4, 0x0102030405060708), (9, 1 << 40))


def test_the_target_changes_the_configuration_and_notifies(driving):
    driving.operate("target", 19)
    assert driving.observe(5) == [ConfigurationChanged(bytes.fromhex("13 00 00 00 00 00 00 00"))]
    driving.write_configuration(4, bytes.fromhex("04 03 02 01"))
    assert driving.read_configuration(0, 8) == bytes.fromhex("13 00 00 00 04 03 02 01")
    assert driving.read_configuration(5, 2) == bytes.fromhex("03 02")
    driving.operate("target", PAGES - 1)
    assert driving.observe(5) == [ConfigurationChanged(bytes.fromhex("ff 0f 00 00 04 03 02 01"))]


@pytest.mark.parametrize("pages", [-1, PAGES, PAGES + 1])
def test_a_target_qemu_cannot_take_is_refused(driving, pages):
    with pytest.raises(AdapterError, match=f"not {pages}"):
        driving.operate("target", pages)


def test_unused_pages_cannot_be_asked_for(driving):
    with pytest.raises(AdapterError, match="cannot be asked for unused-pages"):
        driving.operate("unused-pages", 1)


@pytest.mark.parametrize(
    "buffer", [Buffer("z"), Buffer("z", pfns(0x200, 0x201), segments=from_lengths((4, 0, 4)))]
)
def test_a_descriptor_without_bytes_needs_a_reset_which_is_seen_once(driving, buffer):
    driving.make_available(INFLATE, buffer)
    assert driving.observe(5) == [NeedsReset()]
    assert driving.observe(0.05) == ()
    driving.reset()
    negotiate(driving)
    driving.make_available(INFLATE, Buffer("a", pfns(0x300)))
    assert returned(driving) == [Used(INFLATE, "a", 0, b"")]
    assert driving.discarded(MEMORY) == (PageSet([(0x300, 1)]), EMPTY)


def test_a_reset_drops_the_buffers_from_before(driving):
    driving.make_available(INFLATE, Buffer("before", pfns(0x200), notify=False))
    driving.make_available(STATISTICS, Buffer("held", statistics((5, 1))))
    driving.reset()
    negotiate(driving)
    driving.make_available(INFLATE, Buffer("after", pfns(0x300)))
    assert returned(driving) == [Used(INFLATE, "after", 0, b"")]
    assert driving.discarded(MEMORY) == (PageSet([(0x300, 1)]), EMPTY)


def soil(device):
    """Leave traces of a case everywhere QEMU keeps them over a reset."""
    device.operate("target", 19)
    device.write_configuration(4, b"\x07\x00\x00\x00")
    device.make_available(INFLATE, Buffer("a", pfns(0x200)))
    device.operate("statistics", 0)


@pytest.mark.parametrize("reuse", [True, False])
def test_every_case_begins_as_after_power_on(make, reuse):
    device = make(reuse=reuse)
    device.start(SETUP)
    negotiate(device)
    soil(device)
    first = process_of(device).pid
    device.start(SETUP)
    assert (process_of(device).pid == first) is reuse
    assert device.read_configuration(0, 8) == bytes(8)
    assert device.discarded(MEMORY) == (EMPTY, EMPTY)
    negotiate(device)
    device.make_available(STATISTICS, Buffer("s", statistics((5, 1))))
    assert device.observe(0.05) == ()


def test_a_case_with_other_memory_gets_it(device):
    device.start(Setup(BASE, 0x800))
    assert device.memory == PageSet([(0, 0x40), (0x100, 0x700)])
    negotiate(device)
    device.make_available(INFLATE, Buffer("a", pfns(0x7FF, 0x800)))
    assert returned(device) == [Used(INFLATE, "a", 0, b"")]
    assert device.discarded(device.memory) == (PageSet([(0x7FF, 1)]), EMPTY)


def test_memory_may_be_more_than_a_case_asks_for(make):
    device = make(memory_mib=8)
    device.start(Setup(BASE, 0x300))
    assert device.memory == PageSet([(0, 0x40), (0x100, 0x700)])


def test_a_process_that_needed_a_reset_serves_no_other_case(driving):
    first = process_of(driving).pid
    driving.make_available(INFLATE, Buffer("z"))
    assert driving.observe(5) == [NeedsReset()]
    driving.start(SETUP)
    assert process_of(driving).pid != first


def test_a_killed_qemu_is_a_crash_and_the_next_case_gets_a_fresh_one(driving):
    os.kill(process_of(driving).pid, signal.SIGKILL)
    with pytest.raises(ImplementationCrashed, match="QEMU ended: killed by SIGKILL"):
        driving.observe(5)
    with pytest.raises(ImplementationCrashed):
        driving.make_available(INFLATE, Buffer("a", pfns(0x200)))
    driving.start(SETUP)
    negotiate(driving)
    driving.make_available(INFLATE, Buffer("a", pfns(0x200)))
    assert returned(driving) == [Used(INFLATE, "a", 0, b"")]


def test_a_killed_qemu_is_a_crash_for_the_operator_too(driving):
    driving.operate("target", 1)
    os.kill(process_of(driving).pid, signal.SIGKILL)
    with pytest.raises(ImplementationCrashed, match="killed by SIGKILL"):
        driving.operate("target", 2)


def test_a_stopped_qemu_is_a_hang_and_the_next_case_gets_a_fresh_one(make):
    device = make(answer_seconds=0.2)
    device.start(SETUP)
    negotiate(device)
    os.kill(process_of(device).pid, signal.SIGSTOP)
    with pytest.raises(ImplementationHung, match=r"within 0\.2 seconds"):
        device.make_available(INFLATE, Buffer("a", pfns(0x200)))
    device.start(SETUP)
    negotiate(device)


def test_a_stopped_qemu_hangs_the_operator_too(make):
    device = make(answer_seconds=0.2)
    device.start(SETUP)
    os.kill(process_of(device).pid, signal.SIGSTOP)
    with pytest.raises(ImplementationHung, match=r"QMP the greeting within 0\.2 seconds"):
        device.operate("target", 1)


def test_a_property_qemu_does_not_have_is_reported_in_its_own_words(make):
    with pytest.raises(
        AdapterError, match=r"died at start, exit status 1; .*'virtio-balloon-device.gravity' not found"
    ):
        make(device_properties="gravity=off").start(SETUP)


def test_stop_ends_qemu_and_start_brings_up_another(device):
    pid = process_of(device).pid
    device.stop()
    device.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    device.start(SETUP)
    assert device.offered() & USUAL == USUAL


@pytest.mark.parametrize("from_the_start", [True, False])
def test_a_status_that_outlives_a_reset_is_the_devices_fault_and_no_hang(make, monkeypatch, from_the_start):
    device = make()
    reset = VirtioMmio.reset
    left = Status.ACKNOWLEDGE | Status.DRIVER | Status.FEATURES_OK
    device.start(SETUP)
    if from_the_start:
        device.stop()
        monkeypatch.setattr(VirtioMmio, "reset", lambda mmio: reset(mmio) | left)
    with DeviceSession(device, BASE) as session:
        session.negotiate(USUAL)
        session.driver_ok()
        monkeypatch.setattr(VirtioMmio, "reset", lambda mmio: reset(mmio) | left)
        session.reset()
    found = {(finding.requirement, finding.seen) for finding in session.findings}
    assert found == {("RESET-07", "0xb")}


# -- hints ------------------------------------------------------------------------------------------------------------


LATE = MEMORY - PageSet.parse("0+64")
"""The pages that QEMU does not copy at once."""


@pytest.fixture
def hinting(device):
    """The device with hints negotiated, and all of the profile's features."""
    device.start(Setup(MAINLINE, PAGES))
    negotiate(device, MAINLINE.mask(["VERSION_1", "STATS_VQ", "FREE_PAGE_HINT", "PAGE_POISON"]))
    return device


def asked(device):
    """Have the operator ask for hints; the command id that the device publishes."""
    device.operate(HINT, 0)
    return announced(device)


def announced(device):
    """The command id of the next configuration change."""
    while not (seen := [one for one in device.observe(5) if isinstance(one, ConfigurationChanged)]):
        pass
    return seen[-1].data[8:12]


def hint(device, name, pages):
    """Hint a run of pages, and await the return."""
    (run,) = pages.runs
    length = run.count * 4096
    segment = Segment(length, writable=True, address=run.first * 4096)
    device.make_available(HINTS, Buffer(name, writable_bytes=length, segments=(segment,)))
    assert returned(device) == [Used(HINTS, name, 0, b"")]


def say(device, command):
    """Send a command, and await its return."""
    device.make_available(HINTS, Buffer("command", command))
    assert returned(device) == [Used(HINTS, "command", 0, b"")]


def test_a_copy_lacks_what_was_hinted_and_not_written_since(hinting):
    first, stale, written = PageSet.parse("0xc00+16"), PageSet.parse("0xd00+16"), PageSet.parse("0xc04+2")
    hint(hinting, "before", stale)
    say(hinting, asked(hinting))
    hint(hinting, "h", first)
    for page in range(0xC04, 0xC06):
        hinting.write_pages(PageSet([(page, 1)]), page.to_bytes(8, "little"))
    say(hinting, bytes(4))
    hint(hinting, "after", stale)
    hinting.operate(END_HINTS, 0)
    assert announced(hinting) == bytes.fromhex("01 00 00 00")
    assert hinting.skipped(LATE) == (first - written, LATE)
    assert hinting.discarded(MEMORY) == (EMPTY, EMPTY)
    # The guest goes on, and the next copy has an id of its own.
    assert asked(hinting) not in {bytes(4), bytes.fromhex("01 00 00 00")}


def test_pages_of_a_copy_that_hold_zeros_or_the_same_tell_nothing(hinting):
    asked(hinting)
    hinting.make_available(INFLATE, Buffer("a", pfns(0x800)))
    hinting.write_pages(PageSet.parse("0x900+2"), b"twin")
    hinting.operate(END_HINTS, 0)
    assert hinting.skipped(LATE) == (EMPTY, LATE - PageSet.parse("0x800", "0x900+2"))


def test_a_page_that_was_given_back_to_the_guest_during_a_copy_is_in_it(hinting):
    asked(hinting)
    hinting.make_available(INFLATE, Buffer("a", pfns(0x800)))
    assert hinting.discarded(MEMORY) == (PageSet.parse("0x800"), EMPTY)
    hinting.operate(END_HINTS, 0)
    assert hinting.skipped(LATE) == (EMPTY, LATE)


def test_a_page_that_was_copied_at_once_tells_nothing(hinting):
    asked(hinting)
    hinting.operate(END_HINTS, 0)
    assert hinting.skipped(PageSet.parse("0")) == (EMPTY, EMPTY)


def test_hints_are_not_asked_for_twice_in_one_copy(hinting):
    asked(hinting)
    with pytest.raises(NotVisible, match="ask for hints again"):
        hinting.operate(HINT, 0)


def test_an_unfinished_copy_is_given_up_before_the_next_case(hinting):
    first, former = process_of(hinting).pid, asked(hinting)
    assert int.from_bytes(former, "little") > 1
    hinting.start(Setup(MAINLINE, PAGES))
    assert process_of(hinting).pid == first
    negotiate(hinting, MAINLINE.mask(["VERSION_1", "FREE_PAGE_HINT"]))
    assert hinting.read_configuration(8, 4) == bytes(4)
    assert asked(hinting) != former


def test_what_is_announced_is_what_is_there(hinting):
    """A second copy first withdraws DONE and then asks: both are announced, and only the id is there."""
    for _ in range(3):
        command = asked(hinting)
        say(hinting, command)
        assert not any(isinstance(one, ConfigurationChanged) for one in hinting.observe(0.05))
        hinting.operate(END_HINTS, 0)
        assert announced(hinting) == bytes.fromhex("01 00 00 00")


def test_no_copy_tells_nothing(hinting):
    hinting.operate(END_HINTS, 0)
    assert hinting.skipped(MEMORY) == (EMPTY, EMPTY)


def test_its_queues_are_seen_to_be_numbered_densely(make):
    def negotiated(profile):
        device = make(device_properties="free-page-reporting=on")
        with DeviceSession(device, profile, memory_pages=PAGES) as session:
            session.negotiate(profile.mask(["VERSION_1", "PAGE_REPORTING"]))
            return session.numberings, [index for index, _ in device.ring_sizes()]

    # It always offers STATS_VQ, so the reporting queue is its fourth, whether statistics are accepted or not.
    assert negotiated(DENSE_OFFERED) == ({Numbering.DENSE_OFFERED, Numbering.DENSE_NEGOTIATED}, [0, 1, 3])
    with pytest.raises(AdapterError, match=r"no queue 4 .* Or give --numbering dense-offered, if it numbers"):
        negotiated(FIXED)
