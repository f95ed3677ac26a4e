"""Exchanges a second over standard streams: the suite's adapter beside a bare echo of the same lines.

A conversation with the program is recorded once: after a negotiation, a device gets one inflate message of
one chunk after another, and a driver one command to observe after another. Then it is repeated in two ways:

* The suite repeats it through the adapter: every line is made from fields, and read by the table.
* This process and a small C program exchange the same lines, with one write and one read on each side. The
  answers are known in advance, and nothing is made or parsed. This needs a C compiler.

With the C device of examples/c the ratio is 0.46 to 0.54 on two virtual processors that nobody else uses, so
the aim of half the bare rate is just met or missed; it is 0.22 to 0.25 if others use them too. In one
exchange the suite takes some 10 us of processor time in Python (the line from fields, the answer from JSON
and by the table, one poll), the program takes 3, and each is woken with cold caches. A bare exchange takes 36
us in all.

The two alternate within one run, and the best round of each counts. Neither judges. Prints both rates and the
ratio::

    python bench/stdio_exchanges.py [--messages N] [--rounds N] [COMMAND]

COMMAND is the program, the served reference device by default.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from balloon_conformance.iut.contract import Buffer, Setup
from balloon_conformance.iut.stdio.adapter import StdioAdapter
from balloon_conformance.iut.stdio.device import StdioDevice
from balloon_conformance.iut.stdio.driver import StdioDriver
from balloon_conformance.iut.stdio.process import StdioProcess
from balloon_conformance.iut.stdio.program import StdioOptions, split
from balloon_conformance.iut.stdio.target import stdio_target
from balloon_spec.profiles import CHUNK_TRANSFER

PAGES = 0x4000
FEATURES = CHUNK_TRANSFER.mask(["VERSION_1", "STATS_VQ", "CHUNK_TRANSFER"])
REFERENCE = f"{shlex.quote(sys.executable)} -m balloon_conformance serve reference-device --stdio"

ECHO = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Answers every line with the next line of the file it is given. */
int main(int argc, char **argv)
{
    static char asked[1 << 20];
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    char *line = NULL;
    size_t room = 0, have = 0;
    ssize_t length, more;

    if (!file)
        return 2;
    while ((length = getline(&line, &room, file)) > 0) {
        do {
            more = read(0, asked + have, sizeof asked - have);
            if (more <= 0)
                return 1;
            have += more;
        } while (asked[have - 1] != '\n');
        have = 0;
        if (write(1, line, length) != length)
            return 1;
    }
    return 0;
}
"""


def brought_up(adapter: StdioAdapter) -> None:
    """Bring the adapter to the point where exchanges begin."""
    adapter.start(Setup(CHUNK_TRANSFER, PAGES))
    if isinstance(adapter, StdioDevice):
        if not adapter.accept(FEATURES):
            raise SystemExit("the device refuses VERSION_1, STATS_VQ and CHUNK_TRANSFER")
        adapter.driver_ok()
    elif isinstance(adapter, StdioDriver):
        adapter.negotiate(FEATURES, bytes(8))
    adapter.observe(0.0)


def conversation(
    adapter: StdioAdapter, messages: int, kept: list[tuple[bytes, bytes]] | None = None
) -> float:
    """Hold the conversation, and return the seconds it took; its lines are added to ``kept``."""
    brought_up(adapter)
    if kept is not None:
        keep(adapter.program.process, kept)
    began = time.perf_counter()
    for number in range(messages):
        if isinstance(adapter, StdioDevice):
            chunk = struct.pack("<QQ", (number % PAGES) << 12, 1 << 12)
            adapter.make_available(0, Buffer(f"m{number}", struct.pack("<BBHI", 0, 0, 0, 16) + chunk))
            adapter.observe(0.0)
        else:
            adapter.program.observe(0.0)
    seconds = time.perf_counter() - began
    adapter.stop()
    return seconds


def keep(process: StdioProcess, kept: list[tuple[bytes, bytes]]) -> None:
    """Have a process record the lines that are exchanged with it, except the last, which is stop."""
    exchange = process.exchange

    def keeping(line: bytes, seconds: float, asked: str) -> bytes:
        answer = exchange(line, seconds, asked)
        if asked != "stop":
            kept.append((line, answer + b"\n"))
        return answer

    process.exchange = keeping  # type: ignore[method-assign]  # of this one process


def echoed(echo: str, lines: list[tuple[bytes, bytes]]) -> float:
    """Exchange the lines with the echo program, and return the seconds it took."""
    with tempfile.NamedTemporaryFile() as answers:
        answers.write(b"".join(answer for _, answer in lines))
        answers.flush()
        process = subprocess.Popen(
            [echo, answers.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert process.stdin is not None
        assert process.stdout is not None
        to, back = process.stdin.fileno(), process.stdout.fileno()
        began = time.perf_counter()
        for line, answer in lines:
            os.write(to, line)
            left = len(answer)
            while left > 0:
                left -= len(os.read(back, 1 << 16))
        seconds = time.perf_counter() - began
        process.stdin.close()
        process.wait()
        process.stdout.close()
    return seconds


def main() -> None:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(description="Exchanges a second over standard streams.")
    parser.add_argument("--messages", type=int, default=5000, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("command", nargs="?", default=REFERENCE, metavar="COMMAND")
    arguments = parser.parse_args()
    compiler = shutil.which("cc")
    if compiler is None:
        raise SystemExit("the bare echo is a C program: install a C compiler")
    words = split(arguments.command)
    made = stdio_target(StdioOptions(words)).make()
    assert isinstance(made, StdioAdapter)
    with tempfile.TemporaryDirectory() as directory:
        source, echo = Path(directory, "echo.c"), str(Path(directory, "echo"))
        source.write_text(ECHO, encoding="utf-8")
        subprocess.run([compiler, "-O2", "-o", echo, str(source)], check=True)
        lines: list[tuple[bytes, bytes]] = []
        conversation(made, arguments.messages, lines)
        rates = [
            (len(lines) / conversation(made, arguments.messages), len(lines) / echoed(echo, lines))
            for _ in range(arguments.rounds)
        ]
    adapter, bare = (max(column) for column in zip(*rates, strict=True))
    print(f"adapter    {adapter:10.0f} exchanges a second with {arguments.command}")
    print(f"bare echo  {bare:10.0f} of the same lines")
    print(f"ratio      {adapter / bare:10.2f} (aim: 0.5)")


if __name__ == "__main__":
    main()
