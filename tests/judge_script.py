"""Short hands for traces in the tests of the judge; bytes by plain struct, independent of the schemas."""

from __future__ import annotations

import struct

from balloon_spec import events as ev
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

INFLATE, DEFLATE, STATISTICS, REQUESTS = range(4)
MEMORY = PageSet([(0, 0x4000)])
VERSION, TELL, STATS, OOM, CHUNKS, HOST = 1 << 32, 1, 2, 4, 8, 16
MESSAGES = VERSION | STATS | OOM | CHUNKS
FULL = MESSAGES | HOST
ARRAYS = VERSION | OOM
PROFILE = CHUNK_TRANSFER


def start(features=FULL, offered=None, *, driver_ok=True, ring=(), posts=True):
    """Negotiation, memory and the buffers a driver posts at first."""
    events = [
        ev.Negotiated(features if offered is None else offered, features, True, ring),
        ev.Memory(MEMORY),
    ]
    if driver_ok:
        events.append(ev.DriverOk())
    if posts and features & STATS:
        events.append(ev.Available(STATISTICS, "s0", statistics((4, 1)), notified=True))
    if posts and features & HOST:
        events.append(ev.Available(REQUESTS, "r0", writable_bytes=16, notified=True))
    return events


def chunk(first, pages, reserved=0, size_reserved=0):
    return struct.pack("<QQ", first << 12 | reserved, pages << 12 | size_reserved)


def message(*chunks, cmd=0, flag=0, ident=0, data_len=None):
    data = b"".join(chunks)
    return struct.pack("<BBHI", cmd, flag, ident, len(data) if data_len is None else data_len) + data


def array(*pfns):
    return struct.pack(f"<{len(pfns)}I", *pfns)


def statistics(*entries):
    return b"".join(struct.pack("<HQ", *entry) for entry in entries)


def inflate(name, *chunks, **fields):
    return ev.Available(INFLATE, name, message(*chunks, **fields), notified=True)


def deflate(name, *chunks, **fields):
    return ev.Available(DEFLATE, name, message(*chunks, **fields), notified=True)


def unused(name, *chunks, flag=1, ident=7, **fields):
    return ev.Available(REQUESTS, name, message(*chunks, flag=flag, ident=ident, **fields), notified=True)


def request(name="r0", param=7, cmd=0, reserved=(0, 0, 0), length=16):
    return ev.Used(REQUESTS, name, length, struct.pack("<H3HQ", cmd, *reserved, param)[:length])


def post(name="r1", size=16):
    return ev.Available(REQUESTS, name, writable_bytes=size, notified=True)


def used(queue, name, length=0, written=b""):
    return ev.Used(queue, name, length, written)


def actual(pages):
    return ev.ConfigurationWritten(4, struct.pack("<I", pages))


def space(num_pages, pages=0):
    return struct.pack("<II", num_pages, pages)


def target(pages):
    return ev.ConfigurationChanged(space(pages))


def gone(*runs, looked=MEMORY):
    return ev.Discarded(PageSet.parse(*runs), looked)


def wants(action, *runs):
    return ev.Guest(ev.GuestAction(action), PageSet.parse(*runs))


DRIVER_QUIET = ev.Quiet(ev.Side.DRIVER)
DEVICE_QUIET = ev.Quiet(ev.Side.DEVICE)
A = chunk(0x1000, 4)
B = chunk(0x2000, 2)


def held(*, features=MESSAGES, name="m0"):
    """Four pages from 0x1000 in the balloon, counted."""
    return [*start(features), inflate(name, A), used(INFLATE, name), actual(4)]
