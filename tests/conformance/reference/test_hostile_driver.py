"""Whatever a driver sends, the reference device lives, returns it, and touches only what was named."""

from __future__ import annotations

import struct

from hand_bytes import message
from hypothesis import given
from hypothesis import strategies as st

from balloon_conformance.reference import Device, DeviceOptions
from balloon_conformance.reference.device_state import Accept, Discard
from balloon_spec.events import Available, ConfigurationWritten, DriverOk, Used
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

MEMORY = PageSet([(0x10, 0x10), (0x40, 0x40)])
NAMES = ("STATS_VQ", "HOST_REQ_VQ", "VERSION_1")

words = st.one_of(
    st.integers(0, 0xFFFFF), st.integers(0, (1 << 64) - 1), st.integers((1 << 64) - 0xFFFF, (1 << 64) - 1)
)
near_messages = st.builds(
    lambda head, data_len, numbers, cut: (
        struct.pack("<IiQ", head, data_len, 0)[:8] + b"".join(struct.pack("<Q", word) for word in numbers)
    )[: cut or None],
    st.integers(0, 0xFFFFFFFF),
    st.one_of(st.integers(0, 8).map(lambda chunks: 16 * chunks), st.integers(-1, 200)),
    st.lists(words, max_size=12),
    st.integers(0, 110),
)
buffers = st.lists(
    st.tuples(
        st.integers(0, 5), st.one_of(st.binary(max_size=60), near_messages), st.sampled_from([0, 0, 0, 16, 3])
    ),
    max_size=8,
)


def named(data: bytes, *, chunks: bool) -> set[int]:
    """Every page of guest memory a reader of whole chunks or entries could see named, read one by one."""
    exists = {pfn for run in MEMORY for pfn in range(run.first, run.end)}
    if not chunks:
        return exists & {entry for (entry,) in struct.iter_unpack("<I", data[: len(data) // 4 * 4])}
    found = set()
    body = data[8:]
    for base, size in struct.iter_unpack("<QQ", body[: len(body) // 16 * 16]):
        found |= {pfn for pfn in exists if base >> 12 <= pfn < (base >> 12) + (size >> 12)}
    return found


@given(buffers, st.booleans())
def test_no_bytes_end_the_device_or_reach_pages_they_do_not_name(sent, chunks: bool) -> None:
    device = Device(DeviceOptions(memory=MEMORY))
    device.receive(Accept(CHUNK_TRANSFER.mask([*NAMES, "CHUNK_TRANSFER"] if chunks else NAMES)))
    device.receive(DriverOk())
    for number, (queue, data, writable_bytes) in enumerate(sent):
        outputs = device.receive(Available(queue, str(number), data, writable_bytes))
        for output in outputs:
            if isinstance(output, Discard):
                pages = {pfn for run in output.pages for pfn in range(run.first, run.end)}
                assert queue == 0
                assert pages <= named(data, chunks=chunks)
        returned = [output for output in outputs if isinstance(output, Used)]
        if queue < 2 or (queue == 3 and data):
            assert returned == [Used(queue, str(number), 0, b"")]
        device.receive(ConfigurationWritten(queue, data))
    after = device.receive(Available(0, "last", message((0x10, 1)) if chunks else struct.pack("<I", 0x10)))
    assert after == (Discard(PageSet([(0x10, 1)])), Used(0, "last"))


def test_a_device_without_memory_discards_nothing() -> None:
    device = Device(DeviceOptions(memory=PageSet()))
    device.receive(Accept(CHUNK_TRANSFER.mask([*NAMES, "CHUNK_TRANSFER"])))
    device.receive(DriverOk())
    assert device.receive(Available(0, "b", message((0, 1))))[1:] == (Used(0, "b"),)
