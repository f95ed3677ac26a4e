"""The files of the guest in user mode: a shell, the program that it runs, and the driver's module."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from balloon_conformance.iut.initramfs import Entry, device, directory, file, link

__all__ = ["APPLETS", "MODULE_PATH", "guest_files"]

MODULE_PATH: Final = "balloon.ko"
"""Where the guest finds the driver's module."""

APPLETS: Final = (
    "awk",
    "cmp",
    "dd",
    "dmesg",
    "insmod",
    "mkfifo",
    "mount",
    "rm",
    "rmmod",
    "sleep",
    "stty",
    "sync",
)
"""The busybox applets that the guest's program calls, besides the shell."""

_DIRECTORIES: Final = ("bin", "dev", "mem", "proc", "sys")


def guest_files(busybox: bytes, module: bytes | None) -> tuple[Entry, ...]:
    """Return the guest's files: a static ``busybox``, and the ``module`` unless it is built in."""
    init = Path(__file__).with_name("init.sh").read_bytes()
    entries = [
        *map(directory, _DIRECTORIES),
        device("dev/console", 5, 1),
        device("dev/null", 1, 3),
        device("dev/zero", 1, 5),
        device("dev/ttyS0", 4, 64),
        file("bin/busybox", busybox, 0o755),
        link("bin/sh", "busybox"),
        *(link(f"bin/{applet}", "busybox") for applet in APPLETS),
        file("init", init, 0o755),
    ]
    if module is not None:
        entries.append(file(MODULE_PATH, module))
    return tuple(entries)
