"""Time to the first buffer of a driver in a kernel in user mode, beside the bare boot of the same kernel.

Three times are measured, in turn and in one process, and their medians are printed. The bare boot lasts from
the start of the kernel, with the same memory, arguments and initramfs, to the first line of the guest's
program. The whole lasts from the start of an adapter, which boots, loads the module and negotiates, to the
first available buffer. A case in a running kernel lasts from the end of the case before to the first
available buffer::

    python bench/uml_boot.py [--rounds N] [--memory MIB]
"""

from __future__ import annotations

import argparse
import statistics
import struct
import sys
import time

from balloon_conformance.iut.contract import AdapterError, Setup
from balloon_conformance.iut.linux_uml import LinuxUml, UmlOptions
from balloon_conformance.iut.linux_uml.process import GuestKernel
from balloon_spec.events import Available
from balloon_spec.profiles import BASE

OFFERED = BASE.mask(["VERSION_1", "MUST_TELL_HOST", "STATS_VQ", "DEFLATE_ON_OOM"])
DEADLINE_SECONDS = 10.0


def bare(options: UmlOptions) -> float:
    """Return the seconds of a boot to the guest's first line."""
    began = time.perf_counter()
    kernel = GuestKernel(options)
    seconds = time.perf_counter() - began
    kernel.stop()
    return seconds


def to_first_buffer(adapter: LinuxUml) -> float:
    """Return the seconds from the adapter's start to its driver's first available buffer."""
    began = time.perf_counter()
    adapter.start(Setup(BASE))
    adapter.negotiate(OFFERED, struct.pack("<II", 0, 0))
    until = time.monotonic() + DEADLINE_SECONDS
    while not any(isinstance(event, Available) for event in adapter.observe(DEADLINE_SECONDS)):
        if time.monotonic() > until:
            raise AdapterError(f"no buffer within {DEADLINE_SECONDS:g} seconds")
    return time.perf_counter() - began


def main() -> None:
    """Print the three medians, and the ratios to the bare boot."""
    parser = argparse.ArgumentParser(description="Time to the first buffer, beside the bare boot.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--memory", type=int, default=UmlOptions().memory_mib, metavar="MIB")
    arguments = parser.parse_args()
    options = UmlOptions(memory_mib=arguments.memory)
    boots, firsts, agains = [], [], []
    adapter = LinuxUml(options)
    try:
        print(adapter.description)
        for _ in range(arguments.rounds):
            boots.append(bare(options))
            firsts.append(to_first_buffer(adapter))
            agains.append(to_first_buffer(adapter))
            adapter.stop()
    except AdapterError as error:
        sys.exit(str(error))
    finally:
        adapter.stop()
    boot, first, again = map(statistics.median, (boots, firsts, agains))
    print(f"bare boot, to the guest's first line      {boot:7.3f} s")
    print(f"boot, to the first available buffer       {first:7.3f} s   {first / boot:5.2f} of the bare boot")
    print(f"kernel kept, to the first available buffer{again:7.3f} s   {again / boot:5.2f} of the bare boot")


if __name__ == "__main__":
    main()
