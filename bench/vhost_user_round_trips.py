"""Round trips a second: the vhost-user front-end against the served reference device in another process.

Two comparisons are made. One buffer at a time is compared with a bare ping-pong of two event descriptors
between two Python processes in the same run. One of 128 buffers with a single kick is compared with one
buffer at a time. Each buffer is an inflate message of one chunk; it is made, taken, acted on by the device's
tables, and returned. The suite's judge is not in the loop. The time of the device's tables alone, without any
transport, is printed as well, because it bounds both.

Both aims are missed because of what the interpreter does for a buffer. On two virtual processors a bare round
trip takes 6 us. A buffer in a batch takes 28 us of processor time: 12 in the suite (laying it out 7,
collecting it 5) and 16 in the device (its tables 11, of which reading the message 4; the ring 3; punching the
hole 2). Half the rate of the ping-pong would leave less than half of that. One at a time the same
instructions take 80 us, because each wake-up finds the caches cold, and the notification adds 10. So one at a
time takes three times as long as in a batch; it could take ten times as long only if a single buffer were
slower.

Prints rates and ratios::

    python bench/vhost_user_round_trips.py [--rounds N] [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from balloon_conformance.iut.contract import Buffer, Setup
from balloon_conformance.iut.vhost_user.device import VhostUserDevice, VhostUserOptions
from balloon_conformance.reference.device_state import Accept
from balloon_conformance.reference.quick_device import QuickDevice
from balloon_spec.events import Available, DriverOk
from balloon_spec.profiles import CHUNK_TRANSFER

BATCH = 128
PROFILE_LINES = 24
PAGES = 0x4000
DEADLINE_SECONDS = 10.0
FEATURES = CHUNK_TRANSFER.mask(["VERSION_1", "STATS_VQ", "CHUNK_TRANSFER"])
READINESS = b"the reference device listens"


def ping_pong(rounds: int) -> float:
    """Return round trips a second of two processes that only wake each other."""
    ping, pong = os.eventfd(0), os.eventfd(0)
    child = os.fork()
    if child == 0:
        for _ in range(rounds):
            os.eventfd_read(ping)
            os.eventfd_write(pong, 1)
        os._exit(0)
    began = time.perf_counter()
    for _ in range(rounds):
        os.eventfd_write(ping, 1)
        os.eventfd_read(pong)
    rate = rounds / (time.perf_counter() - began)
    os.waitpid(child, 0)
    os.close(ping)
    os.close(pong)
    return rate


@contextmanager
def served(*, profile: bool) -> Iterator[VhostUserDevice]:
    """Run the reference device in a process of its own, and yield an adapter whose driver is ready."""
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory, "device.sock"))
        statistics = str(Path(directory, "device.profile"))
        words = [
            sys.executable,
            *(("-m", "cProfile", "-o", statistics) if profile else ()),
            "-m",
            "balloon_conformance",
            "serve",
            "reference-device",
            "--vhost-user",
            path,
        ]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
            try:
                if process.stdout is None or not process.stdout.readline().startswith(READINESS):
                    raise SystemExit("the reference device did not start")
                adapter = VhostUserDevice(VhostUserOptions(path))
                adapter.start(Setup(CHUNK_TRANSFER, PAGES))
                if not adapter.accept(FEATURES):
                    raise SystemExit("the reference device refused the features")
                adapter.prepare()
                adapter.driver_ok()
                yield adapter
                adapter.stop()
            finally:
                process.terminate()
        if profile:
            print("the served device:")
            pstats.Stats(statistics).sort_stats("tottime").print_stats(PROFILE_LINES)


def message(page: int) -> bytes:
    """Return an inflate message that names one page."""
    return struct.pack("<BBHIQQ", 0, 0, 0, 16, page << 12, 1 << 12)


def collect(adapter: VhostUserDevice, count: int) -> None:
    """Wait until ``count`` buffers came back."""
    while count:
        events = adapter.observe(DEADLINE_SECONDS)
        if not events:
            raise SystemExit(f"{count} buffers were not returned in {DEADLINE_SECONDS:g} seconds")
        count -= len(events)


def one_at_a_time(adapter: VhostUserDevice, rounds: int) -> float:
    """Return buffers a second, each awaited before the next."""
    began = time.perf_counter()
    for number in range(rounds):
        adapter.make_available(0, Buffer("b", message(number % PAGES)))
        collect(adapter, 1)
    return rounds / (time.perf_counter() - began)


def many_a_kick(adapter: VhostUserDevice, rounds: int) -> float:
    """Return buffers a second, 128 of them made available before the device is notified."""
    began = time.perf_counter()
    for _ in range(rounds):
        for number in range(BATCH):
            notify = number == BATCH - 1
            adapter.make_available(0, Buffer(f"b{number}", message(number * 2), notify=notify))
        collect(adapter, BATCH)
    return rounds * BATCH / (time.perf_counter() - began)


def device_alone(rounds: int) -> float:
    """Return buffers a second of the reference device in this process, without rings and sockets."""
    device = QuickDevice()
    device.receive(Accept(FEATURES))
    device.receive(DriverOk())
    began = time.perf_counter()
    for number in range(rounds):
        device.receive(Available(0, "b", message(number % PAGES)))
    return rounds / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5000)
    parser.add_argument("--profile", action="store_true", help="show where both processes spend their time")
    options = parser.parse_args()
    bare = ping_pong(4 * options.rounds)
    alone = device_alone(options.rounds)
    with served(profile=options.profile) as adapter:
        one_at_a_time(adapter, options.rounds // 10)
        profile = cProfile.Profile()
        if options.profile:
            profile.enable()
        single = one_at_a_time(adapter, options.rounds)
        batched = many_a_kick(adapter, max(options.rounds // BATCH, 1))
        profile.disable()
    print(f"bare ping-pong        {bare:9,.0f} round trips/s")
    print(f"the device alone      {alone:9,.0f} buffers/s  in this process, without rings and sockets")
    print(f"one buffer at a time  {single:9,.0f} buffers/s  {single / bare:6.3f} of the ping-pong (aim 0.5)")
    print(
        f"128 buffers a kick    {batched:9,.0f} buffers/s  {batched / single:6.2f} of one at a time (aim 10)"
    )
    if options.profile:
        print("the suite:")
        pstats.Stats(profile).sort_stats("tottime").print_stats(PROFILE_LINES)


if __name__ == "__main__":
    main()
