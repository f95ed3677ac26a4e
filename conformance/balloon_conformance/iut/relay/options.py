"""What a user says about a virtual machine in which the suite is the guest."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass, field
from typing import Final

from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.kind import Given, Option

__all__ = ["OPTIONS", "RelayOptions", "parse"]

_KERNEL = Option("relay-kernel", "PATH", "The Linux kernel that the VMM of relay:COMMAND boots.")
_MEMORY = Option(
    "relay-memory", "SIZE", "How much of the guest's memory is for cases; it needs 256M more (default: 512M)."
)
_TARGET = Option(
    "relay-target",
    "COMMAND",
    "What has the VMM set the balloon's target; {pages}, {bytes}, {mib} and {directory} are put in.",
)
_START = Option("relay-start-seconds", "SECONDS", "How long the guest may take to boot (default: 60).")
OPTIONS: Final = (_KERNEL, _MEMORY, _TARGET, _START)
_PLACES: Final = ("{kernel}", "{initrd}", "{cmdline}")
_SIZE: Final = re.compile(r"([0-9]+)([MG])(?:iB)?")
_LEAST_MIB: Final = 64


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """How to start a VMM, and what of its guest is the suite's.

    ``command`` and ``target_command`` are words, in which ``{kernel}``, ``{initrd}``, ``{cmdline}`` and
    ``{directory}``, or ``{pages}``, ``{bytes}``, ``{mib}`` and ``{directory}``, are replaced; without a
    ``target_command`` nobody sets targets. ``memory_mib`` is where the range ends that the guest's kernel
    leaves alone, from 1 MiB on. ``ring_size`` is the descriptors of each queue, a power of 2.
    ``answer_seconds`` bounds every request, and ``start_seconds`` the boot.
    """

    command: tuple[str, ...]
    kernel: str
    target_command: tuple[str, ...] = ()
    memory_mib: int = 512
    ring_size: int = 64
    start_seconds: float = 60.0
    answer_seconds: float = 15.0
    name: str = field(default="relay")


def parse(name: str, given: Given) -> RelayOptions:
    """Return the options for ``relay:COMMAND``; :class:`IutError` for what cannot be one."""
    command = _words("relay:COMMAND", name.partition(":")[2])
    if missing := [one for one in _PLACES if not any(one in word for word in command)]:
        raise IutError(
            f"relay:COMMAND: {missing[0]} is not in it; write where the VMM is told of its kernel, initramfs"
            " and command line, as in -kernel {kernel} -initrd {initrd} -append {cmdline}"
        )
    if _KERNEL.name not in given:
        raise IutError(
            f"--{_KERNEL.name} is missing; name a Linux kernel for the guest, as in /boot/vmlinuz-6.1"
        )
    stock = RelayOptions(command, given[_KERNEL.name])
    return RelayOptions(
        command,
        given[_KERNEL.name],
        _words(f"--{_TARGET.name}", given[_TARGET.name]) if _TARGET.name in given else (),
        memory_mib=_mib(given[_MEMORY.name]) if _MEMORY.name in given else stock.memory_mib,
        start_seconds=_seconds(given[_START.name]) if _START.name in given else stock.start_seconds,
        name=name,
    )


def _words(where: str, text: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise IutError(f"{where}: {error}; quote it as for a shell") from None
    if not words:
        raise IutError(f"{where} is empty; write a command")
    return words


def _mib(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    mib = int(match[1]) * (1024 if match[2] == "G" else 1) if match else 0
    if mib < _LEAST_MIB:
        raise IutError(
            f"--{_MEMORY.name}: {text!r} is not a size from {_LEAST_MIB}M; write it as in 512M or 1G"
        )
    return mib


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise IutError(f"--{_START.name}: {text!r} is no time; write seconds, as in 60")
    return seconds
