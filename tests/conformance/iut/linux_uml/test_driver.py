"""The balloon driver of a real Linux, in user mode, through the adapter."""

from __future__ import annotations

import os
import shutil
import signal
import struct
from collections import Counter

import pytest
from reporting_profile import DENSE_NEGOTIATED
from uml_leftovers import nothing_left, processes_of

from balloon_conformance.iut.contract import (
    AdapterError,
    Capability,
    DriverAdapter,
    ImplementationCrashed,
    ImplementationHung,
    Setup,
    SteersGuest,
)
from balloon_conformance.iut.linux_uml import LinuxUml, UmlOptions, parts
from balloon_conformance.iut.linux_uml.process import GuestKernel
from balloon_conformance.running.session import DriverSession
from balloon_spec.events import (
    Available,
    ConfigurationRead,
    ConfigurationWritten,
    DriverOk,
    Guest,
    Memory,
    Negotiated,
    Reset,
)
from balloon_spec.pages import PageSet
from balloon_spec.profiles import BASE
from balloon_spec.queues import Numbering

MISSING = [
    package
    for program, package in (("linux.uml", "user-mode-linux"), ("busybox", "busybox-static"))
    if shutil.which(program) is None
]
ALL = 1 << 32 | 0b111  # VERSION_1, DEFLATE_ON_OOM, STATS_VQ, MUST_TELL_HOST
VERSION_1 = 1 << 32
INFLATE, DEFLATE, STATISTICS = 0, 1, 2
SETUP = Setup(BASE)
PATIENCE_SECONDS = 60.0
COMMAND_SECONDS = 60.0
"""A guest that fragments its memory makes a system call for each page, which are slow in user mode."""


@pytest.fixture(autouse=True, scope="module")
def uml_is_there():
    if MISSING:
        if os.environ.get("BALLOON_REQUIRE_INTEROP") == "1":
            pytest.fail(f"BALLOON_REQUIRE_INTEROP=1, but {' and '.join(MISSING)} is not installed")
        pytest.skip(f"{' and '.join(MISSING)} is not installed")


@pytest.fixture(scope="module")
def live():
    """One kernel for the tests that leave it whole."""
    monkeypatch = pytest.MonkeyPatch()
    with nothing_left(monkeypatch):
        adapter = LinuxUml(UmlOptions(memory_mib=96))
        yield adapter
        adapter.stop()
    monkeypatch.undo()


@pytest.fixture
def driver(live):
    live.start(SETUP)
    return live


@pytest.fixture
def place(monkeypatch):
    with nothing_left(monkeypatch) as place:
        yield place


def space(target, actual=0):
    return struct.pack("<II", target, actual)


def numbers_of(readable):
    return list(struct.unpack(f"<{len(readable) // 4}I", readable))


class Host:
    """A device by hand: it returns inflate and deflate buffers, and keeps the statistics buffer."""

    def __init__(self, adapter):
        self.adapter = adapter
        self.seen = []
        self.balloon = Counter()
        self.actual = None
        self.statistics = []

    def take(self, seconds):
        events = self.adapter.observe(seconds)
        for event in events:
            self.seen.append(event)
            if isinstance(event, Available):
                if event.queue == STATISTICS:
                    self.statistics.append(event)
                    continue
                if event.queue == INFLATE:
                    self.balloon.update(numbers_of(event.readable))
                else:
                    self.balloon.subtract(numbers_of(event.readable))
                self.adapter.use(event.queue, event.buffer, 0, b"")
            elif isinstance(event, ConfigurationWritten):
                assert (event.offset, len(event.data)) == (4, 4)
                self.actual = int.from_bytes(event.data, "little")
        return events

    def until(self, condition):
        while not condition():
            assert self.take(PATIENCE_SECONDS), f"nothing came any more, after {self.seen[-3:]}"

    def aim(self, target):
        self.adapter.change_configuration(space(target, self.actual or 0))
        self.until(lambda: self.actual == target)

    def command(self, *words):
        self.adapter.guest_begin(*words)
        while (answer := self.adapter.guest_answer(COMMAND_SECONDS)) is None:
            assert self.take(0), f"{words} was not answered, after {self.seen[-3:]}"
        return answer

    @property
    def pages(self):
        assert set(self.balloon.values()) <= {0, 1}
        return {page for page, count in self.balloon.items() if count}


@pytest.fixture
def host(driver):
    assert driver.negotiate(ALL, space(0)) == ALL
    return Host(driver)


def await_inflate_buffer(adapter):
    """Return what the driver does until it has inflated, its buffer unreturned."""
    events = []
    while not any(isinstance(event, Available) and event.queue == INFLATE for event in events):
        more = adapter.observe(PATIENCE_SECONDS)
        assert more, events
        events += more
    return events


def memory_of(adapter):
    words = [word.partition("=") for word in adapter.guest("memory").split()]
    return {name: int(number) for name, _, number in words}


def test_it_keeps_the_contracts(driver):
    assert isinstance(driver, DriverAdapter)
    assert isinstance(driver, SteersGuest)
    assert driver.capabilities >= {Capability.RAW_FEATURES, Capability.STEER_GUEST}
    assert Capability.STEER_PAGES not in driver.capabilities
    release, module = driver.description.split(" in user mode, virtio_balloon module ")
    assert release.startswith("Linux ")
    assert len(module) == 12


def test_memory_is_told_before_the_first_buffer_and_configuration_is_read(driver, host):
    host.until(lambda: host.statistics)
    kinds = [type(event) for event in host.seen]
    assert kinds.index(Memory) < kinds.index(Available)
    assert DriverOk not in kinds
    host.aim(1)
    assert ConfigurationRead(0, struct.pack("<I", 1)) in host.seen


@pytest.mark.parametrize(
    ("offered", "accepted"),
    [
        (ALL, ALL),
        (VERSION_1, VERSION_1),
        (0, 0),
        # Features that the driver does not know, or may not take without VERSION_1.
        (ALL | 1 << 20, ALL),
    ],
)
def test_the_driver_takes_what_it_knows_of_the_offer(driver, offered, accepted):
    assert driver.negotiate(offered, space(0)) == accepted


def test_inflation_names_each_page_once_and_tells_actual_after_the_return(driver, host):
    host.aim(1000)
    assert len(host.pages) == 1000
    memory = next(event.pages for event in host.seen if isinstance(event, Memory))
    assert PageSet([(page, 1) for page in host.pages]) <= memory
    story = [
        len(event.readable) // 4 if isinstance(event, Available) else int.from_bytes(event.data, "little")
        for event in host.seen
        if (isinstance(event, Available) and event.queue == INFLATE)
        or isinstance(event, ConfigurationWritten)
    ]
    assert story == [256, 256, 256, 512, 256, 768, 232, 1000]


def test_deflation_names_pages_of_the_balloon_and_empties_it(driver, host):
    host.aim(600)
    was = host.pages
    host.aim(100)
    assert len(host.pages) == 100
    assert host.pages < was
    host.aim(0)
    assert host.pages == set()


def test_no_actual_is_written_while_an_inflate_buffer_is_out(driver):
    driver.negotiate(ALL, space(300))
    events = await_inflate_buffer(driver)
    events += driver.observe(0.2)
    assert not any(isinstance(event, ConfigurationWritten) for event in events)
    (held,) = [event for event in events if isinstance(event, Available) and event.queue == INFLATE]
    driver.use(INFLATE, held.buffer, 0, b"")
    host = Host(driver)
    host.until(lambda: host.actual == 300)


def test_a_returned_statistics_buffer_brings_one_new_one(driver, host):
    host.until(lambda: host.statistics)
    # The first buffer carries no statistics worth reading: the kernel fills it before it has any reason to.
    for _ in range(3):
        held = host.statistics[-1]
        count = len(host.statistics)
        driver.use(STATISTICS, held.buffer, 0, b"")
        host.until(lambda count=count: len(host.statistics) > count)
    assert host.take(0.1) == []
    readable = host.statistics[-1].readable
    assert len(readable) % 10 == 0
    tags = dict(struct.unpack_from("<HQ", readable, at) for at in range(0, len(readable), 10))
    total_kib = memory_of(driver)["MemTotal"]
    assert tags[5] == total_kib * 1024


def test_a_reset_makes_the_driver_begin_anew_with_another_offer_in_the_same_kernel(driver, host):
    pid = driver.pid
    host.aim(500)
    driver.reset()
    assert driver.negotiate(VERSION_1, space(0)) == VERSION_1
    again = Host(driver)
    again.aim(7)
    assert len(again.pages) == 7
    assert again.statistics == []
    assert driver.pid == pid


def test_a_reset_returns_what_the_driver_waits_for(driver):
    pid = driver.pid
    driver.negotiate(ALL, space(300))
    await_inflate_buffer(driver)
    driver.reset()
    assert driver.negotiate(ALL, space(0)) == ALL
    assert driver.pid == pid


def test_the_next_case_sees_nothing_of_the_one_before(driver, host):
    host.aim(2000)
    host.command("allocate", "left", 100)
    driver.start(SETUP)
    assert driver.negotiate(ALL, space(0)) == ALL
    with pytest.raises(AdapterError, match="nothing is called left"):
        driver.guest("release", "left")
    assert memory_of(driver)["Shmem"] == 0
    host = Host(driver)
    host.until(lambda: host.statistics)
    assert host.take(0.1) == []


def test_the_module_is_unloaded_loaded_and_reloaded_in_the_middle(driver, host):
    host.aim(300)
    host.command("unload")
    assert host.pages == set()
    with pytest.raises(AdapterError, match="could not 'unload': the driver is not loaded"):
        driver.guest("unload")
    host.seen.clear()
    host.command("load")
    host.until(lambda: host.actual == 300)
    kinds = [type(event) for event in host.seen]
    assert kinds.index(Reset) < kinds.index(Negotiated) < kinds.index(Available)
    assert len(host.pages) == 300
    host.command("reload")
    host.until(lambda: host.actual == 300)
    assert len(host.pages) == 300


def test_allocated_memory_is_verified_and_released(driver, host):
    before = memory_of(driver)["Shmem"]
    assert host.command("allocate", "a", 500) == ""
    assert memory_of(driver)["Shmem"] >= before + 2000
    assert host.command("verify", "a", 500) == ""
    with pytest.raises(AdapterError, match="verify a 499'"):
        driver.guest("verify", "a", 499)
    with pytest.raises(AdapterError, match="No such file"):
        driver.guest("verify", "b", 1)
    assert host.command("release", "a") == ""
    assert memory_of(driver)["Shmem"] == before


def test_memory_that_was_held_or_filled_is_there_again_when_it_is_released(driver, host):
    before = memory_of(driver)
    for words in (("hold", "a", 10_000), ("fill", "a")):
        assert host.command(*words) == ""
        assert memory_of(driver)["MemFree"] < before["MemFree"] - 30_000
        assert host.command("release", "a") == ""
        assert memory_of(driver)["MemFree"] > before["MemFree"] - 5_000


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("allocate", "a", 1_000_000), "out of memory: [0-9]+ KiB are available"),
        (("fragment", "a", 1_000_000), "out of memory: [0-9]+ KiB are available"),
        (("allocate", "../a", 1), r"the name \.\./a is none"),
        (("allocate", "a", "many"), "many is no number of pages"),
        (("hold", "", 1), "is none|is no number"),
        (("release", "a"), "nothing is called a"),
    ],
)
def test_what_the_guest_cannot_do_it_says(driver, host, words, says):
    with pytest.raises(AdapterError, match=says):
        driver.guest(*words)


def single_pages(host):
    """Return how many pages of the balloon have no neighbour in it."""
    return sum(page - 1 not in host.pages and page + 1 not in host.pages for page in host.pages)


@pytest.mark.untraced
def test_fragmented_memory_is_given_up_page_by_page(driver, host):
    # Leave little but the gaps, so that the balloon has to take them. The kernel may move pages to make room for
    # larger blocks, which closes gaps again: some of them are enough.
    gaps = (memory_of(driver)["MemAvailable"] // 4 - 2000) // 2
    host.aim(gaps)
    before = single_pages(host)
    host.aim(0)
    host.command("fragment", "f", gaps)
    host.command("drop-caches")
    host.aim(gaps)
    assert before < gaps // 10 < single_pages(host)


def test_caches_are_dropped(driver, host):
    assert host.command("drop-caches") == ""


def test_compaction_moves_pages_of_the_balloon(driver, host):
    host.aim(2000)
    before, moved_before = host.pages, memory_of(driver)["balloon_migrate"]
    host.command("fragment", "f", 1000)
    host.command("release", "f")
    host.command("compact")
    host.take(0.1)
    moved = memory_of(driver)["balloon_migrate"] - moved_before
    assert len(host.pages) == 2000
    # Compaction need not find anything to move; what it moved is seen.
    assert (host.pages != before) == (moved > 0)


def test_out_of_memory_deflates_where_that_was_negotiated(driver, host):
    host.aim(1000)
    host.command("oom")
    host.until(lambda: host.actual == 744)
    assert len(host.pages) == 744


def test_out_of_memory_leaves_the_balloon_alone_where_it_was_not(driver):
    driver.negotiate(VERSION_1, space(0))
    host = Host(driver)
    host.aim(1000)
    host.command("oom")
    assert host.take(0.1) == []
    assert len(host.pages) == 1000


def test_who_holds_memory_is_killed_when_there_is_no_more(driver, host):
    host.command("hold", "small", 1000)
    with pytest.raises(AdapterError, match="small is there already"):
        driver.guest("hold", "small", 1)
    host.command("release", "small")
    killed = memory_of(driver)["oom_kill"]
    with pytest.raises(AdapterError, match="could not 'hold large 40000': out of memory"):
        host.command("hold", "large", 40000)
    assert memory_of(driver)["oom_kill"] > killed


def test_one_command_at_a_time(driver, host):
    driver.guest_begin("memory")
    with pytest.raises(AdapterError, match="still at 'memory'; await its answer first"):
        driver.guest_begin("compact")
    while (answer := driver.guest_answer(PATIENCE_SECONDS)) is None:
        host.take(0)
    assert "MemTotal=" in answer
    with pytest.raises(AdapterError, match="was given no command"):
        driver.guest_answer(0)


def test_a_session_judges_it_without_a_finding(driver):
    with DriverSession(driver, BASE, deadline_seconds=PATIENCE_SECONDS) as session:
        assert session.negotiate(ALL, space(0)) == ALL
        for target in (700, 20):
            session.change_configuration(space(target))
            done = False
            while not done:
                event = session.wait_for(lambda event: not isinstance(event, Guest))
                assert event is not None
                if isinstance(event, Available) and event.queue != STATISTICS:
                    session.use(event.queue, event.buffer, 0, b"")
                done = event == ConfigurationWritten(4, struct.pack("<I", target))
        assert session.findings == []
        assert session.slips == []
        assert {"INF-03", "CFG-04", "PFN-01"} <= {name for name, count in session.exercised.items() if count}


# What follows ends its kernel.


def test_without_reuse_every_case_has_its_own_kernel(place):
    adapter = LinuxUml(UmlOptions(reuse=False))
    try:
        adapter.start(SETUP)
        first = adapter.pid
        adapter.start(SETUP)
        assert adapter.pid != first
    finally:
        adapter.stop()


def test_a_kernel_that_is_killed_in_the_middle_is_seen_and_replaced(place):
    adapter = LinuxUml(UmlOptions())
    try:
        adapter.start(SETUP)
        adapter.negotiate(ALL, space(300))
        await_inflate_buffer(adapter)
        # Several processes: the kernel, and those it traces.
        assert len(processes_of(place)) > 1
        os.kill(adapter.pid, signal.SIGKILL)
        with pytest.raises(ImplementationCrashed, match="killed by SIGKILL"):
            adapter.observe(0.5)
        adapter.start(SETUP)
        assert adapter.negotiate(ALL, space(0)) == ALL
    finally:
        adapter.stop()


def test_a_kernel_that_panics_is_a_crash_with_its_last_words(place):
    adapter = LinuxUml(UmlOptions(memory_mib=128, extra_kernel_arguments=("sysctl.vm.panic_on_oom=2",)))
    try:
        adapter.start(SETUP)
        adapter.negotiate(VERSION_1, space(0))
        with pytest.raises(ImplementationCrashed, match=r"(SIGABRT|exit status \d+); its last words"):
            adapter.guest("hold", "all", 60000)
    finally:
        adapter.stop()


def test_a_driver_that_waits_for_a_buffer_nobody_returns_hangs_and_is_replaced(place):
    adapter = LinuxUml(UmlOptions(answer_seconds=1.0))
    try:
        adapter.start(SETUP)
        adapter.negotiate(ALL, space(300))
        first = adapter.pid
        await_inflate_buffer(adapter)
        with pytest.raises(ImplementationHung, match=r"did not answer 'unload' within 1 seconds"):
            adapter.guest("unload")
        # Once the buffer is back the driver goes on, and the kernel need not be replaced.
        adapter.start(SETUP)
        assert adapter.negotiate(ALL, space(0)) == ALL
        assert adapter.pid == first
    finally:
        adapter.stop()


def test_a_kernel_that_stands_still_is_replaced_at_the_next_start(place):
    adapter = LinuxUml(UmlOptions(answer_seconds=1.0))
    try:
        adapter.start(SETUP)
        first = adapter.pid
        os.kill(first, signal.SIGSTOP)
        with pytest.raises(ImplementationHung, match="did not answer 'memory'"):
            adapter.guest("memory")
        adapter.start(SETUP)
        assert adapter.pid != first
    finally:
        adapter.stop()


def test_a_guest_whose_suite_is_gone_ends_by_itself(place):
    kernel = GuestKernel(UmlOptions())
    try:
        kernel._line.shutdown(2)
        assert kernel.ended(PATIENCE_SECONDS)
    finally:
        kernel.stop()


def test_a_guest_without_memory_ends_by_itself_too(place):
    adapter = LinuxUml(UmlOptions(memory_mib=64))
    try:
        adapter.start(SETUP)
        adapter.negotiate(ALL, space(0xFFFFF))
        # Up to where the driver looks at the target, and again, and finds nothing more to give up.
        looks = 0
        while looks < 3:
            events = adapter.observe(PATIENCE_SECONDS)
            assert events
            for event in events:
                if isinstance(event, Available) and event.queue == INFLATE:
                    adapter.use(INFLATE, event.buffer, 0, b"")
                    looks = 0
                looks += isinstance(event, ConfigurationRead)
        kernel = adapter._guest._kernel
        kernel._line.shutdown(2)
        assert kernel.ended(PATIENCE_SECONDS)
    finally:
        adapter.stop()


def test_a_module_for_another_kernel_is_refused_before_any_case(place, tmp_path):
    module = tmp_path / "virtio_balloon.ko"
    stock = parts._find_module(shutil.which("linux.uml"), "")
    data = parts.unpacked(stock)
    release = parts._version_of(shutil.which("linux.uml")).encode()
    module.write_bytes(data.replace(b"vermagic=" + release, b"vermagic=" + release[::-1]))
    adapter = LinuxUml(UmlOptions(module=str(module)))
    with pytest.raises(AdapterError, match=r"could not 'load': insmod: .*invalid module format"):
        adapter.start(SETUP)
    adapter.stop()


def test_memory_is_as_large_as_asked_for(place):
    adapter = LinuxUml(UmlOptions(memory_mib=256))
    try:
        adapter.start(SETUP)
        assert 200 << 10 < memory_of(adapter)["MemTotal"] <= 256 << 10
    finally:
        adapter.stop()


@pytest.mark.parametrize(
    ("offered", "set_up", "seen"),
    [
        (("PAGE_REPORTING",), {0, 1, 2}, {Numbering.DENSE_OFFERED, Numbering.DENSE_NEGOTIATED}),
        (("PAGE_REPORTING", "STATS_VQ"), {0, 1, 2, 3}, {Numbering.DENSE_OFFERED, Numbering.DENSE_NEGOTIATED}),
        (("STATS_VQ",), {0, 1, 2}, set(Numbering)),
    ],
)
def test_its_queues_are_seen_to_be_numbered_densely(live, offered, set_up, seen):
    profile = DENSE_NEGOTIATED
    with DriverSession(live, profile, memory_pages=SETUP.memory_pages) as session:
        assert session.negotiate(profile.mask(["VERSION_1", *offered]), space(0)) is not None
        session.settle()
        assert live.queues_set_up() == set_up
    assert session.numberings == seen
