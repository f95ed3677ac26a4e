"""What a user may choose about the kernel in user mode, and what the adapter takes unless told otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["BUILT_IN", "LEAST_MEMORY_MIB", "UmlOptions"]

BUILT_IN: Final = "built-in"
"""Stands for the module's path where the driver is part of the kernel."""

LEAST_MEMORY_MIB: Final = 32
"""Below this the kernel does not reach its first program."""


@dataclass(frozen=True, slots=True)
class UmlOptions:
    """Which kernel and driver to test, and how to run them.

    ``kernel`` is a Linux built for user mode, a path or a name to be found on ``PATH``. ``module`` is the
    path of the driver's module, :data:`BUILT_IN` where the kernel holds the driver, empty to take the
    ``virtio_balloon`` that is installed for the kernel's release. ``memory_mib`` is the guest's memory: Linux
    reports free blocks of 4 MiB only while it has 128 MiB free beyond its reserves, so the default is more.
    ``extra_kernel_arguments`` are added to the kernel's command line, and ``busybox`` is a static busybox.

    ``start_seconds`` bounds the boot, ``answer_seconds`` every command to the guest. ``reuse`` lets cases
    that follow each other share a kernel, which binds its driver anew for each.
    """

    kernel: str = "linux.uml"
    module: str = ""
    memory_mib: int = 320
    extra_kernel_arguments: tuple[str, ...] = ()
    busybox: str = "busybox"
    start_seconds: float = 20.0
    answer_seconds: float = 10.0
    reuse: bool = True
