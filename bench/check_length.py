"""How the time that a trace takes to be judged grows with its length.

A trace of small messages is judged at three lengths, each ten times the last: a driver inflates runs of
pages, no two of which touch, takes every fourth back, has eight buffers in flight, and nobody looks at
memory. So the sets of pages grow with the trace, and what awaits a look at memory too. The yardstick is
``json.loads`` of the same lines. Prints microseconds of processor time an event, each part of it as a
multiple of the yardstick, the whole beside that of the shortest trace, and the most memory of a process that
judged that trace and nothing else. Long and short are compared in multiples of their yardsticks, for a
machine is not equally fast at all times.

Most of the time goes into the rules and the ledgers: a message is shown to some twenty rules, which decide
fifteen requirements, and fourteen ledgers take it in. The rest is the reading of its bytes::

    python bench/check_length.py [--messages N]

N is the number of messages of the shortest trace, 400 by default.
"""

from __future__ import annotations

import argparse
import json
import resource
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from balloon_spec import trace
from balloon_spec.events import (
    Available,
    ConfigurationWritten,
    DriverOk,
    Event,
    Memory,
    Negotiated,
    Used,
)
from balloon_spec.families.base import DEFLATE, INFLATE
from balloon_spec.judge import Judge
from balloon_spec.pages import PageSet
from balloon_spec.profiles import CHUNK_TRANSFER

LENGTHS = 3
GROWTH = 10
IN_FLIGHT = 8
FLAT = 1.3
"""The time an event may take of the longest trace, beside that of the shortest."""
ROUNDS_OF = 40_000
"""A shorter trace is judged as often as makes so many messages, and the fastest round counts."""


class Figures(NamedTuple):
    """Seconds of processor time and the memory of one trace."""

    events: int
    loading: float
    reading: float
    judging: float
    peak_bytes: int


def message(first: int) -> bytes:
    """A response message with one chunk of one page."""
    return struct.pack("<BBHIQQ", 0, 0, 0, 16, first << 12, 1 << 12)


def exchange(messages: int) -> Iterator[Event]:
    """Yield the events of the trace."""
    features = CHUNK_TRANSFER.mask(["VERSION_1", "STATS_VQ", "CHUNK_TRANSFER", "MUST_TELL_HOST"])
    yield Memory(PageSet([(0, 1 << 24)]))
    yield Negotiated(features, features)
    yield DriverOk()
    flying: list[tuple[int, str]] = []
    held: list[int] = []
    actual = fresh = 0
    for number in range(messages):
        takes_back = number % 4 == 3 and len(held) > IN_FLIGHT
        if takes_back:
            # One from the middle: the runs of a balloon go in no order.
            page = held.pop(len(held) // 2 - IN_FLIGHT // 2)
        else:
            fresh += 1
            page = 2 * fresh
            held.append(page)
        actual += -1 if takes_back else 1
        queue = (DEFLATE if takes_back else INFLATE).place
        yield Available(queue, f"b{number}", message(page), notified=True)
        flying.append((queue, f"b{number}"))
        if len(flying) == IN_FLIGHT:
            for at, name in flying:
                yield Used(at, name, notified=True)
            flying.clear()
            yield ConfigurationWritten(4, struct.pack("<I", actual))


def seconds(action: Callable[[], object], rounds: int) -> float:
    """The processor time of the fastest round, in seconds."""
    fastest = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        action()
        fastest = min(fastest, time.process_time() - began)
    return fastest


def measured(path: Path, messages: int) -> Figures:
    """Measure one trace, in a process that does nothing else."""
    rounds = max(ROUNDS_OF // messages, 1)
    with path.open() as lines:
        # The judge goes first: what is in memory by then is its own.
        judged = seconds(lambda: judge(path), rounds)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        read = seconds(lambda: sum(1 for _ in trace.read(path.open())), rounds)
        loading = seconds(lambda: [None for line in path.open() if json.loads(line) is None], rounds)
        events = sum(1 for _ in lines) - 1
    return Figures(events, loading, read - loading, judged - read, peak)


def judge(path: Path) -> None:
    """Read a trace and judge it; nothing in it is broken."""
    one = Judge(CHUNK_TRANSFER)
    for entry in trace.read(path.open()):
        if isinstance(entry, trace.Entry) and (found := one.feed(entry.event, entry.at_seconds)):
            raise SystemExit(f"{path.name}:{entry.line}: {found[0]}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="The time a trace takes, by its length.")
    parser.add_argument("--messages", type=int, default=400, metavar="N")
    shortest = parser.parse_args().messages
    print("messages   events   us an event   json.loads   reading   judging   beside the shortest   peak MB")
    first = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for messages in (shortest * GROWTH**at for at in range(LENGTHS)):
            path = Path(folder) / f"{messages}.jsonl"
            with path.open("w") as file:
                file.writelines(
                    f"{line}\n" for line in trace.write(trace.Header(CHUNK_TRANSFER), exchange(messages))
                )
            with get_context("spawn").Pool(1) as pool:
                one = pool.apply(measured, (path, messages))
            each = (one.loading + one.reading + one.judging) / one.events
            reading, judging = one.reading / one.loading, one.judging / one.loading
            whole = 1.0 + reading + judging
            first = first or whole
            print(
                f"{messages:8} {one.events:8} {each * 1e6:13.1f} {1.0:12.1f} {reading:9.1f} {judging:9.1f} "
                f"{whole / first:21.2f} {one.peak_bytes / 1e6:9.0f}"
            )
    verdict = "flat" if whole <= FLAT * first else "not flat"
    print(f"{verdict}: a factor of {FLAT} is allowed")


if __name__ == "__main__":
    main()
