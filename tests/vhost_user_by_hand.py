"""A front-end made of plain ``struct`` and sockets: it shares no code with what it tests.

It does what Linux in user mode does: one region at an odd guest address whose file offset and user address
are the same number, a memory table with room for two, queues of 256, pipes for calls and for the request
channel, and every message with NEED_REPLY once that was agreed.
"""

from __future__ import annotations

import array
import mmap
import os
import select
import socket
import struct
from pathlib import Path

GUEST = 0x20CDD000
PAGES = 64
QUEUE = 256
GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE = 1, 2, 3, 5
NUM, ADDR, BASE, GET_BASE, KICK, CALL = 8, 9, 10, 11, 12, 13
GET_PROTOCOL, SET_PROTOCOL, ENABLE, CHANNEL, GET_CONFIG, SET_CONFIG = 15, 16, 18, 21, 24, 25
LINUX_PROTOCOL = 0x228


def header(request, size, flags=1):
    return struct.pack("<III", request, flags, size)


def u64(number):
    return struct.pack("<Q", number)


def state(index, number):
    return struct.pack("<II", index, number)


def config(offset, data, flags=0):
    return struct.pack("<III", offset, len(data), flags) + data


def region(guest=GUEST, length=PAGES * 4096, user=GUEST, offset=GUEST):
    return struct.pack("<QQQQ", guest, length, user, offset)


def table(*regions, room=0):
    return struct.pack("<II", len(regions), 0) + b"".join(regions) + bytes(32 * room)


def send(sock, request, payload=b"", flags=1, fds=()):
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([header(request, len(payload), flags) + payload], ancillary)


def open_descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


class HandFrontEnd:
    """The driver's end of ``sock``. ``need`` is the flags word of messages without an answer of their own."""

    def __init__(self, sock, *, pipes=True):
        self.sock = sock
        self.sock.settimeout(5)
        self.need = 1
        self.file = os.memfd_create("guest")
        os.ftruncate(self.file, GUEST + PAGES * 4096)
        self.memory = mmap.mmap(self.file, PAGES * 4096, offset=GUEST)
        self.pipes = pipes
        self.kicks, self.calls = {}, {}
        self.theirs = []
        self.channel = None
        self.available = {}

    def close(self):
        self.sock.close()
        self.memory.close()
        os.close(self.file)
        if self.channel is not None:
            os.close(self.channel)
        for fd in (*self.kicks.values(), *self.calls.values(), *self.theirs):
            os.close(fd)
        self.kicks, self.calls, self.theirs, self.channel = {}, {}, [], None

    def tell(self, request, payload=b"", fds=()):
        send(self.sock, request, payload, self.need, fds)

    def ask(self, request, payload=b""):
        send(self.sock, request, payload)

    def reply(self, request):
        """Return the body of the next message, which is the reply to ``request`` with flags exactly 5."""
        seen, flags, size = struct.unpack("<III", self._exactly(12))
        assert (seen, flags) == (request, 5), (seen, flags, size)
        return self._exactly(size)

    def acknowledged(self, *requests):
        for request in requests:
            assert self.reply(request) == bytes(8)

    def silent(self):
        return not select.select([self.sock], [], [], 0)[0]

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.sock.recv(size - len(data))
            assert part, "the back-end hung up"
            data += part
        return data

    def greet(self, protocol=LINUX_PROTOCOL):
        """Everything up to the features, in the order of user-mode Linux."""
        send(self.sock, SET_OWNER)
        send(self.sock, GET_FEATURES)
        send(self.sock, GET_PROTOCOL)
        send(self.sock, SET_PROTOCOL, u64(protocol))
        self.need = 9 if protocol & 8 else 1
        if protocol & 0x20:
            self.give_channel()

    def give_channel(self):
        ours, theirs = os.pipe() if self.pipes else self._pair()
        self.tell(CHANNEL, fds=[theirs])
        os.close(theirs)
        self.channel = ours

    def _pair(self):
        ours, theirs = socket.socketpair()
        return ours.detach(), theirs.detach()

    def accept(self, features):
        self.tell(SET_FEATURES, u64(features | 1 << 30))

    def share(self):
        self.tell(SET_MEM_TABLE, table(region(), room=1), fds=[self.file])

    def set_up(self, queue, size=QUEUE):
        if queue in self.calls:
            os.close(self.calls.pop(queue))
        if self.pipes:
            ours, theirs = os.pipe()
        else:
            ours = os.eventfd(0, os.EFD_NONBLOCK)
            theirs = os.dup(ours)
        self.calls[queue] = ours
        self.tell(CALL, u64(queue), fds=[theirs])
        os.close(theirs)
        self.tell(NUM, state(queue, size))
        self.tell(BASE, state(queue, 0))
        self.tell(ADDR, self.addresses(queue))
        self.available[queue] = 0

    def addresses(self, queue):
        at = GUEST + queue * 0x4000
        return struct.pack("<IIQQQQ", queue, 0, at, at + 0x2000, at + 0x1000, 0)

    def enable(self, queue):
        if queue in self.kicks:
            os.close(self.kicks.pop(queue))
        if self.pipes:
            theirs, ours = os.pipe()
            self.theirs.append(theirs)
            self.kicks[queue] = ours
            self.tell(KICK, u64(queue), fds=[theirs])
        else:
            self.kicks[queue] = os.eventfd(0, os.EFD_NONBLOCK)
            self.tell(KICK, u64(queue), fds=[self.kicks[queue]])
        self.tell(ENABLE, state(queue, 1))

    def bring_up(self, features=0, queues=(0, 1), protocol=LINUX_PROTOCOL):
        self.greet(protocol)
        self.accept(features)
        self.share()
        for queue in queues:
            self.set_up(queue)
        for queue in queues:
            self.enable(queue)

    def take_bring_up_replies(self, queues=(0, 1)):
        self.reply(GET_FEATURES)
        self.reply(GET_PROTOCOL)
        self.acknowledged(CHANNEL, SET_FEATURES, SET_MEM_TABLE)
        for _ in queues:
            self.acknowledged(CALL, NUM, BASE, ADDR)
        for _ in queues:
            self.acknowledged(KICK, ENABLE)

    def descriptor(self, queue, slot, address, length, *, flags=0, following=0):
        at = queue * 0x4000 + 16 * slot
        self.memory[at : at + 16] = struct.pack("<QIHH", address, length, flags, following)

    def make_available(self, queue, head):
        index = self.available[queue]
        at = queue * 0x4000 + 0x1000
        struct.pack_into("<H", self.memory, at + 4 + 2 * (index % QUEUE), head)
        self.available[queue] = index + 1 & 0xFFFF
        struct.pack_into("<H", self.memory, at + 2, self.available[queue])

    def data_address(self, slot):
        return GUEST + 0x20000 + slot * 0x400

    def put(self, slot, data):
        at = 0x20000 + slot * 0x400
        self.memory[at : at + len(data)] = data

    def offer(self, queue, data, head=0, *, kick=True):
        """Make one buffer of one readable descriptor available."""
        self.put(head, data)
        self.descriptor(queue, head, self.data_address(head), len(data))
        self.make_available(queue, head)
        if kick:
            self.kick(queue)

    def kick(self, queue):
        os.write(self.kicks[queue], u64(1))

    def used(self, queue):
        at = queue * 0x4000 + 0x2000
        index = struct.unpack_from("<H", self.memory, at + 2)[0]
        return [struct.unpack_from("<II", self.memory, at + 4 + 8 * (i % QUEUE)) for i in range(index)]

    def called(self, queue):
        """Take the notifications that came; how many bytes they were."""
        if not select.select([self.calls[queue]], [], [], 0)[0]:
            return 0
        return len(os.read(self.calls[queue], 4096))
