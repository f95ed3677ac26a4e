"""A vhost-user back-end with a balloon device in it, made of sockets, ``struct`` and ``mmap`` alone.

It shares no code with the project: it was written from the vhost-user specification and from the text of the
requirements. :class:`Device` is right; a subclass, or a flag, makes it right but unusual, or wrong.
"""

from __future__ import annotations

import array
import mmap
import os
import select
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread

MQ, REPLY_ACK, BACKEND_REQ, CONFIG, RESET_DEVICE, STATUS = (1 << bit for bit in (0, 3, 5, 9, 13, 16))
EVERYTHING = MQ | REPLY_ACK | BACKEND_REQ | CONFIG | RESET_DEVICE | STATUS
TELL, STATS, OOM, CHUNKS, REQUESTS, VERSION_1 = 1, 2, 4, 8, 16, 1 << 32
ALL = TELL | STATS | OOM | CHUNKS | REQUESTS | VERSION_1
NEEDS_STATS = CHUNKS | REQUESTS
PAGE = 4096
SECONDS = 60.0


class Ring:
    """What a front-end said of one virtqueue; ``next`` is the available index to go on from."""

    def __init__(self):
        self.size = self.next = self.used = 0
        self.addresses = None
        self.kick = self.call = None
        self.waits = False
        self.enabled = False

    def close(self):
        for descriptor in (self.kick, self.call):
            if descriptor is not None:
                os.close(descriptor)
        self.__init__()


class Device(Thread):
    """Listens at ``path`` and serves one front-end after another, until it is ended."""

    protocol = EVERYTHING
    offered = ALL
    needs = 0
    """Feature bits without which it refuses to work."""
    closes_channel = False
    """Whether it closes the request channel as soon as it was given."""
    listens_anew = False
    """Whether it takes its listener away while it serves somebody, and listens again a moment later."""
    late_seconds = 0.0
    """How long it takes until it listens."""
    drops = 0
    """How many connections it closes without a word before it serves one."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.listening = None
        self.connection = None
        self.ending = False
        self.heard = []
        self.wake, self.woken = os.pipe()
        if not self.late_seconds:
            self.listen()
        self.start()

    def listen(self):
        with suppress(FileNotFoundError):
            Path(self.path).unlink()
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(self.path)
        self.listening.listen()

    def end(self):
        self.ending = True
        os.close(self.woken)
        self.join(SECONDS)
        assert not self.is_alive()
        os.close(self.wake)
        if self.listening is not None:
            self.listening.close()

    def run(self):
        if self.late_seconds:
            select.select([self.wake], [], [], self.late_seconds)
            self.listen()
        while not self.ending:
            ready, _, _ = select.select([self.listening, self.wake], [], [])
            if self.listening in ready:
                self.connection, _ = self.listening.accept()
                with self.connection:
                    self.serve_somebody()
            if self.wake in ready:
                return

    def serve_somebody(self):
        if self.drops:
            type(self).drops -= 1
            return
        if self.listens_anew:
            self.listening.close()
        self.begin()
        # A front-end that hangs up with a reply unread resets the connection.
        with suppress(ConnectionError):
            self.serve()
        self.forget()
        for region in self.regions:
            region[4].close()
        if self.channel is not None:
            os.close(self.channel)
        if self.listens_anew:
            select.select([self.wake], [], [], 0.05)
            self.listen()

    def begin(self):
        self.rings = [Ring() for _ in range(4)]
        self.regions = []
        self.channel = None
        self.agreed = self.features = self.status = 0
        self.space = bytearray(8)

    def forget(self):
        for ring in self.rings:
            ring.close()
        self.features = self.status = 0

    # -- vhost-user ---------------------------------------------------------------------------------------

    def serve(self):
        while True:
            kicks = {ring.kick: at for at, ring in enumerate(self.rings) if ring.kick is not None}
            ready, _, _ = select.select([self.connection, self.wake, *kicks], [], [])
            if self.wake in ready:
                return
            for kick in ready:
                if kick in kicks:
                    with suppress(BlockingIOError):
                        os.read(kick, 8)
                    self.look(kicks[kick])
            if self.connection in ready and not self.take_message():
                return

    def take_message(self):
        header, ancillary, _, _ = self.connection.recvmsg(12, 1024)
        if len(header) < 12:
            return False
        descriptors = array.array("i")
        for _, _, data in ancillary:
            descriptors.frombytes(data)
        request, flags, size = struct.unpack("<III", header)
        body = self.connection.recv(size, socket.MSG_WAITALL) if size else b""
        self.heard.append(request)
        answer = self.answer(request, body, list(descriptors))
        if answer is False:
            return False
        if answer is not None:
            self.reply(request, answer)
        elif flags & 8 and self.agreed & REPLY_ACK:
            self.reply(request, bytes(8))
        return True

    def reply(self, request, body):
        self.connection.sendall(struct.pack("<III", request, 5, len(body)) + body)

    def answer(self, request, body, descriptors):
        """Serve one request: bytes to reply with, None where there is no reply of its own, False to hang up."""
        number = struct.unpack("<Q", body)[0] if len(body) == 8 else 0
        index, value = struct.unpack("<II", body) if len(body) == 8 else (0, 0)
        match request:
            case 1:
                return struct.pack("<Q", self.offered | 1 << 30)
            case 2:
                return self.set_features(number & ~(1 << 30))
            case 5:
                return self.share(body, descriptors)
            case 8:
                self.rings[index].size = value
            case 9:
                index, _, *addresses = struct.unpack("<IIQQQQ", body)
                self.rings[index].addresses = addresses[0], addresses[2], addresses[1]
                self.rings[index].used = self.word(addresses[1] + 2)
            case 10:
                self.rings[index].next = value
            case 11:
                base = struct.pack("<II", index, self.rings[index].next)
                self.rings[index].close()
                return base
            case 12:
                self.rings[number & 0xFF].kick = descriptors[0]
                os.set_blocking(descriptors[0], False)
            case 13:
                self.rings[number & 0xFF].call = descriptors[0]
            case 15:
                return struct.pack("<Q", self.protocol)
            case 16:
                self.agreed = number
            case 17:
                return struct.pack("<Q", len(self.rings))
            case 18:
                self.rings[index].enabled = bool(value)
                if self.rings[index].waits:
                    self.look(index)
            case 21:
                self.channel = descriptors[0]
                if self.closes_channel:
                    os.close(self.channel)
                    self.channel = None
            case 24:
                offset, length, kept = struct.unpack("<III", body[:12])
                data = bytes(self.space[offset : offset + length]).ljust(length, b"\0")
                return struct.pack("<III", offset, length, kept) + data
            case 25:
                offset, length, _ = struct.unpack("<III", body[:12])
                for at, byte in enumerate(body[12 : 12 + length], offset):
                    if 4 <= at < 8:
                        self.space[at] = byte
            case 34:
                self.forget()
            case 39:
                self.set_status(number)
            case 40:
                return struct.pack("<Q", self.status)
        return None

    def may_accept(self, features):
        missing = features & NEEDS_STATS and not features & STATS
        return not features & ~self.offered and not missing and not self.needs & ~features

    def set_features(self, features):
        self.features = features
        if not self.agreed & STATUS and not self.may_accept(features):
            return self.refuse()
        return None

    def refuse(self):
        """Without STATUS: what SET_FEATURES of a set that is not legal is answered with."""
        return struct.pack("<Q", 1)

    def set_status(self, status):
        if not status:
            self.forget()
            return
        if status & 8 and not self.may_accept(self.features):
            status &= ~8
        self.status = status

    def share(self, body, descriptors):
        for region in self.regions:
            region[4].close()
        count = struct.unpack_from("<I", body)[0]
        self.regions = []
        for at, descriptor in zip(range(count), descriptors, strict=True):
            guest, size, user, offset = struct.unpack_from("<QQQQ", body, 8 + 32 * at)
            self.regions.append((guest, size, user, offset, mmap.mmap(descriptor, size, offset=offset)))
            os.close(descriptor)

    # -- memory and rings ---------------------------------------------------------------------------------

    def at_user(self, address):
        for _, size, user, _, memory in self.regions:
            if user <= address < user + size:
                return memory, address - user
        raise AssertionError(f"{address:#x} is nowhere")

    def at_guest(self, address, length):
        for guest, size, _, _, memory in self.regions:
            if guest <= address and address + length <= guest + size:
                return memory, address - guest
        return None

    def word(self, address):
        memory, at = self.at_user(address)
        return struct.unpack_from("<H", memory, at)[0]

    def look(self, queue):
        """Take every buffer that is available on a queue."""
        ring = self.rings[queue]
        # A kick may be heard before the message that enables the ring, and counts all the same.
        ring.waits = ring.addresses is None or not ring.enabled
        if ring.waits:
            return
        while ring.next != self.word(ring.addresses[1] + 2):
            head = self.word(ring.addresses[1] + 4 + 2 * (ring.next % ring.size))
            ring.next = ring.next + 1 & 0xFFFF
            self.take(queue, head, *self.chain(ring, head))

    def chain(self, ring, slot):
        """The readable bytes of a buffer, and its writable parts."""
        memory, table = self.at_user(ring.addresses[0])
        readable, writable = b"", []
        while True:
            address, length, flags, following = struct.unpack_from("<QIHH", memory, table + 16 * slot)
            if flags & 2:
                writable.append((address, length))
            elif length:
                part, at = self.at_guest(address, length)
                readable += part[at : at + length]
            if not flags & 1:
                return readable, writable
            slot = following

    def give_back(self, queue, head, length=0):
        ring = self.rings[queue]
        memory, at = self.at_user(ring.addresses[2])
        struct.pack_into("<II", memory, at + 4 + 8 * (ring.used % ring.size), head, length)
        ring.used = ring.used + 1 & 0xFFFF
        struct.pack_into("<H", memory, at + 2, ring.used)
        self.signal(queue)

    def signal(self, queue):
        if self.rings[queue].call is not None:
            os.write(self.rings[queue].call, struct.pack("<Q", 1))

    # -- the balloon --------------------------------------------------------------------------------------

    def take(self, queue, head, readable, writable):
        if queue == 0:
            for first, pages in self.named(readable):
                self.discard(first, pages)
        if queue in {0, 1} or (queue == 3 and not writable):
            self.give_back(queue, head)
        # Statistics and request buffers are kept: nobody asks for either.

    def named(self, data):
        """The runs that a balloon buffer names; none of one that is malformed."""
        if not self.features & CHUNKS:
            return [(pfn, 1) for (pfn,) in struct.iter_unpack("<I", data[: len(data) & ~3])]
        if len(data) < 8 or struct.unpack_from("<I", data, 4)[0] != len(data) - 8 or len(data) % 16 != 8:
            return []
        return [(base >> 12, size >> 12) for base, size in struct.iter_unpack("<QQ", data[8:])]

    def discard(self, first, pages):
        """Discard a run; one that is not in memory whole has no effect."""
        if sum(self.inside(first, pages, region) for region in self.regions) != pages * PAGE:
            return
        for guest, size, _, _, memory in self.regions:
            begin = max(first * PAGE, guest)
            finish = min((first + pages) * PAGE, guest + size)
            if begin < finish:
                memory.madvise(mmap.MADV_REMOVE, begin - guest, finish - begin)

    @staticmethod
    def inside(first, pages, region):
        """How many bytes of the run lie in the region."""
        begin, finish = max(first * PAGE, region[0]), min((first + pages) * PAGE, region[0] + region[1])
        return max(finish - begin, 0)


class Slow(Device):
    """Takes its time over every buffer, and less than a deadline."""

    def take(self, queue, head, readable, writable):
        time.sleep(0.02)
        super().take(queue, head, readable, writable)
