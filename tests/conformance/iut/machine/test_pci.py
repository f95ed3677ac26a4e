"""virtio over PCI against a mock made of bytes: capabilities, BARs, both interfaces, both kinds of interrupts."""

from __future__ import annotations

import struct

import pytest
from fake_pci_function import (
    BAR,
    COMMON,
    DEVICE,
    ISR,
    NO_VECTOR,
    NOTIFY,
    TRANSITIONAL_ID,
    USUAL,
    FakeFunction,
    FakeMachine,
)

from balloon_conformance.iut.contract import AdapterError, ImplementationViolation
from balloon_conformance.iut.machine.pci.capabilities import StructureKind, capabilities, choose, structures
from balloon_conformance.iut.machine.pci.function import Bar, PciFunction, place_bars
from balloon_conformance.iut.machine.pci.interrupts import MessageWords
from balloon_conformance.iut.machine.pci.legacy import LegacyPci
from balloon_conformance.iut.machine.pci.modern import VirtioPci
from balloon_conformance.iut.machine.transport import Interrupts
from balloon_conformance.iut.sight import NotVisible
from balloon_conformance.virtio import GuestMemory, Region, RingLayout

CONFIGURATION_VECTOR, QUEUE_COUNT, STATUS, GENERATION, QUEUE_SELECT = 16, 18, 20, 21, 22
QUEUE_SIZE, QUEUE_VECTOR, QUEUE_ENABLE, NOTIFY_OFFSET = 24, 26, 28, 30
TABLE = 0x800


# -- capabilities -----------------------------------------------------------------------------------------------------


def chosen(function):
    return choose(structures(function), place_bars(function))


def test_the_structures_are_found_with_their_places():
    found = chosen(FakeFunction())
    assert {kind: (one.bar, one.offset, one.length_bytes) for kind, one in found.items()} == {
        kind: (bar, offset, length) for kind, bar, offset, length in USUAL
    }
    assert found[StructureKind.NOTIFICATIONS].multiplier == 4


def test_the_first_structure_of_a_kind_is_taken():
    found = chosen(FakeFunction((*USUAL, (DEVICE, BAR, 0x2800, 0x10))))
    assert found[StructureKind.DEVICE].offset == 0x2000


def test_a_structure_behind_a_reserved_bar_is_passed_by():
    found = chosen(FakeFunction(((DEVICE, 6, 0, 0x10), *USUAL)))
    assert found[StructureKind.DEVICE].offset == 0x2000


def test_a_capability_of_another_kind_is_passed_by():
    assert chosen(FakeFunction(((0x77, BAR, 0xFFFF, 1), *USUAL))).keys() == set(StructureKind)


def test_a_function_without_a_list_has_no_capabilities():
    function = FakeFunction()
    function.bytes[0x06] = 0
    assert list(capabilities(function)) == []


def test_a_list_that_loops_is_the_devices_fault_and_no_hang():
    function = FakeFunction()
    function.bytes[function.at[-1] + 1] = function.at[1]
    with pytest.raises(ImplementationViolation, match=r"capabilities loops: 0x54 comes twice"):
        structures(function)


def test_a_list_that_enters_the_header_is_the_devices_fault():
    function = FakeFunction()
    function.bytes[function.at[-1] + 1] = 0x3C
    with pytest.raises(ImplementationViolation, match=r"goes on at 0x3c, in the header"):
        structures(function)


@pytest.mark.parametrize("kind", [COMMON, NOTIFY, ISR, DEVICE])
def test_a_kind_that_is_missing_is_named(kind):
    laid = tuple(one for one in USUAL if one[0] != kind)
    with pytest.raises(
        ImplementationViolation, match=rf"no capability of kind {kind} \(.*the list has the kinds"
    ):
        chosen(FakeFunction(laid))


def test_the_window_may_be_missing():
    assert StructureKind.WINDOW not in chosen(FakeFunction(USUAL[:-1]))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ((COMMON, BAR, 0x3FF0, 0x38), r"ends at 0x4028; BAR 4 has 0x4000 bytes"),
        ((COMMON, BAR, 0xFFFFFFC8, 0x38), r"ends at 0x100000000"),
        ((COMMON, 2, 0, 0x38), "BAR 2, which the function does not have"),
        ((COMMON, BAR, 0, 0x37), "has 55 bytes; it needs 56"),
        ((COMMON, BAR, 2, 0x38), "lies at 0x2, which is not a multiple of 4"),
    ],
)
def test_a_structure_that_cannot_be_is_named(wrong, words):
    with pytest.raises(ImplementationViolation, match=rf"structure of kind 1 \(COMMON\) .*{words}"):
        chosen(FakeFunction((wrong, *USUAL[1:])))


@pytest.mark.parametrize("length", [0, 19, 0xFF])
def test_a_capability_that_is_too_short_or_too_long_is_named(length):
    with pytest.raises(ImplementationViolation, match=rf"of kind 2 says that it has {length} bytes"):
        chosen(FakeFunction(lengths={NOTIFY: length}))


# -- BARs -------------------------------------------------------------------------------------------------------------


def test_bars_get_addresses_of_their_own_and_are_switched_on_last():
    function = FakeFunction(bar_bytes=0x10000)
    assert place_bars(function) == {0: Bar(True, 0x40, 0xC000), BAR: Bar(False, 0x10000, 0xE0000000)}
    assert function.written[0] == (0x04, 2, 0)
    assert function.written[-1] == (0x04, 2, 7)


@pytest.mark.parametrize("size", [0x20000000, 0x80000000])
def test_a_bar_that_fits_nowhere_is_the_devices_fault(size):
    with pytest.raises(ImplementationViolation, match=f"BAR 4 asks for {size} bytes, which no machine has"):
        place_bars(FakeFunction(bar_bytes=size))


def test_a_function_is_found_by_its_id_in_any_slot():
    for device_id, transitional in ((0x1045, False), (TRANSITIONAL_ID, True)):
        function = PciFunction.find(FakeMachine(FakeFunction(device_id=device_id), slot=31), 5)
        assert (function.slot, function.is_transitional) == (31, transitional)
    with pytest.raises(AdapterError, match="PCI bus 0 has no virtio device with id 5"):
        PciFunction.find(FakeMachine(FakeFunction(device_id=0x1042)), 5)


# -- the modern interface ---------------------------------------------------------------------------------------------


class Modern(FakeMachine):
    """A function with two queues of 8 that works."""

    refused: frozenset = frozenset()

    def __init__(self, function):
        super().__init__(function)
        self.queues = [
            {QUEUE_SIZE: 8, QUEUE_VECTOR: NO_VECTOR, QUEUE_ENABLE: 0, NOTIFY_OFFSET: n} for n in range(2)
        ]
        self.memory[QUEUE_COUNT] = 2
        self.memory[0x3000:0x3100] = bytes(0x100)

    def load(self, at, width):
        if QUEUE_SIZE <= at < 32:
            index = super().load(QUEUE_SELECT, 2)
            return self.queues[index][at] if index < len(self.queues) else 0
        value = super().load(at, width)
        if at == 0x1000:
            self.interrupt(0)
        return value

    def interrupt(self, isr, *, asserts=True):
        """Set the ISR status, and assert INTx if there is a reason."""
        self.memory[0x1000] = isr
        self.function.bytes[0x06] = 0x18 if isr and asserts else 0x10

    def store(self, at, width, value):
        if at in {CONFIGURATION_VECTOR, QUEUE_VECTOR} and value in self.refused:
            value = NO_VECTOR
        if QUEUE_SIZE <= at < 32:
            self.queues[super().load(QUEUE_SELECT, 2)][at] = value
        else:
            super().store(at, width, value)


def modern(function=None, words=None, machine=Modern):
    qtest = machine(function or FakeFunction())
    space = PciFunction.find(qtest, 5)
    return qtest, VirtioPci(qtest, space, place_bars(space), words)


def test_a_queue_is_enabled_last_and_notified_at_its_own_address():
    qtest, device = modern()
    assert [device.queue_size_maximum(index) for index in range(3)] == [8, 8, 0]
    device.enable_queue(1, RingLayout(4, 0x1_00000000, 0x80, 0x2_00000100))
    begun = next(n for n, one in enumerate(qtest.stores) if one == (QUEUE_SIZE, 2, 4))
    assert qtest.stores[begun:] == [
        (QUEUE_SIZE, 2, 4),
        (32, 4, 0), (36, 4, 1),
        (40, 4, 0x80), (44, 4, 0),
        (48, 4, 0x100), (52, 4, 2),
        (QUEUE_ENABLE, 2, 1),
    ]  # fmt: skip
    device.notify(1)
    assert qtest.stores[-1] == (0x3004, 2, 1)


def test_a_notification_outside_its_structure_is_the_devices_fault():
    qtest, device = modern()
    qtest.queues[1][NOTIFY_OFFSET] = 0x40
    with pytest.raises(ImplementationViolation, match=r"queue 1 is notified at 0x100; .* has 0x100 bytes"):
        device.notify(1)


@pytest.mark.parametrize("size", [3, 100, 0xFFFF])
def test_a_queue_size_that_cannot_be_is_the_devices_fault(size):
    qtest, device = modern()
    qtest.queues[0][QUEUE_SIZE] = size
    with pytest.raises(ImplementationViolation, match=f"queue_size of queue 0 is {size}"):
        device.queue_size_maximum(0)


def test_a_size_that_does_not_read_back_is_the_devices_fault():
    class Stubborn(Modern):
        def store(self, at, width, value):
            super().store(at, width, 8 if at == QUEUE_SIZE else value)

    _, device = modern(machine=Stubborn)
    with pytest.raises(ImplementationViolation, match="reads 8 after the driver wrote 4"):
        device.enable_queue(0, RingLayout.packed_at(0, 4))


def test_a_queue_that_is_enabled_after_a_reset_is_the_devices_fault():
    qtest, device = modern()
    qtest.queues[0][QUEUE_ENABLE] = 1
    with pytest.raises(ImplementationViolation, match="queue 0 is enabled although the device was reset"):
        device.enable_queue(0, RingLayout.packed_at(0, 8))


def test_configuration_is_read_from_one_generation():
    class Changing(Modern):
        generations = iter([1, 2, 2, 2])
        values = iter([0xAAAAAAAA, 0x13])

        def load(self, at, width):
            if at == GENERATION:
                return next(self.generations)
            return next(self.values) if at == 0x2000 else super().load(at, width)

    _, device = modern(machine=Changing)
    assert device.read_configuration(0, 4) == b"\x13\x00\x00\x00"


# -- interrupts -------------------------------------------------------------------------------------------------------


WORDS_AT = 0x9F000


@pytest.fixture
def words():
    with GuestMemory([Region(WORDS_AT, bytearray(4096))]) as memory:
        yield MessageWords(memory, WORDS_AT)


def ring(qtest, words, vector):
    """Send the message of a vector as its entry of the table says; nothing if it is masked."""
    low, high, data, control = struct.unpack_from("<IIII", qtest.memory, TABLE + 16 * vector)
    if not control & 1:
        words.memory.write(high << 32 | low, data.to_bytes(4, "little"))


def test_intx_says_in_the_isr_what_it_is_for_and_is_acknowledged_by_the_read():
    qtest, device = modern()
    for pending, taken in (
        (1, Interrupts(used=True)),
        (2, Interrupts(configuration=True)),
        (3, Interrupts(configuration=True, used=True)),
    ):
        qtest.interrupt(pending)
        assert device.take_interrupts() == taken
        assert device.take_interrupts() == Interrupts()


def test_an_interrupt_of_before_a_reset_is_forgotten():
    qtest, device = modern()
    qtest.interrupt(3)
    device.reset()
    assert device.take_interrupts() == Interrupts()


def test_a_reason_without_an_interrupt_interrupts_nobody():
    qtest, device = modern()
    qtest.interrupt(1, asserts=False)
    assert device.take_interrupts() == Interrupts()
    qtest.interrupt(1)
    assert device.take_interrupts() == Interrupts(used=True)


def test_each_queue_has_a_vector_of_its_own_if_there_are_enough(words):
    qtest, device = modern(FakeFunction(msix_vectors=4), words)
    assert qtest.function.read(qtest.function.at[-1] + 2, 2) & 0x8000
    assert qtest.function.read(0x04, 2) & 0x400
    device.reset()
    for index in range(2):
        device.enable_queue(index, RingLayout.packed_at(0x1000 * index, 8))
    assert qtest.load(CONFIGURATION_VECTOR, 2) == 0
    assert [queue[QUEUE_VECTOR] for queue in qtest.queues] == [1, 2]
    assert device.take_interrupts() == Interrupts()
    ring(qtest, words, 2)
    assert device.take_interrupts() == Interrupts(queues=frozenset({1}))
    ring(qtest, words, 0)
    ring(qtest, words, 1)
    assert device.take_interrupts() == Interrupts(configuration=True, queues=frozenset({0}))
    ring(qtest, words, 3)
    assert device.take_interrupts() == Interrupts()


def test_all_queues_share_a_vector_if_there_are_two(words):
    qtest, device = modern(FakeFunction(msix_vectors=2), words)
    device.reset()
    for index in range(2):
        device.enable_queue(index, RingLayout.packed_at(0x1000 * index, 8))
    assert [queue[QUEUE_VECTOR] for queue in qtest.queues] == [1, 1]
    ring(qtest, words, 1)
    assert device.take_interrupts() == Interrupts(used=True)


def test_all_queues_share_a_vector_if_the_device_refuses_one(words):
    qtest, device = modern(FakeFunction(msix_vectors=3), words)
    qtest.refused = frozenset({2})
    device.reset()
    for index in range(2):
        device.enable_queue(index, RingLayout.packed_at(0x1000 * index, 8))
    assert [queue[QUEUE_VECTOR] for queue in qtest.queues] == [1, 1]
    ring(qtest, words, 1)
    assert device.take_interrupts() == Interrupts(used=True)


def test_a_device_that_refuses_every_vector_is_told_of_with_the_remedy(words):
    qtest, device = modern(FakeFunction(msix_vectors=3), words)
    qtest.refused = frozenset({1, 2})
    device.reset()
    with pytest.raises(AdapterError, match=r"gives queue 0 no MSI-X vector: .* use --qemu-interrupts intx"):
        device.enable_queue(0, RingLayout.packed_at(0, 8))
    qtest.refused = frozenset({0})
    with pytest.raises(AdapterError, match="gives configuration changes no MSI-X vector"):
        device.reset()


@pytest.mark.parametrize(
    ("vectors", "words_of_error"),
    [(0, "gives its balloon no MSI-X"), (1, "has 1 MSI-X vectors, and .* needs 2")],
)
def test_a_device_without_vectors_is_told_of_with_the_remedy(words, vectors, words_of_error):
    with pytest.raises(AdapterError, match=f"{words_of_error}; use --qemu-interrupts intx"):
        modern(FakeFunction(msix_vectors=vectors), words)


def test_a_vector_table_outside_its_bar_is_the_devices_fault(words):
    function = FakeFunction(msix_vectors=2)
    struct.pack_into("<I", function.bytes, function.at[-1] + 4, 0x3FF0 | BAR)
    with pytest.raises(
        ImplementationViolation, match="MSI-X table of 2 vectors at 0x3ff0 does not lie behind BAR 4"
    ):
        modern(function, words)


# -- the legacy interface ---------------------------------------------------------------------------------------------


def legacy(function=None, words=None):
    qtest = FakeMachine(function or FakeFunction(device_id=TRANSITIONAL_ID))
    space = PciFunction.find(qtest, 5)
    return qtest, LegacyPci(qtest, space, place_bars(space), words)


def test_a_legacy_queue_gets_the_number_of_its_page():
    qtest, device = legacy()
    struct.pack_into("<H", qtest.ports, 12, 128)
    assert device.queue_size_maximum(2) == 128
    device.enable_queue(2, RingLayout.legacy_at(0x41000, 128))
    assert qtest.stores[-2:] == [(14, 2, 2), (8, 4, 0x41)]
    device.notify(2)
    assert qtest.stores[-1] == (16, 2, 2)


def test_the_legacy_form_of_a_queue_is_that_of_the_specification():
    layout = RingLayout.legacy_at(0x41000, 128)
    # 128 descriptors of 16 bytes, 6 + 2 * 128 bytes of the available ring, and the next multiple of 4096.
    assert (layout.available_address, layout.used_address) == (0x41800, 0x42000)


def test_the_legacy_interface_has_32_feature_bits():
    qtest, device = legacy()
    struct.pack_into("<I", qtest.ports, 0, 0x30000006)
    assert device.device_features() == 0x30000006
    device.accept_features(6)
    assert qtest.stores[-1] == (4, 4, 6)
    with pytest.raises(NotVisible, match="32 feature bits"):
        device.accept_features(1 << 32)


def test_legacy_configuration_is_read_until_it_stays_the_same():
    qtest, device = legacy()
    qtest.ports[20:28] = bytes(range(8))
    reads = []
    load = qtest.inl

    def changing(port):
        reads.append(port)
        if len(reads) == 1:
            return 0xFFFFFFFF
        return load(port)

    qtest.inl = changing
    assert device.read_configuration(0, 4) == bytes(range(4))
    assert len(reads) == 3


def test_the_legacy_configuration_lies_behind_the_vectors_if_there_are_any(words):
    qtest, device = legacy(FakeFunction(device_id=TRANSITIONAL_ID, msix_vectors=2), words)
    qtest.ports[24:28] = b"\x13\x00\x00\x00"
    assert device.read_configuration(0, 4) == b"\x13\x00\x00\x00"


def test_a_function_without_ports_has_no_legacy_interface():
    function = FakeFunction()
    function.sizes.pop(0)
    function.bytes[0x10] = 0
    with pytest.raises(AdapterError, match="no ports behind BAR 0; use --qemu-transport pci"):
        legacy(function)


def test_a_legacy_queue_with_an_address_after_a_reset_is_the_devices_fault():
    qtest, device = legacy()
    qtest.ports[8] = 1
    with pytest.raises(ImplementationViolation, match="queue 0 has an address although the device was reset"):
        device.enable_queue(0, RingLayout.legacy_at(0x41000, 8))
