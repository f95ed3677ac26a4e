"""Compares how fast a full message is read: by construct, by the bulk path, and by memcpy.

Prints ratios, because absolute times depend on the machine. Run: ``python bench/chunk_decode.py``.
"""

from __future__ import annotations

import statistics
import struct
import time
from collections.abc import Callable

from balloon_spec.families.chunk_transfer import chunk, response_message
from balloon_spec.families.chunk_transfer.message_content import read_message
from balloon_spec.pages import PageSet

CHUNKS = 2048
ROUNDS = 15


def seconds(action: Callable[[], object], repeat: int) -> float:
    """The median of several rounds, in seconds a call."""
    rounds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(repeat):
            action()
        rounds.append((time.perf_counter() - begun) / repeat)
    return statistics.median(rounds)


def main() -> None:
    """Measure and print."""
    body = b"".join(struct.pack("<QQ", (0x1000 + 2 * at) << 12, 1 << 12) for at in range(CHUNKS))
    message = struct.pack("<BBHI", 0, 0, 0, len(body)) + body
    memory = PageSet([(0, 0x10000)])
    schema = seconds(lambda: response_message.SCHEMA.parse(message), 1)
    figures = {
        "memcpy of the bytes": seconds(lambda: bytes(bytearray(message)), 200),
        "chunk.decode (words)": seconds(lambda: chunk.decode(body), 200),
        "read_message (pages, every check)": seconds(lambda: read_message(message, memory, is_idle=True), 20),
        "response_message.parse (dataclasses)": seconds(lambda: response_message.parse(message), 2),
    }
    print(f"one message of {CHUNKS} chunks, beside construct's own parse of it ({len(message)} bytes):")
    for name, one in figures.items():
        print(f"  {name:40} {schema / one:10.0f} times as fast")


if __name__ == "__main__":
    main()
