"""The served reference device and a front-end that behaves as Linux in user mode does, written by hand.

No STATUS and no RESET_DEVICE; a memory table with room for two regions and one in it, at a large offset;
pipes where others have event descriptors and sockets; kicks before a ring is enabled; SET_FEATURES once more
on the same connection as the only sign of a reset.
"""

from __future__ import annotations

import os
import select
import socket
import struct

import pytest
from hand_bytes import message
from served_peer import SECONDS, ServedPeer

PAGE = 4096
BASE = 0x20CD_D000
"""Where guest memory begins: in guest-physical addresses, in user addresses and in the file."""
RAM_BYTES = 64 * PAGE
DESCRIPTORS, AVAILABLE, USED, DATA = 0, 0x1000, 0x2000, 0x3000
"""Where the parts of the one ring lie, and its buffers, from the beginning of memory on."""
VERSION_1, STATS, CHUNKS, PROTOCOL = 1 << 32, 1 << 1, 1 << 3, 1 << 30
CONFIG, BACKEND_REQ, REPLY_ACK = 1 << 9, 1 << 5, 1 << 3
SIZE = 256


class LinuxLike:
    """The inflate queue of a front-end; memory is a file of its own."""

    def __init__(self, path):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(SECONDS)
        self.connection.connect(path)
        self.ram = os.memfd_create("physmem")
        os.ftruncate(self.ram, BASE + RAM_BYTES)
        self.channel, channel = os.pipe()
        self.call, self.their_call = os.pipe()
        self.kick = os.eventfd(0)
        self.added = 0
        assert self.ask(1) & PROTOCOL
        self.ask(15)
        self.tell(16, struct.pack("<Q", CONFIG | BACKEND_REQ | REPLY_ACK), acknowledged=False)
        self.tell(21, b"", channel)
        os.close(channel)
        self.tell(2, struct.pack("<Q", VERSION_1 | STATS | CHUNKS | PROTOCOL))
        table = struct.pack("<IIQQQQ", 1, 0, BASE, RAM_BYTES, BASE, BASE) + bytes(32)
        self.tell(5, table, self.ram)

    def close(self):
        for descriptor in (self.ram, self.channel, self.call, self.their_call, self.kick):
            os.close(descriptor)
        self.connection.close()

    def tell(self, request, body, *descriptors, acknowledged=True):
        data = struct.pack("<III", request, 1 | (8 if acknowledged else 0), len(body)) + body
        socket.send_fds(self.connection, [data], descriptors)
        if acknowledged:
            assert self.connection.recv(20, socket.MSG_WAITALL) == struct.pack("<IIIQ", request, 5, 8, 0)

    def ask(self, request):
        self.connection.sendall(struct.pack("<III", request, 1, 0))
        answer = self.connection.recv(20, socket.MSG_WAITALL)
        assert struct.unpack_from("<III", answer) == (request, 5, 8)
        return struct.unpack_from("<Q", answer, 12)[0]

    def lay_ring(self, index=0, *, kick=True):
        os.pwrite(self.ram, bytes(DATA), BASE)
        self.added = 0
        self.tell(13, struct.pack("<Q", index), self.their_call)
        self.tell(8, struct.pack("<II", index, SIZE))
        self.tell(10, struct.pack("<II", index, 0))
        parts = (BASE + DESCRIPTORS, BASE + USED, BASE + AVAILABLE)
        self.tell(9, struct.pack("<IIQQQQ", index, 0, *parts, 0))
        self.tell(12, struct.pack("<Q", index if kick else index | 0x100), *([self.kick] if kick else []))

    def enable(self, index=0, *, on=True):
        self.tell(18, struct.pack("<II", index, int(on)))

    def add(self, data, *, kick=True):
        slot = self.added % SIZE
        where = BASE + DATA + 0x100 * slot
        os.pwrite(self.ram, data, where)
        os.pwrite(self.ram, struct.pack("<QIHH", where, len(data), 0, 0), BASE + DESCRIPTORS + 16 * slot)
        os.pwrite(self.ram, struct.pack("<H", slot), BASE + AVAILABLE + 4 + 2 * slot)
        self.added += 1
        os.pwrite(self.ram, struct.pack("<H", self.added), BASE + AVAILABLE + 2)
        if kick:
            os.eventfd_write(self.kick, 1)

    def used(self):
        return struct.unpack("<H", os.pread(self.ram, 2, BASE + USED + 2))[0]

    def await_call(self):
        ready, _, _ = select.select([self.call], [], [], SECONDS)
        assert ready, "no call"
        assert os.read(self.call, 8) == struct.pack("<Q", 1)

    def has_hole(self, page):
        at = BASE + page * PAGE
        return os.lseek(self.ram, at, os.SEEK_HOLE) == at


@pytest.fixture
def peer(tmp_path):
    peer = ServedPeer("reference-device", tmp_path)
    yield peer
    peer.kill()


@pytest.fixture
def linux(peer):
    linux = LinuxLike(peer.socket)
    yield linux
    linux.close()


def inflate(page):
    """A message that names page ``page`` of the memory."""
    return message(((BASE >> 12) + page, 1))


def test_a_kick_before_the_ring_is_enabled_is_not_lost(linux):
    os.pwrite(linux.ram, b"\x55" * PAGE, BASE + 50 * PAGE)
    linux.lay_ring()
    linux.add(inflate(50))
    linux.ask(1)
    assert linux.used() == 0
    assert not linux.has_hole(50)
    linux.enable()
    linux.await_call()
    assert linux.used() == 1
    assert linux.has_hole(50)


def test_a_ring_that_is_disabled_rests_and_goes_on(linux):
    linux.lay_ring()
    linux.enable()
    linux.add(inflate(50))
    linux.await_call()
    linux.enable(on=False)
    linux.add(inflate(51))
    linux.ask(1)
    assert linux.used() == 1
    linux.enable()
    linux.await_call()
    assert linux.used() == 2


def test_features_once_more_are_a_reset(linux):
    linux.lay_ring()
    linux.enable()
    linux.add(inflate(50))
    linux.await_call()
    linux.tell(25, struct.pack("<III", 4, 4, 0) + struct.pack("<I", 1))
    linux.enable(on=False)
    # Without CHUNK_TRANSFER now: an array of page frame numbers.
    linux.tell(2, struct.pack("<Q", VERSION_1 | PROTOCOL))
    linux.lay_ring()
    os.pwrite(linux.ram, b"\x55" * 3 * PAGE, BASE + 51 * PAGE)
    linux.add(struct.pack("<I", (BASE >> 12) + 52))
    linux.enable()
    linux.await_call()
    assert [linux.has_hole(page) for page in (51, 52, 53)] == [False, True, False]
    linux.connection.sendall(struct.pack("<III", 24, 1, 20) + struct.pack("<III", 0, 8, 0) + bytes(8))
    answer = linux.connection.recv(32, socket.MSG_WAITALL)
    assert answer == struct.pack("<IIIIIIII", 24, 5, 20, 0, 8, 0, 0, 0)


def test_a_change_of_the_target_comes_through_a_pipe_and_wants_no_reply(peer, linux):
    with socket.socket(socket.AF_UNIX) as operator:
        operator.settimeout(SECONDS)
        operator.connect(peer.control)
        operator.sendall(b'{"operator": "target", "value": 5}\n')
        assert operator.recv(100) == b'{"ok": true}\n'
    # Nobody is told before a driver runs.
    linux.lay_ring()
    linux.enable()
    with socket.socket(socket.AF_UNIX) as operator:
        operator.settimeout(SECONDS)
        operator.connect(peer.control)
        operator.sendall(b'{"operator": "target", "value": 6}\n')
        assert operator.recv(100) == b'{"ok": true}\n'
    ready, _, _ = select.select([linux.channel], [], [], SECONDS)
    assert ready
    assert os.read(linux.channel, 100) == struct.pack("<III", 2, 1, 0)


def test_a_ring_without_a_kick_descriptor_is_looked_at(linux):
    linux.lay_ring(kick=False)
    linux.enable()
    for count in (1, 2):
        linux.add(inflate(50), kick=False)
        linux.await_call()
        assert linux.used() == count


def test_a_front_end_that_reads_no_calls_does_not_stop_the_device(linux):
    """A pipe holds 8192 calls; the device goes on returning buffers when it is full."""
    linux.lay_ring()
    linux.enable()
    filled = os.write(linux.their_call, bytes(65536))
    assert filled == 65536
    for count in range(1, 4):
        linux.add(inflate(50))
        while linux.used() < count:
            # Every answer on the connection is another turn of the device.
            linux.ask(1)
    assert linux.used() == 3
