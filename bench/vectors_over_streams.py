"""The whole set of vectors over standard streams, beside the Python reference in this process.

Every vector that judges a device is played against the program, as in a run with the judge, and then against
the reference device in this process, which is the yardstick. The two alternate, and the vectors are loaded
before. Prints the vectors a second of each, the ratio, and the time that loading the vectors takes in every
run::

    python bench/vectors_over_streams.py [--rounds N] [COMMAND]

COMMAND is the program of a device, by default the served reference device. The C device of examples/c reaches
0.37 to 0.40 of the yardstick's rate on two virtual processors.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time

from balloon_conformance.iut.contract import DeviceAdapter, DriverAdapter
from balloon_conformance.iut.reference.adapter import ReferenceDevice
from balloon_conformance.iut.stdio.program import StdioOptions, split
from balloon_conformance.iut.stdio.target import stdio_target
from balloon_conformance.running.outcome import Status
from balloon_conformance.running.player import play
from balloon_conformance.suite.plan import plan
from balloon_conformance.vectors.model import Vector
from balloon_spec.events import Side

REFERENCE = f"{shlex.quote(sys.executable)} -m balloon_conformance serve reference-device --stdio"


def play_all(vectors: tuple[Vector, ...], adapter: DeviceAdapter | DriverAdapter) -> float:
    """Play all vectors, and return the seconds it took; a vector that does not pass ends the measurement."""
    began = time.perf_counter()
    for vector in vectors:
        outcome = play(vector, adapter, Side.DEVICE)
        if outcome.status is not Status.PASSED:
            raise SystemExit(f"{vector.id}: {outcome.status}: {outcome.reason}")
    return time.perf_counter() - began


def main() -> None:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(description="The vectors over standard streams and in this process.")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("command", nargs="?", default=REFERENCE, metavar="COMMAND")
    arguments = parser.parse_args()
    began = time.perf_counter()
    vectors = plan(Side.DEVICE).vectors
    loading = time.perf_counter() - began
    program = stdio_target(StdioOptions(split(arguments.command))).make()
    rounds = [
        (play_all(vectors, program), play_all(vectors, ReferenceDevice())) for _ in range(arguments.rounds)
    ]
    program.stop()
    streams, here = (min(column) for column in zip(*rounds, strict=True))
    print(f"over streams     {len(vectors) / streams:8.0f} vectors a second with {arguments.command}")
    print(f"in this process  {len(vectors) / here:8.0f}")
    print(f"ratio            {here / streams:8.2f}")
    print(f"loading          {loading / streams:8.2f} of the time over streams, for all vectors there are")


if __name__ == "__main__":
    main()
