"""The driver in a modelled guest is a driver that nobody can tell which pages to give up, and its guest obeys."""

import pytest

from balloon_conformance.iut.contract import (
    AdapterError,
    Capability,
    DriverAdapter,
    ReachesMemory,
    Setup,
    SteersGuest,
)
from balloon_conformance.iut.linux_uml import adapter as linux_uml
from balloon_conformance.iut.reference.free_driver import COMMANDS, FreeReferenceDriver, free_driver_target
from balloon_spec import events as ev
from balloon_spec.families.base import configuration
from balloon_spec.families.base.configuration import Configuration
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

PAGES = 0x2000
ALL = CHUNK_TRANSFER.mask([feature.name for feature in CHUNK_TRANSFER.device_features] + ["VERSION_1"])


@pytest.fixture
def driver():
    adapter = FreeReferenceDriver()
    adapter.start(Setup(CHUNK_TRANSFER, PAGES))
    return adapter


def space(num_pages):
    return configuration.build(Configuration(num_pages, 0))


def serve(driver):
    """Return every inflate and deflate buffer until nothing more comes; return the pages named, in turn."""
    named = []
    while events := driver.observe(0.0):
        for event in events:
            if isinstance(event, ev.Available) and event.queue in {0, 1}:
                named.append((event.queue, runs(event.readable)))
                driver.use(event.queue, event.buffer, 0, b"")
    return named


def runs(message):
    words = [int.from_bytes(message[at : at + 8], "little") >> 12 for at in range(8, len(message), 8)]
    return PageSet(zip(words[::2], words[1::2], strict=True))


def free(driver):
    return int(driver.guest("memory").split("MemAvailable=")[1]) // 4


def test_it_keeps_the_contracts_and_has_the_commands_of_a_kernel_without_modules(driver):
    assert isinstance(driver, DriverAdapter)
    assert isinstance(driver, SteersGuest)
    assert isinstance(driver, ReachesMemory)
    assert linux_uml.COMMANDS - {"load", "unload", "reload"} == COMMANDS
    assert {Capability.STEER_GUEST, Capability.GUEST_MEMORY} <= driver.capabilities
    assert Capability.STEER_PAGES not in driver.capabilities
    with pytest.raises(AdapterError, match="chooses its own pages"):
        driver.steer("inflate", PageSet([(1, 1)]))
    assert free_driver_target().make().description == "free-reference-driver"


def test_what_the_guest_takes_the_driver_does_not_give_up_and_what_it_frees_it_may(driver):
    driver.guest("allocate", "mine", 100)
    driver.negotiate(ALL, space(8))
    assert serve(driver) == [(0, PageSet([(100, 8)]))]
    assert free(driver) == PAGES - 108
    driver.guest("release", "mine")
    driver.change_configuration(space(10))
    assert serve(driver) == [(0, PageSet([(0, 2)]))]


def test_a_fragmented_guest_gives_up_every_second_page_first(driver):
    driver.guest("fragment", "holes", 3)
    driver.negotiate(ALL, space(5))
    assert serve(driver) == [(0, PageSet([(1, 1), (3, 1), (5, 3)]))]


def test_a_target_that_could_not_be_reached_is_when_memory_is_freed(driver):
    driver.guest("hold", "most", PAGES - 1024)
    driver.negotiate(ALL, space(1030))
    assert sum(pages.pages for _, pages in serve(driver)) == 1024
    driver.guest_begin("clear")
    assert driver.guest_answer(0.0) is None
    assert sum(pages.pages for _, pages in serve(driver)) == 6
    assert driver.guest_answer(0.0) == ""


def test_memory_is_written_by_the_guest_where_it_takes_pages_and_by_the_device(driver):
    driver.write_memory(0x0FFE, b"abcd")
    assert driver.read_memory(0x0FFE, 4) == b"abcd"
    assert driver.read_memory(0x5000, 2) == b"\0\0"
    driver.guest("allocate", "mine", 2)
    assert driver.read_memory(0x1000, 4096) == f"{'mine':<4087} {1:08d}".encode()
    assert driver.guest("verify", "mine", 2) == ""
    driver.write_memory(0x1FFF, b"x")
    with pytest.raises(AdapterError, match="verify: mine differs at page 0x1"):
        driver.guest("verify", "mine", 2)


def test_compaction_exchanges_pages_of_the_balloon_and_the_guest_writes_to_the_old_ones(driver):
    driver.negotiate(ALL, space(64))
    serve(driver)
    driver.write_memory(0, b"canary")
    driver.guest_begin("compact")
    assert serve(driver) == [(1, PageSet([(0, 16)])), (0, PageSet([(PAGES - 16, 16)]))]
    assert driver.guest_answer(0.0) == ""
    assert driver.read_memory(0, 6) == b" " * 6
    assert not any(isinstance(event, ev.Guest) for event in driver.observe(0.0))


def test_a_guest_that_may_not_deflate_moves_nothing(driver):
    driver.negotiate(ALL & ~CHUNK_TRANSFER.mask(["DEFLATE_ON_OOM"]), space(64))
    serve(driver)
    driver.guest("compact")
    assert serve(driver) == []


def test_want_of_memory_takes_pages_of_the_balloon_back(driver):
    driver.negotiate(ALL, space(300))
    serve(driver)
    driver.guest_begin("oom")
    assert serve(driver)[0] == (1, PageSet([(0, 256)]))
    assert driver.guest_answer(0.0) == ""


def test_a_guest_with_memory_above_4_gib_gives_up_that_and_uses_the_rest():
    driver = FreeReferenceDriver()
    driver.start(Setup(CHUNK_TRANSFER, (1 << 20) + 64))
    driver.negotiate(ALL, space(8))
    assert serve(driver) == [(0, PageSet([(1 << 20, 8)]))]
    driver.guest("hold", "mine", 3)
    assert driver.read_memory(0x2FFF, 1) == b" "
    assert driver.read_memory(0x3000, 1) == b"\0"
    driver.guest("release", "mine")
    assert free(driver) == (1 << 20) + 56


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("allocate", "mine", PAGES), "out of memory"),
        (("release", "mine"), "nothing is called mine"),
        (("reload",), "has no command 'reload'"),
    ],
)
def test_a_command_that_cannot_be_carried_out_says_why(driver, words, reason):
    with pytest.raises(AdapterError, match=reason):
        driver.guest(*words)


def test_a_guest_that_fills_its_memory_keeps_some(driver):
    driver.guest("fill", "most")
    assert free(driver) == 1024
    assert driver.read_memory((PAGES - 1025) << 12, 1) == b" "


def test_one_command_at_a_time_and_an_answer_to_none(driver):
    with pytest.raises(AdapterError, match="was given no command"):
        driver.guest_answer(0.0)
    driver.guest_begin("drop-caches")
    with pytest.raises(AdapterError, match="still at a command"):
        driver.guest_begin("clear")
