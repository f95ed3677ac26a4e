"""The adapters to the reference device and driver keep the contract, and never wait."""

from __future__ import annotations

import struct

import pytest
from hand_bytes import message, request, space, statistics

from balloon_conformance.iut.contract import (
    AdapterError,
    Buffer,
    Capability,
    DeviceAdapter,
    DriverAdapter,
    Setup,
)
from balloon_conformance.iut.reference.adapter import (
    ReferenceDevice,
    ReferenceDriver,
    reference_device_target,
    reference_driver_target,
)
from balloon_conformance.reference import Device, Driver, DriverOptions
from balloon_spec.events import (
    Available,
    ConfigurationChanged,
    ConfigurationRead,
    ConfigurationWritten,
    DriverOk,
    Guest,
    GuestAction,
    Memory,
    Segment,
    Side,
    Used,
)
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER
from balloon_spec.segments import from_lengths

SETUP = Setup(CHUNK_TRANSFER, 0x1000)
ALL = CHUNK_TRANSFER.mask([*(feature.name for feature in CHUNK_TRANSFER.device_features), "VERSION_1"])


@pytest.fixture
def device() -> ReferenceDevice:
    adapter = ReferenceDevice()
    adapter.start(SETUP)
    assert adapter.accept(ALL)
    adapter.prepare()
    adapter.driver_ok()
    return adapter


@pytest.fixture
def driver() -> ReferenceDriver:
    adapter = ReferenceDriver()
    adapter.start(SETUP)
    return adapter


def test_adapters_keep_their_contracts_and_name_what_they_can_do() -> None:
    device, driver = ReferenceDevice(), ReferenceDriver()
    assert isinstance(device, DeviceAdapter)
    assert isinstance(driver, DriverAdapter)
    # There is no guest around the reference driver to command, and no memory behind its pages.
    can = device.capabilities | driver.capabilities
    assert can == frozenset(Capability) - {Capability.STEER_GUEST, Capability.GUEST_MEMORY}
    assert Capability.STEER_PAGES not in ReferenceDriver(steered=False).capabilities


@pytest.mark.parametrize("adapter", [ReferenceDevice(), ReferenceDriver()])
def test_stop_succeeds_in_every_state_and_start_begins_anew(adapter) -> None:
    adapter.stop()
    with pytest.raises(AdapterError, match="call start first"):
        adapter.reset()
    adapter.start(SETUP)
    adapter.stop()
    adapter.stop()
    adapter.start(SETUP)
    adapter.reset()
    assert adapter.observe(0.0) == []


def test_a_target_builds_a_fresh_adapter_each_time() -> None:
    device, driver = reference_device_target(), reference_driver_target()
    assert (device.name, device.side) == ("reference-device", Side.DEVICE)
    assert (driver.name, driver.side) == ("reference-driver", Side.DRIVER)
    assert device.make() is not device.make()
    assert isinstance(driver.make(), ReferenceDriver)


def test_a_subclass_goes_through_the_same_adapter() -> None:
    class Careless(Device):
        def accepts_data_len(self, data_len: int) -> bool:
            return True

    class Boastful(Driver):
        def count(self, state) -> int:
            return super().count(state) + 1

    device = reference_device_target("careless", Careless).make()
    device.start(SETUP)
    device.accept(ALL)
    device.driver_ok()
    data = message((1, 1), (3, 1))
    device.make_available(0, Buffer("a", data[:4] + struct.pack("<I", 24) + data[8:]))
    assert device.discarded(PageSet([(0, 9)])) == (PageSet([(1, 1)]), PageSet())
    assert device.description == "careless"
    driver = reference_driver_target("boastful", Boastful).make()
    driver.start(SETUP)
    driver.negotiate(ALL, space(2))
    driver.steer("inflate", PageSet([(1, 2)]))
    sent = driver.observe(0.0)[-1]
    driver.use(0, sent.buffer, 0, b"")
    assert driver.observe(0.0) == [ConfigurationWritten(4, struct.pack("<I", 3))]


# -- device ------------------------------------------------------------------------------------------------


def test_a_device_offers_and_keeps_features() -> None:
    adapter = ReferenceDevice(offered=1 << 32 | 0b10)
    adapter.start(SETUP)
    assert adapter.offered() == 1 << 32 | 0b10
    assert not adapter.accept(0b110)
    assert adapter.accept(0b10)
    assert adapter.ring_sizes() == ((0, 1024), (1, 1024), (2, 1024))
    assert adapter.memory == PageSet([(0, 0x1000)])


def test_a_buffer_is_joined_from_its_cuts_and_returned(device: ReferenceDevice) -> None:
    device.make_available(0, Buffer("a", message((0x10, 4)), segments=from_lengths((3, 20, 1)), notify=False))
    assert device.observe(5.0) == [Used(0, "a", 0, b"", notified=True)]
    assert device.observe(5.0) == []


def test_a_cut_that_does_not_add_up_is_the_suites_fault(device: ReferenceDevice) -> None:
    with pytest.raises(
        AdapterError, match="buffer a is cut into 3 bytes and has 24; make the lengths add up"
    ):
        device.make_available(0, Buffer("a", message((0x10, 4)), segments=from_lengths((3,))))


def test_of_a_buffer_with_a_descriptor_beyond_memory_a_device_reads_nothing(device: ReferenceDevice) -> None:
    segments = (Segment(8), Segment(16, address=0xFFFFF0))
    device.make_available(0, Buffer("inside", message((0x10, 4)), segments=segments))
    assert device.discarded(device.memory)[0] == PageSet([(0x10, 4)])
    segments = (Segment(8), Segment(16, address=0xFFFFF1))
    device.make_available(0, Buffer("beyond", message((0x20, 4)), segments=segments))
    assert [used.buffer for used in device.observe(5.0)] == ["inside", "beyond"]
    assert device.discarded(device.memory)[0] == PageSet()


def test_a_discard_is_seen_once_by_who_looks_at_it(device: ReferenceDevice) -> None:
    device.make_available(0, Buffer("a", message((0x10, 4), (0x20, 1))))
    assert device.discarded(PageSet([(0x12, 8)])) == (PageSet([(0x12, 2)]), PageSet())
    assert device.discarded(PageSet([(0, 0x1000)])) == (PageSet([(0x10, 2), (0x20, 1)]), PageSet())
    assert device.discarded(PageSet([(0, 0x1000)])) == (PageSet(), PageSet())


def test_the_configuration_space_is_read_and_written(device: ReferenceDevice) -> None:
    device.operate("target", 5)
    assert device.observe(0.0) == [ConfigurationChanged(space(5))]
    device.write_configuration(4, struct.pack("<I", 3))
    device.write_configuration(0, b"\xff\xff\xff\xff")
    assert device.read_configuration(0, 8) == space(5, 3)
    assert device.read_configuration(4, 8) == struct.pack("<II", 3, 0)
    assert device.log.notes == {"CFG-02": 1}


def test_the_operator_has_requests_made_and_statistics_returned(device: ReferenceDevice) -> None:
    device.make_available(2, Buffer("s", statistics((4, 1))))
    device.make_available(3, Buffer("r", writable_bytes=16))
    assert device.observe(0.0) == []
    device.operate("statistics", 0)
    device.operate("unused-pages", 0x1234)
    assert device.observe(0.0) == [
        Used(2, "s", notified=True),
        Used(3, "r", 16, request(0, 0x1234), notified=True),
    ]
    device.reset()
    device.operate("unused-pages", 1)
    assert device.log.notes == {"REQ-01": 1}


# -- driver ------------------------------------------------------------------------------------------------


def test_a_driver_shows_memory_and_its_first_buffers(driver: ReferenceDriver) -> None:
    assert driver.negotiate(ALL, space(0)) == ALL
    kinds = [type(event) for event in driver.observe(5.0)]
    assert kinds == [Memory, Available, Available, DriverOk, ConfigurationRead]
    assert driver.observe(5.0) == []


def test_a_driver_negotiates_once_between_two_resets(driver: ReferenceDriver) -> None:
    driver.negotiate(ALL, space(0))
    with pytest.raises(AdapterError, match="call reset before it negotiates again"):
        driver.negotiate(ALL, space(0))
    driver.reset()
    assert driver.negotiate(0, space(0)) == 0


def test_a_steered_driver_inflates_reports_and_deflates(driver: ReferenceDriver) -> None:
    driver.negotiate(ALL & ~0b100, space(0))
    driver.observe(0.0)
    driver.change_configuration(space(4))
    driver.steer("inflate", PageSet([(0x20, 4)]))
    read, inflate = driver.observe(0.0)
    assert read == ConfigurationRead(0, struct.pack("<I", 4))
    driver.use(0, inflate.buffer, 0, b"")
    assert driver.observe(0.0) == [ConfigurationWritten(4, struct.pack("<I", 4))]
    driver.steer("unused", PageSet([(0x1F, 3)]))
    driver.use(3, "host-request-1", 16, request(0, 7))
    (done,) = driver.observe(0.0)
    assert done.readable == message((0x1F, 1), flag=1, identifier=7)
    driver.change_configuration(space(3))
    driver.steer("deflate", PageSet([(0x21, 1)]))
    driver.use(1, driver.observe(0.0)[-1].buffer, 0, b"")
    used, written = driver.observe(0.0)
    assert used == Guest(GuestAction.USE, PageSet([(0x21, 1)]))
    assert written == ConfigurationWritten(4, struct.pack("<I", 3))
    driver.use(1, "nobody", 0, b"")
    assert driver.log.notes == {"BUF-04": 1}


def test_a_driver_that_is_not_steered_chooses_by_itself() -> None:
    adapter = ReferenceDriver(steered=False, own_memory=PageSet([(0xFFF, 9), (0x100, 1)]))
    adapter.start(SETUP)
    adapter.negotiate(ALL, space(9))
    assert adapter.observe(0.0)[-1].readable == message((0x100, 1), (0xFFF, 1))
    with pytest.raises(AdapterError, match="build the adapter with steered=True"):
        adapter.steer("inflate", PageSet([(1, 1)]))


def test_options_can_be_replaced_on_the_way() -> None:
    def small(options: DriverOptions) -> Driver:
        return Driver(DriverOptions(options.profile, options.memory, capacity_bytes=16))

    adapter = ReferenceDriver(small, description="small messages")
    adapter.start(SETUP)
    adapter.negotiate(ALL, space(2))
    adapter.steer("inflate", PageSet([(1, 1), (3, 1)]))
    assert [one.readable for one in adapter.observe(0.0)[-2:]] == [message((1, 1)), message((3, 1))]
