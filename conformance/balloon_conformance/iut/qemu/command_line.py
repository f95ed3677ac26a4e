"""What the command line says about QEMU, read into :class:`QemuOptions`."""

from __future__ import annotations

import re
from typing import Final

from balloon_conformance.iut.errors import IutError
from balloon_conformance.iut.kind import Given, Option
from balloon_conformance.iut.qemu.options import QemuOptions

__all__ = ["OPTIONS", "parse"]

_BINARY = Option("qemu-binary", "PATH", "The QEMU to start (default: qemu-system-x86_64).")
_PROPERTIES = Option("qemu-device-properties", "NAME=VALUE,...", "More properties of QEMU's device.")
_LEAST_MEMORY = Option("qemu-memory", "SIZE", "The least guest memory, as in 256M.")
OPTIONS: Final = (_BINARY, _PROPERTIES, _LEAST_MEMORY)

_MEMORY: Final = re.compile(r"([0-9]+)([MG]?)(?:iB)?")
_PROPERTY: Final = re.compile(r"[A-Za-z0-9_.-]+=[^,=]*")


def parse(given: Given) -> QemuOptions:
    """Return the options; what was not given keeps its default.

    A memory is as in ``64M``, ``2G`` or ``64`` (MiB).

    Raises :class:`IutError` for a property that is not ``NAME=VALUE``, or a memory that is no size.
    """
    stock = QemuOptions()
    properties = given.get(_PROPERTIES.name, "")
    memory = given.get(_LEAST_MEMORY.name)
    for word in filter(None, properties.split(",")):
        if not _PROPERTY.fullmatch(word):
            raise IutError(
                f"--qemu-device-properties: {word!r} is not NAME=VALUE; "
                "write them as in deflate-on-oom=off,iommu_platform=on"
            )
    return QemuOptions(
        binary=given.get(_BINARY.name, stock.binary),
        device_properties=properties.strip(","),
        memory_mib=stock.memory_mib if memory is None else _mib(memory),
    )


def _mib(text: str) -> int:
    match = _MEMORY.fullmatch(text.strip())
    if not match or not int(match[1]):
        raise IutError(f"--qemu-memory: {text!r} is not a size; write it as in 64M or 2G")
    return int(match[1]) * (1024 if match[2] == "G" else 1)
