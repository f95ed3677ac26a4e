"""The device that reads short messages by plain numbers says of every message what the other says."""

import struct

from hypothesis import example, given
from hypothesis import strategies as st

from balloon_conformance.reference.device import Device
from balloon_conformance.reference.quick_device import QuickDevice
from balloon_spec.pages import PageSet

MEMORY = PageSet([(0x10, 0x40), (0x60, 0x20), (1 << 51, 1)])

words = st.builds(
    lambda number, low: number << 12 | low,
    st.integers(0, 0x90) | st.sampled_from([1 << 51, (1 << 52) - 1]),
    st.sampled_from([0, 0, 0, 0, 1, 0xFFF]),
)
bodies = st.builds(
    lambda chunks, rest: b"".join(struct.pack("<QQ", *one) for one in chunks) + rest,
    st.lists(st.tuples(words, words), max_size=18),
    st.binary(max_size=15) | st.just(b""),
)


def message(data_len, body):
    return struct.pack("<BBHI", 0, 1, 0x1234, data_len) + body


messages = st.builds(
    lambda body, more: message(max(len(body) + more, 0), body), bodies, st.sampled_from([0, 0, 0, 16, -16, 1])
)


@given(data=messages | st.binary(max_size=60), limit=st.sampled_from([0, 32, 4096]))
@example(data=message(16, struct.pack("<QQ", 0x10000, 0x40000)), limit=16)
@example(data=message(16, struct.pack("<QQ", 0x10000, 0x41000)), limit=16)
@example(data=message(16, struct.pack("<QQ", 0x10000, 0)), limit=16)
@example(data=message(32, struct.pack("<QQQQ", 0x60000, 0x1000, 0x10000, 0x1000)), limit=4096)
def test_both_devices_read_the_same(data, limit):
    assert QuickDevice().read_message(data, MEMORY, limit) == Device().read_message(data, MEMORY, limit)


def test_a_sound_message_of_one_chunk_takes_the_short_way(monkeypatch):
    monkeypatch.setattr(Device, "read_message", None)
    data = message(16, struct.pack("<QQ", 0x20000, 0x3000))
    content = QuickDevice().read_message(data, MEMORY, 16)
    assert content.pages == PageSet([(0x20, 3)])
    assert content.header.id == 0x1234
