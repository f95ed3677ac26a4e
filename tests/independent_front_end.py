"""A vhost-user front-end with a balloon driver in it, made of sockets, ``struct`` and ``mmap`` alone.

It shares no code with the project: it was written from the vhost-user specification and from the text of the
requirements. :class:`Driver` is right; a subclass, or a flag, makes it right but unusual, or wrong.
"""

from __future__ import annotations

import array
import mmap
import os
import select
import socket
import struct
from contextlib import suppress
from threading import Thread

MQ, REPLY_ACK, BACKEND_REQ, CONFIG, RESET_DEVICE, STATUS = (1 << bit for bit in (0, 3, 5, 9, 13, 16))
EVERYTHING = MQ | REPLY_ACK | BACKEND_REQ | CONFIG | RESET_DEVICE | STATUS
TELL, STATS, OOM, CHUNKS, REQUESTS, VERSION_1 = 1, 2, 4, 8, 16, 1 << 32
ALL = TELL | STATS | OOM | CHUNKS | REQUESTS | VERSION_1
PAGE = 4096
SIZE = 64
"""Descriptors of each queue."""
RESERVED = 0x100
"""Pages at the beginning in which rings and buffers lie; the balloon does not get them."""
USER = 0x5000_0000
RUN = 128
"""The most pages of a message."""
INFLATE, DEFLATE, STATISTICS, HOST = range(4)
SECONDS = 60.0


class Gone(Exception):  # noqa: N818 - says what happened
    """The back-end hung up, or the driver is to end."""


class Driver(Thread):
    """Connects to ``path`` again and again, each time as a fresh driver, until it is ended."""

    protocol = EVERYTHING
    wanted = ALL
    pages = 0x2000
    """Pages of guest memory."""
    pause_seconds = 0.0
    """How long it pauses between its memory table and its rings."""
    late_channel = False
    """Whether it gives its request channel only after the features."""
    gives_channel = True
    """Whether it gives one at all."""
    says_driver_ok = True
    """Whether it sets DRIVER_OK where it negotiated STATUS."""
    thinks_again = False
    """Whether it accepts all that it wants, and then writes its features once more without DEFLATE_ON_OOM."""
    useless_kicks = False
    """Whether what it gives to notify by can be read and has nothing."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.wake, self.woken = os.pipe()
        self.connections = 0
        self.start()

    def end(self):
        os.close(self.woken)
        self.join(SECONDS)
        assert not self.is_alive()
        os.close(self.wake)

    def run(self):
        while not self.rest(0.01):
            with socket.socket(socket.AF_UNIX) as self.socket, suppress(Gone, OSError):
                self.socket.connect(self.path)
                self.connections += 1
                self.live()

    def rest(self, seconds):
        """Wait; tell whether the driver is to end."""
        return bool(select.select([self.wake], [], [], seconds)[0])

    def live(self):
        self.agreed = 0
        self.channel = None
        self.file = os.memfd_create("guest")
        os.ftruncate(self.file, self.pages * PAGE)
        self.memory = mmap.mmap(self.file, self.pages * PAGE)
        self.owned = [self.file]
        self.kicks, self.calls = {}, {}
        self.available, self.seen = [0] * 4, [0] * 4
        self.flying = [{}, {}, {}, {}]
        self.free = set(range(RESERVED, self.pages))
        self.balloon = set()
        self.target = 0
        try:
            if self.bring_up():
                self.serve()
            else:
                self.wait()
        finally:
            for descriptor in self.owned:
                os.close(descriptor)
            self.memory.close()

    # -- vhost-user ---------------------------------------------------------------------------------------

    def bring_up(self):
        """Come to DRIVER_OK; False where the device refused the features."""
        self.tell(3)
        offered = self.number(1)
        if offered >> 30 & 1:
            agreed = self.number(15) & self.protocol
            self.tell(16, struct.pack("<Q", agreed))
            self.agreed = agreed
        if not self.late_channel:
            self.give_channel()
        self.features = offered & self.wanted
        if not self.features & STATS:
            self.features &= ~(CHUNKS | REQUESTS)
        self.set_status(1 | 2)
        self.tell(2, struct.pack("<Q", self.features | offered & 1 << 30))
        if self.thinks_again:
            self.features &= ~OOM
            self.tell(2, struct.pack("<Q", self.features | offered & 1 << 30))
        if self.agreed & STATUS:
            self.set_status(1 | 2 | 8)
            if not self.number(40) & 8:
                self.set_status(128)
                return False
        if self.late_channel:
            self.give_channel()
        self.read_target()
        region = struct.pack("<QQQQ", 0, self.pages * PAGE, USER, 0)
        self.tell(5, struct.pack("<II", 1, 0) + region, [self.file])
        if self.pause_seconds and self.rest(self.pause_seconds):
            raise Gone
        queues = [INFLATE, DEFLATE]
        queues += [STATISTICS] if self.features & STATS else []
        queues += [HOST] if self.features & REQUESTS else []
        for queue in queues:
            self.start_queue(queue)
        if self.features & STATS:
            self.post_statistics()
        if self.features & REQUESTS:
            self.post_request()
        if self.says_driver_ok:
            self.set_status(1 | 2 | 8 | 4)
        for queue in queues:
            self.kick(queue)
        self.go_on()
        return True

    def give_channel(self):
        if self.gives_channel and self.agreed & BACKEND_REQ:
            ours, theirs = socket.socketpair()
            self.channel = ours.detach()
            self.owned.append(self.channel)
            with theirs:
                self.tell(21, fds=[theirs.fileno()])

    def set_status(self, status):
        if self.agreed & STATUS:
            self.tell(39, struct.pack("<Q", status))

    def start_queue(self, queue):
        kick, call = os.eventfd(0, os.EFD_NONBLOCK), os.eventfd(0, os.EFD_NONBLOCK)
        self.kicks[queue], self.calls[queue] = kick, call
        self.owned += [kick, call]
        given = kick
        if self.useless_kicks:
            given = os.open("/dev/null", os.O_RDONLY)
            self.owned.append(given)
        at = USER + queue * 0x4000
        self.tell(8, struct.pack("<II", queue, SIZE))
        self.tell(10, struct.pack("<II", queue, 0))
        self.tell(9, struct.pack("<IIQQQQ", queue, 0, at, at + 0x2000, at + 0x1000, 0))
        self.tell(13, struct.pack("<Q", queue), [call])
        self.tell(12, struct.pack("<Q", queue), [given])
        self.tell(18, struct.pack("<II", queue, 1))

    def tell(self, request, body=b"", fds=()):
        """Send what has no answer of its own, and take the acknowledgement where that was agreed."""
        ask = bool(self.agreed & REPLY_ACK)
        self.send(request, body, 9 if ask else 1, fds)
        if ask:
            assert self.reply(request) == bytes(8), f"request {request} was refused"

    def number(self, request):
        self.send(request)
        return struct.unpack("<Q", self.reply(request))[0]

    def send(self, request, body=b"", flags=1, fds=()):
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([struct.pack("<III", request, flags, len(body)) + body], ancillary)

    def reply(self, request):
        seen, flags, size = struct.unpack("<III", self.exactly(12))
        assert (seen, flags) == (request, 5), (seen, flags, size)
        return self.exactly(size)

    def exactly(self, size):
        data = b""
        while len(data) < size:
            if self.wake in select.select([self.socket, self.wake], [], [])[0]:
                raise Gone
            part = self.socket.recv(size - len(data))
            if not part:
                raise Gone
            data += part
        return data

    def read_target(self):
        self.send(24, struct.pack("<III", 0, 8, 0) + bytes(8))
        self.target = struct.unpack_from("<I", self.reply(24), 12)[0]

    def write_actual(self):
        self.tell(25, struct.pack("<III", 4, 4, 0) + struct.pack("<I", len(self.balloon)))

    # -- rings --------------------------------------------------------------------------------------------

    def offer(self, queue, readable=b"", writable=0):
        """Make one buffer of one descriptor available; its head is the descriptor that is free."""
        head = next(slot for slot in range(SIZE) if slot not in self.flying[queue])
        at = 0x20000 + (queue * SIZE + head) * 0x1000
        if readable:
            self.memory[at : at + len(readable)] = readable
        flags = 2 if writable else 0
        ring = queue * 0x4000
        struct.pack_into("<QIHH", self.memory, ring + 16 * head, at, len(readable) or writable, flags, 0)
        struct.pack_into("<H", self.memory, ring + 0x1000 + 4 + 2 * (self.available[queue] % SIZE), head)
        self.available[queue] = self.available[queue] + 1 & 0xFFFF
        struct.pack_into("<H", self.memory, ring + 0x1000 + 2, self.available[queue])
        self.flying[queue][head] = None
        return head

    def kick(self, queue):
        os.write(self.kicks[queue], struct.pack("<Q", 1))

    def returned(self, queue):
        """Yield the head, the length and the first bytes of each buffer that came back."""
        ring = queue * 0x4000 + 0x2000
        while self.seen[queue] != struct.unpack_from("<H", self.memory, ring + 2)[0]:
            head, length = struct.unpack_from("<II", self.memory, ring + 4 + 8 * (self.seen[queue] % SIZE))
            self.seen[queue] = self.seen[queue] + 1 & 0xFFFF
            at = 0x20000 + (queue * SIZE + head) * 0x1000
            yield self.flying[queue].pop(head), length, self.memory[at : at + 16]

    # -- the balloon --------------------------------------------------------------------------------------

    def serve(self):
        while True:
            for queue in self.wait():
                self.take(queue)
            self.go_on()

    def wait(self):
        """Return the queues with a call; what the back-end says of the configuration is taken in."""
        calls = {call: queue for queue, call in self.calls.items()}
        channel = [] if self.channel is None else [self.channel]
        ready, _, _ = select.select([self.socket, self.wake, *channel, *calls], [], [])
        if self.wake in ready or self.socket in ready:
            raise Gone
        if self.channel in ready:
            if not os.read(self.channel, 12):
                raise Gone
            self.read_target()
        for call in calls.keys() & set(ready):
            os.read(call, 8)
        return [queue for call, queue in calls.items() if call in ready]

    def take(self, queue):
        for pages, length, written in self.returned(queue):
            if queue == INFLATE:
                self.balloon |= pages
                self.write_actual()
            elif queue == DEFLATE:
                self.free |= pages
                self.write_actual()
            elif queue == STATISTICS:
                self.post_statistics()
                self.kick(queue)
            elif pages is None:
                self.answer(length, written)

    def go_on(self):
        """Move the balloon towards its target, a message at a time."""
        if self.flying[INFLATE] or self.flying[DEFLATE]:
            return
        missing = self.target - len(self.balloon)
        if missing > 0 and self.free:
            pages = set(sorted(self.free)[: min(missing, RUN)])
            self.free -= pages
            self.name(INFLATE, pages)
        elif missing < 0:
            pages = set(sorted(self.balloon)[: min(-missing, RUN)])
            self.balloon -= pages
            self.name(DEFLATE, pages)

    def name(self, queue, pages):
        if self.features & CHUNKS:
            data = self.message(pages)
        else:
            data = b"".join(struct.pack("<I", page) for page in sorted(pages))
        self.flying[queue][self.offer(queue, data)] = pages
        self.kick(queue)

    @staticmethod
    def message(pages, flag=0, ident=0):
        """A message that names the pages as runs, as few as there can be."""
        runs = []
        for page in sorted(pages):
            if runs and sum(runs[-1]) == page:
                runs[-1][1] += 1
            else:
                runs.append([page, 1])
        data = b"".join(struct.pack("<QQ", first << 12, count << 12) for first, count in runs)
        return struct.pack("<BBHI", 0, flag, ident, len(data)) + data

    def post_statistics(self):
        free = len(self.free) * PAGE
        self.offer(STATISTICS, struct.pack("<HQHQ", 4, free, 5, self.pages * PAGE))

    def post_request(self):
        self.offer(HOST, writable=16)

    def answer(self, length, written):
        """Answer a request by one message, which names the upper half of what is free, and is DONE."""
        command, param = struct.unpack("<H6xQ", written)
        if length == 16 and command == 0:
            unused = set(sorted(self.free)[len(self.free) // 2 :])
            self.flying[HOST][self.offer(HOST, self.message(unused, 1, param & 0xFFFF))] = unused
        self.post_request()
        self.kick(HOST)
